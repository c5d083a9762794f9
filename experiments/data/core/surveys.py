"""Surveys of image files by their headers: what kinds they mix, and what a crop would cut off."""

import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from experiments.data.core.array_files import first_header, read_header
from experiments.data.core.dataset import Fit, Native
from experiments.data.core.decoding import Header, Store, UnreadableError

MOST_FILES = 2000  # of a survey, evenly spread: a larger set is not read twice
KINDS = {1: "grey", 3: "in colour", 4: "with transparency"}
MULTIPLE = 4  # of the sides that a remark proposes: most networks halve an image at least twice


class Survey(NamedTuple):
    """Headers of image files.

    Attributes:
        first: of the first image; None where none can be read.
        kinds: number of images by their channels.
        headers: of the surveyed images, by their names.
    """

    first: Header | None
    kinds: Counter[int]
    headers: Mapping[str, Header]

    @property
    def sizes(self) -> Counter[tuple[int, int]]:
        """Number of images by their (height, width)."""
        return Counter((header.height, header.width) for header in self.headers.values())

    def without(self, names: Collection[str]) -> "Survey":
        """The survey without images that were found broken later: a broken one may have a good header."""
        left = {name: header for name, header in self.headers.items() if name not in names}
        return _of_headers(next(iter(left.values()), None), left)

    def halved(self) -> "Survey":
        """The survey of the halves of images that stand side by side in each file."""
        halves = {name: header._replace(width=header.width // 2) for name, header in self.headers.items()}
        first = self.first and self.first._replace(width=self.first.width // 2)
        return self._replace(first=first, headers=halves)


def survey_headers(store: Store, names: Sequence[str], skip_bad: bool) -> Survey:
    """Reads the headers of at most `MOST_FILES` files, evenly spread.

    Files that cannot be read are not counted; opening the set finds them. Raises UnreadableError for the
    first file, unless `skip_bad`.
    """
    first = first_header(store, names, skip_bad)
    if first is None:
        return _of_headers(None, {})

    def header_of(name: str) -> Header | None:
        try:
            return read_header(store, name)
        except UnreadableError:
            return None

    asked = names[:: -(-len(names) // MOST_FILES)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = zip(asked, pool.map(header_of, asked), strict=True)
        return _of_headers(first, {name: header for name, header in found if header is not None})


def _of_headers(first: Header | None, headers: Mapping[str, Header]) -> Survey:
    """Makes the survey of these headers."""
    return Survey(first, Counter(header.channels for header in headers.values()), headers)


def native_of(survey: Survey) -> Native:
    """The native shape of surveyed images: any size; RGB where they differ in their channels.

    Of arrays of numbers it is the first one's.
    """
    if survey.first is None:
        return Native(channels=3)
    is_mixed = len(survey.kinds) > 1 and set(survey.kinds) <= set(KINDS)
    channels = 3 if is_mixed else survey.first.channels
    return Native(channels=channels, first=survey.first[:2])


def check_channels(store: Store, survey: Survey, channels: int | None) -> None:
    """Checks that surveyed arrays of numbers have `channels`, all of them. Raises ValueError."""
    if len(survey.kinds) > 1:
        (most, _), (few, count) = survey.kinds.most_common(2)
        name = next(name for name, header in survey.headers.items() if header.channels == few)
        raise ValueError(
            f"{store.name_of(name)} has {few} channel{'s' * (few > 1)}, others have {most} ({count:,} of "
            f"{len(survey.headers):,} images looked at differ): save all with as many, or keep them apart"
        )
    if channels is not None and survey.kinds and channels not in survey.kinds:
        (own,) = survey.kinds
        raise ValueError(f"the images have {own} channels, not {channels}: take --channels {own}")


def remark_on_kinds(survey: Survey, channels: int) -> tuple[str, ...]:
    """Makes a remark on images that differ in their kind and are all taken with `channels`; else none."""
    if len(survey.kinds) < 2:
        return ()
    mix = ", ".join(f"{survey.kinds[each]:,} {KINDS[each]}" for each in sorted(survey.kinds))
    taken = {1: "grey", 3: "RGB", 4: "RGBA"}[channels]
    white = ", transparency laid on white" if 4 in survey.kinds and channels < 4 else ""
    return (f"mixes images of several kinds ({mix}): all are taken as {taken}{white}; --channels N chooses",)


def remark_on_cut(survey: Survey, size: tuple[int, int], fit: Fit) -> tuple[str, ...]:
    """Makes a remark on what a crop to `size` cuts off the images; else none.

    It names a size that takes all of them whole, if there is one.
    """
    if survey.first is None or fit not in ("auto", "crop"):
        return ()
    kept, whole = _kept_by_crop(survey.first, size), _size_of_whole(survey.first, size)
    shapes = {_size_of_whole(header, size) for header in survey.headers.values()}
    cut = sum(not _is_whole(header, size) for header in survey.headers.values())
    if cut and len(shapes) > 1:
        return (
            f"images of several shapes: {cut:,} of {len(survey.headers):,} are cut to their middle of the "
            f"shape {size[0]}×{size[1]} (height × width); --fit pad takes all whole, in a border",
        )
    if _is_whole(survey.first, size):
        return ()
    height, width = survey.first[:2]
    return (
        f"images of {height}×{width} (height × width) are cut to their middle {kept[0]}×{kept[1]}; "
        f"--image-size {whole[0]}x{whole[1]} takes them whole, --fit pad in a border",
    )


def _kept_by_crop(header: Header, size: tuple[int, int]) -> tuple[int, int]:
    """The part (height, width) of an image that a crop to the shape of `size` keeps."""
    scale = max(size[0] / header.height, size[1] / header.width)
    return min(header.height, round(size[0] / scale)), min(header.width, round(size[1] / scale))


def _is_whole(header: Header, size: tuple[int, int]) -> bool:
    """Whether a crop to `size` takes an image whole, but for what rounding to a size makes of it."""
    return _kept_by_crop(header, size) == header[:2] or _size_of_whole(header, size) == size


def _size_of_whole(header: Header, size: tuple[int, int]) -> tuple[int, int]:
    """The size (height, width) that takes an image whole, with the shorter side of `size`."""
    height, width = header[:2]
    sides = (side * min(size) / min(height, width) / MULTIPLE for side in (height, width))
    high, wide = (max(MULTIPLE, MULTIPLE * round(side)) for side in sides)
    return high, wide
