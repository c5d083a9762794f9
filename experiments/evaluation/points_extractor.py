"""Extractors without a network: of points, which are their own features, and of images that none can see."""

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
    channels = None

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


@final
class NoExtractor(Extractor):
    """Extractor of images whose channels no network is made for: it has no features.

    Metrics that take images themselves do without them.
    """

    name = "none"
    distance = "fd-none"
    feature_size = 0
    has_logits = False
    resize_rule = "none"
    weights_hash = "none"
    channels = ()

    def __init__(
        self,
        weights: Path | None = None,
        resize_rule: str | None = None,
        device: torch.device = CPU,
        download: bool = False,
    ) -> None:
        self.device = device

    def __call__(self, images: Tensor) -> Features:
        """Refuses all images by a ValueError: there are no features."""
        raise ValueError(
            f"no extractor sees {images.shape[1]} channels; what needs none compares a run with its data: "
            "gans evaluate RUN --metrics power-spectrum"
        )

    @classmethod
    def is_at_hand(cls, weights: Path | None = None) -> bool:
        """Always."""
        return True
