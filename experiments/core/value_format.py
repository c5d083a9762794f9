"""Formatting of values of settings as their flags would take them."""


def format_value(value: object) -> str:
    """Formats a value as its flag would take it; – for one without meaning."""
    if value is None or value == ():
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        is_size = all(type(v) is int for v in value)
        return ("x" if is_size else ",").join(
            _pair(*v) if isinstance(v, tuple) else format_value(v) for v in value
        )
    return _digits(value) if isinstance(value, float) else str(value)


def _pair(key: str | int, value: float) -> str:
    return f"{key}={_digits(value)}" if isinstance(key, str) else f"{key}:{value}"


def _digits(value: float) -> str:
    """Formats a number as short as it can be without being another number."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)
