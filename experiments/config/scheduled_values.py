"""Settings that move over the run (`--schedule KEY=NAME:BEGIN:END`): checked, and made."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from torch.nn.modules.dropout import _DropoutNd

from experiments.config.components import (
    components_of,
    critic_augmentations_of,
    owners_of_options,
    plugins_of,
)
from experiments.config.precedence import SettingsStack, flatten
from experiments.core import registry
from experiments.core.errors import UsageError, usage_errors
from experiments.core.named_values import SettingValues
from experiments.core.options import make_component, read_option, split_key
from experiments.core.settings import Settings, flag, read_setting
from experiments.core.short_flags import SHORT_FLAGS
from experiments.core.value_readers import Read, finite_number
from gans.core.critic_trainer import CriticTrainer
from gans.core.game import Game
from gans.core.player import Player
from losses.core.regularizer import Regularizer
from losses.core.schedule import ScheduledSetting, ScheduledValue

RATE, WEIGHT = finite_number(at_least=0.0, at_most=10.0), finite_number(at_least=0.0)
RANGES: dict[str, Read] = {
    "lr_generator": RATE,
    "lr_critic": RATE,
    "beta2": finite_number(at_least=0.0, below=1.0),
}
RANGES |= dict.fromkeys(("penalty_weight", "ema_kimg", "critic_ema_kimg"), WEIGHT)
RANGES["critic_dropout"] = partial(read_setting, "critic_dropout")
SMALL = 1e-12
STRENGTH = finite_number(at_least=0.0, at_most=1.0)  # of an augmentation; regularizers check their own


def scheduled_value_of(settings: Settings, key: str) -> ScheduledValue | None:
    """The scheduled value of a setting, of "beta2", of a strength, or of an option; None where none moves."""
    for name, schedule, begin, end in settings.schedule:
        if name == key.replace("-", "_"):
            return ScheduledValue(
                begin, end, make_component("schedule", schedule, "schedule", settings.options)
            )
    return None


def scheduled_strengths(settings: Settings) -> dict[type[Regularizer], ScheduledValue]:
    """Scheduled strengths of regularizers, by class. Raises UsageError for bad strengths."""
    found = {}
    for name, _ in settings.regularizers:
        scheduled = scheduled_value_of(settings, name)
        if scheduled is not None:
            kind = registry.load("regularizer", name)
            with usage_errors(f"--schedule {name}"):
                for strength in (scheduled.begin, scheduled.end):
                    kind(strength or SMALL)  # 0 is where a strength may fade to, though none begins there
            found[kind] = scheduled
    return found


def options_to_build_with(settings: Settings) -> SettingValues:
    """Options to build components with: of one that moves, the larger of its first and last value.

    A component that leaves a part out at 0 is so built with that part.
    """
    found = dict(settings.options)
    for key in found:
        moving = scheduled_value_of(settings, key)
        if moving is not None:
            found[key] = max(moving.at(0.0), moving.at(1.0))
    return found


def scheduled_options(
    settings: Settings, game: Game | CriticTrainer, parts: Sequence[Any]
) -> list[ScheduledSetting]:
    """The options of a run that move, each set in every component that has it, and the critic's dropout.

    Args:
        game: of the run, or what trains a critic alone; options of its optimizers are keys of their parameter
            groups.
        parts: the other components: those of the loss, and augmentations.
    """
    found, components = [], [*game.modules(), *parts]
    players = [each for each in components if isinstance(each, Player)]
    for key, (kind, name) in schedulable_options(settings.to_dict()).items():
        value = scheduled_value_of(settings, key)
        if value is not None:
            option, own = split_key(key)[1], _owners(components, kind, name)
            optimized = [each for each in players if kind == "optimizer" and option in each.hyperparameters]
            if not own and not optimized:
                raise UsageError(
                    f"--schedule {key}: nothing that trains holds this option of {kind} {name}; leave it "
                    "out, or let the component keep its options as `self.options`, an optimizer in its groups"
                )
            found.append(ScheduledSetting(value, partial(_set_option, own, optimized, option)))
    dropout = scheduled_value_of(settings, "critic_dropout")
    if dropout is not None:
        dropouts = [each for each in game.critic_network.modules() if isinstance(each, _DropoutNd)]
        layers = [
            each for each in dropouts if each.p == settings.critic_dropout
        ]  # others are the critic's own
        found.append(ScheduledSetting(dropout, partial(_set_dropout, layers)))
    return found


def _set_dropout(layers: Sequence[_DropoutNd], probability: float) -> None:
    """Sets the probability of dropout layers."""
    for layer in layers:
        layer.p = probability


def _owners(components: Sequence[Any], kind: str, name: str) -> list[Any]:
    """The components that are instances of a plug-in; of an architecture, its networks and its game."""
    plugin, holders = registry.load(kind, name), [each for each in components if hasattr(each, "options")]
    if kind == "architecture":
        return [each for each in holders if isinstance(each.options, plugin.options_type)]
    return [each for each in holders if isinstance(each, plugin)]


def _set_option(owners: Sequence[Any], players: Sequence[Player], name: str, value: float) -> None:
    """Sets an option in all its owners, and in the optimizers of these players."""
    for owner in owners:
        owner.options = replace(owner.options, **{name: value})
    for player in players:
        player.set_hyperparameter(name, value)


def schedulable_options(values: SettingValues) -> dict[str, tuple[str, str]]:
    """Kind and name of the component of every option of a run that a schedule may drive, by key."""
    owners = owners_of_options(components_of(values), plugins_of(values))
    return {
        f"{prefix}.{name}": (owner.kind, owner.name)
        for prefix, owner in owners
        for name, field in owner.options.items()
        if field.metadata.get("is_schedulable")
    }


def drop_idle_schedules(stack: SettingsStack, asked: SettingValues) -> None:
    """Drops the scheduled values that recipes bring for what is set to a number, or for what the run lacks.

    Of a config file those of critic augmentations are dropped where a flag sets another.

    Args:
        asked: settings by name and options by key, of the config file and of flags.
    """
    values, origin = stack.values, stack.sources["schedule"]
    if origin.startswith("config") and stack.sources["critic_augment"] == "flag":
        names = {name.replace("-", "_") for name in registry.names("critic-augmentation")}
        kept = tuple(each for each in values["schedule"] if each[0] not in names)
        stack.put(f"{origin}, without that of another critic augmentation", {"schedule": kept})
    if origin.startswith(("flag", "config")) or not values["schedule"]:
        return
    given = {key for key, value in flatten("settings", asked) if value is not None}
    idle = given | {key for key in ("ema_kimg", "critic_ema_kimg", "critic_dropout") if not values[key]}
    if "optimizer.betas" in given or not registry.load("optimizer", values["optimizer"]).has_betas:
        idle.add("beta2")
    if values["ttur"] is not None:
        idle.add("lr_critic")
    if given & {"lr_schedule", "lr_decay_from"}:
        idle |= {"lr_generator", "lr_critic"}
    if not values["penalty"]:
        idle.add("penalty_weight")
    own = set() if "critic_augment" in given else set(critic_augmentations_of(values))
    idle |= {name.replace("-", "_") for name in {*registry.names("critic-augmentation")} - own}
    kept = tuple(each for each in values["schedule"] if each[0] not in idle)
    if kept != values["schedule"]:
        stack.put(f"{origin}, without what is set to a number", {"schedule": kept})


def _steered_augmentations(values: SettingValues) -> list[str]:
    """The critic augmentation of a run, where it has a probability that a schedule may drive."""
    names = critic_augmentations_of(values)
    return [name for name in names if registry.load("critic-augmentation", name).takes_probability]


def check_scheduled_values(values: SettingValues, flags: SettingValues) -> None:
    """Checks the scheduled values of a run; raises UsageError otherwise.

    Refused are those of what the run does not have, unknown schedules, numbers that the setting cannot have,
    and an option that a flag sets to a number at the same time.
    """
    set_by_flags = {key for key, _ in flatten("flag", flags)}
    of_critic = {name.replace("-", "_") for name in _steered_augmentations(values)}
    augmentations = {name.replace("-", "_") for name, _ in values["augment"]} | of_critic
    strengths = {name.replace("-", "_") for name, _ in values["regularizers"]} | augmentations
    options = {key.replace("-", "_"): key for key in schedulable_options(values)}
    for key, schedule, begin, end in values["schedule"]:
        registry.check_name("schedule", schedule)
        if key not in (*RANGES, *strengths, *options):
            known = ", ".join((*RANGES, *sorted(strengths), *options.values()))
            meant = SHORT_FLAGS[key].key if key in SHORT_FLAGS else ""
            hint = f"did you mean {meant}?" if meant in options.values() else f"there are: {known}"
            raise UsageError(f"--schedule {key}: nothing of that name moves in this run; {hint}")
        if options.get(key) in set_by_flags:
            raise UsageError(f"--schedule {key} and --set {options[key]} exclude each other; give one")
        fixed = str(flags.get("critic_augment", ""))
        if "schedule" in flags and key in of_critic and ":" in fixed:
            name = fixed.partition(":")[0]
            raise UsageError(
                f"--schedule {key} and --critic-augment {fixed} exclude each other; "
                f"take --critic-augment {name}"
            )
        if key == "beta2" and not registry.load("optimizer", values["optimizer"]).has_betas:
            raise UsageError(f"--schedule beta2 has no meaning for optimizer {values['optimizer']}")
        if key == "penalty_weight" and not values["penalty"]:
            raise UsageError(
                "--schedule penalty_weight has no meaning without a gradient penalty; add --penalty"
            )
        if key in ("ema_kimg", "critic_ema_kimg", "critic_dropout") and not values[key]:
            raise UsageError(f"--schedule {key} has no meaning without {flag(key)}; add it")
        reader = RANGES.get(key, STRENGTH if key in augmentations else None)
        if key in options:
            reader = partial(read_option, options[key], components=components_of(values))
        if reader is not None:
            with usage_errors(f"--schedule {key}"):
                reader(begin), reader(end)
        if key in ("lr_generator", "lr_critic") and max(begin, end) == 0:
            raise UsageError(f"--schedule {key}: {begin:g} to {end:g} never moves the player")
