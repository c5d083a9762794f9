"""What sources share in reading the part of a data spec after the colon."""


def refuse_argument(name: str, argument: str) -> None:
    """Raises ValueError when a source that takes no argument was given one."""
    if argument:
        raise ValueError(f"data {name!r} takes no argument, but got {argument!r}: write --data {name}")
