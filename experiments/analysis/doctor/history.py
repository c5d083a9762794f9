"""What rules read: the settings of a run and its scores so far."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, NamedTuple

import torch
from torch import nn

from experiments.config.factory import build_networks
from experiments.core.errors import UsageError
from experiments.core.settings import Settings
from gans.core.networks import GeneratorNetwork

FEWEST_LINES = 8  # of scores, 175 steps: before that, losses say more of the beginning than of a fault


class Point(NamedTuple):
    """A score, and when it was."""

    kimg: float
    value: float


@dataclass(frozen=True)
class History:
    """Settings and scores.

    Attributes:
        settings: of the run.
        lines: of `scores.jsonl`, in their order.
    """

    settings: Settings
    lines: Sequence[Mapping[str, Any]]

    @property
    def terms(self) -> list[Mapping[str, Any]]:
        """The lines that training wrote; others are of evaluations."""
        return [line for line in self.lines if "seconds" in line]

    @property
    def is_young(self) -> bool:
        """Whether there is too little of it to judge."""
        return len(self.terms) < FEWEST_LINES

    @property
    def step(self) -> int:
        return max((line["step"] for line in self.terms), default=0)

    @property
    def kimg(self) -> float:
        return max((line["kimg"] for line in self.terms), default=0.0)

    @property
    def progress(self) -> float:
        """Share of the run that is over, in [0, 1]."""
        whole = self.settings.steps or self.settings.kimg
        over = self.step if self.settings.steps else self.kimg
        return min(1.0, over / whole) if whole else 0.0

    @property
    def networks(self) -> tuple[GeneratorNetwork, nn.Module] | None:
        """Generator and critic without their weights; None for a config that this version refuses."""
        try:
            with torch.device("meta"):
                return build_networks(self.settings)
        except UsageError:
            return None

    def names(self, *prefixes: str) -> list[str]:
        """The scores whose names begin so, each once."""
        return list(dict.fromkeys(n for line in self.lines for n in line if n.startswith(prefixes)))

    def points(self, name: str) -> list[Point]:
        """All values of a score, by kimg: `gans evaluate` adds lines for steps long gone."""
        found = [
            Point(line["kimg"], line[name])
            for line in self.lines
            if isinstance(line.get("kimg"), int | float) and isinstance(line.get(name), int | float)
        ]
        return sorted(found, key=lambda point: point.kimg)

    def latest(self, name: str, share: float) -> list[Point]:
        """Those of the last share of the images shown so far."""
        return [point for point in self.points(name) if point.kimg >= self.kimg * (1 - share)]


def middle(points: Sequence[Point]) -> float:
    """The median of the values: one wild batch among them changes nothing."""
    return float(median(point.value for point in points))
