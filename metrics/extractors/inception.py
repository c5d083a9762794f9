"""Inception v3 as the first FID had it: 2,048 features, 1,008 classes; weights by torch-fidelity."""

import hashlib
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from pickle import UnpicklingError
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, max_pool2d

from metrics.extractors import Extractor, Features, rgb
from metrics.extractors._resize import RULES, resize

FILE = "weights-inception-2015-12-05-6726825d.pth"  # the end is the start of its SHA-256
URL = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{FILE}"
SIDE = 299
EPSILON = 1e-3  # of the batch norms
CHUNK = 16  # images at once: more do not fit into the caches
VALID = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_4a_3x3")  # convolutions without padding

_average = partial(avg_pool2d, kernel_size=3, stride=1, padding=1, count_include_pad=False)
_maximum = partial(max_pool2d, kernel_size=3, stride=1, padding=1)
_halve = partial(max_pool2d, kernel_size=3, stride=2)


class Inception(Extractor):
    """The network of the TensorFlow graph of 5 December 2015 (Szegedy et al. 2015, arXiv:1512.00567), which
    the published FIDs use (Heusel et al. 2017), in torch-fidelity's port and with its published weights.

    Logits are those without the last layer's biases, from which TensorFlow's graph and torch-fidelity take
    the Inception Score. Batch norm is folded into the convolutions when weights are loaded.

    Resize rules: `tf1` (the original graph's, torch-fidelity's default), `pytorch-fid` (with its scaling of
    pixels), `clean` (clean-fid's).
    """

    name: ClassVar[str] = "inception"
    distance: ClassVar[str] = "fid"
    feature_size: ClassVar[int] = 2048
    has_logits: ClassVar[bool] = True

    def __init__(
        self,
        weights: Path | None = None,
        resize_rule: str | None = None,
        device: torch.device = torch.device("cpu"),  # noqa: B008  (immutable)
        download: bool = False,
    ) -> None:
        if resize_rule not in (None, *RULES):
            raise ValueError(f"unknown resize rule '{resize_rule}'; there are: {', '.join(RULES)}")
        self.resize_rule = resize_rule or "tf1"
        self.device = device
        file = weights or _found(download)
        state, self.weights_hash = _read(file)
        try:
            self.layers = {name: _folded(state, name, device) for name in _convolutions(state)}
            self.classes = state["fc.weight"].to(device)
            with torch.no_grad():
                self._vectors(torch.zeros(1, 3, SIDE, SIDE, device=device))
        except (KeyError, RuntimeError) as error:
            raise ValueError(
                f"{file} does not hold the weights of inception ({type(error).__name__}: "
                f"{str(error).splitlines()[0][:80]}); get {FILE}"
            ) from error

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Features:
        vectors = torch.cat([self._vectors(self._prepared(part)) for part in torch.split(images, CHUNK)])
        return Features(vectors, vectors @ self.classes.T)

    @classmethod
    def is_at_hand(cls, weights: Path | None) -> bool:
        return (weights or _usual_place()).is_file()

    def _prepared(self, images: Tensor) -> Tensor:
        """Uint8 of any size → what the network takes."""
        pixels = resize(rgb(images.to(self.device)), SIDE, self.resize_rule)
        if self.resize_rule == "pytorch-fid":
            return pixels / 127.5 - 1
        return (pixels - 128) / 128

    def _vectors(self, x: Tensor) -> Tensor:
        """`(N, 3, 299, 299)` → `(N, 2048)`."""
        x = x.contiguous(memory_format=torch.channels_last)
        x = self._chain(x, "", "Conv2d_1a_3x3|2 Conv2d_2a_3x3 Conv2d_2b_3x3")
        x = self._chain(_halve(x), "", "Conv2d_3b_1x1 Conv2d_4a_3x3")
        x = _halve(x)
        for name in ("Mixed_5b", "Mixed_5c", "Mixed_5d"):
            x = self._a(x, name)
        x = self._b(x, "Mixed_6a")
        for name in ("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"):
            x = self._c(x, name)
        x = self._d(x, "Mixed_7a")
        x = self._e(x, "Mixed_7b", _average)
        x = self._e(x, "Mixed_7c", _maximum)  # the 2015 graph has a maximum here where others average
        return x.mean(dim=(2, 3))

    def _chain(self, x: Tensor, block: str, names: str) -> Tensor:
        """Convolutions in a row, each with its ReLU; `name|2` has a stride of 2 and no padding."""
        for word in names.split():
            name, _, stride = word.partition("|")
            weight, bias = self.layers[f"{block}.{name}".lstrip(".")]
            same = not stride and name not in VALID
            padding = [side // 2 if same else 0 for side in weight.shape[2:]]
            x = conv2d(x, weight, bias, int(stride or 1), padding).relu_()
        return x

    def _a(self, x: Tensor, block: str) -> Tensor:
        chain = partial(self._chain, block=block)
        return torch.cat(
            [
                chain(x, names="branch1x1"),
                chain(x, names="branch5x5_1 branch5x5_2"),
                chain(x, names="branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3"),
                chain(_average(x), names="branch_pool"),
            ],
            dim=1,
        )

    def _b(self, x: Tensor, block: str) -> Tensor:
        chain = partial(self._chain, block=block)
        double = chain(x, names="branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3|2")
        return torch.cat([chain(x, names="branch3x3|2"), double, _halve(x)], dim=1)

    def _c(self, x: Tensor, block: str) -> Tensor:
        chain = partial(self._chain, block=block)
        return torch.cat(
            [
                chain(x, names="branch1x1"),
                chain(x, names=" ".join(f"branch7x7_{i}" for i in (1, 2, 3))),
                chain(x, names=" ".join(f"branch7x7dbl_{i}" for i in (1, 2, 3, 4, 5))),
                chain(_average(x), names="branch_pool"),
            ],
            dim=1,
        )

    def _d(self, x: Tensor, block: str) -> Tensor:
        chain = partial(self._chain, block=block)
        single = chain(x, names="branch3x3_1 branch3x3_2|2")
        seven = chain(x, names="branch7x7x3_1 branch7x7x3_2 branch7x7x3_3 branch7x7x3_4|2")
        return torch.cat([single, seven, _halve(x)], dim=1)

    def _e(self, x: Tensor, block: str, pool: "partial[Tensor]") -> Tensor:
        chain = partial(self._chain, block=block)
        single = chain(x, names="branch3x3_1")
        double = chain(x, names="branch3x3dbl_1 branch3x3dbl_2")
        return torch.cat(
            [
                chain(x, names="branch1x1"),
                chain(single, names="branch3x3_2a"),
                chain(single, names="branch3x3_2b"),
                chain(double, names="branch3x3dbl_3a"),
                chain(double, names="branch3x3dbl_3b"),
                chain(pool(x), names="branch_pool"),
            ],
            dim=1,
        )


def _usual_place() -> Path:
    """Where torch-fidelity and torchmetrics leave the weights: torch's cache."""
    home = os.environ.get("TORCH_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "torch"
    return Path(home).expanduser() / "hub" / "checkpoints" / FILE


def _found(download: bool) -> Path:
    place = _usual_place()
    if place.is_file():
        return place
    if not download:
        raise ValueError(
            f"inception has no weights: put {FILE} from {URL} into {place.parent}, name it with "
            "--weights FILE, or fetch it with --download; random-vgg works without"
        )
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(URL, str(place), hash_prefix="6726825d", progress=False)
    except Exception as error:  # the network, and other people's servers, raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"inception's weights could not be fetched from {URL}: {reason}") from error
    return place


def _read(file: Path) -> tuple[Mapping[str, Tensor], str]:
    """The tensors in a file, and its SHA-256. Raises ValueError for a file that holds anything else."""
    try:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        state = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ValueError(f"weights {file}: {error.strerror or error}") from error
    except (UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise ValueError(f"weights {file}: not a file of tensors; get {FILE}") from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"weights {file}: not a file of tensors; get {FILE}")
    return state, digest


def _convolutions(state: Mapping[str, Tensor]) -> list[str]:
    return [key.removesuffix(".conv.weight") for key in state if key.endswith(".conv.weight")]


def _folded(state: Mapping[str, Tensor], name: str, device: torch.device) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution with the batch norm behind it, computed in float64."""
    weight, gain, shift, mean, variance = (
        state[f"{name}.{key}"].double()
        for key in ("conv.weight", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var")
    )
    scale = gain / (variance + EPSILON).sqrt()
    folded = (weight * scale[:, None, None, None]).float().to(device)
    return folded.contiguous(memory_format=torch.channels_last), (shift - mean * scale).float().to(device)
