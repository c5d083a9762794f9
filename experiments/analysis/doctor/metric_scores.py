"""Evaluation scores of a run as their metrics declare them: direction, range, and the level of real data."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from experiments.analysis.doctor.history import History, ScoredPoint
from experiments.core import registry
from experiments.core.errors import UsageError
from experiments.core.options import make_options, read_option
from experiments.runs.scores import COMPARED_PARTS, NUMBER, differences, is_of_class, usual_name
from metrics.core.level import EvaluatedData, Level
from metrics.core.metric import Metric


@dataclass(frozen=True)
class MetricScore:
    """Score of a metric over a run: its values, and what its metric declares.

    Attributes:
        name: `metric/precision-recall/recall`, as scores.jsonl has it.
        metric: registered name of the metric.
        score_name: name of the score among the metric's own.
        kind: class of the metric.
        points: values in the order of kimg, computed like the last one.
        modes: number of modes or classes of the data; None where it is unknown.
    """

    name: str
    metric: str
    score_name: str
    kind: type[Metric]
    points: tuple[ScoredPoint, ...]
    modes: int | None

    @property
    def name_prefix(self) -> str:
        """Beginning of the names of all scores of this metric."""
        return self.name.rpartition("/")[0]

    @property
    def last(self) -> ScoredPoint:
        """The last value."""
        return self.points[-1]

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher value is better."""
        return self.kind.higher_is_better[self.score_name]

    @property
    def level(self) -> Level | None:
        """The declared level; None for a score without."""
        return self.kind.levels.get(self.score_name)

    @property
    def best(self) -> ScoredPoint:
        """The best value so far."""
        return (max if self.higher_is_better else min)(self.points, key=lambda point: point.value)

    @property
    def real_value(self) -> float | None:
        """Value that samples of the data itself would have; None where nobody knows it.

        Of a score without a level it is the better end of its range.
        """
        if self.level:
            return self.level.of_real_data(self._evaluated_data())
        end = self.kind.ranges[self.score_name][self.higher_is_better]
        return end if math.isfinite(end) else None

    def share(self, value: float) -> float | None:
        """Share that a value has of the level of real data, as `Level` defines it; None where it has none."""
        real, worst = self.real_value, self.kind.ranges[self.score_name][not self.higher_is_better]
        if real is None or real == worst:
            return None
        if math.isinf(worst):
            return math.exp(min(real - value, 0.0)) if self.level and not self.higher_is_better else None
        return (value - worst) / (real - worst)

    def _evaluated_data(self) -> EvaluatedData:
        """The data of the last evaluation, as far as its provenance tells."""
        counts = self.last.record.get("n")
        count, real_count = counts if isinstance(counts, list) and len(counts) == 2 else (None, None)
        return EvaluatedData(count, real_count, self.modes, self._options())

    def _options(self) -> Any:
        """The options of the metric in the last evaluation; defaults where nothing else is recorded."""
        if self.kind.options_type is None:
            return None
        changed = {f"{self.metric}.{name}": v for name, v in (self.last.record.get("options") or {}).items()}
        try:
            read = {key: read_option(key, value, {}) for key, value in changed.items()}
        except (UsageError, ValueError):  # options of another version
            read = {}
        return make_options(self.kind.options_type, self.metric, read)


def metric_scores(history: History) -> Iterator[MetricScore]:
    """Yields the scores of a run whose metric is known and gives them a direction."""
    for name, points in history.evaluated.items():
        last = points[-1]
        word = usual_name(name.removeprefix(NUMBER), last.record)
        metric, _, rest = word.partition("/")
        metric = "fid" if metric.startswith("fd-") else metric  # an older version recorded no distance
        if metric not in registry.names("metric") or is_of_class(name):  # the record is of all samples
            continue
        kind: type[Metric] = registry.load("metric", metric)
        directions = kind.higher_is_better
        score_name = next(iter(directions)) if len(directions) == 1 else rest.rpartition("/")[2]
        alike = [each for each in points if not differences(each.record, last.record, COMPARED_PARTS)]
        if score_name in directions:
            yield MetricScore(name, metric, score_name, kind, tuple(alike), history.data_modes)
