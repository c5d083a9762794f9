"""What a run was judged to be after it trained: kept, and told to the trackers that have followed it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict

from experiments.errors import RunError
from experiments.evaluation.judging import Judge
from experiments.evaluation.record import Scores, keep_scores, numbers_of
from experiments.evaluation.samples import open_candidate
from experiments.run_folder import RunFolder
from experiments.trackers import TrackedRun
from experiments.trackers._several import followers, reopen_trackers

Say = Callable[[str], None]


def judge_newest(folder: RunFolder, judge: Judge, say: Say) -> Scores:
    """The scores of a run's newest generator, which its folder keeps and its trackers are told of."""
    candidate = open_candidate(str(folder.path), say)
    step, scores = candidate.step or 0, judge(candidate)
    keep_scores(folder, step, candidate.kimg, scores)
    tell_trackers(folder, {step: scores}, say)
    return scores


def tell_trackers(folder: RunFolder, found: Mapping[int, Scores], say: Say) -> None:
    """Sends scores that the folder keeps, by step, to where the run was tracked: with a remark only where
    that is not possible, since the scores themselves are kept."""
    kimg = {line["step"]: line["kimg"] for line in folder.scores() if line.get("kimg") is not None}
    steps = [step for step in sorted(found) if step in kimg]
    settings = folder.settings()
    if not steps or not followers(settings.track, folder.path):
        return
    run = TrackedRun(
        folder=folder.path,
        settings=json.loads(json.dumps(asdict(settings))),
        step=max(kimg),
        kimg=max(kimg.values()),
        project=settings.project,
        group=settings.group,
        tags=settings.tags,
    )
    try:
        with folder.locked():
            trackers = reopen_trackers(settings.track, run, say)
            for step in steps:
                trackers.scores({"step": step, "kimg": kimg[step], **numbers_of(found[step])})
            trackers.close(0 if folder.is_finished else 130)
    except RunError as error:  # it trains, and a tracker takes one process at a time
        say(f"{error}: its trackers are not told of these scores")
