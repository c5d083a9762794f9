"""Seeded random features of a VGG-16 in 64 dimensions: nothing to fetch (Naeem et al. 2020, R64)."""

import hashlib
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, linear, max_pool2d, relu

from metrics.extractors import Extractor, Features, rgb

PLAN = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0)  # 0: halve
SIDE = 32  # pixels: the network halves five times, and small images are what random features are for
SEED = 64
OWN_RULE = "area"


class RandomVgg(Extractor):
    """VGG-16's convolutions with weights that were never trained, and a random projection of their output.

    The paper finds them steadier than ImageNet's features for images that are unlike ImageNet. Weights are
    He's (2015), which keep the size of signals, drawn by a generator of their own. Images are brought to
    32×32: shrunk by the mean over areas, enlarged bilinearly.
    """

    name: ClassVar[str] = "random-vgg"
    distance: ClassVar[str] = "fd-random-vgg"
    feature_size: ClassVar[int] = 64
    has_logits: ClassVar[bool] = False

    def __init__(
        self,
        weights: Path | None = None,
        resize_rule: str | None = None,
        device: torch.device = torch.device("cpu"),  # noqa: B008  (immutable)
        download: bool = False,
    ) -> None:
        del download  # there is nothing to fetch
        if weights is not None:
            raise ValueError("random-vgg has no weights to read; leave out --weights, or take inception")
        if resize_rule not in (None, OWN_RULE):
            raise ValueError(f"random-vgg does not know the resize rule {resize_rule}; it has {OWN_RULE}")
        self.resize_rule = OWN_RULE
        self.device = device
        tensors = _weights()
        digest = hashlib.sha256()
        for tensor in tensors:
            digest.update(tensor.numpy().tobytes())
        self.weights_hash = digest.hexdigest()
        *kernels, projection = (tensor.to(device) for tensor in tensors)
        self.kernels = [kernel.contiguous(memory_format=torch.channels_last) for kernel in kernels]
        self.projection = projection

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Features:
        x = rgb(images.to(self.device))
        if max(x.shape[2:]) > SIDE:
            x = interpolate(x, (SIDE, SIDE), mode="area")
        elif tuple(x.shape[2:]) != (SIDE, SIDE):
            x = interpolate(x, (SIDE, SIDE), mode="bilinear", align_corners=False)
        x = (x / 127.5 - 1).contiguous(memory_format=torch.channels_last)
        kernels = iter(self.kernels)
        for width in PLAN:
            x = relu(nn.functional.conv2d(x, next(kernels), padding=1)) if width else max_pool2d(x, 2)
        return Features(linear(x.flatten(1), self.projection), None)

    @classmethod
    def is_at_hand(cls, weights: Path | None) -> bool:
        return weights is None


def _weights() -> list[Tensor]:
    """Kernels `(out, in, 3, 3)` and the projection `(64, 512)`, uniform in ±√(6 / fan in) and ±√(3 / 512).

    Uniform numbers come from whole ones, so that they are the same on every processor; normal ones, through
    logarithms, are not.
    """
    random = torch.Generator().manual_seed(SEED)

    def draw(shape: tuple[int, ...], limit: float) -> Tensor:
        return (torch.rand(shape, generator=random) * 2 - 1) * limit

    tensors, narrow = [], 3
    for width in filter(None, PLAN):
        tensors.append(draw((width, narrow, 3, 3), (6 / (9 * narrow)) ** 0.5))
        narrow = width
    return [*tensors, draw((64, narrow), (3 / narrow) ** 0.5)]
