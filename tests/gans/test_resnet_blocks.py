"""Residual blocks against plain layers in float64: shortcut, residual, fused convolutions and gradients."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, interpolate

from gans.core.architecture import Blueprint
from gans.resnet import (
    EnlargingConvolution,
    PooledConvolution,
    ResidualSum,
    convolution,
    critic_block,
    first_block,
    upsampling_block,
)
from tests.gans.residual import close, convolutions, draw
from tests.gans.translating import MAP_NORMS, norm_of

pytestmark = pytest.mark.usefixtures("seeded")

SMALL = Blueprint((3, 16, 16), z_dim=5, width=4)
BLOCKS: dict[str, Callable[[], ResidualSum]] = {
    "up": lambda: upsampling_block(4, 6),
    "first": lambda: first_block(SMALL, 6),
    "halving": lambda: critic_block(SMALL, 4, 6, halves=True),
    "keeping": lambda: critic_block(SMALL, 4, 4, halves=False),
}


def plain(layer: nn.Module, x: Tensor) -> Tensor:
    """What a layer computes, in the words of the paper: resample, and convolve by 3×3."""
    if isinstance(layer, EnlargingConvolution):
        return layer.convolution(interpolate(x, scale_factor=2, mode="nearest"))
    return avg_pool2d(layer.convolution(x), 2) if isinstance(layer, PooledConvolution) else layer(x)


@pytest.mark.parametrize("kind", BLOCKS)
def test_a_block_without_residual_is_its_shortcut(kind: str) -> None:
    """The identity, or resampling and a 1×1 convolution in the papers' order: enlarge or convolve first,
    pool last."""
    block = BLOCKS[kind]().double()
    last = list(convolutions(block.residual))[-1]
    nn.init.zeros_(last.weight)
    for layer in convolutions(block.shortcut):
        nn.init.normal_(layer.bias)
    x = draw(2, 3 if kind == "first" else 4, 6, 10)
    one_by_one = list(convolutions(block.shortcut))
    expected = x if kind == "keeping" else one_by_one[0](plain_enlarge(x) if kind == "up" else x)
    close(block(x), avg_pool2d(expected, 2) if kind in ("first", "halving") else expected)


def plain_enlarge(x: Tensor) -> Tensor:
    return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)


@pytest.mark.parametrize("kind", BLOCKS)
@pytest.mark.parametrize("critic_norm", ["none", *MAP_NORMS])
def test_a_block_is_shortcut_plus_residual(kind: str, critic_norm: str) -> None:
    """Every branch sees the block's own input, signs included: a ReLU that works in place on it makes the
    shortcut that of ReLU(x), or changes what the block before handed on."""
    blueprint = Blueprint((3, 16, 16), z_dim=5, width=4, critic_norm=norm_of(critic_norm))
    if kind in ("halving", "keeping"):
        block = critic_block(blueprint, 4, 4, halves=kind == "halving").double()
    else:
        block = (upsampling_block(4, 4) if kind == "up" else first_block(blueprint, 4)).double()
    for parameter in block.parameters():
        nn.init.normal_(parameter)
    x = draw(3, 3 if kind == "first" else 4, 6, 10)
    given = x.clone()
    shortcut, signal = x.clone(), x.clone()
    for layer in block.shortcut:
        shortcut = layer(shortcut.clone())
    for layer in block.residual:
        signal = plain(layer, signal.clone())
    close(block(given), shortcut + signal)
    assert torch.equal(given, x)


def test_gradients_reach_the_input_through_both_branches() -> None:
    """Against central differences, at weights where each branch matters."""
    for kind, make in BLOCKS.items():
        block = make().double().eval()  # a batch's statistics are no function of the sample alone
        x = draw(1, 3 if kind == "first" else 4, 4, 4).requires_grad_(True)
        assert torch.autograd.gradcheck(block, x, eps=1e-7, atol=1e-5)


@pytest.mark.parametrize("kind", [EnlargingConvolution, PooledConvolution])
@pytest.mark.parametrize("side", [2, 5, 8])
def test_fused_convolutions_are_the_plain_ones(
    kind: type[EnlargingConvolution | PooledConvolution], side: int
) -> None:
    """In value, and in the gradients of weights and input of a penalty on the input's gradient."""
    layer = kind(convolution(3, 5)).double()
    nn.init.normal_(layer.convolution.bias)
    x = draw(2, 3, side + side % 2 * (kind is PooledConvolution), 6)
    results = []
    for compute in (layer, lambda signal: plain(layer, signal)):
        point = x.clone().requires_grad_(True)
        value = compute(point)
        (slope,) = torch.autograd.grad(value.tanh().sum(), point, create_graph=True)
        wanted = [point, layer.convolution.weight, layer.convolution.bias]
        results.append((value, slope, *torch.autograd.grad(slope.square().sum(), wanted)))
    for fused, expected in zip(*results, strict=True):
        close(fused, expected)


def test_pooling_undoes_enlarging() -> None:
    """With kernels that copy, down after up is the identity on both branches, so their means agree."""
    copies = [convolution(4, 4).double() for _ in range(2)]
    for layer in copies:
        nn.init.dirac_(layer.weight)
    x = draw(2, 4, 6, 10)
    close(PooledConvolution(copies[1])(EnlargingConvolution(copies[0])(x)), x)
    up, down = upsampling_block(4, 4).double(), critic_block(SMALL, 4, 4, halves=True).double()
    for layer in (*convolutions(up.shortcut), *convolutions(down.shortcut)):
        nn.init.dirac_(layer.weight)
    close(down.shortcut(up.shortcut(x)), x)


def test_kernels_over_neighbours() -> None:
    """The first block's residual by hand: 3×3, ReLU, 3×3, mean over 2×2."""
    block = first_block(SMALL, 6).double()
    one, two = convolutions(block.residual)
    x = draw(2, 3, 8, 8)
    inner = conv2d(x, one.weight, one.bias, padding=1).clamp(min=0)
    expected = avg_pool2d(conv2d(inner, two.weight, two.bias, padding=1), 2)
    close(block.residual(x), expected)
