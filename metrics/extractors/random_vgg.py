"""VGG16 with random weights: 64 features; needs no file, and knows no ImageNet."""

import math
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from metrics.extractors.core.extractor import Features
from metrics.extractors.core.network import NetworkExtractor, PixelScale
from metrics.extractors.core.weights import tensor_hash

SEED = 64
WIDTHS = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0)  # 0 halves the image
HIDDEN, FEATURES = 4096, 64
SIZE = 64


class RandomVGG(NetworkExtractor):
    """Features of a VGG16 with random weights, for images that ImageNet's networks know little of.

    After R64 of Naeem et al. 2020, arXiv:2002.09797. Which layer they narrowed to 64 units, and from
    which distribution they drew, could not be checked against the paper (memory: the second hidden
    one). So values compare among themselves only. Ours: no ReLU after the 64 units, and the usual start
    of a ReLU network (He et al. 2015, arXiv:1502.01852: normal, variance 2 / inputs, no bias) from a
    seed of its own. Images enter at 64 pixels and not at VGG's 224: filters that learned nothing prefer
    no scale, and it takes a twentieth of the time.
    """

    name = "random-vgg"
    distance = "fd-random-vgg"
    feature_size = FEATURES
    has_logits = False
    size = SIZE
    default_rule = "clean"
    # ImageNet's mean and deviation, as every VGG16 has in front of it.
    imagenet: ClassVar[PixelScale] = PixelScale((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))

    @classmethod
    def is_at_hand(cls, weights: Path | None = None) -> bool:
        """Whether no weights file is given: it needs none."""
        return weights is None

    def load(self, weights: Path | None, download: bool) -> tuple[nn.Module, str]:
        """Draws the weights from a fixed seed. Raises ValueError for a weights file."""
        if weights is not None:
            raise ValueError("random-vgg draws its weights from a seed and reads no weights file")
        network = RandomNetwork()
        return network, tensor_hash(network.parameters())

    def scale_of(self, rule: str) -> PixelScale:
        """Scale by ImageNet's mean and deviation, for every rule."""
        return self.imagenet


class RandomNetwork(nn.Module):
    """VGG16 with random weights and 64 outputs: `(N, 3, 64, 64)` → features `(N, 64)`."""

    def __init__(self) -> None:
        super().__init__()
        # NumPy's generator, because torch's normal numbers depend on the processor. The layers start on the
        # device "meta", where torch draws no numbers of its own.
        random = np.random.Generator(np.random.PCG64(SEED))
        layers: list[nn.Module] = []
        narrow, side = 3, SIZE
        for wide in WIDTHS:
            if wide:
                empty = nn.Conv2d(narrow, wide, 3, padding=1, bias=False, device="meta")
                layers += [drawn(empty, random), nn.ReLU(inplace=True)]
                narrow = wide
            else:
                layers.append(nn.MaxPool2d(2))
                side //= 2
        first = nn.Linear(narrow * side * side, HIDDEN, bias=False, device="meta")
        second = nn.Linear(HIDDEN, FEATURES, bias=False, device="meta")
        layers += [nn.Flatten(), drawn(first, random), nn.ReLU(inplace=True), drawn(second, random)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Features:
        return Features(self.layers(x), None)


def drawn(layer: nn.Conv2d | nn.Linear, random: np.random.Generator) -> nn.Module:
    """Draws the weights of an empty layer: normal, variance 2 / inputs."""
    shape = tuple(layer.weight.shape)
    deviation = (2 / math.prod(shape[1:])) ** 0.5
    numbers = torch.from_numpy(random.standard_normal(shape, dtype=np.float32))
    layer.weight = nn.Parameter(numbers * deviation)
    return layer
