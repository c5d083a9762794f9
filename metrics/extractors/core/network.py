"""Base class of extractors that are one network: from uint8 images to its features."""

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from metrics.extractors.core.extractor import CPU, Extractor, Features
from metrics.extractors.core.resize import RULES, resized
from metrics.extractors.core.rgb import as_rgb

AT_ONCE = 16  # images through a network at a time, on a CPU
AT_ONCE_ON_GPU = 64


class PixelScale(NamedTuple):
    """Affine scale of pixels in [0, 255]: (pixels − shift) / divisor; a number, or one for each channel."""

    shift: float | tuple[float, float, float]
    divisor: float | tuple[float, float, float]

    def __call__(self, pixels: Tensor) -> Tensor:
        """Scales pixels `(N, 3, H, W)` in place."""
        shift, divisor = (pixels.new_tensor(value).view(-1, 1, 1) for value in self)
        return pixels.sub_(shift).div_(divisor)


class NetworkExtractor(Extractor):
    """Extractor that resizes and scales images and applies a network to batches of a fixed size, `at_once`.

    Libraries add up in another order for another number of images, which deep networks enlarge to 1e-5 of
    a feature. So the network never sees another number: what is missing is filled up with black images.
    Batches of a multiple of it waste nothing.

    Attributes:
        size: pixels a side that the network reads.
        default_rule: the resize rule when none is asked for.
    """

    size: ClassVar[int]
    default_rule: ClassVar[str]

    def __init__(
        self,
        weights: Path | None = None,
        resize_rule: str | None = None,
        device: torch.device = CPU,
        download: bool = False,
    ) -> None:
        self.resize_rule = self.default_rule if resize_rule is None else resize_rule
        if self.resize_rule not in RULES:
            raise ValueError(f"unknown resize rule '{resize_rule}'; there are: {', '.join(RULES)}")
        self.device = device
        network, self.weights_hash = self.load(weights, download)
        self.network = network.to(device).to(memory_format=torch.channels_last).eval().requires_grad_(False)
        self.scale = self.scale_of(self.resize_rule)

    @abstractmethod
    def load(self, weights: Path | None, download: bool) -> tuple[nn.Module, str]:
        """Loads the network, whose output is `Features`; returns it and the hash of its weights."""

    @abstractmethod
    def scale_of(self, rule: str) -> PixelScale:
        """Scale of the network's input under a resize rule."""

    @property
    def at_once(self) -> int:
        """Number of images that go through the network at a time."""
        return AT_ONCE if self.device.type == "cpu" else AT_ONCE_ON_GPU

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Features:
        pictures = self.pictures(images)
        with _exactly(self.device):
            parts = [self._features(part) for part in torch.split(pictures, self.at_once)]
        logits = [part.logits for part in parts if part.logits is not None]
        return Features(torch.cat([part.vectors for part in parts]), torch.cat(logits) if logits else None)

    def pictures(self, images: Tensor) -> Tensor:
        """Images in the channels that the network reads: RGB. Raises ValueError for unfit ones."""
        return as_rgb(images)

    def _features(self, images: Tensor) -> Features:
        """Features of up to `at_once` images."""
        pixels = self.scale(resized(images.to(self.device), self.resize_rule, self.size))
        whole = pixels.new_zeros(self.at_once, *pixels.shape[1:]).to(memory_format=torch.channels_last)
        whole[: len(images)] = pixels
        found: Features = self.network(whole)
        logits = None if found.logits is None else found.logits[: len(images)]
        return Features(found.vectors[: len(images)], logits)


@contextmanager
def _exactly(device: torch.device) -> Iterator[None]:
    """Context of full float32, whatever a training around it has chosen for its own speed."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with (
            torch.autocast(device.type, enabled=False),
            torch.backends.cudnn.flags(enabled=True, allow_tf32=False),
        ):
            yield
    finally:
        torch.set_float32_matmul_precision(before)
