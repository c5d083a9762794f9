"""Small classifier trained on the data's own labels, for data that ImageNet's networks know little of."""

import json
from collections.abc import Mapping
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from metrics.core.nested_values import parse_json
from metrics.core.safetensors_files import read_safetensors
from metrics.extractors.core.extractor import CPU, Features, WeightsError
from metrics.extractors.core.network import NetworkExtractor, PixelScale
from metrics.extractors.core.resize import resized
from metrics.extractors.core.rgb import RGB_OF, SMALLEST, as_rgb

METADATA_KEY = "gans-classifier"
MOST_BYTES = 64 * 2**20  # of a file: that of 100,000 classes has 54
SIZE = 32
RGB, MOST_CHANNELS = 3, 4096
FIRST = "stages.0.0.weight"  # of the layer that reads images, `(32, C, 3, 3)`
WIDTHS = (32, 64, 128)  # channels of the stages, each of which halves the image's sides
FEATURES = WIDTHS[-1]
SCALE = PixelScale(127.5, 127.5)


class Classifier(NetworkExtractor):
    """Features of a classifier that `gans train-classifier` has trained: 128 features, and its classes.

    It is chosen by `--extractor classifier:NAME` or by `--weights FILE`. One that was trained on images of
    other channels than grey, RGB or RGBA sees these alone.
    """

    feature_size = FEATURES
    has_logits = True
    size = SIZE
    default_rule = "clean"

    @classmethod
    def is_at_hand(cls, weights: Path | None = None) -> bool:
        """Whether the file of the classifier exists."""
        return weights is not None and weights.is_file()

    def load(self, weights: Path | None, download: bool) -> tuple[nn.Module, str]:
        """Loads the classifier of a file, with its name and its classes."""
        if weights is None:
            raise WeightsError(
                "classifier: of which data? gans train-classifier --data NAME makes it, and "
                "--extractor classifier:NAME takes it"
            )
        description, network, digest = read_classifier(weights)
        self.name = f"classifier:{description['name']}"
        self.distance = f"fd-{self.name}"
        self.classes = tuple(description["classes"])
        self.remark = f"its accuracy on held-out images is {description['accuracy']:.1%}"
        self.channels = RGB_OF if network.channels == RGB else (network.channels,)
        return network, digest

    def pictures(self, images: Tensor) -> Tensor:
        """Images in the channels that the network reads. Raises ValueError for unfit ones."""
        assert self.channels is not None
        return in_channels(images, self.channels)

    def scale_of(self, rule: str) -> PixelScale:
        """Scale to [−1, 1], for every rule."""
        return SCALE


class ClassifierNetwork(nn.Module):
    """Convolutional classifier: `(N, C, 32, 32)` in [−1, 1] → features `(N, 128)` and logits `(N, K)`.

    Convolutions of stride 2 with residual blocks behind them (He et al. 2016, arXiv:1512.03385), where
    images are small: an epoch of 60,000 takes one core half a minute.
    """

    def __init__(self, classes: int, channels: int = RGB) -> None:
        super().__init__()
        self.channels = channels
        stages: list[nn.Module] = [_convolution(channels, WIDTHS[0], stride=2), nn.ReLU()]
        for narrow, wide in pairwise(WIDTHS):
            stages += [_convolution(narrow, wide, stride=2), nn.ReLU(), Residual(wide)]
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(FEATURES, classes)

    def forward(self, x: Tensor) -> Features:
        vectors = self.stages(x).mean(dim=(2, 3))
        return Features(vectors, self.head(vectors))


class Residual(nn.Module):
    """Residual block `x ↦ ReLU(x + f(x))`, where f has two convolutions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.change = nn.Sequential(_convolution(width, width, 1), nn.ReLU(), _convolution(width, width, 1))

    def forward(self, x: Tensor) -> Tensor:
        return (x + self.change(x)).relu()


def _convolution(narrow: int, wide: int, stride: int) -> nn.Module:
    """3×3 convolution without bias, with batch norm."""
    return nn.Sequential(nn.Conv2d(narrow, wide, 3, stride, padding=1, bias=False), nn.BatchNorm2d(wide))


def network_channels(channels: int) -> int:
    """Channels that a classifier of images reads: RGB for grey, RGB and RGBA, else those of the images."""
    return RGB if channels in RGB_OF else channels


def in_channels(images: Tensor, channels: tuple[int, ...]) -> Tensor:
    """Images as a classifier of such channels reads them. Raises ValueError for others."""
    if channels == RGB_OF:
        return as_rgb(images)
    if images.dim() != 4 or images.shape[1] not in channels or min(images.shape[2:]) < SMALLEST:
        raise ValueError(
            f"the classifier reads images (N, {channels[0]}, H, W) of at least {SMALLEST} pixels a side, not "
            f"{tuple(images.shape)}"
        )
    return images


def network_input(images: Tensor, device: torch.device = CPU) -> Tensor:
    """Prepares images `(N, C, H, W)` in [0, 255] for the network: resized and scaled, 32 × 32.

    It is trained on exactly what the extractor will show it.
    """
    channels = RGB_OF if images.shape[1] in RGB_OF else (images.shape[1],)
    return SCALE(resized(in_channels(images, channels).to(device), Classifier.default_rule, SIZE))


def classifier_bytes(network: ClassifierNetwork, description: Mapping[str, Any]) -> bytes:
    """Serializes a classifier with its description as a safetensors file.

    Args:
        description: its `name`, `classes`, `accuracy` and whatever else is to be kept.
    """
    from safetensors.torch import save

    tensors = {name: value.cpu().contiguous() for name, value in sorted(network.state_dict().items())}
    return save(tensors, metadata={METADATA_KEY: json.dumps(dict(description), sort_keys=True)})


def read_classifier(path: Path) -> tuple[dict[str, Any], ClassifierNetwork, str]:
    """Reads a file by `classifier_bytes`: the description, the network and the file's SHA-256.

    Raises WeightsError for any other file.
    """
    if not path.is_file():
        raise WeightsError(
            f"{path}: there is no such classifier; gans train-classifier --data NAME makes one"
        )
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError("it is larger than any classifier")
        content = path.read_bytes()
        metadata, tensors = read_safetensors(content)
        description = parse_json(metadata[METADATA_KEY])
        if fault := _fault(description, tensors):
            raise ValueError(fault)
        with torch.random.fork_rng(devices=[]):  # its first weights are random, and are overwritten
            network = ClassifierNetwork(len(description["classes"]), _channels_in(tensors))
        network.load_state_dict(tensors)
    except (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise WeightsError(
            f"{path}: damaged, or not a classifier that gans train-classifier made; train it anew"
        ) from error
    return description, network, sha256(content).hexdigest()


def _channels_in(tensors: Mapping[str, Tensor]) -> int:
    """Channels that the first layer of a network in a file reads. Raises ValueError for too many."""
    channels = tensors[FIRST].shape[1]
    if not 1 <= channels <= MOST_CHANNELS:
        raise ValueError("its first layer reads no image")
    return channels


def _fault(description: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """Fault of the description of a classifier in words; empty where there is none."""
    classes, accuracy = description["classes"], description["accuracy"]
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        return "its classes have no names"
    if tensors["head.bias"].shape != (len(classes),):  # before a network of that many is built
        return "its classes are not as many as its logits"
    if not isinstance(accuracy, float) or not 0 <= accuracy <= 1:
        return "its accuracy is no share"
    if not all(weight.isfinite().all() for weight in tensors.values()):
        return "its weights are not finite"
    return "" if isinstance(description["name"], str) else "it has no name"
