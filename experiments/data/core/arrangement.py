"""Arrangements of image files in folders: which files are images, which of them train, and their classes.

Folders and zip files follow the same rules. A single folder around everything does not count. Where the
folders are the parts of a set, such as `train/` and `test/`, the training part is taken. Else the folders
are classes, and the few images above them are left out. Whatever is left out is said, a line for each reason.
"""

from collections import Counter
from collections.abc import Container, Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from experiments.data.core.attribute_files import CELEBA, CSV
from experiments.data.core.decoding import ARRAY_ENDINGS, IMAGE_ENDINGS
from experiments.data.core.label_files import DATASET_JSON
from experiments.data.core.split_names import is_held_out_name, read_split_name, split_names_among

NAMED = 3  # files that a remark names
MOST_LETTERS = 120  # of a name in a remark
# Of a path: Linux opens none of more bytes, and each folder costs time for every file.
MOST_PATH_BYTES, MOST_FOLDERS = 4096, 64
SIDE_FILES = {CSV, CELEBA, DATASET_JSON, "list_eval_partition.txt"}  # belong to a set, and are no images
SYSTEM_FILES = {"__macosx", "thumbs.db", "desktop.ini"}
PHOTO_ENDINGS = (".heic", ".heif")  # of phones; Pillow alone does not read them


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
        return self.remarked(remark)._replace(names=names)

    def remarked(self, remark: str) -> "Arrangement":
        """Adds a remark."""
        return self._replace(remarks=(*self.remarks, remark))

    def path_components(self, name: str) -> list[str]:
        """The folders of an image below the common one, and its own name."""
        return name[len(self.folder) :].split("/")


class Splits(NamedTuple):
    """Folders of a set by their use: training, or held out from it."""

    training: list[str]
    held_out: list[str]


def sorted_image_paths(paths: Iterable[str]) -> list[str]:
    """Filters the paths of visible image files and sorts them by their bytes, alike in every locale.

    Where there are none, arrays of numbers (`.npy`, `.exr`) are the images. Paths that are too long, or lie
    in too many folders, are none of them.
    """
    visible = [path for path in paths if not _is_too_long(path) and _is_visible(path)]
    images = [path for path in visible if _is_image(path)] or [path for path in visible if _is_array(path)]
    return sorted(images, key=_bytes_of)


def remarks_on_files(paths: Iterable[str]) -> tuple[str, ...]:
    """Makes remarks on the visible files that their endings or their paths leave out."""
    paths = list(paths)
    long = [path for path in paths if _is_too_long(path)]
    visible = [path for path in paths if not _is_too_long(path) and _is_visible(path)]
    is_image = _is_image if any(map(_is_image, visible)) else _is_array
    others = [path for path in visible if not is_image(path) and _file_name(path) not in SIDE_FILES]
    remarks = []
    if others:
        whose = "its ending" if len(others) == 1 else "their endings"
        remarks.append(remark_on_left_out(others, f"because of {whose}"))
    remarks += remarks_on_photos(others)
    if long:
        why = f"in more than {MOST_FOLDERS} folders, or with paths of more than {MOST_PATH_BYTES:,} bytes"
        remarks.append(remark_on_left_out(long, why))
    return tuple(remarks)


def remarks_on_photos(paths: Iterable[str]) -> tuple[str, ...]:
    """Makes a remark, with a remedy, on photos in a format that is not read; none without such photos."""
    if not any(path.lower().endswith(PHOTO_ENDINGS) for path in paths):
        return ()
    return ("photos of a phone in .heic are not read: save them as JPEG or PNG",)


def describe_no_images(where: str, paths: Iterable[str], endings: Sequence[str]) -> str:
    """Describes that there are no images among files, which endings were looked for, and a remedy for photos.

    Args:
        where: words such as `in FILE`.
    """
    return "; ".join((f"no images {where} (looked for {' '.join(endings)})", *remarks_on_photos(paths)))


def remark_on_left_out(paths: Iterable[str], why: str) -> str:
    """Makes a remark on files that are left out, with how many they are and some of their names."""
    paths = sorted(paths, key=_bytes_of)
    return f"left out {_count(paths, 'file')} {why}: {_some(paths)}"


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
    while (found := _below_single_folders(found, files)).folder + DATASET_JSON not in files:
        tops, above = _folders_and_images_in(found)
        if tops and not is_split and above > sum(tops.values()) and all(map(is_held_out_name, tops)):
            return _keep_training(found, 0, Splits([], [*tops]))
        splits = None if is_split else find_splits(tops, f"{location}/{found.folder}".rstrip("/"))
        if splits:
            is_split = True
            found = _keep_training(found, 0, splits)
            if len(splits.training) > 1:  # of two domains, or of classes
                return _with_classes(found)
            found = found.below(splits.training[0])
        elif len(tops) == 1 and _holds_classes(found.below(*tops)):
            found = _leave_out_above(found).below(*tops)
        elif len(tops) < 2 or (above and any(folder + CSV in files for folder in found.outer_folders)):
            return found
        elif above > sum(tops.values()):
            return found.remarked(
                f"the folders {_some([*tops])} are no classes, because most images lie above them"
            )
        else:
            found = _leave_out_above(found) if above else found
            return _with_classes(found if is_split else _split_classes(found, tops, location))
    splits = None if is_split else find_splits(_folders_and_images_in(found)[0], location)
    return _keep_training(found, 0, splits) if splits else found


def _below_single_folders(found: Arrangement, files: Container[str]) -> Arrangement:
    """Goes down where all images lie in a single folder, but not below a list of labels."""
    # The names are sorted: what the first and the last have in common is common to all.
    first, last = (found.path_components(name)[:-1] for name in (found.names[0], found.names[-1]))
    for one, other in zip(first, last, strict=False):
        if one != other or found.folder + DATASET_JSON in files:
            break
        found = found.below(one)
    return found


def _folders_and_images_in(found: Arrangement) -> tuple[Counter[str], int]:
    """The numbers of images in each folder of the common one, and of those that lie in no such folder."""
    tops = Counter(path[0] if len(path := found.path_components(name)) > 1 else "" for name in found.names)
    return tops, tops.pop("", 0)


def find_splits(folders: Iterable[str], location: str) -> Splits | None:
    """Finds the splits of a set among all folders in `location`; None where one is none, or none is held out.

    Raises ValueError where there is not exactly one split for training, but for those of domains, and of
    classes with a split for each (`cat_train`, `cat_test`, `dog_train`, `dog_test`).
    """
    folders = sorted(folders, key=_bytes_of)
    if len(folders) > 1 and all(map(is_held_out_name, folders)):
        raise ValueError(
            f"{location} has the parts {_some(folders)}, but none to train on: name one of them train"
        )
    training, held_out = split_names_among(folders)
    if not training or len(training) + len(held_out) < len(folders):
        return None
    alike = [name for name in training if not name.is_domain]
    of_classes = {name.words_around for name in alike} <= {name.words_around for name in held_out}
    if len(alike) > 1 and (not of_classes or len({name.words_around for name in alike}) < len(alike)):
        raise ValueError(
            f"{location} has several parts to train on, {_some([name.folder for name in alike])}: "
            "put them into one folder"
        )
    return Splits([name.folder for name in training], [name.folder for name in held_out])


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
    purposes = {part: name.purpose for part in splits.held_out if (name := read_split_name(part))}
    purpose = "test" if "test" in purposes.values() else "validation"
    to_evaluate = [name for name in others if purposes.get(found.path_components(name)[level]) == purpose]
    return found.keep(kept, remark)._replace(held_out=to_evaluate)


def _split_classes(found: Arrangement, tops: Iterable[str], location: str) -> Arrangement:
    """Keeps the training parts of classes that are split one by one, `cat/train/` and `cat/test/`.

    Makes a remark where only some of the classes, or of the folders in them, look like parts of a set.
    """
    seconds = {path[1] if len(path := found.path_components(name)) > 2 else "" for name in found.names}
    splits = None if "" in seconds else find_splits(seconds, f"{location}: every class")
    if splits:
        return _keep_training(found, 1, splits)
    for folders, taken in ((tops, "all are taken as classes"), (seconds - {""}, "all are trained on")):
        names = [name.folder for group in split_names_among(folders) for name in group if not name.is_weak]
        if len(names) > 1:
            found = found.remarked(
                f"the folders {_some(sorted(names))} look like parts of a set, but not those beside them: "
                f"{taken}; if they are parts, move the others elsewhere"
            )
    return found


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


def _is_too_long(path: str) -> bool:
    return path.count("/") > MOST_FOLDERS or len(_bytes_of(path)) > MOST_PATH_BYTES


def _is_image(path: str) -> bool:
    return path.lower().endswith(IMAGE_ENDINGS)


def _is_array(path: str) -> bool:
    return path.lower().endswith(ARRAY_ENDINGS)


def _file_name(path: str) -> str:
    return path.rpartition("/")[2]


def _count(names: Sequence[str], word: str) -> str:
    return f"{len(names):,} {word}{'s' * (len(names) != 1)}"


def _some(names: Sequence[str]) -> str:
    """Names the first few, so that they can be printed."""
    words = [name.encode("utf-8", "backslashreplace").decode() for name in names[:NAMED]]
    shown = ["".join(letter if letter.isprintable() else "?" for letter in word) for word in words]
    short = [word if len(word) <= MOST_LETTERS else f"{word[:MOST_LETTERS]}…" for word in shown]
    return ", ".join(short) + (", …" if len(names) > NAMED else "")


def _bytes_of(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")
