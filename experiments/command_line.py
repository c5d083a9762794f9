"""What commands share, wherever they stand: flags, remarks and bars. Imports nothing heavy at the top."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click

from experiments import catalogue
from experiments.errors import RunError, UsageError
from experiments.settings import FIELDS, flag, read_value


class SettingType(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.2
    """A flag whose words are read by the table of settings."""

    def __init__(self, setting: str) -> None:
        self.setting = setting
        self.name = FIELDS[setting].metadata["metavar"] or "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return read_value(self.setting, value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def setting_option(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The flag of one setting."""
    metadata = FIELDS[name].metadata
    if isinstance(FIELDS[name].default, bool):
        both = f"{flag(name)}/--no-{flag(name).removeprefix('--')}"
        return click.option(both, name, default=None, help=metadata["help"])
    alone = {} if metadata["alone"] is None else {"is_flag": False, "flag_value": metadata["alone"]}
    return click.option(
        flag(name), name, type=SettingType(name), metavar=metadata["metavar"], help=metadata["help"], **alone
    )


def settings_options(*left_out: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Adds a flag for every setting that is not left out."""

    def add(command: Callable[..., None]) -> Callable[..., None]:
        for name in reversed(FIELDS):
            if not FIELDS[name].metadata["derived"] and name not in left_out:
                command = setting_option(name)(command)
            if name == "regularizers":
                command = regularizer_options(command)
        return command

    return add


def regularizer_options(command: Callable[..., None]) -> Callable[..., None]:
    """`--NAME STRENGTH` for every regularizer that comes with the laboratory; 0 takes it away."""
    for name in sorted(catalogue.built_in("regularizer"), reverse=True):
        line = catalogue.summary("regularizer", name)
        command = click.option(f"--{name}", type=float, metavar="STRENGTH", help=line)(command)
    return command


def asked_settings(flags: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, float]]:
    """What was given among the flags of `settings_options`: settings, and strengths of regularizers."""
    given = {name: value for name, value in flags.items() if value is not None}
    asked = {name: value for name, value in given.items() if name in FIELDS}
    words = {name: name.replace("-", "_") for name in catalogue.built_in("regularizer")}
    return asked, {name: given[word] for name, word in words.items() if word in given}


def debug_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option("--debug", is_flag=True, help="Show the traceback of an error.")(command)


def label_option(help: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option("--label", type=click.IntRange(min=0), metavar="N", help=help)


@contextmanager
def meters() -> Iterator[Callable[[str, int], Callable[[int], None]]]:
    """Bars on stderr, where that is a terminal: one for each set of samples that is worked through."""
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


def say(line: str) -> None:
    """Remarks go to stderr; results that a program reads go to stdout."""
    click.echo(one_line(line), err=True)


def one_line(text: str) -> str:
    """File names and other people's messages may hold anything; a terminal obeys some of it."""
    escaped = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in " ".join(text.split()))
    return "".join(escaped)


def describe(error: Exception) -> str:
    """One line, whatever the error."""
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
