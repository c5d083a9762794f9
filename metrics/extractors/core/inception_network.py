"""The Inception network of the first FID, for inference only: layers as data, batch norm folded away.

Szegedy et al. 2016, arXiv:1512.00567, as it was in TensorFlow's archive of 2015-12-05. Three things differ
from the network that torchvision has: average pooling does not count the padding, the last block pools by
the maximum, and there are 1,008 classes.

The published state dict names the layers; what computes here is another arrangement of the same function,
equal up to float rounding:
- batch norm is part of the convolution before it (the statistics are fixed);
- a block's 1×1 convolutions of one and the same input are one convolution;
- average pooling and a 1×1 convolution change places, so that fewer channels are pooled.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, max_pool2d

from metrics.extractors.core.extractor import Features

FEATURES, CLASSES = 2048, 1008
EPSILON = 0.001  # of every batch norm
NORM = ("weight", "bias", "running_mean", "running_var")
State = Mapping[str, Tensor]


class Layer(NamedTuple):
    """Convolution without bias, batch norm and ReLU.

    An unpadded one loses the border.
    """

    narrow: int
    wide: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    padded: bool = True


class Tower(NamedTuple):
    """Chain of layers by name, whose last stage may be two layers side by side (`fork`)."""

    chain: tuple[str, ...]
    fork: tuple[str, ...] = ()


class InceptionPlan(NamedTuple):
    """Plan of a block: towers side by side over one input, whose outputs are stacked, the pooled branch last.

    `pool` is "average" or "maximum", each followed by the layer `branch_pool`, or "halving": the maximum
    with stride 2 and no layer.
    """

    layers: dict[str, Layer]
    towers: tuple[Tower, ...]
    pool: str


def plan_a(narrow: int, pooled: int) -> InceptionPlan:
    """Plan of a block on 35×35 pixels."""
    layers = {
        "branch1x1": Layer(narrow, 64),
        "branch5x5_1": Layer(narrow, 48),
        "branch5x5_2": Layer(48, 64, (5, 5)),
        "branch3x3dbl_1": Layer(narrow, 64),
        "branch3x3dbl_2": Layer(64, 96, (3, 3)),
        "branch3x3dbl_3": Layer(96, 96, (3, 3)),
        "branch_pool": Layer(narrow, pooled),
    }
    towers = (tower("branch1x1"), tower("branch5x5", 2), tower("branch3x3dbl", 3))
    return InceptionPlan(layers, towers, "average")


def plan_b(narrow: int) -> InceptionPlan:
    """Plan of a block that halves 35×35 pixels to 17×17."""
    layers = {
        "branch3x3": Layer(narrow, 384, (3, 3), stride=2, padded=False),
        "branch3x3dbl_1": Layer(narrow, 64),
        "branch3x3dbl_2": Layer(64, 96, (3, 3)),
        "branch3x3dbl_3": Layer(96, 96, (3, 3), stride=2, padded=False),
    }
    return InceptionPlan(layers, (tower("branch3x3"), tower("branch3x3dbl", 3)), "halving")


def plan_c(narrow: int, inner: int) -> InceptionPlan:
    """Plan of a block on 17×17 pixels, with 7×7 kernels as rows after columns."""
    layers = {
        "branch1x1": Layer(narrow, 192),
        "branch7x7_1": Layer(narrow, inner),
        "branch7x7_2": Layer(inner, inner, (1, 7)),
        "branch7x7_3": Layer(inner, 192, (7, 1)),
        "branch7x7dbl_1": Layer(narrow, inner),
        "branch7x7dbl_2": Layer(inner, inner, (7, 1)),
        "branch7x7dbl_3": Layer(inner, inner, (1, 7)),
        "branch7x7dbl_4": Layer(inner, inner, (7, 1)),
        "branch7x7dbl_5": Layer(inner, 192, (1, 7)),
        "branch_pool": Layer(narrow, 192),
    }
    towers = (tower("branch1x1"), tower("branch7x7", 3), tower("branch7x7dbl", 5))
    return InceptionPlan(layers, towers, "average")


def plan_d(narrow: int) -> InceptionPlan:
    """Plan of a block that halves 17×17 pixels to 8×8."""
    layers = {
        "branch3x3_1": Layer(narrow, 192),
        "branch3x3_2": Layer(192, 320, (3, 3), stride=2, padded=False),
        "branch7x7x3_1": Layer(narrow, 192),
        "branch7x7x3_2": Layer(192, 192, (1, 7)),
        "branch7x7x3_3": Layer(192, 192, (7, 1)),
        "branch7x7x3_4": Layer(192, 192, (3, 3), stride=2, padded=False),
    }
    return InceptionPlan(layers, (tower("branch3x3", 2), tower("branch7x7x3", 4)), "halving")


def plan_e(narrow: int, pool: str) -> InceptionPlan:
    """Plan of a block on 8×8 pixels."""
    layers = {
        "branch1x1": Layer(narrow, 320),
        "branch3x3_1": Layer(narrow, 384),
        "branch3x3_2a": Layer(384, 384, (1, 3)),
        "branch3x3_2b": Layer(384, 384, (3, 1)),
        "branch3x3dbl_1": Layer(narrow, 448),
        "branch3x3dbl_2": Layer(448, 384, (3, 3)),
        "branch3x3dbl_3a": Layer(384, 384, (1, 3)),
        "branch3x3dbl_3b": Layer(384, 384, (3, 1)),
        "branch_pool": Layer(narrow, 192),
    }
    square = Tower(("branch3x3_1",), ("branch3x3_2a", "branch3x3_2b"))
    double = Tower(("branch3x3dbl_1", "branch3x3dbl_2"), ("branch3x3dbl_3a", "branch3x3dbl_3b"))
    return InceptionPlan(layers, (tower("branch1x1"), square, double), pool)


def tower(name: str, length: int = 0) -> Tower:
    """Tower of the layers `name_1` to `name_LENGTH`, or of the one layer `name`."""
    return Tower(tuple(f"{name}_{i + 1}" for i in range(length)) or (name,))


STEM = {  # 299×299 pixels → 35×35, with a halving by the maximum after the third layer and after the last
    "Conv2d_1a_3x3": Layer(3, 32, (3, 3), stride=2, padded=False),
    "Conv2d_2a_3x3": Layer(32, 32, (3, 3), padded=False),
    "Conv2d_2b_3x3": Layer(32, 64, (3, 3)),
    "Conv2d_3b_1x1": Layer(64, 80),
    "Conv2d_4a_3x3": Layer(80, 192, (3, 3), padded=False),
}
POOLED = ("Conv2d_2b_3x3", "Conv2d_4a_3x3")
BLOCKS = {
    "Mixed_5b": plan_a(192, 32),
    "Mixed_5c": plan_a(256, 64),
    "Mixed_5d": plan_a(288, 64),
    "Mixed_6a": plan_b(288),
    "Mixed_6b": plan_c(768, 128),
    "Mixed_6c": plan_c(768, 160),
    "Mixed_6d": plan_c(768, 160),
    "Mixed_6e": plan_c(768, 192),
    "Mixed_7a": plan_d(768),
    "Mixed_7b": plan_e(1280, "average"),
    "Mixed_7c": plan_e(2048, "maximum"),
}


def shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of the published state dict, without batch norm's counters."""
    layers = STEM | {
        f"{block}.{name}": layer for block, plan in BLOCKS.items() for name, layer in plan.layers.items()
    }
    found: dict[str, tuple[int, ...]] = {}
    for name, layer in layers.items():
        found[f"{name}.conv.weight"] = (layer.wide, layer.narrow, *layer.kernel)
        found |= {f"{name}.bn.{part}": (layer.wide,) for part in NORM}
    return found | {"fc.weight": (CLASSES, FEATURES), "fc.bias": (CLASSES,)}


class Convolution(nn.Module):
    """Convolution with batch norm folded in: `(N, narrow, H, W)` → `(N, Σ wide, H′, W′)`.

    It has no ReLU, and may be several 1×1 layers as one.
    """

    def __init__(self, state: State, names: list[str], layer: Layer) -> None:
        super().__init__()
        weights, biases = zip(*(fold_batch_norm(state, name) for name in names), strict=True)
        self.weight, self.bias = nn.Parameter(torch.cat(weights)), nn.Parameter(torch.cat(biases))
        self.stride = layer.stride
        self.padding = tuple(side // 2 if layer.padded else 0 for side in layer.kernel)

    def forward(self, x: Tensor) -> Tensor:
        return conv2d(x, self.weight, self.bias, self.stride, self.padding)


def fold_batch_norm(state: State, name: str) -> tuple[Tensor, Tensor]:
    """Folds a batch norm into the convolution before it; returns the weight and bias.

    γ · (W ∗ x − μ) / √(σ² + ε) + β is one convolution. Both are rounded to float32 once.
    """
    gamma, beta, mean, variance = (state[f"{name}.bn.{part}"].double() for part in NORM)
    gain = gamma / (variance + EPSILON).sqrt()
    weight = state[f"{name}.conv.weight"].double() * gain.view(-1, 1, 1, 1)
    return weight.float(), (beta - mean * gain).float()


class InceptionBlock(nn.Module):
    """Block of the Inception network, `(N, narrow, H, W)` → `(N, wide, H′, W′)`, by its plan."""

    def __init__(self, state: State, name: str, plan: InceptionPlan) -> None:
        super().__init__()
        self.plan = plan
        self.layers = nn.ModuleDict()
        # 1×1 convolutions of the block's input; the one after average pooling is moved before it.
        self.shared = [t.chain[0] for t in plan.towers if plan.layers[t.chain[0]].kernel == (1, 1)]
        self.shared += ["branch_pool"] * (plan.pool == "average")
        self.widths = [plan.layers[part].wide for part in self.shared]
        first = plan.layers[self.shared[0]]
        self.entrance = Convolution(state, [f"{name}.{part}" for part in self.shared], first)
        for part, layer in plan.layers.items():
            if part not in self.shared:
                self.layers[part] = Convolution(state, [f"{name}.{part}"], layer)

    def forward(self, x: Tensor) -> Tensor:
        entered = dict(zip(self.shared, self.entrance(x).split(self.widths, dim=1), strict=True))
        outputs: list[Tensor] = []
        for start, *others in (t.chain for t in self.plan.towers):
            y = (entered[start] if start in entered else self.layers[start](x)).relu()
            for name in others:
                y = self.layers[name](y).relu_()
            outputs.append(y)
        stacked: list[Tensor] = []
        for y, (_, fork) in zip(outputs, self.plan.towers, strict=True):
            stacked += [self.layers[name](y).relu_() for name in fork] or [y]
        return torch.cat([*stacked, self._pooled(x, entered)], dim=1)

    def _pooled(self, x: Tensor, entered: dict[str, Tensor]) -> Tensor:
        """Output of the pooled branch."""
        if self.plan.pool == "average":
            return avg_pool2d(entered["branch_pool"], 3, stride=1, padding=1, count_include_pad=False).relu_()
        if self.plan.pool == "maximum":
            return self.layers["branch_pool"](max_pool2d(x, 3, stride=1, padding=1)).relu_()
        return max_pool2d(x, 3, stride=2)


class InceptionNetwork(nn.Module):
    """Inception network of FID: `(N, 3, 299, 299)` in [−1, 1] → features `(N, 2048)` and logits `(N, 1008)`.

    The logits are without the last layer's bias, as the Inception Score has always been computed
    (Salimans et al. 2016, arXiv:1606.03498, by their code).
    """

    def __init__(self, state: State) -> None:
        super().__init__()
        self.stem = nn.ModuleDict({name: Convolution(state, [name], layer) for name, layer in STEM.items()})
        self.blocks = nn.Sequential(*(InceptionBlock(state, name, plan) for name, plan in BLOCKS.items()))
        self.classes = nn.Parameter(state["fc.weight"].clone())

    def forward(self, x: Tensor) -> Features:
        for name, layer in self.stem.items():
            x = layer(x).relu_()
            if name in POOLED:
                x = max_pool2d(x, 3, stride=2)
        vectors = self.blocks(x).mean(dim=(2, 3))
        return Features(vectors, vectors @ self.classes.T)
