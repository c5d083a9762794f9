"""Formatting of values of settings as their flags would take them."""

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


def _format_entry(key: str | int, value: object, *more: float) -> str:
    """Formats an entry of a list: NAME=STRENGTH, KEY=SCHEDULE:BEGIN:END, or SIDE:N."""
    parts = [_digits(part) if isinstance(part, float) else str(part) for part in (value, *more)]
    return f"{key}{'=' if isinstance(key, str) else ':'}{':'.join(parts)}"


def _digits(value: float) -> str:
    """Formats a number as short as it can be without being another number."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)
