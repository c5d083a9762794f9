"""Publication of scores that are computed after training: in the run folder, and to its trackers."""

import logging
from collections.abc import Mapping

from experiments.core.console import describe_error
from experiments.core.errors import RunError
from experiments.evaluation.candidates import open_candidate
from experiments.evaluation.evaluate import Evaluator
from experiments.runs.folder import RunFolder
from experiments.runs.scores import (
    EvaluationScores,
    append_scores,
    check_score_files,
    describe_tracked_run,
    flatten_scores,
)
from experiments.trackers.core.several import reopen_trackers, trackers_of_run

log = logging.getLogger("gans")


def evaluate_newest(folder: RunFolder, evaluator: Evaluator) -> EvaluationScores:
    """Evaluates a run's newest generator; its folder keeps the scores, and its trackers receive them.

    Metrics that fail are named in remarks. Raises RunError where the scores cannot be kept.
    """
    check_score_files(folder)
    candidate = open_candidate(str(folder.path))
    if not evaluator.metrics:
        evaluator.open(candidate.settings, candidate.name, trained_data=candidate.trained_data)
    log.info(f"evaluating {evaluator.describe()}")
    step, scores = candidate.step or 0, evaluator(candidate)
    for name, error in evaluator.faults.items():
        log.info(f"{folder.path}: no score {name}: {describe_error(error)}")
    append_scores(folder, step, candidate.kimg, scores)
    publish_scores(folder, {step: scores})
    return scores


def publish_scores(folder: RunFolder, found: Mapping[int, EvaluationScores]) -> None:
    """Sends scores that the folder keeps to the trackers of the run.

    Where that is not possible, there is only a remark, since the scores themselves are kept.

    Args:
        found: scores by step.
    """
    kimg = {line["step"]: line["kimg"] for line in folder.scores() if line.get("kimg") is not None}
    steps = [step for step in sorted(found) if step in kimg]
    settings = folder.settings()
    if not steps or not trackers_of_run(settings.track, folder.path):
        return
    run = describe_tracked_run(folder, settings, max(kimg), max(kimg.values()))
    try:
        with folder.lock():
            trackers = reopen_trackers(settings.track, run, settings.options)
            for step in steps:
                trackers.scores({"step": step, "kimg": kimg[step], **flatten_scores(found[step])})
            trackers.close(0 if folder.is_finished else 130)
    except RunError as error:  # it trains, and a tracker takes one process at a time
        log.info(f"{error}: its trackers are not told of these scores")
