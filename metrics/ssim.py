"""Structural similarity of images and their targets (SSIM, Wang et al. 2004)."""

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from metrics.core.pairs import PairMetric

SMALLEST = 6  # pixels a side that can be reflected at the border by half a window


class StructuralSimilarity(PairMetric):
    """Luminance, contrast and structure in Gaussian windows of σ = 1.5 (equation 13), the mean over windows
    and channels of each image; then the mean over images. Luminance is compared on [0, 1], black is 0.

    Scores: `ssim` in [−1, 1], 1 for equal images.
    """

    name: ClassVar[str] = "ssim"
    higher_is_better: ClassVar[Mapping[str, bool]] = {"ssim": True}
    ranges: ClassVar[Mapping[str, tuple[float, float]]] = {"ssim": (-1.0, 1.0)}

    def of_each(self, made: Tensor, targets: Tensor) -> Tensor:
        height, width = made.shape[2:]
        if min(height, width) < SMALLEST:
            raise ValueError(f"ssim: images of {height}x{width}, needs at least {SMALLEST} pixels a side")
        found = structural_similarity_index_measure(
            (made + 1) / 2, (targets + 1) / 2, data_range=1.0, reduction="none"
        )
        assert isinstance(found, Tensor)
        return found.clamp(-1, 1)
