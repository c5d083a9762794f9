"""Settings of an adversary: those of `gans run` that train a critic, by the same names and rules."""

from collections.abc import Mapping

from experiments.config.components import derive_options
from experiments.config.critic_augmentation import derive_critic_augment, refuse_idle_options
from experiments.config.precedence import SettingsStack, flatten, unknown_setting_error
from experiments.config.resolve import adjust_regularizers, split_regularizers
from experiments.config.rules import derive_settings
from experiments.core import registry
from experiments.core.errors import UsageError
from experiments.core.named_values import SettingValues
from experiments.core.settings import FIELDS, Settings
from experiments.core.short_flags import SHORT_FLAGS
from gans.core.architecture import Architecture
from losses.recipe import Defaults

PRESET = "paper"
OF_NETWORK = ("width", "critic_norm", "critic_dropout", "minibatch_statistic")
OF_TRAINING = (
    *("loss", "penalty", "penalty_norm", "penalty_weight", "penalty_every", "penalty_anneal"),
    *("critic_augment", "regularizers", "schedule", "kimg", "steps", "image_size", "channels", "classes"),
    *("optimizer", "lr_critic", "lr_schedule", "lr_decay_from", "lr_warmup_kimg", "critic_ema_kimg"),
)
# What an adversary takes, by the names of its arguments, where a name is none.
OFFERED = (
    *(name for name in (*OF_NETWORK, *OF_TRAINING) if name != "critic_augment"),
    *("augment", "betas", "weight_decay", "start", "critic_start", "weight"),
)
MOVING = ("schedule", "lr_schedule", "lr_decay_from", "penalty_anneal")  # over the length of the training


def resolve_adversary(asked: SettingValues, arch: str | None, kind: str) -> Settings:
    """Resolves the settings of an adversary from defaults of the loss, of its architecture, and asked ones.

    Of the architecture only what builds its critic counts; optimizer and penalty are those of the loss, at
    the published scale.

    Args:
        asked: settings by name, regularizers by name, options by key or nested.
        arch: architecture of the critic; None for a critic that is built already.
        kind: of the samples, "images" or "points".

    Raises UsageError for settings that cannot be, alone or together, and for those of a generator or a run.
    """
    flags, strengths = split_regularizers(asked)
    for name, value in flags.items():
        is_option = "." in name or (isinstance(value, Mapping) and "name" not in value)
        if not is_option and name not in FIELDS and name not in SHORT_FLAGS:
            raise unknown_setting_error("settings", name, OFFERED)
    flags = dict(flatten("settings", flags))
    _check_names(flags, is_built=arch is None)
    stack = SettingsStack()
    stack.put("default", {name: each.default for name, each in FIELDS.items()})
    for origin, values in _default_layers(flags["loss"], arch, kind, stack, flags):
        stack.put(origin, values)
    stack.put("flag", flags)
    if strengths:
        stack.put("flag", {"regularizers": adjust_regularizers(stack.values["regularizers"], strengths)})
    stack.apply_rules()
    derive_settings(stack, kind, flags, flags)
    derive_critic_augment(stack, kind, flags)
    refuse_idle_options(stack)
    moving = [name for name in MOVING if flags.get(name) not in (None, "constant", ())]
    if moving and not stack.values["kimg"] and not stack.values["steps"]:
        raise UsageError(f"{moving[0]} needs the length of the training; give kimg=… or steps=… as well")
    return Settings(**stack.values, options=derive_options(stack, flags))


def _default_layers(
    loss: str, arch: str | None, kind: str, stack: SettingsStack, flags: SettingValues
) -> list[tuple[str, SettingValues]]:
    """Defaults of the loss, and of the architecture for its critic, by precedence."""
    recipe = registry.load_recipe(loss)
    stack.put("flag", {name: flags[name] for name in ("image_size",) if name in flags})
    side = max(stack.values["image_size"] or (0,)) or None

    def holding(entries: tuple[Defaults, ...]) -> list[SettingValues]:
        found = [each for each in entries if each.hold(preset=PRESET, data=kind, loss=loss, side=side)]
        return [each.values for each in sorted(found, key=lambda each: each.preset is not None)]

    layers: list[tuple[str, SettingValues]] = [("default", {"arch": arch or Settings.arch})]
    of_loss = [(f"loss {loss}", values) for values in holding(recipe.settings)]
    if arch is None:
        return layers + [(origin, _without(values, OF_NETWORK)) for origin, values in of_loss]
    architecture: Architecture = registry.load("architecture", arch)
    layers += [(f"architecture {arch}", {"critic_norm": architecture.critic_norm}), *of_loss]
    for values in holding(architecture.settings):
        own = dict(flatten(f"architecture {arch}", values))
        kept = {name: value for name, value in own.items() if name in OF_NETWORK or name.startswith("arch.")}
        layers.append((f"architecture {arch}", kept))
    return layers


def _without(values: SettingValues, names: tuple[str, ...]) -> SettingValues:
    """Values without those of some names."""
    return {name: value for name, value in values.items() if name not in names}


def _check_names(flags: SettingValues, is_built: bool) -> None:
    """Refuses settings of generators and runs, and of networks where the critic is built already."""
    for name in flags:
        is_of_network = name in OF_NETWORK or name.startswith("arch.")
        if is_of_network and is_built:
            raise UsageError(f"{name} has no meaning for a critic that is built already; leave it out")
        if not is_of_network and "." not in name and name not in OF_TRAINING:
            raise UsageError(
                f"{name} has no meaning for an adversary, which trains nothing but a critic; leave it out"
            )
