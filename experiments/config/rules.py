"""Rules between settings: values that follow from others, and settings without meaning together."""

from collections.abc import Iterable

from experiments.config.precedence import SettingsStack
from experiments.config.scheduled_values import check_scheduled_values
from experiments.core import registry
from experiments.core.errors import UsageError, usage_errors
from experiments.core.named_values import SettingValues
from experiments.core.setting_defaults import WHERE_USED
from experiments.core.settings import flag
from experiments.data.core.dataset import Source
from gans.core.architecture import Architecture
from gans.core.attributes import column_names, group_names, select_groups

# Kinds of which a run has one, and the settings that name it.
COMPONENTS = (
    ("optimizer", "optimizer"),
    ("schedule", "lr_schedule"),
    ("norm", "critic_norm"),
    ("batch-statistic", "minibatch_statistic"),
    ("penalty-norm", "penalty_norm"),
)


def derive_settings(chosen: SettingsStack, kind: str, asked: SettingValues, flags: SettingValues) -> None:
    """Derives settings from others, and refuses those without meaning beside them.

    A run's own config holds every value. Those that flags make meaningless fall away; only what a flag asks
    for in vain is refused.
    """
    _derive_length(chosen)
    _derive_format(chosen, kind, flags)
    for kind_of, name in COMPONENTS:
        if chosen.values[name] is not None:
            registry.check_name(kind_of, chosen.values[name])
    _derive_rates(chosen, flags)
    _derive_evaluation(chosen, flags)
    _derive_penalty(chosen, asked, flags)
    _derive_initial_weights(chosen, flags)
    check_scheduled_values(chosen.values, flags)


def _drop(chosen: SettingsStack, flags: SettingValues, names: Iterable[str], reason: str) -> None:
    """Drops settings that have no meaning. Raises UsageError for one that a flag asks for."""
    names = list(names)
    for name in names:
        if flags.get(name) is not None:
            raise UsageError(f"{flag(name)} has no meaning {reason}")
    chosen.put(f"no meaning {reason}", dict.fromkeys(names))


def _derive_length(chosen: SettingsStack) -> None:
    """Derives the length over which schedules run. Raises UsageError for a length that is given twice."""
    values = chosen.values
    if values["steps"] is not None and values["kimg"] is not None:
        raise UsageError("--steps and --kimg exclude each other; give one")
    if values["schedule_steps"] is not None and values["schedule_kimg"] is not None:
        raise UsageError("schedule_steps and schedule_kimg exclude each other; give one")
    if all(values[f"schedule_{unit}"] == values[unit] for unit in ("steps", "kimg")):
        chosen.put("the length of the run", dict.fromkeys(("schedule_steps", "schedule_kimg")))


def _derive_format(chosen: SettingsStack, kind: str, flags: SettingValues) -> None:
    """Derives the format of images, and refuses it for points."""
    values = chosen.values
    if kind == "points":
        _drop(chosen, flags, ("image_size", "channels", "fit"), f"for points ({values['data']})")
        if flags.get("augment"):
            raise UsageError(f"--augment has no meaning for points ({values['data']})")
    elif values["fit"] is None:
        chosen.put("default of images", _where_used("fit"))


def _derive_rates(chosen: SettingsStack, flags: SettingValues) -> None:
    """Derives the learning rate of the critic, and where rates begin to decay."""
    values = chosen.values
    if values["lr_schedule"] == "constant":
        _drop(chosen, flags, ("lr_decay_from",), "for constant rates; add --lr-schedule")
    elif values["lr_decay_from"] is None:
        chosen.put("default of schedules", _where_used("lr_decay_from"))
    if flags.get("ttur") is not None and flags.get("lr_critic") is not None:
        raise UsageError("--ttur and --lr-critic exclude each other: both say the critic's rate")
    if flags.get("lr_critic") is not None:
        chosen.put("--lr-critic", {"ttur": None})
    elif values["ttur"] is not None:
        chosen.put("ttur", {"lr_critic": values["ttur"] * values["lr_generator"]})


def _derive_evaluation(chosen: SettingsStack, flags: SettingValues) -> None:
    """Refuses settings of evaluations that do not take place, and metrics and extractors that are unknown."""
    values = chosen.values
    if values["evaluate_kimg"] is None:
        reason = "without evaluations; add --evaluate-kimg"
        _drop(chosen, flags, ("extractor", "best_metric", "evaluate_reference", "patience"), reason)
        for name in ("evaluate_metrics", "evaluate_samples"):  # which keep their defaults
            if flags.get(name) is not None:
                raise UsageError(f"{flag(name)} has no meaning {reason}")
    for name in registry.metric_names(values["evaluate_metrics"]):
        registry.check_name("metric", name)
    if values["extractor"] is not None:
        registry.check_name("extractor", values["extractor"].partition(":")[0])


def _derive_initial_weights(chosen: SettingsStack, flags: SettingValues) -> None:
    """Refuses settings of initial weights in a run without them."""
    if chosen.values["init_from"] is not None:
        return
    for name in ("init_strict", "freeze_critic", "freeze_mapping"):
        if flags.get(name):
            raise UsageError(f"{flag(name)} has no meaning without --init-from; add it")
    nothing = {"init_hash": None, "init_strict": False, "freeze_critic": 0, "freeze_mapping": False}
    chosen.put("without --init-from", nothing)


def _derive_penalty(chosen: SettingsStack, asked: SettingValues, flags: SettingValues) -> None:
    """Derives the settings of the gradient penalty, and refuses a critic norm that mixes samples."""
    usual = _where_used("penalty_norm", "penalty_weight", "penalty_every", "penalty_anneal")
    if not chosen.values["penalty"]:
        _drop(chosen, flags, usual, "without a gradient penalty; add --penalty")
        return
    chosen.put("default of penalties", {k: v for k, v in usual.items() if chosen.values[k] is None})
    norm_is_older = "penalty" in flags and "critic_norm" not in flags  # from the config of another run
    if asked.get("critic_norm") is None or (norm_is_older and _mixes_samples(asked["critic_norm"])):
        chosen.put("a per-sample penalty", {"critic_norm": "none"})
    elif _mixes_samples(chosen.values["critic_norm"]):
        raise UsageError(
            f"--critic-norm {chosen.values['critic_norm']} mixes the samples whose gradients the penalty "
            "holds one by one; take layer, instance, spectral or none"
        )


def _where_used(*names: str) -> SettingValues:
    """Defaults of settings that a run has a use for, and nobody has set."""
    return {name: WHERE_USED[name] for name in names}


def _mixes_samples(norm: str) -> bool:
    """Whether a critic norm makes a sample's logit depend on the other samples."""
    return bool(registry.load("norm", norm).mixes_samples)


def derive_task(
    chosen: SettingsStack, architecture: Architecture, source: Source, flags: SettingValues
) -> None:
    """Derives settings from the architecture's task, and refuses those without meaning for it."""
    arch, values = chosen.values["arch"], chosen.values
    if architecture.task != "noise":
        for name in ("z_dim", "conditional"):
            if flags.get(name):
                raise UsageError(f"{flag(name)} has no meaning for {arch}, which starts from images")
        chosen.put(f"no meaning for {arch}", {"z_dim": None, "conditional": False, "classes": None})
    elif values["z_dim"] is None:
        chosen.put("default of latents", _where_used("z_dim"))
    for name, _ in values["augment"]:
        if architecture.task == "pairs" and not registry.load("augmentation", name).keeps_partners:
            raise UsageError(f"--augment {name} has no meaning for {arch}: partners must change alike")
    if architecture.task != "attributes":
        if flags.get("attributes"):
            raise UsageError(f"--attributes has no meaning for {arch}, which changes none")
        chosen.put(f"no meaning for {arch}", {"attributes": ()})
    else:
        _derive_attributes(chosen, source)


def _derive_attributes(chosen: SettingsStack, source: Source) -> None:
    """Derives the columns of the attributes that are asked for by name, or of all."""
    arch, data, asked = chosen.values["arch"], chosen.values["data"], chosen.values["attributes"]
    with usage_errors():
        groups = source.attribute_groups()
    if not groups:
        raise UsageError(
            f"architecture {arch} changes attributes, of which data {data} has none; take "
            "shapes-attributes, or folder:PATH with an attributes.csv or a folder for each class"
        )
    if asked:
        with usage_errors("--attributes"):
            groups = select_groups(groups, group_names(asked))
    columns = column_names(groups)
    chosen.put(chosen.sources["attributes"] if asked else f"data {data}", {"attributes": columns})


def check_class_balance(values: SettingValues, architecture: Architecture, source: Source) -> None:
    """Checks that there are classes for `--class-balance`. Raises UsageError otherwise."""
    if not values["class_balance"]:
        return
    if architecture.task in ("pairs", "domains"):
        raise UsageError(f"--class-balance has no meaning for {values['arch']}, whose images have no classes")
    with usage_errors():
        names = source.class_names()
    if not names:
        raise UsageError(f"--class-balance: data {values['data']} has no labels; leave it out")


def class_count(values: SettingValues, source: Source) -> tuple[str, dict[str, int | None]]:
    """The number of classes of a class-conditional run (None without labels), and its source."""
    if not values["conditional"]:
        return "without --conditional", {"classes": None}
    with usage_errors():
        names = source.class_names()
    if not names:
        raise UsageError(
            f"--conditional: data {values['data']} has no labels; leave it out (where a preset brings it: "
            "--no-conditional), or take data with classes (a folder with one subfolder for each, shapes, "
            "cifar10)"
        )
    return f"data {values['data']}", {"classes": len(names)}
