"""Checks of the argument of a source, the part of a data spec after the colon."""


def check_no_argument(name: str, argument: str) -> None:
    """Checks that a source that takes no argument was given none; raises ValueError otherwise."""
    if argument:
        raise ValueError(f"data {name!r} takes no argument, but got {argument!r}: write --data {name}")
