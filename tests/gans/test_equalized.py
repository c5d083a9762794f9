"""Equalized layers, pixel norm and minibatch deviation against closed forms in float64."""

import math

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d
from torch import Tensor, nn

from gans.batch_statistics.deviation import DeviationOptions, MinibatchDeviation
from gans.batch_statistics.discrimination import DiscriminationOptions, MinibatchDiscrimination
from gans.layers.equalized import EqualizedConvolution, EqualizedLinear
from gans.layers.norms import PixelNorm
from gans.norms.spectral import SpectralNorm


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


@pytest.mark.parametrize("lr_multiplier", [1.0, 0.01])
def test_linear_is_scaled_when_used(lr_multiplier: float) -> None:
    """[22] The weights stay of size 1 / lr; He's scale comes in at run time."""
    layer = EqualizedLinear(600, 50, gain=2**0.5, bias=0.25, lr_multiplier=lr_multiplier).double()
    assert layer.weight.std().item() == pytest.approx(1 / lr_multiplier, rel=0.02)
    x = draw(4, 600)
    weight = layer.weight.detach().numpy() * lr_multiplier * math.sqrt(2 / 600)
    expected = x.numpy() @ weight.T + 0.25
    np.testing.assert_allclose(layer(x).detach().numpy(), expected, rtol=1e-12)


def test_an_equal_step_moves_every_layer_as_far_relative_to_its_size() -> None:
    narrow, wide = EqualizedLinear(4, 1).double(), EqualizedLinear(4000, 1).double()
    moves = []
    for layer in (narrow, wide):
        x = draw(1000, layer.weight.shape[1])
        before = layer(x)
        with torch.no_grad():
            layer.weight += 0.01 * torch.randn_like(layer.weight)
        moves.append(((layer(x) - before).std() / before.std()).item())
    assert moves[0] == pytest.approx(moves[1], rel=0.5)


@pytest.mark.parametrize("kernel_size", [1, 3])
def test_convolution_is_scaled_when_used(kernel_size: int) -> None:
    layer = EqualizedConvolution(5, 2, kernel_size, gain=1.5).double()
    nn.init.normal_(layer.bias)
    x = draw(1, 5, 6, 7)
    weight = layer.weight.detach().numpy() * 1.5 / math.sqrt(5 * kernel_size**2)
    for out in range(2):
        expected = sum(correlate2d(x[0, c].numpy(), weight[out, c], mode="same") for c in range(5))
        expected = expected + layer.bias[out].item()
        np.testing.assert_allclose(layer(x)[0, out].detach().numpy(), expected, rtol=1e-10)


def test_what_goes_in_with_variance_one_comes_out_so_after_a_relu() -> None:
    layers = [EqualizedConvolution(64, 64), nn.ReLU()] * 4
    x = torch.randn(8, 64, 16, 16)
    with torch.no_grad():
        assert nn.Sequential(*layers)(x).square().mean().item() == pytest.approx(1, rel=0.4)


def test_pixel_norm() -> None:
    x = draw(2, 3, 4, 5)
    expected = x.numpy() / np.sqrt((x.numpy() ** 2).mean(axis=1, keepdims=True) + 1e-8)
    np.testing.assert_allclose(PixelNorm()(x).numpy(), expected, rtol=1e-14)
    sphere = PixelNorm()(draw(7, 9)).norm(dim=1)
    np.testing.assert_allclose(sphere.numpy(), 3.0, rtol=1e-7)


@pytest.mark.parametrize(
    ("count", "group", "used"), [(8, 4, 4), (6, 4, 3), (5, 4, 1), (7, 4, 1), (2, 4, 2), (12, 4, 4)]
)
def test_minibatch_deviation(count: int, group: int, used: int) -> None:
    """[13] The largest divisor of N up to the group; sample i is with those of i modulo N / group."""
    x = draw(count, 3, 2, 2)
    found = MinibatchDeviation(12, DeviationOptions(group))(x)
    assert found.shape == (count, 4, 2, 2) and torch.equal(found[:, :3], x)
    apart = count // used
    for index in range(count):
        grouped = x.numpy()[index % apart :: apart]
        assert len(grouped) == used
        expected = np.sqrt(grouped.var(axis=0) + 1e-8).mean()
        np.testing.assert_allclose(found[index, 3].numpy(), expected, rtol=1e-10)


def test_equal_samples_have_no_deviation() -> None:
    x = draw(1, 3, 2, 2).expand(4, -1, -1, -1)
    assert MinibatchDeviation(12)(x)[:, 3].max() <= 1.01e-4


def test_minibatch_discrimination() -> None:
    """Salimans et al. 2016, section 3.2, as the paper has it: for every sample, space and other sample."""
    count, spaces, dimensions = 5, 4, 3
    x = draw(count, 3, 2, 2)
    layer = MinibatchDiscrimination(12, DiscriminationOptions(spaces, dimensions)).double()
    found = layer(x).detach()
    assert found.shape == (count, 3 + spaces, 2, 2) and torch.equal(found[:, :3], x)
    assert torch.equal(found[:, 3:], found[:, 3:, :1, :1].expand(-1, -1, 2, 2)), "one number a map"
    tensor = (layer.weight.detach().numpy() * layer.scale).reshape(12, spaces, dimensions)
    matrices = [np.einsum("a,abc->bc", sample.numpy().reshape(-1), tensor) for sample in x]
    for i in range(count):
        for b in range(spaces):
            expected = sum(np.exp(-np.abs(matrices[i][b] - matrices[j][b]).sum()) for j in range(count))
            np.testing.assert_allclose(found[i, 3 + b, 0, 0].item(), expected, rtol=1e-12)


def test_discrimination_of_a_collapsed_batch_is_its_size_and_has_two_derivatives() -> None:
    layer = MinibatchDiscrimination(12, DiscriminationOptions(4)).double()
    assert layer(draw(1, 3, 2, 2).expand(6, -1, -1, -1))[:, 3:].unique().item() == 6
    assert layer(draw(64, 3, 2, 2))[:, 3:].mean() < 40, "apart at first, but not out of sight"
    assert layer(draw(64, 3, 2, 2))[:, 3:].mean() > 8
    assert torch.autograd.gradgradcheck(layer, draw(3, 3, 2, 2).requires_grad_(True))


def test_spectral_norm_acts_on_equalized_weights() -> None:
    network = nn.Sequential(EqualizedConvolution(3, 4), EqualizedLinear(4, 4))
    SpectralNorm().normalize_weights(network)
    network.train()
    for _ in range(50):
        network[1](torch.randn(2, 4))
    assert torch.linalg.matrix_norm(network[1].weight, 2).item() == pytest.approx(1, rel=1e-3)
    assert hasattr(network[0], "parametrizations")
