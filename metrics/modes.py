"""Modes covered and share of high-quality samples, for mixtures of Gaussians (VEEGAN, PacGAN)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from metrics.core.batches import checked, too_few
from metrics.core.histograms import divergence, uniform
from metrics.core.level import EvaluatedData, Level, expected_divergence, expected_modes
from metrics.core.metric import Metric, Reference, Takes


@dataclass(frozen=True)
class ModesOptions:
    """Options of the count of modes."""

    radius: float = field(
        default=3.0,
        metadata={
            "help": "Largest distance of a high-quality sample from a mode, in deviations.",
            "above": 0.0,
        },
    )
    share: float = field(
        default=0.002,
        metadata={"help": "Share of all samples that a covered mode exceeds.", "at_least": 0.0, "below": 1.0},
    )


def _modes_of_real_data(data: EvaluatedData) -> float | None:
    """Modes that samples of the mixture itself cover."""
    return expected_modes(data, data.options.share, _quality_of_real_data(data))


def _quality_of_real_data(data: EvaluatedData) -> float:
    """Share of a round Gaussian in the plane within the radius, `1 − exp(−r² / 2)`."""
    return -math.expm1(-(data.options.radius**2) / 2)


class Modes(Metric):
    """Counts the modes of a known mixture that samples reach.

    A sample is of high quality within `radius` deviations of a mode (Srivastava et al. 2017, section 4.1).
    A mode is covered when more than `share` of all samples are of high quality and nearest to it: 20 of
    10,000 by default. For the divergence every sample counts for its nearest mode, however far (Lin et al.
    2018, section 4.1).

    Args:
        centres: `(M, D)`, the means of equally likely modes.
        sigma: the common deviation.
        options: radius and share.

    Scores: `covered` in 0…M, `high_quality` in [0, 1], `kl` of the samples' modes from the uniform truth in
    [0, log M] nats.

    Raises:
        ValueError: no samples.

    >>> import torch
    >>> from metrics.modes import Modes, ModesOptions
    >>> metric = Modes(torch.tensor([[0.0, 0.0], [9.0, 0.0]]), sigma=1.0, options=ModesOptions(radius=2.0))
    >>> metric.update(torch.tensor([[1.0, 0.0], [1.0, 1.0], [9.0, 1.0], [0.0, 2.5]]))
    >>> scores = metric.compute()
    >>> scores["covered"], scores["high_quality"]  # the last sample is too far from its mode
    (2.0, 0.75)
    """

    takes: ClassVar[Takes] = "points"
    options_type: ClassVar[type] = ModesOptions
    reference: ClassVar[Reference] = "mixture"
    higher_is_better: ClassVar[Mapping[str, bool]] = {"covered": True, "high_quality": True, "kl": False}
    ranges: Mapping[str, tuple[float, float]] = {
        "covered": (0.0, math.inf),
        "high_quality": (0.0, 1.0),
        "kl": (0.0, math.inf),
    }
    levels: ClassVar[Mapping[str, Level]] = {
        "covered": Level(_modes_of_real_data, "diversity", least=0.9),
        "high_quality": Level(_quality_of_real_data, "fidelity", least=0.1),
        "kl": Level(expected_divergence, "diversity", least=math.exp(-1)),
    }

    def __init__(self, centres: Tensor, sigma: float, options: ModesOptions | None = None) -> None:
        options = options or self.options_type()
        self.centres = centres.double()
        self.distance = options.radius * sigma
        self.share = options.share
        modes = len(self.centres)
        self.ranges = {**self.ranges, "covered": (0.0, float(modes)), "kl": (0.0, math.log(modes))}
        self.reset()

    def update(self, samples: Tensor) -> None:
        samples = checked(samples, "modes", self.centres.shape[1]).double()
        distances, nearest = torch.cdist(samples, self.centres).min(dim=1)
        self.counts += nearest[distances <= self.distance].bincount(minlength=len(self.centres))
        self.nearest += nearest.bincount(minlength=len(self.centres))

    def compute(self) -> dict[str, float]:
        total = self.nearest.sum().item()
        if total == 0:
            raise ValueError(too_few("modes", 0, 1))
        covered = (self.counts > self.share * total).sum().item()
        return {
            "covered": float(covered),
            "high_quality": self.counts.sum().item() / total,
            "kl": divergence(self.nearest, uniform(len(self.centres))),
        }

    def reset(self) -> None:
        self.counts = torch.zeros(len(self.centres), dtype=torch.long)
        self.nearest = torch.zeros(len(self.centres), dtype=torch.long)

    @property
    def remarks(self) -> tuple[str, ...]:
        return ()
