"""Errors of commands: wrong usage (exit status 2), and failures at run time (exit status 1)."""

from collections.abc import Iterator
from contextlib import contextmanager


class UsageError(Exception):
    """Error for a request that cannot be met as it stands: one line, exit status 2."""


class RunError(Exception):
    """Error for a right request that failed at run time: one line, exit status 1."""


@contextmanager
def usage_errors(who: str = "") -> Iterator[None]:
    """Turns a ValueError within into a UsageError; `who` precedes its line where given.

    Plug-ins refuse the user's settings with a ValueError, whose line may not say itself who refuses.
    """
    try:
        yield
    except ValueError as error:
        raise UsageError(f"{who}: {error}" if who else str(error)) from error
