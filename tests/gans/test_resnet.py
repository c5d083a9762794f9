"""Residual networks against the papers' tables: sizes, parameters, initial weights, the critic's norms."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn.functional import avg_pool2d

from experiments.config.resolve import resolve
from gans.core.architecture import Blueprint
from gans.norms.spectral import SpectralNorm
from gans.resnet import Generator, PooledConvolution, ResidualSum
from gans.resnet import critic as make_critic
from losses.core.input_gradient import plain_type
from tests.gans.residual import close, convolutions, draw
from tests.gans.translating import MAP_NORMS, norm_of

pytestmark = pytest.mark.usefixtures("seeded")

SIZES = [(8, 8), (16, 16), (28, 28), (32, 32), (64, 64), (128, 128), (16, 8), (24, 40), (48, 32)]


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def _three_by_three(network: nn.Module) -> list[tuple[int, int]]:
    return [(m.in_channels, m.out_channels) for m in convolutions(network) if m.kernel_size == (3, 3)]


def _blocks(network: nn.Module) -> list[ResidualSum]:
    return [m for m in network.modules() if isinstance(m, ResidualSum)]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_sizes(size: tuple[int, int]) -> None:
    blueprint = Blueprint((3, *size), z_dim=5, width=2)
    images = Generator(blueprint)(torch.randn(2, 5))
    assert images.shape == (2, 3, *size)
    assert images.abs().max() <= 1
    assert make_critic(blueprint)(images).shape == (2,)


@pytest.mark.parametrize("size", [(33, 33), (4, 4), (100, 100), (64, 66)], ids=str)
@pytest.mark.parametrize("build", [Generator, make_critic])
def test_sizes_that_cannot_be_halved_are_named(
    build: Callable[[Blueprint], nn.Module], size: tuple[int, int]
) -> None:
    with pytest.raises(ValueError, match=f"image size {size[0]}x{size[1]}"):
        build(Blueprint((3, *size), z_dim=5, width=2))


def test_parameters_at_32_pixels() -> None:
    """WGAN-GP's CIFAR-10 networks. A 3×3 convolution of 128 channels has 9 · 128² = 147,456 weights, a 1×1
    one 16,384; a bias or each half of a norm has 128 numbers.

    Generator: a linear layer 128 → 4·4·128, three blocks of two norms, two 3×3 (the first before a norm,
    so without bias) and a 1×1, then a norm and 3×3 to 3 channels. critic: a block from 3 channels, one
    that halves, two that keep the size and have no 1×1, a linear layer.
    """
    blueprint = Blueprint((3, 32, 32), z_dim=128, width=128)
    block = (2 * 128 + 147_456) + (2 * 128 + 147_456 + 128) + (16_384 + 128)
    assert count(Generator(blueprint)) == (128 + 1) * 2048 + 3 * block + 2 * 128 + (9 * 128 * 3 + 3)
    first = (9 * 3 * 128 + 128) + (147_456 + 128) + (3 * 128 + 128)
    keeping = 2 * (147_456 + 128)
    halving = keeping + 16_384 + 128
    assert count(make_critic(blueprint)) == first + halving + 2 * keeping + (128 + 1)


def test_widths_at_128_pixels() -> None:
    """SNGAN's table 5: 4×4×1024 → 1024, 512, 256, 128, 64 → 3; 3 → 64, 128, 256, 512, 1024, 1024. Of a
    generator's block both 3×3 convolutions have its new width, of a critic's block only the second."""
    with torch.device("meta"):  # 70 million weights that nobody looks at
        blueprint = Blueprint((3, 128, 128), z_dim=128, width=64)
        generator, critic = Generator(blueprint), make_critic(blueprint)
    inwards = [64, 128, 256, 512, 1024]
    outwards = inwards[::-1]
    assert generator.base == (1024, 4, 4)
    expected = [pair for w, n in zip([1024, *outwards], outwards) for pair in ((w, n), (n, n))]  # noqa: B905
    assert _three_by_three(generator) == [*expected, (64, 3)]
    expected = [pair for n, w in zip(inwards, [*inwards[1:], 1024]) for pair in ((n, n), (n, w))]  # noqa: B905
    assert _three_by_three(critic) == [(3, 64), (64, 64), *expected]
    halving = [isinstance(block.residual[-1], PooledConvolution) for block in _blocks(critic)]
    assert halving == [True] * 5 + [False]


@pytest.mark.parametrize("size", [28, 32])
def test_small_images_are_halved_twice_and_kept_twice(size: int) -> None:
    """SNGAN's table 4: the last blocks of the critic see 8×8 pixels at 32."""
    sides = []
    critic = make_critic(Blueprint((1, size, size), z_dim=5, width=2))
    for block in _blocks(critic):
        block.register_forward_hook(lambda module, inputs, output: sides.append(output.shape[-1]))
    critic(torch.randn(1, 1, size, size))
    assert sides == [size // 2, size // 4, size // 4, size // 4]


@pytest.mark.parametrize(("size", "width"), [(28, 128), (32, 128), (48, 64), (128, 64)])
def test_paper_scale(size: int, width: int) -> None:
    """Flat networks are 128 wide, doubling ones start from 64."""
    settings = resolve({"arch": "resnet", "preset": "paper", "image_size": (size, size)}).settings
    assert (settings.z_dim, settings.width, settings.batch_size) == (128, width, 64)
    assert (settings.loss, settings.critic_norm) == ("hinge", "spectral")
    penalized = resolve({"arch": "resnet", "loss": "wgan-gp", "preset": "paper"}).settings
    assert (penalized.critic_norm, penalized.lr_critic, penalized.n_critic) == (
        "none",
        1e-4,
        5,
    )


def test_initial_weights() -> None:
    """Glorot's bound gain · √(6 / (fan in + fan out)), fans with the kernel's area: √2 in the residual
    branch, 1 elsewhere. Uniform weights come close to it, and their deviation is a √3-th of it."""
    blueprint = Blueprint((3, 64, 64), z_dim=64, width=32)
    for network in (Generator(blueprint), make_critic(blueprint)):
        residual = {id(m) for block in _blocks(network) for m in convolutions(block.residual)}
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                wide, narrow, *kernel = layer.weight.shape
                area = kernel[0] * kernel[1] if kernel else 1
                bound = (6 / ((wide + narrow) * area)) ** 0.5 * (2**0.5 if id(layer) in residual else 1)
                largest = layer.weight.abs().max().item()
                assert 0.9 * bound < largest <= bound * (1 + 1e-6)
                assert layer.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.15)
                assert layer.bias is None or not layer.bias.any()


def test_the_critic_sums_over_the_image() -> None:
    """Global sum pooling: without residuals and after a ReLU, each logit is a plain sum over 8×8 pixels."""
    critic = make_critic(Blueprint((3, 32, 32), z_dim=5, width=4)).double()
    for block in _blocks(critic):
        nn.init.zeros_(list(convolutions(block.residual))[-1].weight)
    x = draw(2, 3, 32, 32)
    one_by_one = [layer for block in _blocks(critic) for layer in convolutions(block.shortcut)]
    features = one_by_one[1](one_by_one[0](avg_pool2d(x, 4)))
    expected = features.relu().sum(dim=(2, 3)) @ critic[-2].weight.T + critic[-2].bias
    close(critic(x), expected.squeeze(1))


@pytest.mark.parametrize("size", [(32, 32), (64, 32)], ids=str)
def test_critic_without_norm_judges_samples_one_by_one(size: tuple[int, int]) -> None:
    """[1] What a per-sample gradient penalty needs; batch norm is the counterexample."""
    x = draw(4, 3, *size)
    for critic_norm, alone in {"none": True, "layer": True, "instance": True, "batch": False}.items():
        critic = make_critic(
            Blueprint((3, *size), z_dim=5, width=2, critic_norm=norm_of(critic_norm))
        ).double()
        difference = (critic(x)[2:3] - critic(x[2:3])).abs().item()
        assert (difference < 1e-12) == alone, critic_norm


@pytest.mark.parametrize("name", MAP_NORMS)
def test_critic_norm(name: str) -> None:
    """Before both ReLUs of every block but the first, and with no useless bias before it."""
    critic = make_critic(Blueprint((3, 64, 64), z_dim=5, width=2, critic_norm=norm_of(name)))
    first, *others = _blocks(critic)
    (layer,) = norm_of(name).of_maps(1)
    wanted = type(layer)
    assert not any(isinstance(m, wanted) for m in first.modules())
    for block in others:
        kinds = [plain_type(m) for m in block.residual]
        assert kinds[:5] == [wanted, nn.ReLU, nn.Conv2d, wanted, nn.ReLU]
        assert [m.bias is None for m in convolutions(block.residual)] == [True, False]
        assert not any(isinstance(m, wanted) for m in block.shortcut.modules())


def test_critic_dropout() -> None:
    """After every ReLU, and only while the critic trains."""
    critic = make_critic(Blueprint((3, 32, 32), z_dim=5, width=8, critic_dropout=0.3))
    layers = [m for m in critic.modules() if not list(m.children())]
    after = [layers[i + 1] for i, m in enumerate(layers) if isinstance(m, nn.ReLU)]
    assert len(after) == 1 + 2 * 3 + 1
    assert all(isinstance(m, nn.Dropout) and m.p == 0.3 for m in after)
    x = torch.randn(2, 3, 32, 32)
    assert not torch.equal(critic(x), critic(x))
    critic.eval()
    assert torch.equal(critic(x), critic(x))


def test_spectral_norm_acts_on_every_convolution() -> None:
    """A larger weight is divided by its larger norm: a layer that read its own weight elsewhere would
    show it."""
    critic = make_critic(Blueprint((3, 32, 32), z_dim=5, width=4)).double()
    SpectralNorm().normalize_weights(critic)
    critic.eval()
    x = draw(2, 3, 32, 32)
    before = critic(x)
    originals = [p for name, p in critic.named_parameters() if name.endswith("original")]
    assert len(originals) == 4 * 2 + 2 + 1  # 3×3, 1×1, linear
    with torch.no_grad():
        for weight in originals:
            weight.mul_(3)
    close(critic(x), before)
