"""Messages about settings in the words of a Python call: `penalty='real'` for `--penalty real`."""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from experiments.core import registry
from experiments.core.errors import UsageError
from experiments.core.settings import FIELDS
from experiments.core.short_flags import SHORT_FLAGS
from experiments.core.value_readers import Choice

OF_RUN = ("out", "resume", "restretch", "force")  # flags of `gans run` that are no settings
SWITCHES = ("by_class", "force", "restretch")  # arguments that are true or false, beside settings
FURTHER_WORDS = ("cpu", "cuda", "mps", "train", "held-out", "both")  # that are values of arguments
FLAG = re.compile(
    r"(?P<verb>\b(?:add|take|give) )?--(?P<no>no-)?(?P<flag>[a-z][a-z-]*)"
    r"(?: (?P<value>[\w.-]*\w(?::[\w.]*\w)?))?"
)
KEY = re.compile(r"--set (?=[\w-]+\.\w)")
COUNT = re.compile(r"(?<![\w-])-n\b(?: (\d+))?")
ORIGIN = re.compile(r"^(flag|settings): ")
COMMAND = re.compile(r"\bgans [a-z][a-z-]*(?: (?:(?!; |, |\) ).)*)?")
NUMBER = re.compile(r"-?\d[\d.e+-]*")


@contextmanager
def python_words(renamed: Mapping[str, str], known: Collection[str] = ()) -> Iterator[None]:
    """Rewrites the lines of UsageErrors within, which name flags, for who called a function.

    Args:
        renamed: arguments of the function by the setting that they give, where these differ.
        known: arguments of the function; without any, it takes all settings and flags of `gans run`.
    """
    try:
        yield
    except UsageError as error:
        raise UsageError(to_python(str(error), renamed, known)) from error


def to_python(line: str, renamed: Mapping[str, str], known: Collection[str] = ()) -> str:
    """Writes flags and keys of options in a line as arguments of a call; whole commands stay as they are.

    >>> to_python("--penalty-weight has no meaning; add --penalty real", {})
    "penalty_weight has no meaning; add penalty='real'"
    """
    strengths = {name.replace("-", "_") for name in registry.names("regularizer")}
    arguments = set(known) or {*FIELDS, *SHORT_FLAGS, *strengths, *OF_RUN}
    words = {"none", *FURTHER_WORDS, *_choices()}
    words |= {name for kind in registry.KINDS for name in registry.plugin_names(kind)}

    def rewrite(found: re.Match[str]) -> str:
        name, value = found["flag"].replace("-", "_"), found["value"] or ""
        if name not in arguments:
            return found[0]
        verb, own = found["verb"] or "", renamed.get(name, name)
        if found["no"]:
            return f"{verb}{own}=False{value and ' '}{value}"
        if _is_switch(name):
            return f"{verb}{own}{'=True' if verb else ''}{value and ' '}{value}"
        if NUMBER.fullmatch(value):
            return f"{verb}{own}={value}"
        if value.partition(":")[0] in words and not _is_part(name):
            return f"{verb}{own}={value!r}"
        return f"{verb}{own}{'=…' if verb else ''}{value and ' '}{value}"

    def rewrite_part(part: str) -> str:
        part = FLAG.sub(rewrite, KEY.sub("", part))
        if "n" in arguments:
            part = COUNT.sub(lambda found: f"n={found[1]}" if found[1] else "n", part)
        return part

    line, parts, end = ORIGIN.sub("", line), [], 0
    for command in COMMAND.finditer(line):
        parts += [rewrite_part(line[end : command.start()]), command[0]]
        end = command.end()
    return "".join([*parts, rewrite_part(line[end:])])


def _choices() -> set[str]:
    """Words of all settings that are one of several words."""
    readers = [field.metadata["read"] for field in FIELDS.values()]
    return {word for read in readers if isinstance(read, Choice) for word in read.known}


def _is_switch(name: str) -> bool:
    """Whether an argument is true or false."""
    return name in SWITCHES or (name in FIELDS and isinstance(FIELDS[name].default, bool))


def _is_part(name: str) -> bool:
    """Whether a word after the flag of a setting is a part of its value, such as the key of a schedule."""
    return name in FIELDS and "=" in FIELDS[name].metadata["metavar"]
