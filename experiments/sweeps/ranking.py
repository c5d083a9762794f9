"""Ranking of a sweep's settings by the scores of their runs."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from shlex import quote
from typing import NamedTuple

from experiments.analysis.comparison.outcome import failure_reason
from experiments.analysis.comparison.read import read_record
from experiments.analysis.comparison.score_choice import (
    direction,
    directional_scores,
    resolve_metric_name,
    scores_by_name,
)
from experiments.core.errors import RunError
from experiments.core.ranking import median_score, rank
from experiments.runs.folder import RunFolder
from experiments.sweeps.context import SweepContext
from experiments.sweeps.search_space import SweepRun

log = logging.getLogger("gans")


@dataclass(frozen=True)
class RankedSetting:
    """Setting of a sweep with the scores by which it is ranked.

    Attributes:
        sweep_runs: its runs, one for each seed.
        scores: a score of each run that is evaluated, and None for each that diverged, failed or collapsed.
        median: of the scores; None where it is worse than any number.
        score_name: name of the scores, such as `fd-random-vgg`; empty where no run has one.
        is_higher_better: whether a higher score is better.
    """

    sweep_runs: Sequence[SweepRun]
    scores: Sequence[float | None]
    median: float | None
    score_name: str
    is_higher_better: bool = False

    @property
    def failed_count(self) -> int:
        """Number of runs that failed, diverged or collapsed."""
        return sum(score is None for score in self.scores)


def rank_settings(
    context: SweepContext, sweep_runs: Sequence[SweepRun], metric: str | None, kimg: float | None = None
) -> list[RankedSetting]:
    """Ranks the settings of a sweep by the median of their scores over the seeds, from the best to the worst.

    In the median, a run that diverged, failed or collapsed is worse than any number. A run that ended
    without such a score is left out, with a remark, and so is a setting that has no others.

    Args:
        kimg: takes the scores of the first evaluation at this kimg or later; None for the last evaluation.

    Raises RunError where no run ended with such a score.
    """
    settings: dict[str, list[SweepRun]] = {}
    for sweep_run in sweep_runs:
        settings.setdefault(str(sweep_run.settings), []).append(sweep_run)
    outcomes = {run.name: _outcome(context.folder(run), metric, kimg) for run in sweep_runs}
    up = any(outcome.is_higher_better for outcome in outcomes.values() if outcome)
    found, word = [], metric or "to choose the best by"
    for own in settings.values():
        known = [outcome for run in own if (outcome := outcomes[run.name])]
        if known:
            found.append(_ranked(own, known, up))
    for name in (name for name, outcome in outcomes.items() if outcome is None):
        path = context.out / name
        log.info(
            f"{path} has no score {word}, and is left out; make it with: gans evaluate {quote(str(path))}"
        )
    if all(score is None for each in found for score in each.scores):
        raise RunError(f"no sweep run ended with a score {word}; see log.txt in their folders")
    return rank(found, lambda each: each.scores, up)


def score_setting(
    context: SweepContext, sweep_runs: Sequence[SweepRun], metric: str | None, kimg: float | None = None
) -> RankedSetting:
    """Scores a setting by its runs; one without any score is worse than any number."""
    found = [_outcome(context.folder(run), metric, kimg) for run in sweep_runs]
    known = [outcome or _Outcome(None) for outcome in found]
    return _ranked(sweep_runs, known, any(outcome.is_higher_better for outcome in known))


class _Outcome(NamedTuple):
    """Score of a sweep run, whether a higher one is better, and its name.

    It is None for a run that failed, diverged or collapsed.
    """

    score: float | None
    is_higher_better: bool = False
    name: str = ""


def _outcome(folder: RunFolder, metric: str | None, kimg: float | None) -> _Outcome | None:
    """Outcome of a run at an evaluation; None where it is not evaluated by a score with a direction."""
    record = read_record(folder)
    if failure_reason(record):
        return _Outcome(None)
    marks = scores_by_name(record)
    possible = directional_scores(marks)
    name = resolve_metric_name(metric, marks) if metric else next(iter(possible), "")
    own = marks[name] if name in possible else []
    later = own[-1:] if kimg is None else [mark for mark in own if (mark.kimg or 0.0) >= kimg]
    if not later:
        return None
    score = later[0].value if math.isfinite(later[0].value) else None
    return _Outcome(score, bool(direction(name, later[0].entry)), name)


def _ranked(
    sweep_runs: Sequence[SweepRun], outcomes: Sequence[_Outcome], is_higher_better: bool
) -> RankedSetting:
    """Setting with the outcomes of its runs."""
    scores, name = [outcome.score for outcome in outcomes], max(outcome.name for outcome in outcomes)
    median = median_score(scores, is_higher_better)
    return RankedSetting(sweep_runs, scores, median, name, is_higher_better)
