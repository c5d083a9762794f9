"""Defaults of settings as people read them: the fixed value, or who decides it. Imports nothing heavy."""

from collections.abc import Sequence
from typing import Any

from experiments.core.settings import FIELDS
from experiments.core.value_format import format_value

# Values of settings that are None by default, where a run has a use for them and nobody sets them.
WHERE_USED: dict[str, Any] = {
    "fit": "auto",
    "z_dim": 100,
    "lr_decay_from": 0.0,
    "penalty_norm": "one",
    "penalty_weight": 10.0,
    "penalty_every": 1,
    "penalty_anneal": 1.0,
}
# Who sets settings and short flags before the fixed default counts.
ARCHITECTURE, RECIPES = ("architecture",), ("loss", "architecture", "preset")
OWN_RECIPES = ("architecture", "preset")
DECIDED_BY: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("loss", "data", "minibatch_statistic", "lr_decay_from", "penalty_every"), ARCHITECTURE),
    **dict.fromkeys(("width", "z_dim", "batch_size", "kimg", "ema_kimg", "lr_schedule"), OWN_RECIPES),
    **dict.fromkeys(("critic_augment", "stage_batch_sizes", "style_mixing", "term_weights"), OWN_RECIPES),
    **dict.fromkeys(("lr_generator", "lr_critic", "n_critic", "penalty_weight", "regularizers"), RECIPES),
    **dict.fromkeys(("augment", "conditional", "lr_warmup_kimg", "schedule"), ("preset",)),
    **dict.fromkeys(("optimizer", "betas"), ("loss", "architecture")),
    **dict.fromkeys(("penalty", "penalty_norm"), ("loss",)),
    "penalty_anneal": ("loss", "preset"),
    "image_size": ("data", "architecture", "preset"),
    "channels": ("data",),
    "weight_decay": ("optimizer",),
}
# Words where neither a value nor the names of those who decide tell it.
IN_WORDS = {
    "critic_norm": "none with a penalty, else by the loss, architecture or preset",
    "fade_kimg": "by the architecture or preset, else as --stable-kimg, or such that growth takes 60 % of "
    "the run",
    "stable_kimg": "by the architecture or preset, else as --fade-kimg",
    "steps": "as long as --kimg",
    "micro_batch_size": "the whole batch",
    "data_root": "GANS_DATA, ~/.cache/gans, ./data",
    "holdout": "what the data holds out, if anything",
    "attributes": "all that the data has",
    "checkpoint_kimg": "a tenth of the run",
    "sample_kimg": "an eighth of the run",
    "evaluate_metrics": "those of gans evaluate",
    "evaluate_reference": "that of gans evaluate",
    "extractor": "the best whose weights are here",
    "best_metric": "the first of --evaluate-metrics",
}


def describe_default(name: str) -> str:
    """Describes the default of a setting or short flag: its value, or who decides it."""
    if name in IN_WORDS:
        return IN_WORDS[name]
    value = WHERE_USED.get(name, FIELDS[name].default if name in FIELDS else None)
    if name not in DECIDED_BY:
        return describe_value(value, name)
    *others, last = DECIDED_BY[name]
    deciders = f"by the {' or '.join([', '.join(others), last] if others else [last])}"
    is_open = value in (None, "")  # which always somebody decides
    return deciders if is_open else f"{deciders}, else {describe_value(value, name)}"


def describe_value(value: object, name: str = "") -> str:
    """Describes the value of a setting or flag: off, none, or as it is typed."""
    if isinstance(value, bool):
        return "on" if value else "off"
    is_empty = value is None or (isinstance(value, Sequence) and not value)
    return "none" if is_empty else format_value(value, name)
