"""Modes covered and share of high-quality samples, for mixtures of Gaussians (VEEGAN, PacGAN)."""

from typing import ClassVar

import torch
from torch import Tensor

from metrics import Metric


class Modes(Metric):
    """Counts the modes of a known mixture that samples reach.

    A sample is of high quality within `radius` deviations of a mode (Srivastava et al. 2017, section 4.1).
    A mode is covered when more than `share` of all samples are of high quality and nearest to it: 20 of
    10,000 by default.

    Args:
        centres: `(M, D)`, the means.
        sigma: the common deviation.
        radius: in deviations.
        share: of all samples.

    Scores: `covered` in 0…M, `high_quality` in [0, 1].
    """

    higher_is_better: ClassVar[bool] = True

    def __init__(self, centres: Tensor, sigma: float, radius: float = 3.0, share: float = 0.002) -> None:
        self.centres = centres.double()
        self.distance = radius * sigma
        self.share = share
        self.reset()

    def update(self, samples: Tensor) -> None:
        distances, nearest = torch.cdist(samples.double().cpu(), self.centres).min(dim=1)
        self.counts += nearest[distances <= self.distance].bincount(minlength=len(self.centres))
        self.total += len(samples)

    def compute(self) -> dict[str, float]:
        if self.total == 0:
            raise ValueError("modes: no samples yet")
        covered = (self.counts > self.share * self.total).sum().item()
        return {"covered": float(covered), "high_quality": self.counts.sum().item() / self.total}

    def reset(self) -> None:
        self.counts = torch.zeros(len(self.centres), dtype=torch.long)
        self.total = 0
