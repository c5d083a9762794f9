"""What a run was judged to be after it trained: kept, and told to the trackers that have followed it."""

import logging
from collections.abc import Mapping

from experiments.core.errors import RunError
from experiments.evaluation.evaluate import Evaluator
from experiments.evaluation.sample_sets import open_candidate
from experiments.runs.folder import RunFolder
from experiments.runs.scores import EvaluationScores, keep_scores, numbers_of, tracked_run
from experiments.trackers.core.several import followers, reopen_trackers

log = logging.getLogger("gans")


def evaluate_newest(folder: RunFolder, evaluator: Evaluator) -> EvaluationScores:
    """The scores of a run's newest generator, which its folder keeps and its trackers are told of."""
    candidate = open_candidate(str(folder.path))
    step, scores = candidate.step or 0, evaluator(candidate)
    keep_scores(folder, step, candidate.kimg, scores)
    tell_trackers(folder, {step: scores})
    return scores


def tell_trackers(folder: RunFolder, found: Mapping[int, EvaluationScores]) -> None:
    """Sends scores that the folder keeps, by step, to where the run was tracked: with a remark only where
    that is not possible, since the scores themselves are kept."""
    kimg = {line["step"]: line["kimg"] for line in folder.scores() if line.get("kimg") is not None}
    steps = [step for step in sorted(found) if step in kimg]
    settings = folder.settings()
    if not steps or not followers(settings.track, folder.path):
        return
    run = tracked_run(folder, settings, max(kimg), max(kimg.values()))
    try:
        with folder.locked():
            trackers = reopen_trackers(settings.track, run, settings.options)
            for step in steps:
                trackers.scores({"step": step, "kimg": kimg[step], **numbers_of(found[step])})
            trackers.close(0 if folder.is_finished else 130)
    except RunError as error:  # it trains, and a tracker takes one process at a time
        log.info(f"{error}: its trackers are not told of these scores")
