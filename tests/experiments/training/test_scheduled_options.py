"""Options that move by `--schedule`: every one that is declared so, with its values and its effect."""

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim import AdamW

from experiments.config.resolve import resolve
from experiments.core import registry
from experiments.core.errors import UsageError
from experiments.core.options import NAMED, SLOTS, describe_options, plugins_in
from experiments.core.stop_signal import StopSignal
from experiments.training.callbacks import Progress
from experiments.training.experiment import Experiment, build
from experiments.training.steps import train_steps
from gans.core.player import Scores
from tests.conftest import ARCHITECTURES, DATA, long_but
from tests.experiments.training.test_schedules import expected, train

STEPS = 4
TINY = {"loss": "bce", "image_size": (16, 16), "width": 2, "batch_size": 4, "steps": STEPS}
TINY |= {
    "device": "cpu",
    "n_critic": 1,
    "track": ("local",),
    "critic_norm": "none",
    "minibatch_statistic": None,
}
SLOT_OF = {kind: slot for slot, kind in SLOTS.items()}
SCHEDULABLE = [
    (kind, name, option)
    for kind in sorted({*SLOTS.values(), *NAMED})
    for name in plugins_in(kind)
    for option, field in describe_options(kind, name).options.items()
    if field.metadata.get("is_schedulable")
]
ONE_OF_EACH = [*{each[0]: each for each in SCHEDULABLE}.values()]


def flags_with(kind: str, name: str) -> dict[str, Any]:
    """Settings of a small run that has this component."""
    arch = name if kind == "architecture" else "mlp"
    flags = {**TINY, "arch": arch, "data": DATA[ARCHITECTURES[arch].task]}
    if arch == "stylegan2":
        flags["arch.path_length_every"] = 1  # so that there are path lengths in every step
    if kind == "penalty":  # of a critic with enough pieces that other points have other gradients
        flags |= {"penalty": (name,), "penalty_weight": 10.0, "width": 64}
    elif kind != "architecture":
        flags[SLOT_OF[kind]] = name
    if ARCHITECTURES[arch].task == "noise":
        flags["z_dim"] = 8
    return flags


def values_in_steps(experiment: Experiment) -> list[float]:
    """What the only scheduled setting is set to, step by step."""
    (setting,) = experiment.scheduled
    found: list[float] = []
    assign = setting.assign

    def note(value: float) -> None:
        found.append(value)
        assign(value)

    object.__setattr__(setting, "assign", note)
    return found


def hash_after_training(flags: dict[str, Any]) -> str:
    experiment = build(resolve(flags))
    train(experiment)
    networks = (experiment.game.generator_network, experiment.game.critic_network)
    weights = [value for network in networks for value in network.state_dict().values()]
    return hashlib.sha256(b"".join(value.contiguous().numpy().tobytes() for value in weights)).hexdigest()


def middle_of(kind: str, name: str, option: str) -> float:
    """A value within the bounds, beside which there is room on both sides."""
    return 0.3 if describe_options(kind, name).options[option].metadata.get("at_most") == 1.0 else 0.5


@pytest.mark.parametrize(("kind", "name", "option"), long_but(ONE_OF_EACH, SCHEDULABLE))
def test_an_option_that_moves_changes_training_and_one_that_stays_does_not(
    kind: str, name: str, option: str
) -> None:
    """An option that is declared schedulable and read only once would train as one that stays."""
    key, middle = f"{SLOT_OF.get(kind, name)}.{option}", middle_of(kind, name, option)
    flags = flags_with(kind, name)
    fixed = hash_after_training(flags | {key: middle})
    assert hash_after_training(flags | {"schedule": f"{key}=linear:{middle}:{middle}"}) == fixed
    # From the second step on, so that it is no matter of what the networks were built with.
    assert hash_after_training(flags | {"schedule": f"{key}=linear:{middle}:{middle / 10}"}) != fixed


@pytest.mark.parametrize(("kind", "name", "option"), long_but(ONE_OF_EACH, SCHEDULABLE))
def test_an_option_moves_as_its_schedule_says(kind: str, name: str, option: str) -> None:
    key, middle = f"{SLOT_OF.get(kind, name)}.{option}", middle_of(kind, name, option)
    experiment = build(resolve(flags_with(kind, name) | {"schedule": f"{key}=cosine:{middle / 5}:{middle}"}))
    found = values_in_steps(experiment)
    train(experiment)
    assert found == pytest.approx(expected("cosine", middle / 5, middle, STEPS))


def test_every_owner_has_the_value_of_its_step() -> None:
    """StyleGAN2's weight is read by the game, its mixing by the generator; both have one value of both."""
    flags = flags_with("architecture", "stylegan2")
    experiment = build(resolve(flags | {"schedule": "arch.path_length_weight=linear:4:0"}))
    found = []

    def note(progress: Any, scores: Any) -> None:
        game: Any = experiment.game
        found.append((game.options.path_length_weight, game.generator_network.options.path_length_weight))

    train(experiment, note)
    assert found == [(4.0, 4.0), (3.0, 3.0), (2.0, 2.0), (1.0, 1.0)]


@pytest.mark.parametrize(
    ("schedule", "weight"), [("linear:0:2", 2), ("linear:2:0", 2), ("constant:0:2", 0), ("constant:2:0", 2)]
)
def test_networks_are_built_for_the_largest_weight_that_is_reached(schedule: str, weight: int) -> None:
    """The optimizer of lazy regularization is slowed down as in a run that has the weight from the start."""
    flags = flags_with("architecture", "stylegan2")
    groups = [
        next(player for player in build(resolve(each)).players if player.name == "generator").optimizer
        for each in (
            flags | {"schedule": f"arch.path_length_weight={schedule}"},
            flags | {"arch.path_length_weight": weight},
        )
    ]
    assert groups[0].param_groups[0]["betas"] == groups[1].param_groups[0]["betas"]


@pytest.mark.parametrize(("kind", "name", "option"), [each for each in SCHEDULABLE if each[0] == "optimizer"])
def test_a_resumed_run_moves_on(kind: str, name: str, option: str) -> None:
    """Loading an optimizer's state makes new parameter groups, and the schedule drives those."""
    flags = flags_with(kind, name) | {"schedule": f"optimizer.{option}=linear:0.5:0"}
    whole, first, second = (build(resolve(flags)) for _ in range(3))
    train(whole)
    first.total_steps = 2
    train_steps(first, 0, [], StopSignal())
    second.load_state_dict(first.state_dict())
    found = []

    def note(progress: Progress, scores: Scores) -> None:
        found.append({player.optimizer.param_groups[0][option] for player in second.players})

    train_steps(second, 2, [note], StopSignal())
    assert found == [{0.25}, {0.125}]
    for one, other in zip(whole.players, second.players, strict=True):
        assert all(map(torch.equal, one.network.parameters(), other.network.parameters()))


def test_weight_decay_from_zero_is_decoupled() -> None:
    flags = flags_with("optimizer", "adam")
    experiment = build(resolve(flags | {"schedule": "optimizer.weight_decay=linear:0:0.1"}))
    assert all(isinstance(player.optimizer, AdamW) for player in experiment.players)


def test_dropout_moves_in_the_critic_alone() -> None:
    flags = flags_with("architecture", "dcgan") | {"critic_dropout": 0.5}
    experiment = build(resolve(flags | {"schedule": "critic_dropout=linear:0.4:0"}))
    experiment.game.generator_network.add_module("other", torch.nn.Dropout(0.7))

    def probabilities(network: torch.nn.Module) -> set[float]:
        return {each.p for each in network.modules() if isinstance(each, torch.nn.Dropout)}

    found: list[set[float]] = []
    train(experiment, lambda progress, scores: found.append(probabilities(experiment.game.critic_network)))
    assert [value for (value,) in found] == pytest.approx(expected("linear", 0.4, 0, STEPS))
    assert probabilities(experiment.game.generator_network) == {0.7}


@pytest.mark.parametrize(
    ("schedule", "mentions"),
    [
        ("arch.mapping_layers=linear:2:8", ("arch.mapping_layers", "arch.style_mixing")),
        ("arch.style_mixing=linear:0:2", ("arch.style_mixing", "at most 1")),
        ("dragan.spread=linear:1:0.5", ("dragan.spread", "arch.style_mixing")),
        ("critic_dropout=linear:0.5:0", ("critic_dropout", "--critic-dropout")),
        ("weight_decay=linear:0:0.1", ("weight_decay", "did you mean optimizer.weight_decay")),
    ],
)
def test_what_cannot_move_is_refused(schedule: str, mentions: tuple[str, ...]) -> None:
    with pytest.raises(UsageError) as error:
        resolve(flags_with("architecture", "stylegan2") | {"schedule": schedule})
    assert all(mention in str(error.value) for mention in mentions), error.value


def test_a_number_and_a_schedule_for_it_exclude_each_other() -> None:
    flags = flags_with("architecture", "stylegan2") | {"style_mixing": 0.3}  # short for arch.style_mixing
    with pytest.raises(UsageError, match="exclude each other"):
        resolve(flags | {"schedule": "arch.style_mixing=linear:0:1"})


def test_the_critics_dropout_has_the_bounds_of_its_setting() -> None:
    flags = flags_with("architecture", "dcgan") | {"critic_dropout": 0.5}
    with pytest.raises(UsageError, match=re.escape("at most 0.95")):
        resolve(flags | {"schedule": "critic_dropout=linear:0.99:0"})


PLUGIN = '''"""Points with an option that they read once."""
from dataclasses import dataclass
from losses.core.options import option as _option
from losses.core.points import Points as _Points

@dataclass(frozen=True)
class OnceOptions:
    """Options."""
    reach: float = _option(1.0, "Reach of the points.", is_schedulable=True)

class Once(_Points):
    options_type = OnceOptions
    def __init__(self, options):
        self.reach = options.reach
    def choose(self, real, fake):
        return real + self.reach
'''


def test_a_component_that_does_not_keep_its_options_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rather than a schedule that does nothing."""
    (tmp_path / "once.py").write_text(PLUGIN)
    monkeypatch.chdir(tmp_path)
    registry.add_plugin("once.py")
    flags = flags_with("penalty", "once") | {"plugin": ("once.py",)}
    assert build(resolve(flags)).scheduled == []
    with pytest.raises(UsageError, match=re.escape("--schedule once.reach")):
        build(resolve(flags | {"schedule": "once.reach=linear:1:0"}))
