"""Schedules: numbers that move over a run, as functions of the share of the run that is over."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass


def constant(progress: float) -> float:
    """Constant schedule: 1 throughout."""
    return 1.0


def linear(progress: float) -> float:
    """Linear schedule: from 1 to 0 in a straight line."""
    return 1.0 - progress


def cosine(progress: float) -> float:
    """Cosine schedule: `½ (1 + cos π p)` (Loshchilov & Hutter 2017, SGDR, equation 5)."""
    return (1.0 + math.cos(math.pi * progress)) / 2


class Schedule(ABC):
    """Base of schedules: a level that moves from 1 at the start of a run to another at its end."""

    @abstractmethod
    def __call__(self, progress: float) -> float:
        """The level when the share `progress` in [0, 1] of the run is over."""


@dataclass(frozen=True)
class ScheduledValue:
    """A number that moves from `begin` to `end` over the run along a schedule."""

    begin: float
    end: float
    schedule: Schedule

    def at(self, progress: float) -> float:
        """The value of the number when the share `progress` in [0, 1] of the run is over."""
        return self.end + (self.begin - self.end) * self.schedule(progress)


@dataclass(frozen=True)
class ScheduledSetting:
    """A number of a run that a schedule sets anew before every step.

    Attributes:
        value: its value over the run.
        assign: sets the number where it is used.
    """

    value: ScheduledValue
    assign: Callable[[float], None]

    def set(self, progress: float) -> None:
        """Sets the number to its value when the share `progress` in [0, 1] of the run is over."""
        self.assign(self.value.at(progress))


Scheduled = float | ScheduledValue


def value_at(number: Scheduled, progress: float) -> float:
    """The value of a number, or of its scheduled value, when the share `progress` of the run is over."""
    return number.at(progress) if isinstance(number, ScheduledValue) else number
