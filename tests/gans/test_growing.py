"""What all growing networks have in common: full-size images at every stage, and critics that may smooth."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import avg_pool2d, conv2d, interpolate, leaky_relu

from gans.core.architecture import Blueprint
from gans.core.growth import GrowingDuel
from gans.layers.equalized import EqualizedConvolution
from gans.layers.resample import Blur
from tests.conftest import ARCHITECTURES

GROWING = [name for name, each in ARCHITECTURES.items() if each.game is GrowingDuel]
SMOOTH = {"stylegan": True, "progan": False}

pytestmark = pytest.mark.usefixtures("seeded")


def networks_of(arch: str) -> tuple[Any, Any]:
    """With one latent for all layers, and noise that has no influence yet."""
    kind = ARCHITECTURES[arch].options_type
    options = kind(style_mixing=0.0) if "style_mixing" in kind.__dataclass_fields__ else kind()
    blueprint = Blueprint((3, 32, 16), z_dim=5, width=4, options=options)
    return ARCHITECTURES[arch].generator(blueprint).double(), ARCHITECTURES[arch].critic(blueprint).double()


@pytest.mark.parametrize("arch", GROWING)
def test_out_of_training_images_are_those_of_the_stage_at_full_size(arch: str) -> None:
    """Every pixel a square; the critic shrinks them again."""
    generator, critic = networks_of(arch)
    z = torch.randn(4, 5, dtype=torch.float64)
    levels = generator.stage.levels
    assert levels == critic.stage.levels
    for stage in (0.0, 0.3, 1.0, levels - 0.5, float(levels)):
        generator.stage.set(stage), critic.stage.set(stage)
        small = generator.train()(z).clamp(-1, 1)
        whole = generator.eval()(z)
        assert whole.shape == (4, 3, 32, 16)
        factor = 32 // small.shape[2]
        assert factor == 2 ** (levels - generator.stage.split()[0])
        torch.testing.assert_close(whole, interpolate(small, scale_factor=float(factor)))
        judged = critic.train()(small)
        torch.testing.assert_close(critic.eval()(whole), judged, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("arch", SMOOTH)
def test_a_block_of_the_critic_convolves_twice_and_halves(arch: str) -> None:
    """The mean of 2×2 pixels is taken before the bias; StyleGAN's blurs the maps before that convolution."""
    _, critic = networks_of(arch)
    block = critic.blocks[-1]
    one, two = (module for module in block if isinstance(module, EqualizedConvolution))
    nn.init.normal_(one.bias), nn.init.normal_(two.bias)
    x = torch.randn(2, one.weight.shape[1], 16, 8, dtype=torch.float64)
    inner = leaky_relu(one(x), 0.2)
    inner = Blur().double()(inner) if SMOOTH[arch] else inner
    pooled = avg_pool2d(conv2d(inner, two.weight * two.scale, padding=1), 2) + two.bias[:, None, None]
    torch.testing.assert_close(block(x), leaky_relu(pooled, 0.2))
