"""Answer of a comparison in words: which setting is the best, and whether that is sure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from experiments.analysis.comparison.groups import Group
from experiments.analysis.comparison.result import TIED, Comparison, GroupRow
from experiments.analysis.comparison.significance import LEVEL, SURE, fisher_exact_test
from experiments.core.value_format import format_value

Certainty = Literal["sure", "likely", "partly sure", "not sure", "tied"]
SELF_EXPLAINING = ("arch", "loss", "data")  # settings whose values need no name beside them
WORDS = ("sure", "likely", "not sure")  # of the certainty that a setting is worse than the best
FEW_NAMES = 3  # names in a sentence, after which the rest are counted


@dataclass(frozen=True)
class Answer:
    """Answer of a comparison.

    Attributes:
        headline: the answer in a sentence.
        certainty: "sure" where every other setting is surely worse, "likely" where some are only likely to
            be, "partly sure" where it is open for some, "tied" where none is better than another.
        reason: why it is sure, or not.
    """

    headline: str
    certainty: Certainty
    reason: str


def group_name(group: Group) -> str:
    """Name of a group for a reader: its settings, with their names where values do not explain themselves.

    >>> group_name(Group({"loss": "bce", "n_critic": 5}, (), (), ()))
    'bce, n_critic 5'
    """
    words = [
        format_value(value, name) if name in SELF_EXPLAINING else f"{name} {format_value(value, name)}"
        for name, value in group.settings.items()
    ]
    return ", ".join(words) or "all runs"


def answer_of(comparison: Comparison) -> Answer:
    """Answers which setting is the best, and whether that is sure."""
    best, *others = comparison.rows
    name, metric = group_name(best.group), comparison.chosen.metric
    if best.median is None:
        return Answer(
            "No setting is the best: in none did more than half of the runs end.",
            "not sure",
            f"{_count(comparison, 'failed')} of {_count(comparison)} runs failed, diverged or collapsed.",
        )
    if not others:
        return Answer(
            f"One setting alone: {name}.",
            "not sure",
            "There is nothing to compare it with; add runs with other settings.",
        )
    tied = [row for row in comparison.rows if row.verdict == TIED]
    if len(tied) == len(comparison.rows):
        reason = f"Median and mean over the seeds are the same{_hidden(tied)}."
        return Answer(f"{_names(tied)} have the same {metric}: {best.median:.4g}.", "tied", reason)
    lead = f"{_names(tied)} share the best {metric}" if tied else f"{name} has the best {metric}"
    others = [row for row in others if row not in tied]
    by_certainty = {word: [row for row in others if _certainty(row, best) == word] for word in WORDS}
    sure, likely, rest = by_certainty.values()
    reason = " ".join(_why_worse(rows, word) for word, rows in by_certainty.items() if rows)
    if not sure and not likely:
        return Answer(f"{lead}, but that is not sure.", "not sure", reason)
    certainty: Certainty = "partly sure" if rest else "likely" if likely else "sure"
    if len([rows for rows in by_certainty.values() if rows]) == 1:
        return Answer(f"{lead}, and that is {certainty}.", certainty, reason)
    against = ", ".join(
        f"{word.removesuffix(' sure')} against {_names(rows)}" for word, rows in by_certainty.items() if rows
    )
    return Answer(f"{lead}; that is {against}.", certainty, reason)


def _certainty(row: GroupRow, best: GroupRow) -> Literal["sure", "likely", "not sure"]:
    """Certainty that a setting is worse than the best: by the test, or because most of its runs did not end.

    Of two equal settings, one in twenty tests ends below 1 − LEVEL: that alone is not sure.
    """
    if row.median is None:
        ended = [(each.count - each.failed_count, each.failed_count) for each in (best, row)]
        return "sure" if fisher_exact_test(*ended) < SURE else "likely"
    if row.p is None or row.p >= 1 - LEVEL or row.difference is None or row.difference <= 0:
        return "not sure"
    return "sure" if row.p < SURE else "likely"


def _why_worse(rows: Sequence[GroupRow], certainty: str) -> str:
    """The reason for which settings are surely worse, likely worse, or neither."""
    if certainty == "not sure":
        return _why_unsure(rows)
    parts = []
    tested = [row for row in rows if row.median is not None]
    if tested:
        largest = max(row.p for row in tested if row.p is not None)
        words = "p < 0.001" if largest < 0.001 else f"p ≤ {largest:.3f}"
        weak = f"; below {SURE:g} it would be sure" if certainty == "likely" else ""
        parts.append(f"A t test over the seeds finds {_names(tested)} worse ({words}){weak}.")
    failed = [row for row in rows if row.median is None]
    if failed:
        weak = "; of so few, that may be chance" if certainty == "likely" else ""
        parts.append(f"Half of the runs or more did not end with {_names(failed)}{weak}.")
    return " ".join(parts)


def _why_unsure(rows: Sequence[GroupRow]) -> str:
    """The reason for which settings are not called worse."""
    untested = [row for row in rows if row.p is None]
    if untested:
        return f"No test can be made against {_names(untested)}: {untested[0].verdict.partition(':')[0]}."
    ahead = [row for row in rows if row.p is not None and row.p < 1 - LEVEL]
    if ahead:
        return f"The mean of {_names(ahead)} is better, though its median is not."
    return f"The seeds show no significant difference from {_names(rows)}{_hidden(rows)}."


def _hidden(rows: Sequence[GroupRow]) -> str:
    """End of a sentence with the largest difference that these seeds may not show; empty without any."""
    effects = [row.detectable for row in rows if row.detectable is not None]
    return f"; differences up to {max(effects):.3g} could hide in their spread" if effects else ""


def _names(rows: Sequence[GroupRow]) -> str:
    """Names of settings in a sentence."""
    names = [group_name(row.group) for row in rows]
    if len(names) > FEW_NAMES:
        return f"{', '.join(names[: FEW_NAMES - 1])} and {len(names) - FEW_NAMES + 1} others"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _count(comparison: Comparison, which: str = "all") -> int:
    """Number of runs in the groups, or of those that did not end."""
    return sum(row.failed_count if which == "failed" else row.count for row in comparison.rows)
