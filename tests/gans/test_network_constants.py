"""Numbers that the papers give for their networks: slopes, widths, depths, and what a bias adds to."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from gans import r3gan
from gans.core.architecture import Blueprint
from gans.core.objective import sum_losses
from gans.core.player import Losses
from gans.core.styles import MEAN_LATENTS
from gans.core.translation import PatchCritic, PatchOptions, residual_block_count
from gans.layers.equalized import ScaledLeakyReLU
from gans.stylegan2 import ImageLayer, StyledLayer, StyleGAN2Options
from tests.conftest import ARCHITECTURES, FROM_NOISE
from tests.gans.translating import GROUPS, BatchLoader, blueprint_of, game_of

pytestmark = pytest.mark.usefixtures("seeded")
# Of leaky ReLUs below zero, in the generator and in the critic; {} where there is none.
SLOPES: dict[str, tuple[set[float], set[float]]] = {
    "mlp": (set(), {0.2}),
    "dcgan": (set(), {0.2}),
    "resnet": (set(), set()),
    "progan": ({0.2}, {0.2}),
    "stylegan": ({0.2}, {0.2}),  # of the mapping network; see the epilogue's own test
    "stylegan2": ({0.2}, {0.2}),
    "cyclegan": (set(), {0.2}),
    "pix2pix": ({0.2}, {0.2}),
    "swap": ({0.1}, {0.2}),
    "stargan": ({0.2}, {0.01}),
}


@pytest.mark.parametrize("arch", SLOPES)
def test_slopes_of_leaky_relus(arch: str) -> None:
    z_dim = 8 if arch in FROM_NOISE else 0
    blueprint = Blueprint((3, 16, 16), z_dim=z_dim, width=4, attributes=GROUPS)
    for build, slopes in zip(
        (ARCHITECTURES[arch].generator, ARCHITECTURES[arch].critic), SLOPES[arch], strict=True
    ):
        found = {
            m.negative_slope
            for m in build(blueprint).modules()
            if isinstance(m, nn.LeakyReLU | ScaledLeakyReLU)
        }
        assert found == slopes


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def test_stylegan2s_layers_add_noise_and_bias_before_the_activation() -> None:
    """`√2 φ(conv(x, w) + noise · scale + bias)`: the factor keeps the second moment."""
    layer, x, w = (
        StyledLayer(4, 2, 3, (5, 6), StyleGAN2Options()).double().eval(),
        draw(2, 2, 5, 6),
        draw(2, 4),
    )
    with torch.no_grad():
        layer.noise.scale.copy_(draw(1, 1, 1)), layer.bias.copy_(draw(3, 1, 1))
    before = layer.convolution(x, w) + layer.noise.fixed * layer.noise.scale + layer.bias
    torch.testing.assert_close(layer(x, w), 2**0.5 * leaky_relu(before, 0.2), rtol=1e-12, atol=1e-12)
    to_image = ImageLayer(4, 2, 3, clamp=None).double()
    nn.init.normal_(to_image.bias)
    style = (w @ to_image.convolution.style.weight.T) / 4**0.5 + 1
    weight = to_image.convolution.weight[:, :, 0, 0] / 2**0.5
    expected = torch.einsum("oc,nc,nchw->nohw", weight, style, x) + to_image.bias
    torch.testing.assert_close(to_image(x, w), expected, rtol=1e-12, atol=1e-12)


def convolutions(network: nn.Module) -> list[tuple[int, int]]:
    return [(m.in_channels, m.out_channels) for m in network.modules() if isinstance(m, nn.Conv2d)]


def test_dcgans_critic_is_the_generator_turned_round() -> None:
    """3 → 128 → 256 → 512 → 1,024 at 64 pixels, and no wider beyond."""
    with torch.device("meta"):
        critic = ARCHITECTURES["dcgan"].critic(Blueprint((3, 256, 256), z_dim=100, width=128))
    assert convolutions(critic) == [
        (3, 128), (128, 256), (256, 512), (512, 1024), (1024, 1024), (1024, 1024)
    ]  # fmt: skip


def test_patch_critics_double_up_to_eight_times_the_width() -> None:
    """64 → 128 → 256 → 512 with three strided layers (pix2pix, appendix 6.1.2); 512 in any further ones."""
    blueprint = blueprint_of((3, 256, 256), width=64, options=PatchOptions(patch_layers=6))
    with torch.device("meta"):
        chain = convolutions(PatchCritic(blueprint, 3))
    assert [wide for _, wide in chain] == [64, 128, 256, 512, 512, 512, 512, 1]


@pytest.mark.parametrize(("layers", "logits"), [(1, 62), (2, 62), (3, 30), (4, 14)])
def test_patch_critics_have_a_logit_for_every_patch(layers: int, logits: int) -> None:
    """30×30 of 70×70 pixels at 256×256, as in the authors' code: one strided layer halves, and each of the
    last two takes a row away."""
    side = 128 if layers == 1 else 256
    critic = PatchCritic(blueprint_of((3, side, side), width=1, options=PatchOptions(patch_layers=layers)), 3)
    rows = critic.chain[:-1](torch.zeros(2, 3, side, side))
    assert rows.shape == (2, 1, logits, logits)


@pytest.mark.parametrize(("side", "halvings"), [(8, 2), (16, 3), (32, 4), (64, 5), (128, 6), (256, 6)])
def test_stargans_critic_halves_down_to_two_pixels_six_times_at_most(side: int, halvings: int) -> None:
    """Table 5: 64 → 2,048 channels at 128 pixels."""
    with torch.device("meta"):
        critic = ARCHITECTURES["stargan"].critic(blueprint_of((3, side, side), width=64))
    assert [wide for _, wide in convolutions(critic.features)] == [64 * 2**i for i in range(halvings)]
    assert critic.attributes[0].kernel_size == (side >> halvings, side >> halvings)


@pytest.mark.parametrize(("side", "halvings"), [(256, 8), (512, 8), (1024, 8)])
def test_u_nets_halve_eight_times_at_most(side: int, halvings: int) -> None:
    with torch.device("meta"):
        network = ARCHITECTURES["pix2pix"].generator(blueprint_of((3, side, side), width=64))
    assert len(network.down) == halvings
    assert network.multiple == 2**halvings


@pytest.mark.parametrize(
    ("size", "blocks"), [((128, 512), 6), ((255, 255), 6), ((256, 256), 9), ((512, 256), 9)]
)
def test_nine_residual_blocks_from_256_pixels_on(size: tuple[int, int], blocks: int) -> None:
    """CycleGAN, appendix 7.2: by the shorter side."""
    assert residual_block_count(size) == blocks


def test_r3gans_scales_have_a_channel_at_least() -> None:
    """Where halving the width with every doubling beyond 32 pixels leaves none."""
    assert r3gan.widths_inwards(Blueprint((3, 256, 256), z_dim=5, width=4)) == [1, 1, 2, 4, 4, 4, 4]


def test_codes_of_swap_have_sixteen_numbers_for_each_channel() -> None:
    with torch.device("meta"):
        network = ARCHITECTURES["swap"].generator(blueprint_of((3, 256, 256), width=64))
    lines = [m for m in network.encoder if isinstance(m, nn.Linear)]
    assert [m.out_features for m in lines] == [1024, 512 * 4 * 4]
    kernels = [m.kernel_size for m in network.encoder if isinstance(m, nn.Conv2d)]
    assert set(kernels) == {(5, 5)}
    assert [wide for _, wide in convolutions(network.encoder)] == [64, 128, 256, 512, 512, 512]
    assert [wide for _, wide in convolutions(network.to_a)] == [512, 512, 256, 128, 64, 64, 3]


def test_class_means_are_over_4096_latents() -> None:
    assert MEAN_LATENTS == 4096


@pytest.mark.parametrize("arch", [name for name in ARCHITECTURES if name not in FROM_NOISE])
def test_passes_are_the_calls_in_a_generators_step(arch: str) -> None:
    """Calls of the size of one `generate` that are differentiated: memory is estimated from them."""
    game, calls = game_of(arch), []
    for module in game.generator_network.modules():
        if isinstance(module, nn.Tanh):  # the last layer of every one
            module.register_forward_hook(lambda *_: calls.append(torch.is_grad_enabled()))
    game.round(BatchLoader(arch))
    assert sum(calls) == game.generator_network.passes


def test_the_losses_of_one_critic_are_themselves() -> None:
    one: Any = Losses({"a": torch.tensor(2.0)}, {"b": torch.tensor(3.0)})
    assert sum_losses([one]) == one
    both = sum_losses([one, Losses({"a": torch.tensor(4.0)}, {"b": torch.tensor(4.0)})])
    assert (both.terms["a"].item(), both.logged["b"].item()) == (6.0, 3.5)
