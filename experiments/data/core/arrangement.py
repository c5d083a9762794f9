"""Arrangements of image files in folders: which files are images, which of them train, and their classes.

Folders and zip files follow the same rules. A single folder around everything does not count. Where the
folders are the parts of a set, such as `train/` and `test/`, the training part is taken. Else the folders
are classes, and the few images above them are left out. Whatever is left out is said, a line for each reason.
"""

import re
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from experiments.data.core.attribute_files import CELEBA, CSV
from experiments.data.core.decoding import IMAGE_ENDINGS
from experiments.data.core.label_files import DATASET_JSON

NAMED = 3  # files that a remark names
SIDE_FILES = {CSV, CELEBA, DATASET_JSON, "list_eval_partition.txt"}  # belong to a set, and are no images
SYSTEM_FILES = {"__macosx", "thumbs.db", "desktop.ini"}
_SUFFIX = r"[-_ ]?(set|data|images?|split)?[-_ ]?\d*"  # `training_set`, `test_images`, `val2017`
_DOMAIN = r"([-_ ]?(?P<domain>A|B|AB))?"  # `trainA`, as CycleGAN publishes its sets
_TRAINING = re.compile(rf"(train|training|trn|train[-_ ]?val){_SUFFIX}{_DOMAIN}", re.IGNORECASE)
_HELD_OUT = re.compile(
    r"(val|valid|validation|dev|test|testing|tst|eval|evaluation|hold[-_ ]?out|held[-_ ]?out)"
    rf"{_SUFFIX}{_DOMAIN}",
    re.IGNORECASE,
)
_TESTS = re.compile(r"(test|tst)", re.IGNORECASE)  # begins the name of a part that is for tests
_DOMAINS = {"A", "B", "AB"}


class Arrangement(NamedTuple):
    """The images of a set, and what their folders say of them.

    Attributes:
        names: paths of the images to train on, in their order.
        folder: folder that holds them all, with a slash at its end; empty for the topmost.
        outer_folders: folders from the topmost down to that one, where files on the whole set may lie.
        classes: names of the classes.
        labels: class of each image, int64 `(N,)`; None without classes.
        remarks: lines on what is left out.
        held_out: paths of the images to evaluate on, of the part that is for tests where there are several.
    """

    names: Sequence[str]
    folder: str = ""
    outer_folders: tuple[str, ...] = ("",)
    classes: tuple[str, ...] = ()
    labels: Tensor | None = None
    remarks: tuple[str, ...] = ()
    held_out: Sequence[str] = ()

    def below(self, top: str) -> "Arrangement":
        """Goes down to the folder `top`, in which all images lie."""
        folder = f"{self.folder}{top}/"
        return self._replace(folder=folder, outer_folders=(*self.outer_folders, folder))

    def keep(self, names: Sequence[str], remark: str) -> "Arrangement":
        """Keeps some of the images, with a remark on the others."""
        return self._replace(names=names, remarks=(*self.remarks, remark))

    def path_components(self, name: str) -> list[str]:
        """The folders of an image below the common one, and its own name."""
        return name[len(self.folder) :].split("/")


class Splits(NamedTuple):
    """Folders of a set by their use: training, or held out from it."""

    training: list[str]
    held_out: list[str]


def sorted_image_paths(paths: Iterable[str]) -> list[str]:
    """Filters the paths of visible image files and sorts them by their bytes, alike in every locale."""
    return sorted((path for path in paths if _is_visible(path) and _is_image(path)), key=_bytes_of)


def remark_on_endings(paths: Iterable[str]) -> tuple[str, ...]:
    """Makes a remark on the visible files that their endings leave out; none where there are none."""
    others = [path for path in paths if _is_visible(path) and not _is_image(path)]
    others = sorted((path for path in others if _file_name(path) not in SIDE_FILES), key=_bytes_of)
    if not others:
        return ()
    whose = "its ending" if len(others) == 1 else "their endings"
    return (f"left out {_count(others, 'file')} because of {whose}: {_some(others)}",)


def arrange(
    names: Sequence[str], files: Container[str], location: str, is_split: bool = False
) -> Arrangement:
    """Arranges the sorted image files `names` by their folders.

    Args:
        files: paths of all files.
        location: name of the folder or file that holds them, for messages.
        is_split: whether they are one part of a set already.

    Raises ValueError for parts of a set of which not exactly one is for training.
    """
    found = Arrangement(names)
    while found.folder + DATASET_JSON not in files:
        tops = Counter(way[0] if len(way := found.path_components(name)) > 1 else "" for name in found.names)
        above = tops.pop("", 0)
        if tops and not is_split and above > sum(tops.values()) and all(map(_HELD_OUT.fullmatch, tops)):
            return _keep_training(found, 0, Splits([], [*tops]))
        splits = None if is_split else find_splits(tops, f"{location}/{found.folder}".rstrip("/"))
        if splits:
            is_split = True
            found = _keep_training(found, 0, splits)
            if len(splits.training) > 1:  # of two domains
                return _with_classes(found)
            found = found.below(splits.training[0])
        elif len(tops) == 1 and not above:
            found = found.below(*tops)
        elif len(tops) == 1 and _holds_classes(found.below(*tops)):
            found = _leave_out_above(found).below(*tops)
        elif len(tops) < 2 or (above and any(folder + CSV in files for folder in found.outer_folders)):
            break
        elif above > sum(tops.values()):
            return found._replace(
                remarks=(
                    *found.remarks,
                    f"the folders {_some([*tops])} are no classes, because most images lie above them",
                )
            )
        else:
            found = _leave_out_above(found) if above else found
            return _with_classes(found if is_split else _split_classes(found, location))
    return found


def find_splits(folders: Iterable[str], location: str) -> Splits | None:
    """Finds training and held-out folders in `location`.

    None unless all folders are one of these and some are held out.

    Raises ValueError where there is not exactly one folder for training, but for the two of domains.
    """
    folders = sorted(folders, key=_bytes_of)
    matches = {folder: _TRAINING.fullmatch(folder) for folder in folders}
    if len(folders) < 2:
        return None
    held_out = [folder for folder in folders if _HELD_OUT.fullmatch(folder)]
    training = [folder for folder in folders if matches[folder] or folder in _DOMAINS]
    if not held_out or len(training) + len(held_out) < len(folders):
        return None
    if not training:
        raise ValueError(
            f"{location} has the parts {_some(held_out)}, but none to train on: name one of them train"
        )
    alike = [folder for folder in training if (match := matches[folder]) and not match["domain"]]
    if len(alike) > 1:
        raise ValueError(
            f"{location} has several parts to train on, {_some(alike)}: put them into one folder"
        )
    return Splits(training, held_out)


def _keep_training(found: Arrangement, level: int, splits: Splits) -> Arrangement:
    """Keeps the images whose folder at `level` is a part for training, or without one, those in no part."""
    others = [name for name in found.names if found.path_components(name)[level] in splits.held_out]
    in_no_part = [name for name in found.names if len(found.path_components(name)) <= level + 1]
    left = set(others + in_no_part if splits.training else others)
    kept = [name for name in found.names if name not in left]
    training, held_out = (" and ".join(f"{part}/" for part in each) for each in splits)
    training = training or "the images above them"
    remark = (
        f"trains on {training} ({_count(kept, 'image')}); "
        f"held out from training: {held_out} ({_count(others, 'image')})"
    )
    if splits.training and in_no_part:
        remark += f"; left out, because of its place: {_some(in_no_part)}"
    for_tests = [part for part in splits.held_out if _TESTS.match(part)] or splits.held_out
    to_evaluate = [name for name in others if found.path_components(name)[level] in for_tests]
    return found.keep(kept, remark)._replace(held_out=to_evaluate)


def _split_classes(found: Arrangement, location: str) -> Arrangement:
    """Keeps the training parts of classes that are split one by one, `cat/train/` and `cat/test/`."""
    seconds = {way[1] if len(way := found.path_components(name)) > 2 else "" for name in found.names}
    splits = None if "" in seconds else find_splits(seconds, f"{location}: every class")
    return _keep_training(found, 1, splits) if splits else found


def _holds_classes(found: Arrangement) -> bool:
    """Whether the images below the common folder all lie in several folders."""
    below = [found.path_components(name) for name in found.names if name.startswith(found.folder)]
    return (
        all(len(way) > 1 for way in below)
        and len({way[0] for way in below}) > 1
        and 2 * len(below) >= len(found.names)
    )


def _leave_out_above(found: Arrangement) -> Arrangement:
    """Leaves out the images that lie in the common folder itself."""
    above = [name for name in found.names if len(found.path_components(name)) == 1]
    kept = [name for name in found.names if len(found.path_components(name)) > 1]
    return found.keep(kept, f"left out {_count(above, 'image')} above the class folders: {_some(above)}")


def _with_classes(found: Arrangement) -> Arrangement:
    """The images with the first folder of each as its class."""
    tops = [found.path_components(name)[0] for name in found.names]
    classes = sorted(set(tops), key=_bytes_of)
    numbers = {name: number for number, name in enumerate(classes)}
    return found._replace(classes=tuple(classes), labels=torch.tensor([numbers[top] for top in tops]))


def _is_visible(path: str) -> bool:
    return not any(part.startswith(".") or part.lower() in SYSTEM_FILES for part in path.split("/"))


def _is_image(path: str) -> bool:
    return path.lower().endswith(IMAGE_ENDINGS)


def _file_name(path: str) -> str:
    return path.rpartition("/")[2]


def _count(names: Sequence[str], word: str) -> str:
    return f"{len(names):,} {word}{'s' * (len(names) != 1)}"


def _some(names: Sequence[str]) -> str:
    """Names the first few, so that they can be printed."""
    words = [name.encode("utf-8", "backslashreplace").decode() for name in names[:NAMED]]
    shown = ["".join(letter if letter.isprintable() else "?" for letter in word) for word in words]
    return ", ".join(shown) + (", …" if len(names) > NAMED else "")


def _bytes_of(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")
