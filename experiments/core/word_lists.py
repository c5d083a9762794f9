"""Lists of names, and numbers of things, in messages."""

from collections.abc import Sequence


def first_few(names: Sequence[object], most: int) -> str:
    """Joins the first `most` of some names, with `, …` where there are more.

    >>> first_few(["a", "b", "c"], 2), first_few(["a", "b"], 2)
    ('a, b, …', 'a, b')
    """
    return ", ".join(map(str, names[:most])) + ", …" * (len(names) > most)


def describe_count(count: int, noun: str) -> str:
    """Describes a number of things whose plural ends with an s.

    >>> describe_count(1, "sample"), describe_count(1204, "sample")
    ('1 sample', '1,204 samples')
    """
    return f"{count:,} {noun}{'s' * (count != 1)}"
