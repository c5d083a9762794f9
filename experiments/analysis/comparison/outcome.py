"""Outcome of a run: whether it failed, diverged or collapsed, which is worse than any score."""

from experiments.analysis.comparison.record import Record
from experiments.analysis.doctor.history import History
from experiments.analysis.doctor.score_rules import collapse_evidence, divergence_evidence
from experiments.core.settings import Settings
from experiments.runs.score_lines import is_number


def failure_reason(record: Record) -> str:
    """Reason why a run failed, diverged or collapsed, in words; empty where it did none of these.

    Failures stand in the run's state. Divergence and collapse are what `--on-collapse` looks for, seen from
    all scores so far: a run that has recovered is none. A run that trains, was stopped early or is not
    evaluated yet is none either.
    """
    if record.state.startswith("failed"):
        return record.state
    steps, kimg = (record.settings.get(name) for name in ("steps", "kimg"))
    length = Settings(steps=steps if isinstance(steps, int) else None, kimg=kimg if is_number(kimg) else None)
    history = History(length, record.lines)
    if evidence := divergence_evidence(history):
        return f"divergence: {evidence}"
    evidence = collapse_evidence(history)
    return f"mode collapse: {evidence}" if evidence else ""
