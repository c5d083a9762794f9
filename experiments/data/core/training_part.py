"""The files of a set that are for training, where a share is held out: known before the set is opened."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from experiments.data.core.array_files import read_values
from experiments.data.core.dataset import DataAccess, Split
from experiments.data.core.decoding import Store, UnreadableError, describe_none_readable, read_image

PURPOSES = ("A", "B")  # of the splits of two domains that are no pairs


def keep_readable(store: Store, names: Sequence[str], access: DataAccess) -> Sequence[str]:
    """Keeps the files that opening the set would keep: all, or those that can be read, by the access.

    Raises ValueError where none can be.
    """
    if not access.skip_bad:
        return names

    def can_be_read(name: str) -> bool:
        try:
            if store.holds_arrays:
                read_values(store, name)
            else:
                read_image(store, name, channels=3)
        except UnreadableError:
            return False
        return True

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        good = [name for name, is_good in zip(names, pool.map(can_be_read, names), strict=True) if is_good]
    if not good:
        raise ValueError(describe_none_readable(len(names)))
    return good


def training_part(names: Sequence[str], split: Split, purpose: str = "") -> list[str]:
    """The files for training among those of a set. Raises ValueError where nothing is on one side."""
    training, _ = split(len(names), purpose)
    return [names[index] for index in training.tolist()]


def training_part_of_domains(
    sides: tuple[Sequence[str], Sequence[str]], split: Split, paired: bool, shows_both: bool
) -> list[str]:
    """The files for training of two domains.

    Args:
        sides: readable files of each domain, in the order of the pairs.
        paired: whether they are pairs, which stay together.
        shows_both: whether each file shows an image of both: then those with nothing held out in them.
    """
    if paired:
        return [*dict.fromkeys(name for side in sides for name in training_part(side, split))]
    a, b = (training_part(names, split, purpose) for names, purpose in zip(sides, PURPOSES, strict=True))
    if not shows_both:
        return a + b
    in_both = set(a) & set(b)
    return [name for name in a if name in in_both]
