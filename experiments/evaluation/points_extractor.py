"""Extractor of points in the plane, which are their own features."""

from pathlib import Path
from typing import final

import torch
from torch import Tensor

from metrics.extractors.core.extractor import CPU, Extractor, Features


@final
class PointsExtractor(Extractor):
    """Passes points on as their features. It is not in the registry, because nobody chooses it."""

    name = "none"
    distance = "fd-points"
    feature_size = 2
    has_logits = False
    resize_rule = "none"
    weights_hash = "none"

    def __init__(
        self,
        weights: Path | None = None,
        resize_rule: str | None = None,
        device: torch.device = CPU,
        download: bool = False,
    ) -> None:
        if weights is not None or resize_rule is not None:
            raise ValueError("points are their own features: --weights and --resize-rule are for images")
        self.device = device

    def __call__(self, images: Tensor) -> Features:
        """The points, float32 `(N, 2)`, as they are."""
        return Features(images, None)

    @classmethod
    def is_at_hand(cls, weights: Path | None = None) -> bool:
        """Always."""
        return True
