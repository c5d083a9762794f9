"""Rules of critic augmentations, and of options whose defaults depend on the length of a run."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from experiments.config.components import (
    components_of,
    critic_augmentations_of,
    owners_of_options,
    plugins_of,
)
from experiments.config.precedence import SettingsStack
from experiments.core import registry
from experiments.core.errors import UsageError
from experiments.core.named_values import SettingValues
from losses.core.adaptive_probability import AdaptiveOptions
from losses.core.adversarial import Adversarial


def derive_critic_augment(stack: SettingsStack, kind: str, flags: SettingValues) -> None:
    """Refuses a critic augmentation of points, and one whose probability nothing can steer.

    Args:
        kind: of the data, "images" or "points".
    """
    values = stack.values
    if kind == "points" and values["critic_augment"] != "none":
        if "critic_augment" in flags:
            raise UsageError(f"--critic-augment has no meaning for points ({values['data']})")
        stack.put(f"no meaning for points ({values['data']})", {"critic_augment": "none"})
    if is_adaptive(values):
        (name,) = critic_augmentations_of(values)
        form: type[Adversarial] = registry.load("form", registry.load_recipe(values["loss"]).form)
        if form.threshold is None:
            undeclared = form.undeclared_threshold()
            why = f"and {undeclared}" if undeclared else f"which say nothing with the loss {values['loss']}"
            raise UsageError(
                f"--critic-augment {name}: its probability follows the signs of the critic's logits, {why}; "
                f"{'or ' if undeclared else ''}give a fixed one, such as --critic-augment {name}:0.2"
            )


def refuse_idle_options(stack: SettingsStack) -> None:
    """Refuses flags for what steers a probability, where the critic augmentation has a fixed one."""
    values = stack.values
    if is_adaptive(values):
        return
    for name in critic_augmentations_of(values):
        if not registry.load("critic-augmentation", name).takes_probability:
            continue
        for option in fields(AdaptiveOptions):
            if stack.sources.get(f"{name}.{option.name}") == "flag":
                raise UsageError(
                    f"--set {name}.{option.name} has no meaning where the probability of {name} is given "
                    "and does not follow the critic's logits; leave it out"
                )


def is_adaptive(values: SettingValues) -> bool:
    """Whether the run has a critic augmentation whose probability is neither fixed nor scheduled."""
    return any(
        registry.load("critic-augmentation", name).takes_probability
        and ":" not in values["critic_augment"]
        and all(key != name.replace("-", "_") for key, *_ in values["schedule"])
        for name in critic_augmentations_of(values)
    )


def derive_shares_of_run(stack: SettingsStack) -> None:
    """Sets options whose default is a share of the run under preset laptop, or another in fine-tuning.

    Those that are set by anybody stay.
    """
    values = stack.values
    if values["steps"] is None:
        images = (values["kimg"] or 0.0) * 1000
    else:
        images = values["steps"] * values["n_critic"] * values["batch_size"]
    for key, default, metadata in _options_in_use(values):
        if key in stack.options:
            continue
        share, tuned = metadata.get("laptop_share"), metadata.get("fine_tuning")
        if values["preset"] == "laptop" and share is not None:
            least = metadata.get("laptop_batches", 0) * values["batch_size"]
            part = max(images * share, least)
            value = round(part / values["batch_size"]) if isinstance(default, int) else part / 1000
            stack.put(f"preset laptop: {share:.0%} of the run", {key: value})
        elif values["init_from"] is not None and tuned is not None:
            stack.put("fine-tuning", {key: tuned})


def _options_in_use(values: SettingValues) -> Iterator[tuple[str, Any, Any]]:
    """Key, default and metadata of every option of the run's components."""
    for prefix, owner in owners_of_options(components_of(values), plugins_of(values)):
        for name, field in owner.options.items():
            yield f"{prefix}.{name}", field.default, field.metadata
