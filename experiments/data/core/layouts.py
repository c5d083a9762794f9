"""Layouts of two domains in one folder: where their images lie, and which images are pairs.

For training, `A/` and `B/`, or `AB/` with images side by side; also below `train/`, or as `trainA/` and
`trainB/`, or side by side in `train/`, as pix2pix and CycleGAN publish their sets. For evaluation, the
same with `test` or `val`.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from experiments.core.word_lists import first_few
from experiments.data.core.dataset import DataAccess, DataSet, Fit, NoHeldOutDataError
from experiments.data.core.decoding import Store
from experiments.data.core.image_files import Half, keep_only, open_files

NAMED = 3  # images that an error names
_MEANS_SOMETHING = re.compile("(train|test|val)?(A|B|AB)?")
TRAIN, HELD_OUT = ("train", ""), ("test", "val")


class DomainFiles(NamedTuple):
    """The images of one domain: the files in a folder, or one half of each."""

    folder: str
    names: Sequence[str]
    half: Half | None = None

    def within(self, folder: str) -> "DomainFiles":
        """Names the files from where `folder` lies; it ends with a slash, or is empty."""
        return self._replace(folder=folder + self.folder, names=[folder + name for name in self.names])


def folder_around_domains(names: Sequence[str]) -> str:
    """The folder around everything, with a slash at its end; empty where the domains lie at the top."""
    around = ""
    while len(tops := {name[len(around) :].partition("/")[0] for name in names}) == 1:
        (top,) = tops
        if _MEANS_SOMETHING.fullmatch(top) or not all(name.startswith(f"{around}{top}/") for name in names):
            break
        around += f"{top}/"
    return around


def find_domains(root: Path, names: Sequence[str], held_out: bool) -> tuple[DomainFiles, DomainFiles]:
    """Finds the two domains among all images below `root`.

    Raises ValueError where one is missing, or both; NoHeldOutDataError where both are missing for evaluation.
    """
    for part in HELD_OUT if held_out else TRAIN:
        for first, second in _two_folders(part):
            sides = _side(first, names), _side(second, names)
            lacking = [side.folder for side in sides if not side.names]
            if len(lacking) == 1:
                (there,) = {first, second} - set(lacking)
                raise ValueError(
                    f"{root} has images in {there} but none in {lacking[0]}: put the others there"
                )
            if not lacking:
                return sides
        for folder in _one_folder(part):
            if found := _side(folder, names).names:
                return DomainFiles(folder, found, "left"), DomainFiles(folder, found, "right")
    if held_out:
        raise NoHeldOutDataError(
            f"{root} has no images for judging: put them into testA/ and testB/, or side by side into test/"
        )
    raise ValueError(f"{root} has no two domains: put images into A/ and B/, or side by side into AB/")


def pair_by_name(root: Path, a: DomainFiles, b: DomainFiles) -> tuple[DomainFiles, DomainFiles]:
    """Puts both domains into one order, in which images of the same name, but for its ending, are pairs.

    Raises ValueError, with the first of them, for images without a partner, or with several.
    """
    if a.half:
        return a, b
    named_a, named_b = _by_name(root, a), _by_name(root, b)
    alone = [named_a[name] for name in named_a if name not in named_b]
    alone += [named_b[name] for name in named_b if name not in named_a]
    if alone:
        named = first_few(alone, NAMED)
        raise ValueError(
            f"{root}: without a partner of the same name in {a.folder} and {b.folder}: {named} "
            f"({len(alone)} in all); rename them, or take them out"
        )
    return a._replace(names=list(named_a.values())), b._replace(names=[named_b[name] for name in named_a])


def open_domain_files(
    store: Store,
    sides: tuple[DomainFiles, DomainFiles],
    size: tuple[int, int] | None,
    channels: int,
    fit: Fit,
    access: DataAccess,
    paired: bool,
) -> tuple[DataSet, DataSet]:
    """Opens both domains at `size`, as `open_files` does.

    With a file that cannot be read, the partner that it has where they are paired is left out, too.
    """
    (a, kept_a), (b, kept_b) = (
        open_files(store, side.names, size, channels, fit, access, side.half) for side in sides
    )
    if paired and not torch.equal(kept_a, kept_b):
        in_both = torch.isin(kept_a, kept_b)
        if not in_both.any():
            raise ValueError(f"{sides[0].folder} and {sides[1].folder}: of every pair, one cannot be read")
        keep_only(a, in_both.nonzero()[:, 0])
        keep_only(b, torch.isin(kept_b, kept_a).nonzero()[:, 0])
    return a, b


def _two_folders(part: str) -> Iterator[tuple[str, str]]:
    """Folders in which the two domains may lie."""
    if not part:
        yield "A/", "B/"
        return
    yield f"{part}A/", f"{part}B/"
    yield f"{part}/A/", f"{part}/B/"
    yield f"A/{part}/", f"B/{part}/"


def _one_folder(part: str) -> Iterator[str]:
    """Folders in which pairs of images may lie side by side."""
    if not part:
        yield "AB/"
        return
    yield f"{part}/AB/"
    yield f"AB/{part}/"
    yield f"{part}/"


def _side(folder: str, names: Sequence[str]) -> DomainFiles:
    """The domain of the images below a folder."""
    return DomainFiles(folder, [name for name in names if name.startswith(folder)])


def _by_name(root: Path, side: DomainFiles) -> dict[str, str]:
    """Files of a domain by their names without folder and ending. Raises ValueError for equal names."""
    found: dict[str, str] = {}
    for file in side.names:
        name = file.removeprefix(side.folder).rpartition(".")[0]
        if name in found:
            raise ValueError(
                f"{root}: {found[name]} and {file} have one name, and pairs go by it; rename one"
            )
        found[name] = file
    return found
