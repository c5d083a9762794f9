"""Bounds of a score: the smallest and largest value that it can have, where confidence intervals end."""

from collections.abc import Iterable, Mapping
from typing import Any

from experiments.core.bounds import UNBOUNDED, Bounds
from experiments.core.errors import UsageError
from experiments.core.named_values import JsonObject
from experiments.data.core.sources import open_source
from experiments.runs.score_lines import is_number
from metrics.core.metric import Metric


def widest_bounds(kind: type[Metric], score_name: str, scores: Iterable[tuple[JsonObject, str]]) -> Bounds:
    """Range from the least low to the greatest high bound of a score over these evaluations.

    Args:
        score_name: name of the score among the metric's own.
        scores: for each evaluation, the score's entry and the data of its run.
    """
    declared: Mapping[str, Bounds] = getattr(kind, "ranges", {})
    outer = declared.get(score_name, UNBOUNDED)
    of_data: dict[str, Bounds] = {}
    found = []
    for entry, data in scores:
        recorded = _recorded(entry, score_name)
        if recorded is None and data not in of_data:
            of_data[data] = _of_known_modes(kind, data).get(score_name, outer)
        found.append(recorded or of_data[data])
    return min(low for low, _ in found), max(high for _, high in found)


def _recorded(entry: JsonObject, score_name: str) -> Bounds | None:
    """Bounds that an evaluation has recorded, because they depend on its data; None where it has not."""
    ranges = entry.get("ranges")
    own = ranges.get(score_name) if isinstance(ranges, dict) else None
    if not (isinstance(own, list) and len(own) == 2 and all(map(is_number, own))):
        return None
    low, high = map(float, own)
    return (low, high) if low <= high else None


def _of_known_modes(kind: Any, data: str) -> Mapping[str, Bounds]:
    """Ranges of a metric of known modes, for evaluations of versions that recorded none."""
    if kind.reference != "mixture":
        return {}
    try:
        source = open_source(data)
        mixture = source.open(None, None, "auto").mixture if source.is_embedded else None
    except UsageError:
        return {}
    return {} if mixture is None else kind(*mixture).ranges
