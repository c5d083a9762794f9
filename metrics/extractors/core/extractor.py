"""Images → features and class scores: every file beside this one is an extractor.

A score is only as comparable as what stands in front of it, so an extractor says what it is made of: the
hash of its weights and the rule by which it resizes. Its name is the word after `--extractor`.
"""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Final, NamedTuple

import torch
from torch import Tensor

CPU: Final = torch.device("cpu")


class WeightsError(ValueError):
    """Weights that are missing, damaged, or another network's: one line that says what to do."""


class Features(NamedTuple):
    """What an extractor sees in N images.

    Attributes:
        vectors: float32 `(N, D)`.
        logits: float32 `(N, K)`, or None of an extractor without classes.
    """

    vectors: Tensor
    logits: Tensor | None


class Extractor(ABC):
    """Images → features that depend on nothing but the image: not on the batch, nor on random state.

    Args:
        weights: the weights file; by default the one that the extractor finds by itself.
        resize_rule: by default the extractor's own.
        device: where to compute; features come back there.
        download: whether published weights may be fetched if they are not at hand.

    Raises:
        WeightsError: for missing or unfitting weights.
        ValueError: for a resize rule that the extractor does not have.

    Attributes:
        name: the word after `--extractor`.
        distance: what the Fréchet distance between its features is called: "fid" for Inception's alone,
            else "fd-NAME".
        feature_size: D. has_logits: whether it also has class scores.
        resize_rule: how images reach the network's size.
        weights_hash: SHA-256 of the weights file, or of the tensors where there is no file.
        classes: names of the classes behind the logits, where they are those of some data; else empty.
        remark: what a user should know of it, in half a line.
    """

    name: str
    distance: str
    feature_size: int
    has_logits: bool
    resize_rule: str
    weights_hash: str
    device: torch.device
    classes: tuple[str, ...] = ()
    remark: str = ""

    @abstractmethod
    def __init__(
        self,
        weights: Path | None = None,
        resize_rule: str | None = None,
        device: torch.device = CPU,
        download: bool = False,
    ) -> None: ...

    @abstractmethod
    def __call__(self, images: Tensor) -> Features:
        """`(N, C, H, W)` of at least 8 pixels a side; C is 1 (grey), 3 (RGB) or 4 (RGB with alpha).

        Uint8 is what every score is made of. Float32 in [0, 255] is for differences that rounding would
        hide, such as those along a path of latents.

        Raises ValueError for other tensors.
        """

    @classmethod
    @abstractmethod
    def is_at_hand(cls, weights: Path | None = None) -> bool:
        """Whether it can be built without a download. Looks for files, and imports nothing heavy."""

    def description(self) -> dict[str, str]:
        """Where its scores come from: what must be equal for two scores to be comparable."""
        return {
            "extractor": self.name,
            "distance": self.distance,
            "weights": self.weights_hash,
            "resize_rule": self.resize_rule,
        }
