"""Perceptual path length: change of images along paths of latents (StyleGAN, Karras et al. 2019)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from metrics.core.batches import Rows
from metrics.core.metric import Metric, Reference, Takes

EPSILON = 1e-4  # as in the paper


@dataclass(frozen=True)
class PathLengthOptions:
    """Options of the path length."""

    epsilon: float = field(
        default=EPSILON,
        metadata={"help": "Length of a step, as a fraction of the path.", "above": 0.0, "below": 1.0},
    )
    trim: tuple[float, float] = field(
        default=(1.0, 99.0),
        metadata={
            "help": "Percentiles between which lengths are kept, as in the authors' code.",
            "at_least": 0.0,
            "at_most": 100.0,
        },
    )


class PathLength(Metric):
    """Perceptual path length `E[d(G(z(t)), G(z(t + ε))) / ε²]` (section 4.1), d squared feature distance.

    `neighbours_on_path` makes the latents. The paper's d is LPIPS, so only equal extractors compare.

    Args:
        options: ε, which is that of the latents too, and the percentiles.

    Attributes:
        epsilon: ε, for whoever makes the latents.

    Takes `(N, 2, D)`: the vectors of both ends of each step.

    Scores: `path_length` in [0, ∞), the mean of the lengths that are kept, and its `standard_error`.

    Raises:
        ValueError: options that cannot be, or fewer than two paths.

    >>> import torch
    >>> from metrics.path_length import PathLength, PathLengthOptions
    >>> metric = PathLength(PathLengthOptions(epsilon=0.5, trim=(0.0, 100.0)))
    >>> metric.update(torch.tensor([[[0.0], [1.0]], [[0.0], [3.0]]]))
    >>> metric.compute()  # lengths 4 and 36
    {'path_length': 20.0, 'standard_error': 16.0}
    """

    takes: ClassVar[Takes] = "path-vectors"
    options_type: ClassVar[type] = PathLengthOptions
    reference: ClassVar[Reference] = "none"
    higher_is_better: ClassVar[Mapping[str, bool]] = {"path_length": False}
    ranges: Mapping[str, tuple[float, float]] = {
        "path_length": (0.0, math.inf),
        "standard_error": (0.0, math.inf),
    }

    def __init__(self, options: PathLengthOptions | None = None) -> None:
        options = options or PathLengthOptions()
        epsilon, trim = options.epsilon, options.trim
        if not (epsilon > 0 and 0 <= trim[0] < trim[1] <= 100):
            raise ValueError(
                f"path-length: epsilon {epsilon}, trim {trim}; needs ε > 0 and 0 ≤ low < high ≤ 100"
            )
        self.epsilon = epsilon
        self.trim = trim
        self.lengths = Rows("path-length", 1)

    def update(self, samples: Tensor) -> None:
        if samples.dim() != 3 or samples.shape[1] != 2:
            raise ValueError(f"path-length: takes pairs (N, 2, D), not shape {tuple(samples.shape)}")
        begin, end = samples.double().unbind(dim=1)
        self.lengths.add((end - begin).square().sum(dim=1, keepdim=True) / self.epsilon**2)

    def compute(self) -> dict[str, float]:
        lengths = self.lengths.all(2, "pairs of neighbours").numpy()
        low = np.percentile(lengths, self.trim[0], method="lower")
        high = np.percentile(lengths, self.trim[1], method="higher")
        kept = lengths[(low <= lengths) & (lengths <= high)]
        error = kept.std(ddof=1) / len(kept) ** 0.5
        return {"path_length": float(kept.mean()), "standard_error": float(error)}

    def reset(self) -> None:
        self.lengths.clear()

    @property
    def remarks(self) -> tuple[str, ...]:
        return ()


def neighbours_on_path(
    z0: Tensor, z1: Tensor, t: Tensor, epsilon: float = EPSILON, spherical: bool = True
) -> Tensor:
    """Latents at t and t + ε between z0 and z1.

    Args:
        z0, z1: `(N, Z)`.
        t: `(N,)` in [0, 1): uniform for full paths, all 0 for their ends.
        spherical: for Gaussian z; latents of a mapping network (w) are interpolated on a line.

    Returns:
        `(N, 2, Z)`.

    >>> import torch
    >>> from metrics.path_length import neighbours_on_path
    >>> path = torch.zeros(1, 2), torch.ones(1, 2)
    >>> neighbours_on_path(*path, torch.tensor([0.25]), epsilon=0.5, spherical=False)
    tensor([[[0.2500, 0.2500],
             [0.7500, 0.7500]]])
    """
    rule = slerp if spherical else lerp
    return torch.stack([rule(z0, z1, t[:, None]), rule(z0, z1, t[:, None] + epsilon)], dim=1)


def lerp(z0: Tensor, z1: Tensor, t: Tensor) -> Tensor:
    """Linear interpolation `(1 − t) z0 + t z1`; shapes broadcast."""
    return torch.lerp(z0, z1, t)


def slerp(z0: Tensor, z1: Tensor, t: Tensor) -> Tensor:
    """Spherical interpolation `(sin((1 − t) ω) z0 + sin(t ω) z1) / sin ω` (Shoemake 1985); shapes broadcast.

    ω is the angle between z0 and z1, along the last axis; where it is 0, the path is a line.
    """
    cosine = torch.cosine_similarity(z0, z1, dim=-1).clamp(-1, 1)[..., None]
    omega = cosine.acos()
    sine = omega.sin()
    parallel = sine < 1e-6
    safe = torch.where(parallel, torch.ones_like(sine), sine)
    curved = (((1 - t) * omega).sin() * z0 + (t * omega).sin() * z1) / safe
    return torch.where(parallel, lerp(z0, z1, t), curved)
