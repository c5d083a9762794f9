"""Formatting of values of settings as their flags would take them, and of long ones so that they differ."""

from collections.abc import Sequence

SIZES = ("image_size",)  # settings that are written HEIGHTxWIDTH


def format_value(value: object, name: str = "") -> str:
    """Formats a value as the flag of the setting `name` would take it; – for one without meaning."""
    if value is None or value == ():
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ("x" if name in SIZES else ",").join(
            _format_entry(*v) if isinstance(v, tuple) else format_value(v) for v in value
        )
    return _digits(value) if isinstance(value, float) else str(value)


def cut_apart(texts: Sequence[str], width: int) -> list[str]:
    """Cuts texts to `width` characters, with an ellipsis in their middle; different ones remain different.

    Where they would not, all are cut to the fewest more characters with which they are.

    >>> cut_apart(["folder:photographs-a", "folder:photographs-b", "shapes"], 12)
    ['folder…phs-a', 'folder…phs-b', 'shapes']
    """
    while len({_cut(text, width) for text in texts}) < len(set(texts)):
        width += 1
    return [_cut(text, width) for text in texts]


def _cut(text: str, width: int) -> str:
    """Cuts a text to `width` characters, two or more, with an ellipsis in its middle."""
    begin, end = width - width // 2, (width - 1) // 2
    return text if len(text) <= width else f"{text[:begin]}…{text[len(text) - end :]}"


def _format_entry(key: str | int, value: object, *more: float) -> str:
    """Formats an entry of a list: NAME=STRENGTH, KEY=SCHEDULE:BEGIN:END, or SIDE:N."""
    parts = [_digits(part) if isinstance(part, float) else str(part) for part in (value, *more)]
    return f"{key}{'=' if isinstance(key, str) else ':'}{':'.join(parts)}"


def _digits(value: float) -> str:
    """Formats a number as short as it can be without being another number."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)
