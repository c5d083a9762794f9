"""Base class of feature extractors, which compute features and class logits of images.

A score is only as comparable as what stands in front of it, so an extractor says what it is made of: the
hash of its weights and the rule by which it resizes. Its name is the word after `--extractor`.
"""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple

import torch
from torch import Tensor

from metrics.core.options import changed_options

CPU: Final = torch.device("cpu")


class WeightsError(ValueError):
    """Error for weights that are missing, damaged, or another network's.

    Its text is one line that says what to do.
    """


class Features(NamedTuple):
    """Feature vectors and class logits of N images.

    Attributes:
        vectors: float32 `(N, D)`.
        logits: float32 `(N, K)`, or None of an extractor without classes.
    """

    vectors: Tensor
    logits: Tensor | None


class Extractor(ABC):
    """Feature extractor, whose features depend on the image alone: not on the batch, nor on random state.

    Args:
        weights: weights file; None for the one that the extractor finds by itself.
        resize_rule: rule by which images are resized; None for the extractor's own.
        device: where to compute; features come back there.
        download: whether published weights may be fetched if they are not at hand.
        options: an instance of `options_type`, by keyword; passed only to extractors that declare one.

    Raises:
        WeightsError: for missing or unfitting weights.
        ValueError: for a resize rule that the extractor does not have.

    Attributes:
        name: the word after `--extractor`.
        distance: name of the Fréchet distance between its features: "fid" for Inception's alone, else
            "fd-NAME".
        feature_size: D, length of a feature vector. has_logits: whether it also has class logits.
        resize_rule: rule by which images are resized to the network's size.
        weights_hash: SHA-256 of the weights file, or of the tensors where there is no file.
        channels: numbers of channels that it sees; None for any.
        classes: names of the classes of the logits, where they are those of some data; else empty.
        remark: a few words that a user should know of it.
        options_type: the frozen dataclass of its own options, whose fields have defaults; None for an
            extractor without.
        options: its own options, which `open_extractor` sets; None without.
    """

    name: str
    distance: str
    feature_size: int
    has_logits: bool
    resize_rule: str
    weights_hash: str
    device: torch.device
    channels: tuple[int, ...] | None = (1, 3, 4)
    classes: tuple[str, ...] = ()
    remark: str = ""
    options_type: ClassVar[type | None] = None
    options: Any = None

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
        """Computes features of images `(N, C, H, W)`, of at least 8 pixels a side.

        C is 1 (grey), 3 (RGB) or 4 (RGB with alpha). Uint8 is what every score is made of. Float32 in
        [0, 255] is for differences that rounding would hide, such as those along a path of latents.

        Raises ValueError for other tensors.
        """

    @classmethod
    @abstractmethod
    def is_at_hand(cls, weights: Path | None = None) -> bool:
        """Whether the extractor can be built without a download.

        It looks for files, and imports nothing heavy.
        """

    def description(self) -> dict[str, Any]:
        """Record of the extractor: what must be equal for two scores to be comparable."""
        changed = changed_options(self.options)
        return {
            "extractor": self.name,
            "distance": self.distance,
            "weights": self.weights_hash,
            "resize_rule": self.resize_rule,
            **({"extractor_options": changed} if changed else {}),
        }
