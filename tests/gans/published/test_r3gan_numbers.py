"""R3GAN's networks and losses against the numbers of the official ones."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

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
