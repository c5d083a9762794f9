"""Remedies as commands to type: `gans run` with other settings, with another loss, or for longer.

Each command is tried as `gans run --dry-run` would, and left out where it would be refused: a critic may
have no place for a minibatch statistic, and a recipe its own idea of a penalty.
"""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from experiments.analysis.doctor.history import History
from experiments.config.factory import build_game, build_networks
from experiments.config.flag_words import ELSEWHERE, fewest_settings, flag_words, strength_words
from experiments.config.resolve import resolve
from experiments.core import registry
from experiments.core.errors import RunError, UsageError
from experiments.core.named_values import SettingValues
from experiments.core.options import split_key
from experiments.core.settings import FIELDS

# Settings that recipes of losses bring, and those that tune them: of another loss they may be wrong.
OF_THE_LOSS = (
    *("loss", "penalty", "penalty_norm", "penalty_weight", "penalty_every", "penalty_anneal", "n_critic"),
    *("critic_norm", "minibatch_statistic", "regularizers", "schedule", "ema_kimg", "critic_ema_kimg"),
    *("optimizer", "lr_generator", "lr_critic", "ttur", "lr_schedule", "lr_decay_from", "lr_warmup_kimg"),
)
OF_THE_MACHINE = ("device", "track")  # resolved elsewhere


def rerun(history: History, strengths: Mapping[str, float] | None = None, /, **settings: Any) -> list[str]:
    """The command that repeats a run with other settings; none where it changes nothing or is refused.

    Args:
        strengths: of regularizers, by name.
        settings: by name; None leaves one as it is.
    """
    asked, strengths = {name: value for name, value in settings.items() if value is not None}, strengths or {}
    known = history.settings.to_dict()
    is_new = any(known[name] != value for name, value in asked.items())
    is_new |= any(dict(history.settings.regularizers).get(name) != value for name, value in strengths.items())
    if not is_new or not _is_accepted(asked, known, strengths):
        return []
    words = ["--config", str(Path(history.run) / "config.json")]
    words += [*flag_words(asked), *strength_words(strengths)]
    return [shlex.join(["gans", "run", *words])]


def rerun_with_lower_rates(history: History, factor: float) -> list[str]:
    """The command that repeats a run with both learning rates lower by a factor."""
    rates = {name: getattr(history.settings, name) / factor for name in ("lr_generator", "lr_critic")}
    return rerun(history, **{name: float(f"{rate:.3g}") for name, rate in rates.items()})


def with_other_loss(history: History, *losses: str) -> list[str]:
    """The command for a run like this with the first of the losses that is another and accepted.

    Data, scale, evaluations and all else but the recipe of the loss are those of the run, so that the two
    compare.
    """
    known = history.settings.to_dict()
    kept = {name: value for name, value in known.items() if not _is_of_the_loss(name)}
    track = {"track": known["track"]} if known["track"] != FIELDS["track"].default else {}
    for loss in losses:
        found = fewest_settings({"loss": loss}, kept) if loss != known["loss"] else None
        if found and _is_accepted(found.settings, {}, found.strengths):
            words = flag_words({**found.settings, **track})
            return [shlex.join(["gans", "run", *words, *strength_words(found.strengths)])]
    return []


def _is_of_the_loss(name: str) -> bool:
    """Whether a setting or option goes with the loss, or follows from others, or is found elsewhere."""
    prefix, _ = split_key(name) if "." in name else (name, "")
    is_part = any(prefix in registry.names(kind) for kind in ("penalty", "regularizer"))
    is_derived = name in FIELDS and FIELDS[name].metadata["derived"]
    return prefix in (*OF_THE_LOSS, *OF_THE_MACHINE, "plugin", "ema") or is_part or is_derived


def train_longer(history: History, more_kimg: float) -> list[str]:
    """Command that resumes a run to train it for about `more_kimg` kimg more; none before its first score.

    Its length stays in the unit in which it was given: a run refuses another.
    """
    if not history.kimg:
        return []
    total = (history.kimg + more_kimg) * 1.05  # two digits are at most a twentieth less
    asked: SettingValues = {"kimg": float(f"{total:.2g}")}
    if history.settings.steps:
        asked = {"steps": int(float(f"{total * history.step / history.kimg:.2g}"))}
    return [shlex.join(["gans", "run", "--resume", history.run, *flag_words(asked)])]


def _is_accepted(asked: SettingValues, known: SettingValues, strengths: Mapping[str, float]) -> bool:
    """Whether `gans run` accepts these settings over those of a config, whose plug-ins are imported."""
    if "data" not in {**known, **asked}:
        return False
    asked = {name: value for name, value in asked.items() if name != "plugin"}  # nobody has named them here
    try:
        settings = resolve(asked, {**known, **ELSEWHERE}, "", strengths).settings
        with torch.device("meta"):
            build_game(settings, *build_networks(settings))
    except (UsageError, RunError):
        return False
    return True
