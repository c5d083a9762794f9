"""What settings follow from others, and which have no meaning together."""

from collections.abc import Callable, Mapping
from typing import Any

from experiments import catalogue
from experiments.data import Source
from experiments.errors import UsageError, usable
from experiments.layers import Layers
from experiments.settings import flag
from gans.core.architecture import Architecture
from gans.core.attributes import chosen as chosen_groups
from gans.core.attributes import column_names, group_names


def derive(chosen: Layers, kind: str, asked: Mapping[str, Any], flags: Mapping[str, Any]) -> None:
    """Settles what depends on other values, and refuses what has no meaning with them.

    A run's own config holds every value. Those that flags make meaningless fall away; only what a flag asks
    for in vain is refused.
    """
    values = chosen.values

    def without_meaning(names: tuple[str, ...], reason: str) -> None:
        for name in names:
            if flags.get(name) is not None:
                raise UsageError(f"{flag(name)} has no meaning {reason}")
        chosen.put(f"no meaning {reason}", dict.fromkeys(names))

    if values["steps"] is not None and values["kimg"] is not None:
        raise UsageError("--steps and --kimg exclude each other; give one")
    if kind == "points":
        without_meaning(("image_size", "channels", "fit"), f"for points ({values['data']})")
        if flags.get("augment"):
            raise UsageError(f"--augment has no meaning for points ({values['data']})")
    elif values["fit"] is None:
        chosen.put("default of images", {"fit": "auto"})
    if values["optimizer"] != "adam":
        without_meaning(("betas",), f"for {values['optimizer']}")
    elif values["betas"] is None:
        chosen.put("default of adam", {"betas": (0.9, 0.999)})
    if values["lr_schedule"] == "constant":
        without_meaning(("lr_decay_from",), "for constant rates; add --lr-schedule")
    elif values["lr_decay_from"] is None:
        chosen.put("default of schedules", {"lr_decay_from": 0.0})
    if flags.get("ttur") is not None and flags.get("lr_critic") is not None:
        raise UsageError("--ttur and --lr-critic exclude each other: both say the critic's rate")
    if flags.get("lr_critic") is not None:
        chosen.put("--lr-critic", {"ttur": None})
    elif values["ttur"] is not None:
        chosen.put("ttur", {"lr_critic": values["ttur"] * values["lr_generator"]})
    if values["evaluate_kimg"] is None:
        without_meaning(("extractor", "best_metric"), "without evaluations; add --evaluate-kimg")
        for name in ("evaluate_metrics", "evaluate_samples"):
            if flags.get(name) is not None:
                raise UsageError(f"{flag(name)} has no meaning without evaluations; add --evaluate-kimg")
    for name in catalogue.metric_names(values["evaluate_metrics"]):
        catalogue.require("metric", name)
    if values["extractor"] is not None:
        catalogue.require("extractor", values["extractor"].partition(":")[0])
    _derive_penalty(chosen, asked, flags, without_meaning)


def _derive_penalty(
    chosen: Layers, asked: Mapping[str, Any], flags: Mapping[str, Any], without_meaning: Callable[..., None]
) -> None:
    usual = {"penalty_norm": "one", "penalty_weight": 10.0, "penalty_every": 1, "penalty_anneal": 1.0}
    if not chosen.values["penalty"]:
        without_meaning(tuple(usual), "without a gradient penalty; add --penalty")
        return
    chosen.put("default of penalties", {k: v for k, v in usual.items() if chosen.values[k] is None})
    norm_is_older = "penalty" in flags and "critic_norm" not in flags  # from the config of another run
    if asked.get("critic_norm") is None or (norm_is_older and asked["critic_norm"] == "batch"):
        chosen.put("a per-sample penalty", {"critic_norm": "none"})
    elif chosen.values["critic_norm"] == "batch":
        raise UsageError(
            "--critic-norm batch mixes the samples whose gradients the penalty holds one by one; "
            "take layer, instance, spectral or none"
        )


def derive_task(chosen: Layers, architecture: Architecture, source: Source, flags: Mapping[str, Any]) -> None:
    """Settles what depends on what a generator starts from, and refuses what has no meaning there."""
    arch, values = chosen.values["arch"], chosen.values
    if architecture.task != "noise":
        for name in ("z_dim", "conditional"):
            if flags.get(name):
                raise UsageError(f"{flag(name)} has no meaning for {arch}, which starts from images")
        chosen.put(f"no meaning for {arch}", {"z_dim": None, "conditional": False, "classes": None})
    elif values["z_dim"] is None:
        chosen.put("default of latents", {"z_dim": 100})
    if architecture.task == "pairs" and "jitter" in dict(values["augment"]):
        raise UsageError(f"--augment jitter has no meaning for {arch}: partners must change alike")
    if architecture.task != "attributes":
        if flags.get("attributes"):
            raise UsageError(f"--attributes has no meaning for {arch}, which changes none")
        chosen.put(f"no meaning for {arch}", {"attributes": ()})
    else:
        _derive_attributes(chosen, source)
    own = {name for entry in architecture.settings for name, _ in entry.values.get("term_weights", ())}
    if unknown := [name for name, _ in values["term_weights"] if name not in own]:
        known = f"has {', '.join(sorted(own))}" if own else "has none"
        raise UsageError(f"--term-weights {unknown[0]}: architecture {arch} {known}")
    if negative := [name for name, weight in values["term_weights"] if weight < 0]:
        raise UsageError(f"--term-weights {negative[0]}: weights must be 0 or more")


def _derive_attributes(chosen: Layers, source: Source) -> None:
    """The columns of the attributes that are asked for by name, or of all."""
    arch, data, asked = chosen.values["arch"], chosen.values["data"], chosen.values["attributes"]
    groups = usable(source.attribute_groups)
    if not groups:
        raise UsageError(
            f"architecture {arch} changes attributes, of which data {data} has none; take "
            "shapes-attributes, or folder:PATH with an attributes.csv or a folder for each class"
        )
    if asked:
        groups = usable(lambda: chosen_groups(groups, group_names(asked)), "--attributes")
    columns = column_names(groups)
    chosen.put(chosen.sources["attributes"] if asked else f"data {data}", {"attributes": columns})


def told_classes(values: Mapping[str, Any], source: Source) -> tuple[str, dict[str, int | None]]:
    """How many classes both players are told, and where the number comes from."""
    if not values["conditional"]:
        return "without --conditional", {"classes": None}
    names = usable(source.class_names)
    if not names:
        raise UsageError(
            f"--conditional: data {values['data']} has no labels; leave it out, or take data with classes "
            "(a folder with one subfolder for each, shapes, cifar10)"
        )
    return f"data {values['data']}", {"classes": len(names)}
