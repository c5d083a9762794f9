"""Extractors: images → features. Every file beside this one is an extractor; its name is the file's."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor


class Features(NamedTuple):
    """What an extractor sees in a batch.

    Attributes:
        vectors: float32 `(N, D)`.
        logits: float32 `(N, K)`, or None where it knows no classes.
    """

    vectors: Tensor
    logits: Tensor | None


class Extractor(ABC):
    """A fixed network that judges images one by one: `extractor(images)`.

    Args:
        weights: a file of its weights; None where it knows where to look.
        resize_rule: how images come to its own size; None is its own rule.
        device: where it computes.
        download: whether weights that are not on this machine may be fetched.

    Attributes:
        name: the word after `--extractor`.
        distance: what the Fréchet distance of its vectors is called. Only Inception's is "fid".
        feature_size: D.
        has_logits: whether it knows classes.
        resize_rule: the rule in use.
        weights_hash: of the weights in use.
        device: where it computes.

    Raises:
        ValueError: weights that are missing or do not fit, or a rule that it does not know.
    """

    name: ClassVar[str]
    distance: ClassVar[str]
    feature_size: ClassVar[int]
    has_logits: ClassVar[bool]
    resize_rule: str
    weights_hash: str
    device: torch.device

    @abstractmethod
    def __init__(
        self,
        weights: Path | None = None,
        resize_rule: str | None = None,
        device: torch.device = torch.device("cpu"),  # noqa: B008  (immutable)
        download: bool = False,
    ) -> None: ...

    @abstractmethod
    def __call__(self, images: Tensor) -> Features:
        """Features of uint8 images `(N, C, H, W)` with 1, 3 or 4 channels, on the extractor's device."""

    @classmethod
    @abstractmethod
    def is_at_hand(cls, weights: Path | None) -> bool:
        """Whether it can be built without fetching anything. Cheap."""

    def description(self) -> dict[str, str]:
        """What a score must say of it."""
        return {
            "extractor": self.name,
            "distance": self.distance,
            "weights": self.weights_hash,
            "resize_rule": self.resize_rule,
        }


def rgb(images: Tensor) -> Tensor:
    """Uint8 `(N, C, H, W)` → float32 `(N, 3, H, W)` in [0, 255]: grey repeated, alpha laid on white."""
    images = images.float()
    if images.shape[1] == 4:
        alpha = images[:, 3:] / 255
        images = (images[:, :3] * alpha + 255 * (1 - alpha)).round_()
    return images.expand(-1, 3, -1, -1)
