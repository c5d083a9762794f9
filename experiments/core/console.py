"""Terminal output: log records, progress bars and error messages, one line each.

Remarks are log records of the logger `gans`; results that a program reads go to stdout.
"""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from experiments.core.errors import RunError, UsageError

LONGEST_LINE = 990  # characters: a name in a stranger's file may be longer


@contextmanager
def progress_bars() -> Iterator[Callable[[str, int], Callable[[int], None]]]:
    """Shows progress bars on stderr, where that is a terminal: yields a function that adds a bar.

    The function takes a name and a total, and returns one that advances the bar by a count.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        *Progress.get_default_columns()[:2],
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    # What goes to stdout is for programs, and must not be drawn around the bars.
    with Progress(
        *columns, console=console, transient=True, redirect_stdout=False, disable=not console.is_terminal
    ) as bars:

        def meter(name: str, total: int) -> Callable[[int], None]:
            task = bars.add_task(escape(one_line(name)), total=total)
            return lambda count: bars.advance(task, count)

        yield meter


class LineHandler(logging.Handler):
    """Prints every log record as one line on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        line = one_line(record.getMessage())
        if len(line) > LONGEST_LINE:
            line = f"{line[: LONGEST_LINE - 300]} … {line[-290:]}"
        click.echo(line, err=True)


@contextmanager
def log_lines() -> Iterator[logging.Logger]:
    """Prints the records of the logger `gans` to stderr; its former handlers come back at the end."""
    log = logging.getLogger("gans")
    before = log.handlers, log.level, log.propagate
    log.handlers, log.propagate = [LineHandler()], False
    log.setLevel(logging.INFO)
    try:
        yield log
    finally:
        log.handlers, log.propagate = before[0], before[2]
        log.setLevel(before[1])


def one_line(text: str) -> str:
    """Escapes a text to one printable line.

    File names and other people's messages may hold anything; a terminal obeys some of it.
    """
    escaped = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in " ".join(text.split()))
    return "".join(escaped)


def describe_error(error: Exception) -> str:
    """Describes any error in one line for the user."""
    if isinstance(error, click.ClickException):
        line = error.format_message()
    elif isinstance(error, UsageError | RunError):
        line = str(error)
    elif isinstance(error, OSError) and error.filename:
        line = f"{error.filename}: {error.strerror}"
    elif isinstance(error, MemoryError) or re.search(r"allocate memory|out of memory|overflowed", str(error)):
        line = "not enough memory; take a smaller --batch-size, --width, --image-size or number of samples"
    else:
        line = f"{type(error).__name__}: {error} (--debug shows where)"
    return line
