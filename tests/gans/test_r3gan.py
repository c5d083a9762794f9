"""R3GAN against its paper's table of parameters, and its blocks against the formulas in float64."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, leaky_relu

from experiments.config.factory import build_networks
from experiments.config.resolve import resolve
from gans.core.architecture import Blueprint
from gans.layers.resample import Downsample, Upsample
from gans.norms.none import NoNorm
from gans.norms.spectral import SpectralNorm
from gans.r3gan import (
    BottleneckBlock,
    GenerativeBasis,
    Generator,
    LeakyReLU,
    PixelwiseConvolution,
    R3GANOptions,
    scale_blocks,
    widths_inwards,
)
from gans.r3gan import critic as make_critic
from losses.core.input_gradient import input_gradient
from tests.gans.translating import MAP_NORMS, norm_of

SMALL = Blueprint((3, 16, 16), z_dim=5, width=8)
SIZES = [(8, 8), (16, 16), (28, 28), (32, 32), (64, 64), (16, 8), (24, 40), (48, 32), (96, 96)]


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def close(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def blocks_of(network: nn.Module) -> list[BottleneckBlock]:
    return [m for m in network.modules() if isinstance(m, BottleneckBlock)]


def grouped(network: nn.Module) -> Iterator[nn.Conv2d]:
    return (m for m in network.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_sizes(size: tuple[int, int]) -> None:
    blueprint = Blueprint((3, *size), z_dim=5, width=4)
    images = Generator(blueprint)(torch.randn(2, 5))
    assert images.shape == (2, 3, *size)
    assert make_critic(blueprint)(images).shape == (2,)


@pytest.mark.parametrize("size", [(33, 33), (4, 4), (100, 100), (64, 66)], ids=str)
@pytest.mark.parametrize("build", [Generator, make_critic])
def test_sizes_that_cannot_be_halved_are_named_in_one_line(
    build: Callable[[Blueprint], nn.Module], size: tuple[int, int]
) -> None:
    with pytest.raises(ValueError, match=rf"^image size {size[0]}x{size[1]}.*$"):
        build(Blueprint((3, *size), z_dim=5, width=4))


@pytest.mark.parametrize(
    ("preset", "size", "classes", "generator", "critic"),
    [
        ("paper", 32, 0, 20.73, 20.68),  # Stacked MNIST, at three channels
        ("paper", 64, 0, 22.43, 22.38),
        ("paper", 256, 0, 23.06, 23.01),
        ("cifar10", 32, 10, 20.78, 21.28),
        ("imagenet32", 32, 1000, 82.91, 86.55),
        ("imagenet64", 64, 1000, 103.57, 107.21),
    ],
)
def test_parameters_are_as_many_millions_as_in_table_9(
    preset: str, size: int, classes: int, generator: float, critic: float
) -> None:
    spec = resolve({"arch": "r3gan", "preset": preset, "image_size": (size, size)})
    settings = replace(spec.settings, classes=classes or None)  # those of its data, which are not here
    with torch.device("meta"):  # weights that nobody looks at
        networks = build_networks(settings)
    assert [round(count(network) / 1e6, 2) for network in networks] == [generator, critic]


def test_parameters_at_32_pixels() -> None:
    """A block of C = 768 channels: 1×1 to 1,536 and back without bias there, 3×3 in 96 groups of 16, a bias
    before each activation. Eight of them, a basis of 4×4 patterns with a linear layer, and a 1×1 layer for
    the three colours."""
    with torch.device("meta"):
        blueprint = Blueprint((3, 32, 32), z_dim=64, width=768)
        generator, critic = Generator(blueprint), make_critic(blueprint)
    block = 768 * 1536 + 1536 + 1536 * 16 * 9 + 1536 + 1536 * 768
    assert count(generator) == 8 * block + 768 * 16 + 64 * 768 + 768 * 3
    assert count(critic) == 8 * block + 768 * 16 + 768 + 768 * 3


@pytest.mark.parametrize(
    ("size", "widths"),
    [
        ((32, 32), [768] * 4),
        ((64, 64), [384] + [768] * 4),
        ((256, 256), [96, 192, 384] + [768] * 4),
        ((64, 32), [384] + [768] * 3),
        ((96, 96), [192, 384, 768, 768, 768]),
    ],
)
def test_widths_are_the_papers_and_groups_have_16_channels(size: tuple[int, int], widths: list[int]) -> None:
    with torch.device("meta"):
        blueprint = Blueprint((3, *size), z_dim=64, width=768)
        networks = Generator(blueprint), make_critic(blueprint)
    assert widths_inwards(blueprint) == widths
    for network, ordered in zip(networks, (widths[::-1], widths), strict=True):
        layers = list(grouped(network))
        assert [layer.in_channels for layer in layers] == [2 * w for w in ordered for _ in range(2)]
        assert all(layer.groups == layer.in_channels // 16 for layer in layers)


@pytest.mark.parametrize(("width", "groups"), [(3, 3), (4, 1), (8, 1), (12, 3), (16, 2), (20, 5), (24, 3)])
def test_narrow_networks_have_groups_that_divide_them(width: int, groups: int) -> None:
    assert {
        layer.groups for layer in grouped(BottleneckBlock(width, 1.0, 0.0, R3GANOptions(), NoNorm()))
    } == {groups}


def test_no_normalization_unless_asked_for() -> None:
    kinds = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)
    for network in (Generator(SMALL), make_critic(SMALL)):
        assert not any(isinstance(module, kinds) for module in network.modules())
    for name in MAP_NORMS:
        asked = make_critic(Blueprint((3, 16, 16), z_dim=5, width=8, critic_norm=norm_of(name)))
        norms = [module for module in asked.modules() if isinstance(module, kinds)]
        assert len(norms) == 2 * len(blocks_of(asked))


def test_a_block_is_what_the_formula_says() -> None:
    """`x + W₃ φ(W₂ φ(W₁ x + b₁) + b₂)`, the grouped convolution taken group by group."""
    block = BottleneckBlock(24, 1.0, 1.0, R3GANOptions(), NoNorm()).double()
    for parameter in block.parameters():
        nn.init.normal_(parameter)
    enter, _, middle, _, leave = block.residual
    x = draw(2, 24, 5, 6)
    hidden = torch.einsum("oc,nchw->nohw", enter.linear.weight, x) + enter.linear.bias[:, None, None]
    hidden = leaky_relu(hidden, 0.2)
    parts = [
        conv2d(part, weight, bias, padding=1)
        for part, weight, bias in zip(
            hidden.split(16, dim=1), middle.weight.split(16), middle.bias.split(16), strict=True
        )
    ]
    residual = torch.einsum("oc,nchw->nohw", leave.linear.weight, leaky_relu(torch.cat(parts, dim=1), 0.2))
    given = x.clone()
    close(block(given), x + residual)
    assert torch.equal(given, x)


def test_a_pixelwise_convolution_is_a_convolution() -> None:
    layer = PixelwiseConvolution(3, 5, bias=True).double()
    nn.init.normal_(layer.linear.bias)
    x = draw(2, 3, 4, 7)
    close(layer(x), conv2d(x, layer.linear.weight[:, :, None, None], layer.linear.bias))


def test_leaky_relu_has_no_second_derivative_to_carry_along() -> None:
    """The value and slopes of PyTorch's layer; of the slopes' own derivative nothing stays in the graph."""
    x = draw(2, 3, 4, 5).requires_grad_(True)
    weights = draw(2, 3, 4, 5).requires_grad_(True)
    close(LeakyReLU()(x), leaky_relu(x, 0.2))
    (actual,) = torch.autograd.grad(LeakyReLU()(x), x, weights, create_graph=True)
    (expected,) = torch.autograd.grad(leaky_relu(x, 0.2), x, weights)
    close(actual, expected)
    by_x, by_weights = torch.autograd.grad(actual.sum(), (x, weights), allow_unused=True)
    assert by_x is None
    close(by_weights, torch.full_like(x, 0.2).masked_fill(x > 0, 1.0))


def test_bases_are_patterns_weighted_by_inner_products() -> None:
    basis = GenerativeBasis(5, 6, (4, 7)).double()
    z = draw(3, 5)
    close(basis(z), torch.einsum("chw,cd,nd->nchw", basis.patterns[0], basis.strengths.weight, z))
    critic = make_critic(Blueprint((3, 16, 28), z_dim=5, width=6)).double()
    patterns, _, logit, _ = list(critic)[-4:]
    features = draw(3, 6, 4, 7)
    expected = torch.einsum("c,chw,nchw->n", logit.weight[0], patterns.weight[:, 0], features)
    close(logit(patterns(features).flatten(1)).flatten(), expected)
    assert patterns.bias is None and logit.bias is None


def test_at_first_every_block_is_the_identity() -> None:
    """The whole generator is then its basis, enlarged and coloured; the critic its mirror image."""
    for network in (Generator(SMALL), make_critic(SMALL)):
        for block in blocks_of(network):
            x = torch.randn(2, 8, 6, 6)
            assert torch.equal(block(x), x)
    generator, critic = Generator(SMALL), make_critic(SMALL)
    skip = [generator.basis, *(m for m in generator.layers if not isinstance(m, BottleneckBlock))]
    assert [type(m) for m in skip] == [GenerativeBasis, Upsample, Upsample, PixelwiseConvolution]
    z = torch.randn(2, 5)
    torch.testing.assert_close(generator(z), nn.Sequential(*skip)(z))
    skip = [m for m in critic if not isinstance(m, BottleneckBlock)]
    kinds = [PixelwiseConvolution, Downsample, Downsample, nn.Conv2d, nn.Flatten, nn.Linear, nn.Flatten]
    assert [type(m) for m in skip] == kinds
    x = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(critic(x), nn.Sequential(*skip)(x))


def test_initial_weights() -> None:
    """Deviation √(2 / 1.04) · L^(−1/4) / √(fan in) in the blocks, L of them in the network; 1 / √(fan in)
    elsewhere, 1 for the generator's patterns, and biases 0."""
    blueprint = Blueprint((3, 64, 64), z_dim=64, width=96)
    for network in (Generator(blueprint), make_critic(blueprint)):
        found = blocks_of(network)
        assert len(found) == 10
        inner = {id(m) for block in found for m in block.modules()}
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear) and layer.weight.any():
                gain = (2 / 1.04) ** 0.5 * 10 ** (-1 / 4) if id(layer) in inner else 1.0
                expected = gain / layer.weight[0].numel() ** 0.5
                tolerance = 4 * expected / (2 * layer.weight.numel()) ** 0.5
                assert layer.weight.std().item() == pytest.approx(expected, abs=tolerance)
                assert layer.bias is None or not layer.bias.any()
        zeros = [m for m in network.modules() if isinstance(m, nn.Linear) and not m.weight.any()]
        assert zeros == [block.residual[-1].linear for block in found]
    patterns = Generator(blueprint).basis.patterns
    assert patterns.std().item() == pytest.approx(1.0, abs=0.1)


def test_biases_stand_before_activations_only() -> None:
    for network in (Generator(SMALL), make_critic(SMALL)):
        biases = {name for name, _ in network.named_parameters() if name.endswith("bias")}
        assert len(biases) == 2 * len(blocks_of(network))
        assert all(len(list(b.residual[i].parameters())) == 2 for b in blocks_of(network) for i in (0, 2))


def test_finished_images_are_within_range_and_those_in_training_are_not() -> None:
    generator = Generator(SMALL)
    z = 3 * torch.randn(8, 5)
    free = generator(z)
    assert free.abs().max() > 1
    torch.testing.assert_close(generator.eval()(z), free.clamp(-1, 1))


def test_a_penalty_on_the_gradient_can_be_differentiated() -> None:
    """∂/∂w of ½‖∇C‖², against central differences, at weights where the blocks matter."""
    critic = make_critic(Blueprint((1, 8, 8), z_dim=5, width=4)).double()
    for parameter in critic.parameters():
        nn.init.normal_(parameter, std=0.3)
    x = draw(2, 1, 8, 8)

    def penalty() -> Tensor:
        return input_gradient(critic, x).flatten(1).square().sum(dim=1).mean() / 2

    penalty().backward()
    for layer in (
        critic[1].residual[0].linear,
        critic[1].residual[2],
        critic[1].residual[4].linear,
        critic[0].linear,
    ):
        weight, step = layer.weight, 1e-6
        values = []
        for shift in (step, -step):
            with torch.no_grad():
                weight.view(-1)[1] += shift
            values.append(penalty().item())
            with torch.no_grad():
                weight.view(-1)[1] -= shift
        slope = (values[0] - values[1]) / (2 * step)
        assert abs(slope) > 1e-6
        assert weight.grad.view(-1)[1].item() == pytest.approx(slope, rel=1e-5)


def test_spectral_norm_has_weights_to_divide() -> None:
    """Weights of zero length would become NaN."""
    critic = make_critic(Blueprint((3, 16, 16), z_dim=5, width=8, critic_norm=SpectralNorm()))
    SpectralNorm().normalize_weights(critic)
    assert critic(torch.randn(2, 3, 16, 16)).isfinite().all()
    assert all(block.residual[-1].linear.weight.any() for block in blocks_of(critic))


def test_depth_is_counted_over_the_whole_network() -> None:
    """L^(−1/4) of twice as many scales is 2^(−1/4) of it."""
    torch.manual_seed(0)
    shallow = scale_blocks(8, 2, R3GANOptions())[0]
    torch.manual_seed(0)
    deep = scale_blocks(8, 4, R3GANOptions())[0]
    torch.testing.assert_close(deep.residual[0].linear.weight, shallow.residual[0].linear.weight * 2**-0.25)


@pytest.mark.parametrize(
    ("size", "batch", "weight"), [(32, 512, 0.05), (64, 256, 2.0), (256, 256, 150.0), (128, 256, 150.0)]
)
def test_paper_scale(size: int, batch: int, weight: float) -> None:
    settings = resolve({"arch": "r3gan", "preset": "paper", "image_size": (size, size)}).settings
    assert (settings.loss, settings.z_dim, settings.width, settings.batch_size) == ("r3gan", 64, 768, batch)
    assert (settings.lr_generator, settings.lr_critic) == (2e-4, 2e-4)
    assert settings.options["optimizer.betas"] == (0.0, 0.99)
    assert (settings.penalty, settings.penalty_norm, settings.n_critic) == (("real", "fake"), "zero", 1)
    assert (settings.penalty_weight, settings.penalty_anneal) == (weight, 0.1)
