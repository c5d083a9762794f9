"""Messages about settings in the words of a Python call: `penalty='real'` for `--penalty real`."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from experiments.core import registry
from experiments.core.errors import UsageError
from experiments.core.settings import FIELDS
from experiments.core.short_flags import SHORT_FLAGS

FLAG = re.compile(
    r"(?P<verb>\b(?:add|take|give) )?--(?P<no>no-)?(?P<flag>[a-z][a-z-]*)"
    r"(?: (?P<value>[\w.-]*\w(?::[\w.]*\w)?))?"
)
KEY = re.compile(r"--set (?=[\w-]+\.\w)")
NUMBER = re.compile(r"-?\d[\d.e+-]*")


@contextmanager
def python_words(renamed: Mapping[str, str]) -> Iterator[None]:
    """Rewrites the lines of UsageErrors within, which name flags, for who called a function.

    Args:
        renamed: arguments of the function by the setting that they give, where these differ.
    """
    try:
        yield
    except UsageError as error:
        raise UsageError(to_python(str(error), renamed)) from error


def to_python(line: str, renamed: Mapping[str, str]) -> str:
    """Writes flags and keys of options in a line as arguments of a call.

    >>> to_python("--penalty-weight has no meaning; add --penalty real", {})
    "penalty_weight has no meaning; add penalty='real'"
    """
    strengths = {name.replace("-", "_") for name in registry.names("regularizer")}
    known = {*FIELDS, *SHORT_FLAGS, *strengths}
    words = {"none", *(name for kind in registry.KINDS for name in registry.plugin_names(kind))}

    def rewrite(found: re.Match[str]) -> str:
        name, value = found["flag"].replace("-", "_"), found["value"] or ""
        if name not in known:
            return found[0]
        verb, own = found["verb"] or "", renamed.get(name, name)
        if found["no"]:
            return f"{verb}{own}=False{value and ' '}{value}"
        if NUMBER.fullmatch(value):
            return f"{verb}{own}={value}"
        if value.partition(":")[0] in words and not _is_part(name):
            return f"{verb}{own}={value!r}"
        return f"{verb}{own}{'=…' if verb else ''}{value and ' '}{value}"

    return FLAG.sub(rewrite, KEY.sub("", line))


def _is_part(name: str) -> bool:
    """Whether a word after the flag of a setting is a part of its value, such as the key of a schedule."""
    return name in FIELDS and "=" in FIELDS[name].metadata["metavar"]
