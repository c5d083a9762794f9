"""A duel played by hand through an adversary is `gans run`, to the bit: weights, moments, EMAs, scores."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import gans
from experiments.config.factory import loss_spec_of
from experiments.core import registry
from experiments.core.seeds import seed_all
from experiments.core.stop_signal import StopSignal
from experiments.runs.initial_settings import resolve_run
from experiments.training.experiment import Experiment, build
from experiments.training.steps import train_steps

STEPS = 4
SMALL = {"arch": "dcgan", "data": "shapes", "image_size": 16, "width": 2, "z_dim": 4, "batch_size": 4}
SMALL |= {"steps": STEPS, "device": "cpu", "preset": "paper", "critic_ema_kimg": 0.02, "track": "local"}
ADA = {"ada.kimg": 0.02, "ada.interval": 1, "ada.target": -0.9}

CASES: dict[str, dict[str, Any]] = {
    **{loss: {"loss": loss} for loss in registry.loss_names()},
    "ada, lecam, labels": {"loss": "bce", "critic_augment": "ada", "conditional": True, "lecam": 0.3, **ADA},
    "diffaugment, noise": {"loss": "hinge", "critic_augment": "diffaugment", "instance_noise": 0.1},
    "relabelled": {"loss": "lsgan", "label_smoothing": 0.9, "label_flip": 0.1, "apa": 0.5, "apa.kimg": 0.02},
    "lazy, scheduled": {
        **{"loss": "r1", "penalty_every": 2, "schedule": "penalty_weight=linear:5:1,beta2=linear:0.9:0.99"},
        **{"lr_schedule": "cosine", "lr_warmup_kimg": 0.01, "weight_decay": 0.01},
    },
    "two penalties": {
        **{"loss": "relativistic", "penalty": "real,interpolates", "penalty_norm": "one", "drift": 0.1},
        **{"critic_norm": "spectral", "dragan.spread": None},
    },
}


def flatten(value: Any) -> list[Tensor]:
    """All numbers of a state, in their order."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        return [each for key in sorted(value, key=str) for each in flatten(value[key])]
    if isinstance(value, list | tuple):
        return [each for part in value for each in flatten(part)]
    return [torch.tensor(value)] if isinstance(value, int | float) else []


def equal(one: Any, other: Any) -> bool:
    """Whether two states have the same numbers."""
    return all(torch.equal(a, b) for a, b in zip(flatten(one), flatten(other), strict=True))


def play_by_hand(
    experiment: Experiment, generator: nn.Module, adversary: gans.Adversary
) -> tuple[nn.Module, nn.Module, dict[str, Tensor]]:
    """The loop of a duel as somebody writes it; returns the generator, its EMA and the last scores."""
    settings, loader = experiment.spec.settings, experiment.loader
    loader.seen = 0
    optimizer = loss_spec_of(settings, None).generator_optimizer(generator.parameters())
    decay = experiment.game.players[0].schedule
    average = adversary.ema_of(generator, settings.ema_kimg)
    scores: dict[str, Tensor] = {}
    for step in range(1, STEPS + 1):
        seed_all(settings.seed, "step", step)
        for _ in range(settings.n_critic):
            clock, batch = loader.clock, loader.next_batch()
            real = (batch.samples, *batch.condition)
            with torch.no_grad():
                fake = generator.generate(batch)
            scores |= adversary.critic_step(real, fake)
        for group in optimizer.param_groups:
            group["lr"] = settings.lr_generator * decay(clock)
            if "beta2" in str(settings.schedule):
                group["betas"] = (group["betas"][0], experiment.game.players[0].beta2.at(clock.progress))
        loss = adversary.generator_loss(generator.generate(batch), real)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        adversary.follow()
        scores["generator/adversarial"] = loss.detach()
    return generator, average, scores


@pytest.mark.parametrize("case", CASES)
def test_a_duel_by_hand_is_the_run(case: str) -> None:
    words = {name.replace("-", "_"): name for name in registry.names("regularizer")}
    asked = {name: value for name, value in CASES[case].items() if value is not None}
    strengths = {words[name]: value for name, value in asked.items() if name in words}
    flags = {name: value for name, value in asked.items() if name not in words}
    experiment = build(resolve_run(SMALL | flags, strengths=strengths))
    networks = [experiment.game.generator_network, experiment.game.critic_network]
    generator, critic = (copy.deepcopy(network).requires_grad_(True) for network in networks)

    kept = {name: value for name, value in asked.items() if name not in ("conditional", "critic_norm")}
    kept["augment"] = kept.pop("critic_augment", "none")
    steps = STEPS * experiment.spec.settings.n_critic
    adversary = gans.Adversary(critic, steps=steps, image_size=16, critic_ema_kimg=0.02, **kept)
    assert adversary.settings.lr_critic == experiment.spec.settings.lr_critic, "the loss's own"

    last: dict[str, Tensor] = {}
    with StopSignal() as stop:
        train_steps(experiment, 0, [lambda progress, scores: last.update(scores)], stop)
    made, average, scores = play_by_hand(experiment, generator, adversary)

    game, own = experiment.game.state_dict(), adversary.state_dict()
    for key in game:
        if key.startswith(("objective.", "critic.")):
            assert equal(game[key], own[key]), key
    assert equal(networks[0].state_dict(), made.state_dict())
    assert experiment.critic_ema is not None and adversary.critic_ema is not None
    assert equal(experiment.ema.average.state_dict(), average.state_dict())
    assert equal(experiment.critic_ema.average.state_dict(), adversary.critic_ema.state_dict())
    assert scores.keys() == last.keys() and equal(scores, last)
    untrained = build(experiment.spec).game.critic_network
    assert not equal(critic.state_dict(), untrained.state_dict()), "something was learned"


def test_the_run_of_the_command_is_that_duel(workplace: Any) -> None:
    """`gans run` writes what the loop by hand ends with."""
    from safetensors.torch import load_file

    flags = SMALL | {"loss": "wgan-gp"}
    run = gans.train("run", **flags)
    experiment = build(resolve_run(flags))
    networks = [experiment.game.generator_network, experiment.game.critic_network]
    generator, critic = (copy.deepcopy(network).requires_grad_(True) for network in networks)
    adversary = gans.Adversary(critic, "wgan-gp", steps=STEPS * run.settings.n_critic, critic_ema_kimg=0.02)
    _, average, _ = play_by_hand(experiment, generator, adversary)
    assert adversary.critic_ema is not None
    for file, network in (("generator", average), ("critic", adversary.critic_ema)):
        written = load_file(run.path / f"{file}.safetensors")
        assert all(torch.equal(written[key], value) for key, value in network.state_dict().items()), file
