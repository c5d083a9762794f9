"""The components of a run, and their options: read, completed with defaults, or refused."""

from collections.abc import Mapping
from typing import Any

from experiments.config.precedence import SettingsStack
from experiments.core import registry
from experiments.core.errors import UsageError
from experiments.core.named_values import SettingValues
from experiments.core.options import (
    NAMED,
    SLOTS,
    ComponentOptions,
    describe_options,
    find_components,
    plugins_in,
    read_option,
    split_key,
    unknown_option_error,
)
from experiments.core.settings import Settings
from experiments.core.short_flags import SHORT_FLAGS

# Kinds of which a run may have several, and that change its numbers.
OF_TRAINING = ("penalty", "regularizer", "augmentation", "critic-augmentation")


def critic_augmentations_of(values: SettingValues) -> list[str]:
    """The name of a run's critic augmentation, or none."""
    name = values.get("critic_augment", "none").partition(":")[0]
    return [] if name == "none" else [name]


def components_of(values: SettingValues) -> dict[str, str]:
    """Names of the components of a run by slot, without slots that are empty."""
    loss = registry.load_recipe(values["loss"]).form if values.get("loss") else ""
    found = {slot: values.get(slot) for slot in SLOTS} | {"loss": loss, "ema": "ema"}
    found["data"] = source_with_options(values.get("data") or "")
    found["extractor"] = (values.get("extractor") or "").partition(":")[0]
    own = registry.load("architecture", values["arch"]).minibatch_statistic if values.get("arch") else None
    found["minibatch_statistic"] = values.get("minibatch_statistic") or own
    return {slot: name for slot, name in found.items() if name}


def source_with_options(spec: str) -> str:
    """The name of the source that a data spec's options are of: of a set made of another one, that one."""
    name, _, argument = spec.partition(":")
    is_within = argument and name in registry.names("data") and registry.load("data", name).takes_spec
    return source_with_options(argument) if is_within else name


def plugins_of(values: SettingValues) -> dict[str, list[str]]:
    """Names of the plug-ins of a run by kind, of kinds of which it may have several."""
    metrics = registry.metric_names(values["evaluate_metrics"]) if values.get("evaluate_kimg") else []
    if values.get("evaluate_kimg") and not metrics:  # chosen when the data is known
        metrics = registry.names("metric")
    return {
        "penalty": list(values["penalty"]),
        "regularizer": [name for name, _ in values["regularizers"]],
        "augmentation": [name for name, _ in values["augment"]],
        "critic-augmentation": critic_augmentations_of(values),
        "metric": metrics,
        "tracker": [name for name in registry.names("tracker") if name in values["track"]],
    }


def names_in_use(values: SettingValues) -> set[str]:
    """Names of all plug-ins of a run, whatever their kinds."""
    several = {name for group in plugins_of(values).values() for name in group}
    return {values["loss"], *components_of(values).values(), *several}


def derive_options(stack: SettingsStack, flags: SettingValues) -> SettingValues:
    """Resolves the options of every component of the run, by key, and notes their sources in the stack.

    What a flag asks for in vain is refused; what recipes or a run's own config bring for another component
    falls away. A key that no component has is refused wherever it comes from.
    """
    components, plugins = components_of(stack.values), plugins_of(stack.values)
    if "auto" in stack.values["track"] and any(key.startswith("wandb.") for key in stack.options):
        plugins["tracker"].append("wandb")  # which auto may turn out to be, once the run begins
    found: dict[str, Any] = {}
    for key, value in stack.options.items():
        source = stack.sources[key]
        if not _is_in_use(key, components, plugins):
            if source == "flag":
                raise _without_meaning(key, flags, components)
            if source.startswith("config") and not _is_known(key):
                raise unknown_option_error(key, find_components(split_key(key)[0], components), components)
            continue
        try:
            found[key] = read_option(key, value, components)
        except ValueError as error:
            raise UsageError(f"{_word(key, source, flags)}: {error}") from error
    for prefix, owner in owners_of_options(components, plugins):
        for name, field in owner.options.items():
            key = f"{prefix}.{name}"
            if key not in found:
                found[key], stack.sources[key] = field.default, f"default of {owner.name}"
    return dict(sorted(found.items()))


def affects_results(key: str) -> bool:
    """Whether an option has an effect on the numbers of a run, so that a resumed run must keep it."""
    prefix, _ = split_key(key)
    if prefix in SLOTS:
        return prefix != "extractor"
    return any(prefix in registry.names(kind) for kind in OF_TRAINING)


def network_options(settings: Settings) -> SettingValues:
    """Options that decide how networks are built, where they are not at their defaults."""
    found = {}
    for prefix, owner in owners_of_options(components_of(settings.to_dict()), {kind: [] for kind in NAMED}):
        for name, field in owner.options.items():
            value = settings.options.get(f"{prefix}.{name}", field.default)
            if field.metadata.get("shapes_network") and value != field.default:
                found[f"{prefix}.{name}"] = value
    return found


def default_of(key: str, values: SettingValues) -> Any:
    """Default of an option in a run with these settings; None where no component of the run has it.

    It stands in for the value in configs of versions that did not have the option.
    """
    prefix, name = split_key(key)
    for owner in find_components(prefix, components_of(values)):
        if name in owner.options:
            field = owner.options[name]
            if prefix == "data" and _is_made_of_another(values):
                return values.get(key, field.default)
            return field.metadata.get("earlier", field.default)
    return None


def earlier_options(values: SettingValues) -> dict[str, Any]:
    """Options of data that an earlier config lacks, where the default is not what that version did."""
    found: dict[str, Any] = {}
    if _is_made_of_another(values):
        return found
    for owner in find_components("data", components_of(values)):
        for name, field in owner.options.items():
            if "earlier" in field.metadata and f"data.{name}" not in values:
                found[f"data.{name}"] = field.metadata["earlier"]
    return found


def _is_made_of_another(values: SettingValues) -> bool:
    """Whether a run's data is a set made of another one, whose options it has.

    Configs of earlier versions have none of them: each start found them anew.
    """
    spec = values.get("data") or ""
    return source_with_options(spec) != spec.partition(":")[0]


def owners_of_options(
    components: Mapping[str, str], plugins: Mapping[str, list[str]]
) -> list[tuple[str, ComponentOptions]]:
    """Components of a run whose options are shown, each with its prefix, but for metrics."""
    own = [(slot, describe_options(SLOTS[slot], name)) for slot, name in components.items()]
    own += [
        (name, describe_options(kind, name)) for kind in NAMED if kind != "metric" for name in plugins[kind]
    ]
    return own


def _is_in_use(key: str, components: Mapping[str, str], plugins: Mapping[str, list[str]]) -> bool:
    """Whether a component of this run has the option."""
    prefix, name = split_key(key)
    if prefix in SLOTS:
        return any(name in owner.readers for owner in find_components(prefix, components))
    return any(
        prefix in plugins[kind] and name in describe_options(kind, prefix).readers
        for kind in NAMED
        if prefix in registry.names(kind)
    )


def _is_known(key: str) -> bool:
    """Whether some plug-in has the option, be it in this run or not."""
    prefix, name = split_key(key)
    if prefix not in SLOTS:
        return any(name in owner.readers for owner in find_components(prefix, {}))
    kind = SLOTS[prefix]
    return any(name in describe_options(kind, each).readers for each in plugins_in(kind))


def _without_meaning(key: str, flags: SettingValues, components: Mapping[str, str]) -> UsageError:
    """Makes the error for an option that a flag sets and that this run does not have."""
    prefix, _ = split_key(key)
    owners = find_components(prefix, components)
    word = _word(key, "flag", flags)
    if _is_known(key) and prefix not in SLOTS:
        kind = next(kind for kind in NAMED if prefix in registry.names(kind))
        if kind == "metric":
            return UsageError(f"{word} has no meaning without evaluations by it; add --evaluate-kimg")
        return UsageError(f"{word} has no meaning without {kind} {prefix}")
    if not word.startswith("--set") and owners:
        own = [name.removesuffix("_weight") for name in owners[0].options if name.endswith("_weight")]
        terms = (
            f", which has {', '.join(own) or 'no such terms'}" if word.startswith("--term-weights") else ""
        )
        return UsageError(f"{word} has no meaning for {owners[0].kind} {owners[0].name}{terms}")
    if not owners and prefix in SLOTS:
        remedy = "choose a --penalty first" if prefix == "penalty_norm" else f"choose one with --{prefix}"
        return UsageError(f"{word} has no meaning: this run has no {prefix}; {remedy.replace('_', '-')}")
    return unknown_option_error(key, owners, components)


def _word(key: str, source: str, flags: SettingValues) -> str:
    """The flag that a user typed for a key, or where its value came from."""
    if source != "flag":
        return f"{source}: {key}"
    for name, short in SHORT_FLAGS.items():
        is_term = name == "term_weights" and key.endswith("_weight")
        if flags.get(name) is not None and (short.key == key or is_term):
            term = key.removeprefix("arch.").removesuffix("_weight")
            return "--" + name.replace("_", "-") + (f" {term}" if is_term else "")
    return f"--set {key}"
