"""StyleGAN's parts against closed forms, its styles and noise, its fades and its published size."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from gans.core.architecture import Blueprint
from gans.core.styles import mix_styles
from gans.layers.resample import Blur
from gans.stylegan import (
    Epilogue,
    Generator,
    StyledConvolution,
    StyleGANOptions,
    adaptive_instance_norm,
    critic,
)

SMALL = Blueprint(
    (3, 32, 32), z_dim=6, width=4, options=StyleGANOptions(style_mixing=0.5)
)  # 8 → 16 → 32 pixels
UNMIXED = replace(SMALL, options=StyleGANOptions(style_mixing=0.0))


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def noisy(generator: Generator) -> Generator:
    """As after some training: noise counts, and so do styles."""
    with torch.no_grad():
        for name, parameter in generator.named_parameters():
            if name.endswith("noise.scale"):
                parameter.fill_(0.3)
    return generator


def test_adaptive_instance_norm() -> None:
    x, scale, shift = draw(2, 3, 4, 5), draw(2, 3), draw(2, 3)
    a = x.numpy()
    normalized = (a - a.mean(axis=(2, 3), keepdims=True)) / np.sqrt(a.var(axis=(2, 3), keepdims=True) + 1e-8)
    expected = normalized * (1 + scale.numpy())[:, :, None, None] + shift.numpy()[:, :, None, None]
    np.testing.assert_allclose(adaptive_instance_norm(x, scale, shift).numpy(), expected, rtol=1e-10)


def test_blur_is_the_binomial_filter() -> None:
    image = torch.zeros(1, 2, 5, 5)
    image[0, 0, 2, 2] = 16
    expected = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]])
    found = Blur()(image)
    torch.testing.assert_close(found[0, 0, 1:4, 1:4], expected)
    assert found.sum().item() == pytest.approx(16) and not found[0, 1].any()


def test_an_epilogue_is_noise_bias_relu_and_style_in_this_order() -> None:
    layer, x, w = Epilogue(4, 3, (5, 5)).double(), draw(2, 3, 5, 5), draw(2, 4)
    with torch.no_grad():
        layer.noise.scale.copy_(draw(3, 1, 1)), layer.bias.copy_(draw(3, 1, 1))
    layer.eval()
    before = x + layer.noise.fixed * layer.noise.scale + layer.bias
    bent = torch.where(before > 0, before, 0.2 * before)
    weight = layer.style.weight / math.sqrt(4)
    scale, shift = (w @ weight.T).chunk(2, dim=1)
    torch.testing.assert_close(layer(x, w), adaptive_instance_norm(bent, scale, shift), rtol=1e-9, atol=1e-9)


def test_enlarging_doubles_pixels_convolves_and_smooths() -> None:
    layer, x, w = (
        StyledConvolution(4, 2, 3, (8, 8), enlarges=True).eval(),
        torch.randn(1, 2, 4, 4),
        torch.randn(1, 4),
    )
    expected = Blur()(layer.convolution(interpolate(x, scale_factor=2.0)))
    torch.testing.assert_close(layer(x, w), layer.epilogue(expected, w))


def test_the_mapping_network_learns_a_hundred_times_slower() -> None:
    layers = [layer for layer in Generator(SMALL).mapping.layers if hasattr(layer, "weight")]
    assert len(layers) == 8
    for layer in layers:
        assert layer.weight.std().item() == pytest.approx(100, rel=0.4)
        assert layer.scale == pytest.approx(math.sqrt(2 / 6) / 100)
    generator, z = Generator(SMALL), torch.randn(5, 6)
    assert torch.allclose(generator.map(z), generator.map(3 * z), atol=1e-5), "latents lie on a sphere"


def test_styles_rule_their_own_layers() -> None:
    """A change of the last style leaves the coarse maps; equal styles are one w."""
    generator = Generator(SMALL).eval()
    w = generator.map(torch.randn(2, 6))
    styles = w.unsqueeze(1).repeat(1, generator.styles, 1)
    torch.testing.assert_close(generator.synthesize(styles), generator.synthesize(w))
    assert generator.styles == 8  # two for each of 4, 8, 16 and 32 pixels
    coarse, fine = styles.clone(), styles.clone()
    coarse[:, 0] += 1
    fine[:, -1] += 1
    for changed in (coarse, fine):
        assert not torch.allclose(generator.synthesize(changed), generator.synthesize(styles))


def test_mixing_takes_late_styles_of_another_latent() -> None:
    generator = Generator(SMALL).train()
    z, crossovers = torch.randn(3, 6), []
    w = generator.map(z)
    for _ in range(400):
        styles = mix_styles(generator, StyleGANOptions(style_mixing=0.5), z)
        assert styles.shape == (3, 8, 6)
        own = (styles == w.unsqueeze(1)).all(dim=2).all(dim=0)
        count = int(own.sum())
        assert own[:count].all(), "its own styles come first"
        crossovers.append(count)
    whole = sum(count == 8 for count in crossovers) / 400
    assert whole == pytest.approx(0.5, abs=0.1) and set(crossovers) == {*range(1, 9)}


def test_noise_is_fixed_out_of_training() -> None:
    generator, z = noisy(Generator(UNMIXED)), torch.randn(2, 6)
    assert not torch.equal(generator(z), generator(z))
    generator.eval()
    assert torch.equal(generator(z), generator(z))
    torch.testing.assert_close(generator(z)[:1], generator(z[:1]))


def test_the_mean_of_w_follows_what_is_mapped() -> None:
    generator, z = Generator(SMALL).train(), torch.randn(10, 6)
    mapped = generator.map(z).mean(dim=0).detach()
    generator(z)
    torch.testing.assert_close(generator.mean, 0.005 * mapped)
    generator(z)
    torch.testing.assert_close(generator.mean, (0.005 + 0.995 * 0.005) * mapped)
    generator.eval()(z)
    torch.testing.assert_close(generator.mean, (0.005 + 0.995 * 0.005) * mapped)


def test_fades_begin_with_the_smaller_networks_enlarged() -> None:
    generator, judge = Generator(UNMIXED).double(), critic(SMALL).double()
    z = draw(2, 6)
    for level in (0, 1):
        torch.manual_seed(1)  # the same noise
        generator.stage.set(float(level))
        small = generator(z)
        torch.manual_seed(1)
        generator.stage.set(level + 1e-12)
        torch.testing.assert_close(generator(z), interpolate(small, scale_factor=2.0), rtol=0, atol=1e-9)
        x = draw(2, 3, 16 * 2**level, 16 * 2**level)
        judge.stage.set(float(level))
        judged = judge(avg_pool2d(x, 2))
        judge.stage.set(level + 1e-12)
        torch.testing.assert_close(judge(x), judged, rtol=0, atol=1e-9)
    assert small.shape[-1] == 16


def test_published_size() -> None:
    """26.2 million parameters at 1024×1024 pixels (appendix B); the authors' code prints 26,219,627, where it
    counts an image layer for 4×4 pixels too, at which growing never is."""
    with torch.device("meta"):
        generator = Generator(Blueprint((3, 1024, 1024), z_dim=512, width=16))
    mapping = sum(p.numel() for p in generator.mapping.parameters())
    assert mapping == 8 * (512 * 512 + 512) == 2_101_248
    assert sum(p.numel() for p in generator.parameters()) + 512 * 3 + 3 == 26_219_627


def test_images_that_cannot_begin_at_eight_pixels() -> None:
    with pytest.raises(ValueError, match="image size 6x6"):
        Generator(Blueprint((3, 6, 6), z_dim=6, width=4))
