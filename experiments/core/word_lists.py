"""Lists of names in messages."""

from collections.abc import Sequence


def first_few(names: Sequence[object], most: int) -> str:
    """Joins the first `most` of some names, with `, …` where there are more.

    >>> first_few(["a", "b", "c"], 2), first_few(["a", "b"], 2)
    ('a, b, …', 'a, b')
    """
    return ", ".join(map(str, names[:most])) + ", …" * (len(names) > most)
