"""The two ways in which a command can fail: the user's words, or the world."""

from collections.abc import Iterator
from contextlib import contextmanager


class UsageError(Exception):
    """What was asked cannot be done as asked: one line, exit status 2."""


class RunError(Exception):
    """What was asked is right, but it failed at run time: one line, exit status 1."""


@contextmanager
def usage_errors(who: str = "") -> Iterator[None]:
    """Turns a ValueError within into a usage error: plug-ins refuse the user's settings with one, whose line
    is preceded by `who` where it does not say itself who refuses."""
    try:
        yield
    except ValueError as error:
        raise UsageError(f"{who}: {error}" if who else str(error)) from error
