"""Nested containers that a file describes, which may hold one another many times over."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

# Bytes of memory that values of JSON take, by their signs; an empty list has three in the text.
JSON_BYTES = {b"[": 64, b"{": 72, b'"': 30, b",": 16}
MOST_JSON_BYTES = 400 * 2**20


def parse_json(text: str | bytes) -> Any:
    """Parses JSON.

    Raises ValueError where it is none, nested so deep that no program reads it, or of more memory than
    `MOST_JSON_BYTES`.
    """
    content = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    if sum(size * content.count(sign) for sign, size in JSON_BYTES.items()) > MOST_JSON_BYTES:
        raise ValueError("it holds more values than fit into memory")
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def check_tree_size(content: object, most: float, leaf_size: Callable[[object], int] = lambda leaf: 0) -> int:
    """Checks the size of nested containers as if nothing in them were shared; returns it.

    A kilobyte of references can describe a list of lists with 2^100 entries: nothing should walk through
    that, or format it. Here every container is looked at once.

    Args:
        content: mappings, lists, tuples and sets; anything else is a leaf.
        most: largest size that is allowed, in the same unit.
        leaf_size: what a leaf adds to the 1 of every value, such as its bytes.

    Returns:
        1 for each leaf and each container, as often as it occurs when written out, plus all `leaf_size`.

    Raises ValueError for more than `most`, for a container within itself, and for nesting too deep.
    """
    known: dict[int, int] = {}

    def measure(value: object) -> int:
        if not isinstance(value, Mapping | list | tuple | set | frozenset):
            return 1 + leaf_size(value)
        if id(value) not in known:
            known[id(value)] = -1  # being measured
            parts: Iterable[object] = value
            if isinstance(value, Mapping):
                parts = [part for item in value.items() for part in item]
            known[id(value)] = 1 + sum(map(measure, parts))
        if known[id(value)] < 0:
            raise ValueError("it holds a container within itself")
        return known[id(value)]

    try:
        size = measure(content)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if size > most:
        raise ValueError("it describes far more than it holds")
    return size
