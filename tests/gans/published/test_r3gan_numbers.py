"""R3GAN's networks and losses against the numbers of the official ones."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from experiments.config.factory import build_networks
from experiments.config.resolve import resolve
from gans import r3gan
from gans.core.architecture import Blueprint
from gans.core.clock import Clock
from gans.core.duel import Duel
from gans.core.networks import Batch
from gans.core.objective import LossSpec
from gans.published.r3gan import CRITIC, GENERATOR
from losses.adversarial.relativistic import Relativistic
from losses.core.gradient_penalty import GradientPenalty
from losses.penalties.fake import Fake
from losses.penalties.real import Real
from losses.penalty_norms.zero import ZeroCentred
from tests.gans.published.numbers import Numbers, assert_close, assert_gradients, files, load, read
from tests.gans.published_sizes import r3gan as r3gan_sizes


def blueprint(config: dict[str, Any]) -> Blueprint:
    side, widths = config["resolution"], config["widths"]
    options = r3gan.R3GANOptions(
        blocks_per_scale=config["blocks_per_stage"],
        expansion=config["expansion"],
        group_width=config["group_size"],
        full_width_up_to=side // 2 ** sum(width < widths[0] for width in widths),
    )
    return Blueprint(
        (3, side, side), z_dim=config["z_dim"], width=widths[0], classes=config["classes"], options=options
    )


def network_of(numbers: Numbers, build: Any, table: Any) -> nn.Module:
    config = numbers.config
    return load(build(blueprint(config)), table, config["resolution"], numbers.group("weights/"))


@pytest.mark.parametrize("name", files("r3gan_generator", "r3gan_discriminator"))
def test_size(name: str) -> None:
    """Parameters of the official network, of the paper's formula, and of ours, to the unit."""
    numbers = read(name)
    config, is_critic = numbers.config, "discriminator" in name
    weights = numbers.group("weights/")
    official = sum(tensor.numel() for key, tensor in weights.items() if not key.endswith("Resampler.Kernel"))
    widths, classes = config["widths"], config["classes"]
    halves = sum(width < widths[0] for width in widths)
    more = {"z": config["z_dim"], "blocks": config["blocks_per_stage"]}
    sizes = r3gan_sizes(widths[0], halves, len(widths), config["group_size"], classes, **more)
    network = (r3gan.critic if is_critic else r3gan.Generator)(blueprint(config))
    ours = sum(parameter.numel() for parameter in network.parameters())
    assert ours == official == sizes[is_critic]


@pytest.mark.parametrize(
    ("preset", "width", "scales", "group", "classes"),
    [("cifar10", 768, 4, 16, 10), ("imagenet32", 1536, 4, 32, 1000), ("imagenet64", 1536, 5, 32, 1000)],
)
def test_size_with_the_classes_of_the_authors_data(
    preset: str, width: int, scales: int, group: int, classes: int
) -> None:
    settings = resolve({"arch": "r3gan", "preset": preset}).settings
    with torch.device("meta"):
        networks = build_networks(replace(settings, conditional=True, classes=classes))
    found = tuple(sum(each.numel() for each in network.parameters()) for network in networks)
    assert found == r3gan_sizes(width, 0, scales, group, classes)


def labels_of(numbers: Numbers) -> tuple[Tensor, ...]:
    return (numbers["inputs/labels"].long(),) if "inputs/labels" in numbers.tensors else ()


@pytest.mark.parametrize("name", files("r3gan_generator", "r3gan_discriminator"))
def test_network(name: str) -> None:
    numbers = read(name)
    is_critic = "discriminator" in name
    build, table = (r3gan.critic, CRITIC) if is_critic else (r3gan.Generator, GENERATOR)
    network = network_of(numbers, build, table)
    start, end = ("images", "logits") if is_critic else ("z", "image")
    given = numbers[f"inputs/{start}"].clone().requires_grad_(True)
    found = network(given, *labels_of(numbers))
    assert_close(found, numbers[f"outputs/{end}"], end)
    (found * numbers["inputs/cotangent"]).sum().backward()
    assert_close(given.grad, numbers[f"gradients/input/{start}"], f"gradient of {start}")
    assert_gradients(network, table, numbers.config["resolution"], numbers)


def adam(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters)


@pytest.mark.parametrize("player", ["d", "g"])
@pytest.mark.parametrize("name", files("r3gan_losses"))
def test_losses(name: str, player: str, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = read(name)
    config = numbers.config
    generator = network_of(read(config["weights_G"]), r3gan.Generator, GENERATOR)
    critic = network_of(read(config["weights_D"]), r3gan.critic, CRITIC)
    penalties = [GradientPenalty(points, ZeroCentred(), config["gamma"]) for points in (Real(), Fake())]
    duel = Duel(generator, critic, LossSpec(Relativistic(), adam, adam, penalties=penalties)).double().train()
    monkeypatch.setattr(torch, "randn", lambda *_, **__: numbers["inputs/z"])
    real = Batch(numbers["inputs/real"], labels_of(numbers))
    side, table = (duel.critic, CRITIC) if player == "d" else (duel.generator, GENERATOR)
    side.network.requires_grad_(True)
    terms, _ = (duel.critic_loss if player == "d" else duel.generator_loss)(Clock(), real)
    loss = sum(terms.values())
    loss.backward()
    assert_close(terms["adversarial"], numbers[f"outputs/{player}/adversarial"].mean(), "adversarial")
    assert_close(loss.detach(), numbers[f"outputs/{player}/loss"], "loss")
    assert_gradients(side.network, table, config[player.upper()]["resolution"], numbers, f"{player}/")
