"""ProGAN's and StyleGAN's networks, whole and while they grow, against the numbers of the official ones."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from gans import progan, stylegan
from gans.core.architecture import Blueprint
from gans.core.growth import blend_with_smaller, shrink
from gans.core.styles import set_noise_mode
from gans.published import progan as progan_names
from gans.published import stylegan as stylegan_names
from tests.gans.published.numbers import assert_close, assert_gradients, files, load, read

MODULES = {"progan": (progan, progan_names), "stylegan": (stylegan, stylegan_names)}


def blueprint(config: dict[str, Any], options: Any) -> Blueprint:
    side = config["resolution"]
    width = 2 * config["fmap_base"] // side  # fmap_base / 2^(log2(side) - 1)
    return Blueprint((3, side, side), z_dim=config["z_dim"], width=width, options=options)


def options_of(config: dict[str, Any]) -> Any:
    if config["network"] == "progan":
        return progan.ProGANOptions(widest=config["fmap_max"])
    return stylegan.StyleGANOptions(widest=config["fmap_max"], style_mixing=0.0)


def at_lod(network: nn.Module, lod: float) -> None:
    """Sets the stage, which counts the other way round."""
    network.stage.set(network.stage.levels - lod)  # type: ignore[operator, union-attr]
    network.zero_grad()


@pytest.mark.parametrize("name", files("progan_generator", "stylegan_generator"))
def test_generator(name: str) -> None:
    numbers = read(name)
    config = numbers.config
    module, names = MODULES[config["network"]]
    weights = numbers.group("weights/")
    if config["network"] == "stylegan":
        weights["dlatent_avg"] = torch.zeros(config["z_dim"], dtype=torch.float64)
    network = module.Generator(blueprint(config, options_of(config)))
    load(network, names.GENERATOR, config["resolution"], weights)
    set_noise_mode(network, "const")
    for lod in config["lods"]:
        at_lod(network, lod)
        z = numbers["inputs/z"].clone().requires_grad_(True)
        image = network(z)
        assert_close(image, numbers[f"outputs/lod_{lod:g}/image"], f"image at lod {lod:g}")
        (image * numbers["inputs/cotangent"][:, :, : image.shape[2], : image.shape[3]]).sum().backward()
        assert_close(z.grad, numbers[f"gradients/input/lod_{lod:g}/z"], f"gradient of z at lod {lod:g}")
        assert_gradients(network, names.GENERATOR, config["resolution"], numbers, f"lod_{lod:g}/")
    if config["network"] == "stylegan":
        assert_close(network.map(numbers["inputs/z"]), numbers["outputs/w"], "w")


@pytest.mark.parametrize("name", files("progan_discriminator", "stylegan_discriminator"))
def test_critic(name: str) -> None:
    numbers = read(name)
    config = numbers.config
    module, names = MODULES[config["network"]]
    build = getattr(module, "critic", None) or module.Critic
    network = build(blueprint(config, options_of(config)))
    load(network, names.CRITIC, config["resolution"], numbers.group("weights/"))
    for lod in config["lods"]:
        at_lod(network, lod)
        level, share = math.floor(lod), 1 - lod % 1
        images = blend_with_smaller(shrink(numbers["inputs/images"], level), share)
        expected = numbers[f"outputs/lod_{lod:g}/faded_images_first"]
        assert_close(images[: len(expected)], expected, f"images at lod {lod:g}")
        images = images.clone().requires_grad_(True)
        logits = network(images)
        assert_close(logits, numbers[f"outputs/lod_{lod:g}/logits"], f"logits at lod {lod:g}")
        (logits * numbers["inputs/cotangent"]).sum().backward()
        for start in ("images", "images_first"):
            key = f"gradients/input/lod_{lod:g}/{start}"
            if key in numbers.tensors:
                assert_close(images.grad[: len(numbers[key])], numbers[key], key)
        assert_gradients(network, names.CRITIC, config["resolution"], numbers, f"lod_{lod:g}/")
