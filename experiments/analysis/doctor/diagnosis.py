"""Diagnosis of a run by all rules, in the order in which a person would look."""

import logging
import time
from collections.abc import Callable, Iterator

from experiments.analysis.doctor.finding import Finding
from experiments.analysis.doctor.history import History
from experiments.analysis.doctor.metric_rules import (
    low_fidelity,
    mode_dropping,
    score_near_worst_end,
    score_worsened,
)
from experiments.analysis.doctor.score_rules import (
    critic_too_strong,
    divergence,
    mode_collapse,
    penalty_off_target,
    vanishing_gradient,
)
from experiments.analysis.doctor.settings_rules import (
    batch_norm_under_penalty,
    ema_lags,
    rates_out_of_scale,
)
from experiments.core.settings import Settings
from experiments.runs.folder import RunFolder
from experiments.runs.score_lines import RemarkCallback, ignore_remark
from experiments.runs.scores import read_evaluation_scores

log = logging.getLogger("gans")

Rule = Callable[[History], Finding | None]

BY_SCORES: tuple[Rule, ...] = (
    divergence,
    mode_collapse,
    critic_too_strong,
    vanishing_gradient,
    penalty_off_target,
)
BY_METRICS: tuple[Rule, ...] = (mode_dropping, low_fidelity, score_near_worst_end, score_worsened)
BY_SETTINGS: tuple[Rule, ...] = (batch_norm_under_penalty, rates_out_of_scale, ema_lags)
RULES = (*BY_SCORES, *BY_METRICS, *BY_SETTINGS)


def history_of(folder: RunFolder) -> History:
    """Reads the history of a run folder: its settings and its scores so far; remarks name what is none."""
    return _read_history(folder, folder.settings(), log.info)


def _read_history(folder: RunFolder, settings: Settings, remark: RemarkCallback) -> History:
    """Reads the scores of a run folder as the history of these settings."""
    return History(
        settings, folder.scores(remark), read_evaluation_scores(folder, remark), run=str(folder.path)
    )


def diagnose(history: History) -> list[Finding]:
    """Applies all rules to a history; returns the findings, the serious ones first."""
    found = [rule(history) for rule in RULES]
    return sorted((finding for finding in found if finding), key=lambda finding: not finding.is_serious)


def watch(folder: RunFolder, seconds: float) -> Iterator[tuple[History, list[Finding]]]:
    """Watches a run: yields its history and its new findings every so many seconds, until the run ends.

    A finding is new where its rule had none before. After no process works on the run any more, there
    is one last look.
    """
    settings, known = folder.settings(), set[str]()
    remark: RemarkCallback = log.info
    while True:
        is_over = not folder.is_locked  # asked first, so that the last look sees the last line
        history = _read_history(folder, settings, remark)
        remark = ignore_remark  # again at every look
        found = [finding for finding in diagnose(history) if finding.rule not in known]
        known |= {finding.rule for finding in found}
        yield history, found
        if is_over:
            return
        time.sleep(seconds)
