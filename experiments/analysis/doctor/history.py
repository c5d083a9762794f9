"""History of a run, which the rules of the doctor read: its settings and its scores so far."""

import math
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from statistics import median
from typing import NamedTuple

import torch
from torch import nn

from experiments.config.factory import build_networks
from experiments.core.errors import UsageError
from experiments.core.named_values import JsonObject
from experiments.core.settings import Settings
from experiments.data.core.sources import known_class_names
from experiments.runs.score_lines import is_number
from experiments.runs.scores import NUMBER, EvaluationScores, flatten_scores
from gans.core.networks import GeneratorNetwork

FEWEST_LINES = 8  # of scores (175 steps): losses before that tell of the beginning, not of a fault


class Point(NamedTuple):
    """Value of a score at a kimg."""

    kimg: float
    value: float


class ScoredPoint(NamedTuple):
    """Value of an evaluation score at a step, with how it was computed.

    Attributes:
        record: its entry in evaluation.jsonl; empty where there is none.
    """

    step: int
    kimg: float
    value: float
    record: JsonObject


@dataclass(frozen=True)
class History:
    """Settings of a run, and its scores so far.

    What the rules ask for is gathered in one pass over the lines, of which a long run has a hundred thousand.

    Attributes:
        settings: those of the run.
        lines: the lines of `scores.jsonl`, in their order.
        evaluations: step and scores of each evaluation, with their provenance, in the order of `lines`.
        run: the run folder, as commands name it.
    """

    settings: Settings
    lines: Sequence[JsonObject]
    evaluations: Sequence[tuple[int, EvaluationScores]] = ()
    run: str = "RUN"

    @cached_property
    def terms(self) -> list[JsonObject]:
        """Lines of scores that training wrote, without those of evaluations."""
        return [line for line in self.lines if "seconds" in line and is_number(line.get("kimg"))]

    @property
    def is_young(self) -> bool:
        """Whether the run has too few lines of scores for a diagnosis."""
        return len(self.terms) < FEWEST_LINES

    @property
    def step(self) -> int:
        """Step of the last line of scores that training wrote; 0 before the first."""
        return max((line["step"] for line in self.terms), default=0)

    @cached_property
    def kimg(self) -> float:
        """Thousands of images shown up to the last line of scores; 0 before the first."""
        return max((line["kimg"] for line in self.terms), default=0.0)

    @property
    def progress(self) -> float:
        """Share of the run that is done, in [0, 1]."""
        return self.progress_at(self.step, self.kimg)

    def progress_at(self, step: int, kimg: float) -> float:
        """Share of the run that was done at a step, in [0, 1]."""
        whole = self.settings.steps or self.settings.kimg
        over = step if self.settings.steps else kimg
        return min(1.0, over / whole) if whole else 0.0

    @property
    def networks(self) -> tuple[GeneratorNetwork, nn.Module] | None:
        """Generator and critic on the meta device, without weights.

        None for a config that this version refuses.
        """
        try:
            with torch.device("meta"):
                return build_networks(self.settings)
        except UsageError:
            return None

    def names(self, *prefixes: str) -> list[str]:
        """Names of the scores that begin with one of the prefixes, each once."""
        return [name for name in self._values if name.startswith(prefixes)]

    def points(self, name: str) -> list[Point]:
        """Values of a score in the order of kimg: `gans evaluate` adds lines for earlier steps."""
        return list(self._values.get(name, ()))

    def latest(self, name: str, share: float) -> list[Point]:
        """Values of a score within the last `share` of the images shown so far."""
        since = self.kimg * (1 - share)
        return [point for point in self.points(name) if point.kimg >= since]

    @cached_property
    def evaluated(self) -> dict[str, list[ScoredPoint]]:
        """Finite values of every evaluation score by its name (`metric/…`), in the order of kimg."""
        names, records, found = self.names(NUMBER), self._records(), defaultdict[str, list[ScoredPoint]](list)
        for line in self.lines if names else ():
            if not is_number(kimg := line.get("kimg")):
                continue
            for name in names:
                if name in line and is_number(value := line[name]):
                    own = records[line["step"], name]
                    record = own.popleft() if own else {}
                    if math.isfinite(value):
                        found[name].append(ScoredPoint(line["step"], kimg, value, record))
        for values in found.values():
            values.sort(key=itemgetter(1))
        return dict(found)

    def _records(self) -> defaultdict[tuple[int, str], deque[JsonObject]]:
        """Entries of evaluations by step and name of the score: several where a step was evaluated again."""
        found = defaultdict[tuple[int, str], deque[JsonObject]](deque)
        for step, scores in self.evaluations:
            for key, entry in scores.items():
                for name in flatten_scores({key: entry}):
                    found[step, name].append(entry)
        return found

    @cached_property
    def data_modes(self) -> int | None:
        """Number of modes or classes of the data, found without reading it; None where nobody knows it."""
        names = known_class_names(self.settings.data, self.settings.to_dict())
        return len(names) or self.settings.classes or None

    @cached_property
    def _values(self) -> dict[str, list[Point]]:
        """Values of every score by its name, in the order of kimg; none of lines without kimg."""
        found: defaultdict[str, list[Point]] = defaultdict(list)
        for line in self.lines:
            kimg = line.get("kimg")
            if is_number(kimg):
                for name, value in line.items():
                    if is_number(value):
                        found[name].append(Point(kimg, value))
        for values in found.values():
            values.sort(key=itemgetter(0))
        return dict(found)


def median_value(points: Sequence[Point]) -> float:
    """Median of the points' values, which a single outlier does not change."""
    return float(median(point.value for point in points))
