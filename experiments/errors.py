"""The two ways in which a command can fail: the user's words, or the world."""

from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


class UsageError(Exception):
    """What was asked cannot be done as asked: one line, exit status 2."""


class RunError(Exception):
    """What was asked is right, but it failed at run time: one line, exit status 1."""


def usable(action: Callable[[], Result], who: str = "") -> Result:
    """Runs what a plug-in does with the user's settings; plug-ins refuse them with a ValueError, whose one
    line is a usage error, preceded by `who` where the line itself does not say who refuses."""
    try:
        return action()
    except ValueError as error:
        raise UsageError(f"{who}: {error}" if who else str(error)) from error
