"""Settings that move over the run (`--schedule KEY=NAME:BEGIN:END`): checked, and made into courses."""

from collections.abc import Mapping
from typing import Any

from experiments.core import registry
from experiments.core.errors import UsageError, usage_errors
from experiments.core.options import make_component
from experiments.core.settings import Settings, flag
from losses.core.regularizer import Regularizer
from losses.core.schedule import ScheduledValue

NUMBERS = ("lr_generator", "lr_critic", "beta2", "penalty_weight", "ema_kimg", "critic_ema_kimg")


def scheduled_value_of(settings: Settings, key: str) -> ScheduledValue | None:
    """The course of a setting, of "beta2", or of a strength; None where it does not move."""
    for name, schedule, begin, end in settings.schedule:
        if name == key.replace("-", "_"):
            return ScheduledValue(
                begin, end, make_component("schedule", schedule, "schedule", settings.options)
            )
    return None


def scheduled_strengths(settings: Settings) -> dict[type[Regularizer], ScheduledValue]:
    """Courses of the strengths of regularizers, by class. Raises UsageError for bad strengths."""
    found = {}
    for name, _ in settings.regularizers:
        scheduled = scheduled_value_of(settings, name)
        if scheduled is not None:
            kind = registry.load("regularizer", name)
            with usage_errors(f"--schedule {name}"):
                for strength in (scheduled.begin, scheduled.end):
                    kind(strength)
            found[kind] = scheduled
    return found


def check_scheduled_values(values: Mapping[str, Any]) -> None:
    """Checks the courses of a run; raises UsageError otherwise.

    Refused are courses of what the run does not have, unknown schedules, and numbers that the setting cannot
    have.
    """
    strengths = {name.replace("-", "_") for name, _ in (*values["augment"], *values["regularizers"])}
    for key, schedule, begin, end in values["schedule"]:
        registry.check_name("schedule", schedule)
        if key not in (*NUMBERS, *strengths):
            known = ", ".join((*NUMBERS, *sorted(strengths)))
            raise UsageError(f"--schedule {key}: nothing of that name moves in this run; there are: {known}")
        if key == "beta2" and not registry.load("optimizer", values["optimizer"]).has_betas:
            raise UsageError(f"--schedule beta2 has no meaning for optimizer {values['optimizer']}")
        if key == "penalty_weight" and not values["penalty"]:
            raise UsageError(
                "--schedule penalty_weight has no meaning without a gradient penalty; add --penalty"
            )
        if key in ("ema_kimg", "critic_ema_kimg") and not values[key]:
            raise UsageError(f"--schedule {key} has no meaning without an EMA; add {flag(key)}")
        positive = key in ("lr_generator", "lr_critic")
        least = 0.0
        if (
            min(begin, end) < least
            or (positive and max(begin, end) == 0)
            or (key == "beta2" and max(begin, end) >= 1)
        ):
            raise UsageError(f"--schedule {key}: {begin:g} to {end:g} is out of its range")
