"""Copies among images: those whose pixels, as they are trained on, are equal to those of another.

A picture on both sides of a split is scored against although it was trained on.
"""

from collections.abc import Hashable, Sequence
from hashlib import blake2b

import numpy as np
from torch import Tensor

from experiments.core.word_lists import describe_count, first_few

NAMED = 3  # pairs that a remark names
COMPARED_BYTES = 128  # of every image; only images that have these in common are compared whole
ROWS = 4096  # images at once


def first_equals(images: Tensor) -> list[int]:
    """Finds the first image that equals each of images in memory, `(N, …)`: itself where none before does.

    Of all but possible copies only a few bytes are read, so that a set of gigabytes takes seconds.
    """
    rows = images.numpy().reshape(len(images), -1).view(np.uint8)
    spread = rows[:, :: -(-rows.shape[1] // COMPARED_BYTES)]
    weights = np.random.default_rng(0).integers(2**63, size=spread.shape[1], dtype=np.uint64)
    parts = [spread[start : start + ROWS].astype(np.uint64) @ weights for start in range(0, len(rows), ROWS)]
    keys = np.concatenate(parts)
    found, counts = np.unique(keys, return_counts=True)
    firsts, known = list(range(len(rows))), dict[bytes, int]()
    for index in np.flatnonzero(np.isin(keys, found[counts > 1])).tolist():
        firsts[index] = known.setdefault(blake2b(rows[index]).digest(), index)
    return firsts


class CopyFinder:
    """Finds copies among the contents of images, which come one by one.

    Attributes:
        copies: names of those that equal an earlier one, each with that one's name.
    """

    def __init__(self) -> None:
        self.copies: list[tuple[str, str]] = []
        self._first: dict[bytes, str] = {}

    def add(self, name: str, content: bytes) -> None:
        """Adds the content of an image, which is equal for equal images."""
        digest = blake2b(content, digest_size=16).digest()
        if (first := self._first.setdefault(digest, name)) != name:
            self.copies.append((name, first))


def remark_on_shared(
    equal: Sequence[Hashable], training: Tensor, held_out: Tensor, names: Sequence[str], kind: str = "image"
) -> tuple[str, ...]:
    """Makes a remark on held-out images that equal images for training; else none.

    Args:
        equal: for every image something that is the same for equal ones.
        training, held_out: indices of the images on each side, int64.
        names: of the files of all images; empty where they have none.
        kind: of what is held out, in the singular.
    """
    trained = {equal[index]: index for index in reversed(training.tolist())}
    shared = [(index, trained[equal[index]]) for index in held_out.tolist() if equal[index] in trained]
    if not shared:
        return ()
    count = f"{len(shared):,} of {describe_count(len(held_out), f'held-out {kind}')}"
    verb = "equals one" if len(shared) == 1 else "equal some"
    remark = f"{count} {verb} to train on, so that scores against them reward copying"
    return (f"{remark}: delete one of each ({_describe_pairs(shared, names)})" if names else remark,)


def remark_on_copies(copies: Sequence[tuple[str, str]], total: int) -> tuple[str, ...]:
    """Makes a remark on copies, each with the name of the image that it equals; else none."""
    if not copies:
        return ()
    verb = "equals another" if len(copies) == 1 else "equal others"
    named = first_few([f"{copy} = {other}" for copy, other in copies], NAMED)
    more = "; --json --force names all" if len(copies) > NAMED else ""
    return (
        f"{len(copies):,} of {describe_count(total, 'image')} {verb} ({named}): delete the first of "
        f"each and prepare again, or images that are held out are trained on, too{more}",
    )


def _describe_pairs(pairs: Sequence[tuple[int, int]], names: Sequence[str]) -> str:
    """Names of some pairs of equal images."""
    return first_few([f"{names[one]} = {names[other]}" for one, other in pairs], NAMED)
