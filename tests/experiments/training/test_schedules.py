"""`--schedule KEY=NAME:BEGIN:END`: numbers move as the closed form says."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.optim import Optimizer

from experiments.augmentations.flip import Flip
from experiments.config.resolve import resolve
from experiments.core.stop_signal import StopSignal
from experiments.training.callbacks import Progress
from experiments.training.experiment import Experiment, build
from experiments.training.steps import train_steps
from gans.core.player import Player, Scores
from losses.penalty_norms.zero import ZeroCentred
from losses.regularizers.drift import Drift
from losses.regularizers.label_smoothing import LabelSmoothing

STEPS = 8
TINY = {"arch": "mlp", "data": "shapes", "loss": "bce", "image_size": (8, 8), "width": 4, "batch_size": 4}
TINY |= {"steps": STEPS, "device": "cpu", "z_dim": 3, "n_critic": 1, "track": ("local",)}
SHAPES: dict[str, Callable[[float], float]] = {
    "constant": lambda p: 1.0,
    "linear": lambda p: 1.0 - p,
    "cosine": lambda p: (1.0 + math.cos(math.pi * p)) / 2,
}


def expected(schedule: str, begin: float, end: float, steps: int = STEPS) -> list[float]:
    """What holds in every step: its clock is read before its batch is loaded."""
    return [end + (begin - end) * SHAPES[schedule](step / steps) for step in range(steps)]


def experiment_of(schedule: str, **flags: Any) -> Experiment:
    return build(resolve({**TINY, "schedule": schedule, **flags}))


def train(experiment: Experiment, *callbacks: Callable[[Progress, Scores], None]) -> None:
    assert train_steps(experiment, 0, list(callbacks), StopSignal()) == experiment.total_steps


def groups_in_steps(player: Player) -> list[dict[str, Any]]:
    """The first parameter group of a player's optimizer as each of its steps meets it."""
    found: list[dict[str, Any]] = []

    def note(optimizer: Optimizer, arguments: Any, keywords: Any) -> None:
        found.append(dict(optimizer.param_groups[0]))

    player.optimizer.register_step_pre_hook(note)
    return found


def players_of(experiment: Experiment) -> dict[str, Player]:
    return {player.name: player for player in experiment.players}


@pytest.mark.parametrize("schedule", SHAPES)
@pytest.mark.parametrize("name", ["generator", "critic"])
def test_a_learning_rate_moves(name: str, schedule: str) -> None:
    """That of the other player stays."""
    experiment = experiment_of(f"lr_{name}={schedule}:1e-3:2e-4", lr_generator=5e-4, lr_critic=7e-4)
    groups = {each: groups_in_steps(player) for each, player in players_of(experiment).items()}
    train(experiment)
    other = "critic" if name == "generator" else "generator"
    assert [group["lr"] for group in groups[name]] == pytest.approx(expected(schedule, 1e-3, 2e-4))
    assert [group["lr"] for group in groups[other]] == [{"generator": 5e-4, "critic": 7e-4}[other]] * STEPS


@pytest.mark.parametrize("schedule", SHAPES)
def test_the_second_beta_moves(schedule: str) -> None:
    experiment = experiment_of(f"beta2={schedule}:0.9:0.99", betas=(0.3, 0.5))
    groups = {each: groups_in_steps(player) for each, player in players_of(experiment).items()}
    train(experiment)
    for own in groups.values():
        assert [group["betas"][0] for group in own] == [0.3] * STEPS
        assert [group["betas"][1] for group in own] == pytest.approx(expected(schedule, 0.9, 0.99))


def test_the_second_beta_moves_under_lazy_regularization() -> None:
    """Of a player that also moves for its regularization, every N steps: to the power of N / (N + 1)."""
    flags = {"arch": "stylegan2", "image_size": (16, 16), "width": 2, "loss": "r1", "penalty_every": 4}
    experiment = experiment_of("beta2=linear:0.9:0.99", **flags, **{"arch.path_length_every": 2})
    groups = {each: groups_in_steps(player) for each, player in players_of(experiment).items()}
    usual = build(resolve({**TINY, **flags, "arch.path_length_every": 2, "betas": (0.0, 0.95)}))
    train(experiment)
    for name, player in players_of(usual).items():
        power = math.log(player.optimizer.param_groups[0]["betas"][1]) / math.log(0.95)
        assert power == pytest.approx({"critic": 4 / 5, "generator": 2 / 3}[name])
        wanted = [beta**power for beta in expected("linear", 0.9, 0.99)]
        found = sorted({group["betas"][1] for group in groups[name]})
        assert found == pytest.approx(wanted), "a step of regularization has the clock of its round"


@pytest.mark.parametrize("schedule", SHAPES)
def test_the_weight_of_a_penalty_moves(schedule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of penalties that are 1 each, two in every step."""
    monkeypatch.setattr(ZeroCentred, "__call__", lambda norm, squared: 0 * squared + 1)
    flags = {"penalty": ("real", "fake"), "penalty_norm": "zero", "penalty_weight": 7.0}
    experiment, found = experiment_of(f"penalty_weight={schedule}:10:1", **flags), []
    train(experiment, lambda progress, scores: found.append(scores["critic/gradient_penalty"].item()))
    assert found == pytest.approx([2 * weight for weight in expected(schedule, 10, 1)])


def test_the_weight_of_a_lazy_penalty_that_is_annealed_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ZeroCentred, "__call__", lambda norm, squared: 0 * squared + 1)
    flags = {"penalty": ("real",), "penalty_norm": "zero", "penalty_every": 3, "penalty_anneal": 0.5}
    experiment, found = experiment_of("penalty_weight=linear:10:1", **flags), {}

    def note(progress: Progress, scores: Scores) -> None:
        if "critic/gradient_penalty" in scores:
            found[progress.step - 1] = scores["critic/gradient_penalty"].item()

    train(experiment, note)
    annealed = [0.5 + 0.5 * SHAPES["cosine"](step / STEPS) for step in range(STEPS)]
    weights = expected("linear", 10, 1)
    assert found == pytest.approx({step: 3 * weights[step] * annealed[step] for step in (0, 3, 6)})


@pytest.mark.parametrize("which", ["ema", "critic_ema"])
@pytest.mark.parametrize("schedule", SHAPES)
def test_the_half_life_of_an_ema_moves(schedule: str, which: str) -> None:
    flags = {"ema_kimg": 0.5, "critic_ema_kimg": 0.5, "ema.ramp_up": None, "lr_generator": 0.01}
    experiment = experiment_of(f"{which}_kimg={schedule}:0.05:0.005", **flags)
    network = experiment.game.generator_network if which == "ema" else experiment.game.critic_network
    average = [weight.detach().clone() for weight in network.parameters()]
    half_lives = iter(expected(schedule, 50, 5))

    def follow(progress: Progress, scores: Scores) -> None:
        keep = 0.5 ** (TINY["batch_size"] / next(half_lives))  # type: ignore[operator]
        for mean, weight in zip(average, network.parameters(), strict=True):
            mean.mul_(keep).add_(weight.detach(), alpha=1 - keep)

    train(experiment, follow)
    own = {"ema": experiment.ema, "critic_ema": experiment.critic_ema}[which]
    assert own is not None
    for mean, weight in zip(average, own.average.parameters(), strict=True):
        torch.testing.assert_close(weight, mean, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("schedule", SHAPES)
def test_the_strength_of_an_augmentation_moves(schedule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[float] = []

    def note(flip: Flip, images: Tensor, strength: float) -> Tensor:
        found.append(strength)
        return images

    monkeypatch.setattr(Flip, "apply", note)
    train(experiment_of(f"flip={schedule}:0:0.8", augment=(("flip", 0.5),)))
    assert found == pytest.approx(expected(schedule, 0, 0.8))


@pytest.mark.parametrize("schedule", SHAPES)
def test_the_strength_of_a_term_moves(schedule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    monkeypatch.setattr(Drift, "value", lambda drift, real, fake: 0 * real.mean() + drift.strength)
    experiment = experiment_of(f"drift={schedule}:0.1:0.01", regularizers=(("drift", 0.5),))
    train(experiment, lambda progress, scores: found.append(scores["critic/drift"].item()))
    assert found == pytest.approx(expected(schedule, 0.1, 0.01))


@pytest.mark.parametrize("schedule", SHAPES)
def test_the_strength_of_a_constraint_moves(schedule: str) -> None:
    """With rates so large that some weight is always at its bound."""
    flags = {"loss": "wgan", "lr_critic": 1.0, "regularizers": (("weight-clip", 0.5),)}
    experiment, found = experiment_of(f"weight-clip={schedule}:0.1:0.01", **flags), []
    weights = list(experiment.game.critic_network.parameters())
    train(experiment, lambda progress, scores: found.append(max(w.abs().max().item() for w in weights)))
    assert found == pytest.approx(expected(schedule, 0.1, 0.01))


@pytest.mark.parametrize("schedule", SHAPES)
def test_the_strength_of_labels_moves(schedule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A form is wrapped once more for every strength, and never twice."""
    found: list[float] = []
    usual = LabelSmoothing.wrap

    def note(smoothing: LabelSmoothing, form: Any) -> Any:
        assert type(form).__name__ == "BinaryCrossEntropy", "it is wrapped already"
        found.append(smoothing.strength)
        return usual(smoothing, form)

    monkeypatch.setattr(LabelSmoothing, "wrap", note)
    flags = {"regularizers": (("label-smoothing", 0.7),)}
    experiment, last = experiment_of(f"label-smoothing={schedule}:1:0.75", **flags), []
    train(experiment, lambda progress, scores: last.append(found[-1]))
    assert last == pytest.approx(expected(schedule, 1, 0.75))


def test_several_move_at_once() -> None:
    experiment = experiment_of("lr_generator=linear:1e-3:0,lr_critic=cosine:0:1e-3,beta2=constant:0.9:0.5")
    groups = {each: groups_in_steps(player) for each, player in players_of(experiment).items()}
    train(experiment)
    assert [group["lr"] for group in groups["generator"]] == pytest.approx(expected("linear", 1e-3, 0))
    assert [group["lr"] for group in groups["critic"]] == pytest.approx(expected("cosine", 0, 1e-3))
    assert {group["betas"][1] for group in groups["critic"]} == {0.9}


def test_the_other_rate_falls_by_its_schedule() -> None:
    flags = {"lr_schedule": "cosine", "lr_warmup_kimg": 0.008, "lr_critic": 1e-3}
    experiment = experiment_of("lr_generator=linear:1e-3:0", **flags)
    groups = {each: groups_in_steps(player) for each, player in players_of(experiment).items()}
    train(experiment)
    assert [group["lr"] for group in groups["generator"]] == pytest.approx(expected("linear", 1e-3, 0))
    risen = [min(1.0, step / 2) for step in range(STEPS)]  # of 4 images each, to 8
    wanted = [share * rate for share, rate in zip(risen, expected("cosine", 1e-3, 0), strict=True)]
    assert [group["lr"] for group in groups["critic"]] == pytest.approx(wanted)


def test_a_step_of_two_critic_updates_goes_by_the_images_shown() -> None:
    experiment = experiment_of("lr_critic=linear:1e-3:0", n_critic=2)
    groups = groups_in_steps(players_of(experiment)["critic"])
    train(experiment)
    assert [group["lr"] for group in groups] == pytest.approx(expected("linear", 1e-3, 0, 2 * STEPS))
