"""Settings that move over the run (`--schedule KEY=NAME:BEGIN:END`): checked, and made."""

from collections.abc import Mapping
from typing import Any

from experiments.core import registry
from experiments.core.errors import UsageError, usage_errors
from experiments.core.options import make_component
from experiments.core.settings import Settings, flag
from experiments.core.value_readers import finite_number
from losses.core.regularizer import Regularizer
from losses.core.schedule import ScheduledValue

RATE, WEIGHT = finite_number(at_least=0.0, at_most=10.0), finite_number(at_least=0.0)
RANGES = {"lr_generator": RATE, "lr_critic": RATE, "beta2": finite_number(at_least=0.0, below=1.0)}
RANGES |= dict.fromkeys(("penalty_weight", "ema_kimg", "critic_ema_kimg"), WEIGHT)
SMALL = 1e-12
STRENGTH = finite_number(at_least=0.0, at_most=1.0)  # of an augmentation; regularizers check their own


def scheduled_value_of(settings: Settings, key: str) -> ScheduledValue | None:
    """The scheduled value of a setting, of "beta2", or of a strength; None where it does not move."""
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


def check_scheduled_values(values: Mapping[str, Any]) -> None:
    """Checks the scheduled values of a run; raises UsageError otherwise.

    Refused are those of what the run does not have, unknown schedules, and numbers that the setting cannot
    have.
    """
    augmentations = {name.replace("-", "_") for name, _ in values["augment"]}
    strengths = {name.replace("-", "_") for name, _ in (*values["augment"], *values["regularizers"])}
    for key, schedule, begin, end in values["schedule"]:
        registry.check_name("schedule", schedule)
        if key not in (*RANGES, *strengths):
            known = ", ".join((*RANGES, *sorted(strengths)))
            raise UsageError(f"--schedule {key}: nothing of that name moves in this run; there are: {known}")
        if key == "beta2" and not registry.load("optimizer", values["optimizer"]).has_betas:
            raise UsageError(f"--schedule beta2 has no meaning for optimizer {values['optimizer']}")
        if key == "penalty_weight" and not values["penalty"]:
            raise UsageError(
                "--schedule penalty_weight has no meaning without a gradient penalty; add --penalty"
            )
        if key in ("ema_kimg", "critic_ema_kimg") and not values[key]:
            raise UsageError(f"--schedule {key} has no meaning without an EMA; add {flag(key)}")
        reader = RANGES.get(key, STRENGTH if key in augmentations else None)
        if reader is not None:
            with usage_errors(f"--schedule {key}"):
                reader(begin), reader(end)
        if key in ("lr_generator", "lr_critic") and max(begin, end) == 0:
            raise UsageError(f"--schedule {key}: {begin:g} to {end:g} never moves the player")
