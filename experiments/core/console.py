"""Terminal output: log records, progress bars and error messages, one line each.

Remarks are log records of the logger `gans`; results that a program reads go to stdout.
"""

import json
import logging
import math
import os
import re
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from experiments.core.errors import RunError, UsageError

FIRST_SECONDS, REMARK_SECONDS = 0.5, 10.0  # of a piece of work, before the first remark and between others
LONGEST_LINE = 990  # characters: a name in a stranger's file may be longer
# No memory, in the words of torch's allocators (CPU, CUDA, MPS), of CUDA's libraries and of C++.
NO_MEMORY = re.compile(
    r"allocate memory|(out of|insufficient) memory|size calculation overflowed|std::bad_alloc|ALLOC_FAILED",
    re.IGNORECASE,
)
NOT_DETERMINISTIC = re.compile(r"(\w+) does not have a deterministic implementation")
log = logging.getLogger("gans")


class ProgressRemarks:
    """Remarks on the progress of one piece of work: how long it will take, and how far it is.

    The first comes as soon as its speed is known. Further ones come where no bar is shown, now and then.

    Args:
        name, total: what is done, and how often.
        repeats: whether there are further remarks.
    """

    def __init__(self, name: str, total: int, repeats: bool) -> None:
        self.name, self.total, self.repeats = name, total, repeats
        self.done = 0
        self._began = self._last = time.monotonic()
        self._is_announced = False

    def advance(self, count: int) -> None:
        """Counts what was done since the last call."""
        self.done += count
        now = time.monotonic()
        if not 0 < self.done < self.total or now - self._began < FIRST_SECONDS:
            return
        left = describe_seconds((now - self._began) / self.done * (self.total - self.done))
        if not self._is_announced:
            self._is_announced, self._last = True, now
            log.info(f"{self.name}: {self.total:,} in all, about {left}")
        elif self.repeats and now - self._last >= REMARK_SECONDS:
            self._last = now
            log.info(f"{self.name}: {self.done:,} of {self.total:,}, about {left} left")


def describe_kimg(kimg: float) -> str:
    """Describes a number of images in thousands, of short runs with digits enough: `0.016 kimg`."""
    return f"{kimg:,.1f} kimg" if kimg >= 10 else f"{kimg:.3g} kimg"


def describe_seconds(seconds: float) -> str:
    """Describes a duration: `3 s`, `12 min`, `2 h 5 min`."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


@contextmanager
def progress_bars() -> Iterator[Callable[[str, int], Callable[[int], None]]]:
    """Shows progress on stderr, as bars where that is a terminal: yields a function that adds work.

    The function takes a name and a total, and returns one that advances it by a count. How long it will take
    is said once; where there are no bars, how far it is every ten seconds.
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
    is_shown = console.is_terminal and log.isEnabledFor(logging.INFO)  # one of several processes shows them
    # What goes to stdout is for programs, and must not be drawn around the bars.
    with Progress(
        *columns, console=console, transient=True, redirect_stdout=False, disable=not is_shown
    ) as bars:

        def meter(name: str, total: int) -> Callable[[int], None]:
            task = bars.add_task(escape(one_line(name)), total=total)
            remarks = ProgressRemarks(name, total, repeats=not console.is_terminal)

            def advance(count: int) -> None:
                bars.advance(task, count)
                remarks.advance(count)

            return advance

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


def output_width() -> int | None:
    """Columns of the terminal that stdout is, or that COLUMNS names; None where lines have no limit."""
    is_limited = os.environ.get("COLUMNS", "").isdigit() or sys.stdout.isatty()
    return shutil.get_terminal_size().columns if is_limited else None


def wrap_line(line: str, width: int | None, indent: int = 0) -> list[str]:
    """Breaks a line at blanks into lines of `width` characters at most, unless a word is longer.

    Args:
        width: None for no limit.
        indent: blanks before the second line and further ones; those before the first are kept.
    """
    if width is None or len(line) <= width:
        return [line]
    own = line[: len(line) - len(line.lstrip())]
    return textwrap.wrap(
        line.lstrip(),
        max(width, indent + 20),
        initial_indent=own,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    ) or [line]


def one_line(text: str) -> str:
    """Escapes a text to one printable line.

    File names and other people's messages may hold anything; a terminal obeys some of it.
    """
    escaped = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in " ".join(text.split()))
    return "".join(escaped)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error tells that there was not enough memory, on any device."""
    return isinstance(error, MemoryError) or NO_MEMORY.search(str(error)) is not None


def describe_error(error: Exception) -> str:
    """Describes any error in one line for the user."""
    if isinstance(error, click.ClickException):
        line = error.format_message()
    elif isinstance(error, UsageError | RunError):
        line = str(error)
    elif isinstance(error, OSError) and error.filename:
        line = f"{error.filename}: {error.strerror}"
    elif is_out_of_memory(error):
        line = "not enough memory; take a smaller --batch-size, --width, --image-size or number of samples"
    elif found := NOT_DETERMINISTIC.search(str(error)):
        line = f"{found[1]} has no deterministic form on a GPU; take --no-deterministic"
    else:
        line = f"{type(error).__name__}: {error} (--debug shows where)"
    return line


def format_json(content: object) -> str:
    """Formats a value as JSON that every reader takes, in which numbers that are not finite are null."""
    return json.dumps(_without_infinities(content), allow_nan=False)


def _without_infinities(content: object) -> object:
    """A value in whose lists and dictionaries None stands for numbers that are not finite."""
    if isinstance(content, dict):
        return {name: _without_infinities(each) for name, each in content.items()}
    if isinstance(content, list | tuple):
        return [_without_infinities(each) for each in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
