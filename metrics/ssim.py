"""Structural similarity of images and their targets (SSIM, Wang et al. 2004)."""

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from metrics.core.pairs import PairMetric

SMALLEST = 6  # pixels a side that can be reflected at the border by half a window


class StructuralSimilarity(PairMetric):
    """Mean over images of their structural similarity (equation 13).

    Luminance, contrast and structure are compared in Gaussian windows of σ = 1.5; of each image the mean over
    windows and channels is taken. Luminance is compared on [0, 1], black is 0.

    Scores: `ssim` in [−1, 1], 1 for equal images.

    Raises:
        ValueError: images of fewer than 6 pixels a side.

    >>> from metrics.ssim import StructuralSimilarity
    >>> import torch
    >>> metric = StructuralSimilarity()
    >>> image = torch.linspace(-1, 1, 256).view(1, 1, 16, 16)
    >>> metric.update(torch.stack([image, image], dim=1))
    >>> metric.compute()
    {'ssim': 1.0}
    """

    name: ClassVar[str] = "ssim"
    higher_is_better: ClassVar[Mapping[str, bool]] = {"ssim": True}
    ranges: Mapping[str, tuple[float, float]] = {"ssim": (-1.0, 1.0)}

    def of_each(self, made: Tensor, targets: Tensor) -> Tensor:
        height, width = made.shape[2:]
        if min(height, width) < SMALLEST:
            raise ValueError(f"ssim: images of {height}x{width}, needs at least {SMALLEST} pixels a side")
        found = structural_similarity_index_measure(
            (made + 1) / 2, (targets + 1) / 2, data_range=1.0, reduction="none"
        )
        assert isinstance(found, Tensor)
        return found.clamp(-1, 1)
