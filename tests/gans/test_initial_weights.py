"""Initial weights of every architecture: their distributions, which the papers give."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from scipy.stats import kstest
from torch import Tensor, nn

from gans.batch_statistics.discrimination import MinibatchDiscrimination
from gans.core.architecture import Blueprint
from gans.core.styles import Noise
from gans.layers.equalized import EqualizedConvolution, EqualizedLinear
from gans.layers.labels import ConditionalBatchNorm, EqualizedEmbedding, WithLabel
from gans.layers.modulation import ModulatedConvolution
from tests.conftest import ARCHITECTURES
from tests.gans.translating import GROUPS, norm_of

EQUALIZED = (EqualizedConvolution, EqualizedLinear, EqualizedEmbedding, ModulatedConvolution)
EQUALIZED += (MinibatchDiscrimination,)
PLAIN = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)

pytestmark = pytest.mark.usefixtures("seeded")


def layers_of(arch: str, kinds: tuple[type, ...], **others: Any) -> Iterator[tuple[str, Any]]:
    """The layers of these kinds in both networks, by name."""
    z_dim = 24 if ARCHITECTURES[arch].task == "noise" else 0
    blueprint = Blueprint((3, 16, 16), z_dim=z_dim, width=12, attributes=GROUPS, **others)
    for build in (ARCHITECTURES[arch].generator, ARCHITECTURES[arch].critic):
        yield from ((n, m) for n, m in build(blueprint).named_modules() if isinstance(m, kinds))


def is_normal(weight: Tensor, deviation: float) -> None:
    """Fails for another deviation, and for another distribution of the same."""
    numbers = weight.detach().double().flatten()[-4000:] / deviation
    assert kstest(numbers.numpy(), "norm").pvalue > 1e-4, (numbers.mean(), numbers.std())


@pytest.mark.parametrize("arch", ["progan", "stylegan", "stylegan2"])
def test_equalized_weights_are_standard_normal(arch: str) -> None:
    """ProGAN, section 4.1; those of the mapping network are a hundred times as large and learn as slowly."""
    statistic = lambda features: MinibatchDiscrimination(features)  # noqa: E731
    found = list(layers_of(arch, EQUALIZED, classes=3, minibatch_statistic=statistic))
    weights: dict[type, list[Tensor]] = {}
    for name, layer in found:
        rate = 0.01 if name.startswith("mapping.layers") else 1.0
        weights.setdefault(type(layer), []).append(layer.weight.flatten() * rate)
        bias = getattr(layer, "bias", None)
        if bias is not None:
            assert (bias == (1.0 if name.endswith("convolution.style") else 0.0)).all(), name
    assert len(weights) >= 4
    for parts in weights.values():
        is_normal(torch.cat(parts), 1.0)


def test_what_begins_as_zeros_and_ones() -> None:
    """Noise has no influence at first; StyleGAN's constant is all ones, StyleGAN2's is drawn."""
    for arch in ("stylegan", "stylegan2"):
        noises = list(layers_of(arch, (Noise,)))
        assert noises and not any(noise.scale.any() for _, noise in noises)
        for _, noise in noises[-2:]:
            is_normal(noise.fixed, 1.0)
        network = ARCHITECTURES[arch].generator(Blueprint((3, 16, 16), z_dim=24, width=64))
        assert not network.mean.any()
        assert (network.constant == 1).all() == (arch == "stylegan")
        biases = [
            each for name, each in network.named_parameters() if name.endswith(("first.bias", ".0.bias"))
        ]
        assert biases and not any(bias.any() for bias in biases)
    is_normal(network.constant, 1.0)


@pytest.mark.parametrize("arch", ["dcgan", "cyclegan", "pix2pix", "swap"])
def test_weights_of_deviation_a_fiftieth(arch: str) -> None:
    """DCGAN, section 4; pix2pix and CycleGAN. Biases are 0, scales of dcgan's norms N(1, 0.02)."""
    found = list(layers_of(arch, PLAIN, critic_norm=norm_of("batch" if arch == "dcgan" else "instance")))
    assert len(found) > 5
    for _, layer in found:
        is_normal(layer.weight, 0.02)
        assert layer.bias is None or not layer.bias.any()
    norms = [m for _, m in layers_of(arch, (nn.BatchNorm2d,), critic_norm=norm_of("batch"))]
    assert (len(norms) > 0) == (arch == "dcgan" or bool(norms))
    if arch == "dcgan":
        is_normal(torch.cat([norm.weight for norm in norms]) - 1, 0.02)
        assert not any(norm.bias.any() for norm in norms)


def test_labels_begin_as_long_as_one_hot_vectors_or_as_other_weights() -> None:
    """Appended to a latent of length L: N(0, 1 / L), in r3gan N(0, 1 / classes). In dcgan's critic: as its
    other weights, N(0, 0.02). In resnet's: Glorot's bound √(6 / (K + D)). Conditional norms begin as plain
    ones."""
    blueprint = Blueprint((3, 16, 16), z_dim=100, width=32, classes=40)
    for arch in ("dcgan", "progan", "r3gan", "stylegan", "mlp"):
        network = ARCHITECTURES[arch].generator(blueprint)
        (part,) = [module for module in network.modules() if isinstance(module, WithLabel)]
        is_normal(part.vectors.weight, 40**-0.5 if arch == "r3gan" else 0.1)
    is_normal(ARCHITECTURES["dcgan"].critic(blueprint).vectors.weight, 0.02)
    vectors = ARCHITECTURES["resnet"].critic(blueprint).vectors.weight
    bound = (6 / (40 + 32)) ** 0.5
    assert 0.97 * bound < vectors.abs().max().item() <= bound
    is_normal(ARCHITECTURES["r3gan"].critic(blueprint).vectors.weight, (32 * 40) ** -0.5)
    norm = ConditionalBatchNorm(4, 3)
    assert (norm.scale.weight == 1).all() and (norm.shift.weight == 0).all()
    assert not norm.norm.affine
