"""Data sets of image files, wherever they lie, decoded on all cores (decoding.py has the file formats)."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, Literal

import numpy as np
import PIL
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from experiments.core.units import value_bytes
from experiments.core.word_lists import first_few
from experiments.data.core.array_files import first_header, read_header
from experiments.data.core.array_pictures import read_array, resize_array
from experiments.data.core.class_labels import remark_on_lost_classes
from experiments.data.core.conversion import resize
from experiments.data.core.dataset import USUAL, Attributes, DataAccess, DataSet, Fit, InMemoryData
from experiments.data.core.decoded_cache import DecodedCache, Pixels, cache_key
from experiments.data.core.decoding import (
    REMEDY,
    Header,
    Store,
    UnreadableError,
    describe_none_readable,
    read_image,
)
from experiments.data.core.index_cache import load_index, save_index
from experiments.data.core.memory import memory_for_data
from experiments.data.core.sixteen_bits import WHOLE_RANGE

# Larger sets are not held in memory, however large that is. All are decoded into a cache on disk: later runs
# do not decode at all, and the first one begins at once with a set that is not held.
HELD_BYTES = 4 * 2**30
SAID_BYTES = 2**28  # of a set that is held: that smaller ones are in the cache is not worth a remark
CHANNELS = (1, 3, 4)  # grey, RGB, RGB with alpha
DECODING = 2  # raised where the same file gives other pixels than in earlier versions
BLOCK = 4  # images that a thread decodes in one go, which hides the cost of handing them over
WINDOW = 1024  # images handed to the threads at a time
NAMED = 5  # files that a remark names
Half = Literal["left", "right"]  # of a file that shows two images side by side
OTHER_HALF: dict[Half, Half] = {"left": "right", "right": "left"}


def open_images(
    store: Store,
    names: Sequence[str],
    size: tuple[int, int] | None,
    channels: int | None,
    fit: Fit,
    access: DataAccess = USUAL,
    labels: Tensor | None = None,
    classes: Sequence[str] = (),
    attributes: Attributes | None = None,
) -> DataSet:
    """Opens images at `size`, as `open_files` does, with their labels and attributes.

    Raises ValueError where that does, and for an attribute that no image has.
    """
    data, kept = open_files(store, names, size, channels, fit, access)
    data.labels, data.classes = None if labels is None else labels[kept], tuple(classes)
    if labels is not None and data.labels is not None:
        add_remarks(data, remark_on_lost_classes(labels, data.labels, classes))
    data.attributes = None if attributes is None else attributes.at(kept).check_all_used()
    return data


def open_files(
    store: Store,
    names: Sequence[str],
    size: tuple[int, int] | None,
    channels: int | None,
    fit: Fit,
    access: DataAccess = USUAL,
    half: Half | None = None,
) -> tuple["InMemoryData | ImageFiles", Tensor]:
    """Opens image files at `size`, in memory where they fit, else decoded when they are fetched.

    They are held in memory up to 4 GiB and a share of the free memory, unless `access` asks for decoding on
    fetch. Returned with them are the indices of the names that they are, int64 `(N,)`.

    Where `access` says so, files that cannot be read are left out, and a remark counts them; that decodes
    every file once, into memory or into the cache.

    Raises ValueError without a size, for a file that cannot be read, for the first file that `fit` refuses
    or that has no halves, and where every file is bad. A file that is decoded on fetch may be found damaged
    only then.
    """
    if size is None:
        raise ValueError("image files have no size of their own: give one with --image-size")
    if channels is None:
        header = first_header(store, names, access.skip_bad)
        channels = header.channels if header else 3
    if channels not in CHANNELS and not store.holds_arrays:
        raise ValueError(
            f"images have 1, 3 or 4 channels, not {channels}; .npy and TIFF files may have others"
        )
    images = ImageFiles(store, names, size, channels, fit, half)
    limit = min(HELD_BYTES, memory_for_data(torch.device("cpu")))
    if not access.stream and len(names) * channels * size[0] * size[1] * value_bytes(store.units) <= limit:
        data = images.held(access.skip_bad)
        return data, images.kept
    images.check(access.skip_bad, access.keeps_decoded)
    return images, images.kept


def keep_only(data: "InMemoryData | ImageFiles", indices: Tensor) -> None:
    """Restricts what `open_files` has opened to the samples with these indices, int64 `(M,)`."""
    if isinstance(data, InMemoryData):
        data.samples = data.samples[indices]
        data.file_names = [data.file_names[index] for index in indices.tolist()]
    else:
        data.keep(indices)


def add_remarks(data: DataSet, remarks: Sequence[str]) -> None:
    """Adds remarks to what `open_images` has opened."""
    if isinstance(data, ImageFiles):
        data.further_remarks += tuple(remarks)
    data.remarks += tuple(remarks)


class ImageFiles(DataSet):
    """Data set of image files, decoded when they are fetched, on all cores; see `open_images`.

    Under `fit` "auto" they must agree in size, since a set that does not is more often a mistake than a wish;
    any other `fit` says that they are to be brought to one.

    Args:
        store: where the files lie; names: which of its files are the samples, in that order.
        size: (height, width) of the samples; channels: 1 grey, 3 RGB, 4 RGB with straight alpha; of arrays
            any number.
        fit: how a file of another size is brought to `size`; "error" refuses it.
        half: which half of every file is the image; all of it if there is none.
    """

    on_demand = True

    def __init__(
        self,
        store: Store,
        names: Sequence[str],
        size: tuple[int, int],
        channels: int,
        fit: Fit,
        half: Half | None = None,
    ) -> None:
        self.store, self.names, self.fit, self.half = store, tuple(names), fit, half
        self.sample_shape, self.units = (channels, *size), store.units
        self._type = np.dtype(store.array_type)
        self._kept: Sequence[int] = range(len(names))
        self.file_names = self.names
        self._skipped: tuple[str, ...] = ()  # the remark on the others
        self.further_remarks: tuple[str, ...] = ()  # of the source
        self._first: tuple[str, Header] | None = None  # what every file is compared with
        self._cache: DecodedCache | None = None
        self._cache_of_other_half: DecodedCache | None = None
        self._pool = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="gans-decode")

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def kept(self) -> Tensor:
        """Indices of the names that are the samples, int64 `(N,)`."""
        return torch.tensor(self._kept)

    def keep(self, indices: Tensor) -> None:
        """Restricts the set to the samples with these indices, int64 `(M,)`."""
        self._kept = self.kept[indices].tolist()
        self.file_names = [self.names[index] for index in self._kept]

    def fetch(self, indices: Tensor) -> Tensor:
        """Fetches samples at `indices`, from any thread. Raises ValueError for a file that cannot be read."""
        files = [self._kept[index] for index in indices.tolist()]
        samples = np.empty((len(files), *self.sample_shape), self._type)

        def read(slot: int) -> None:
            if self._cache is None or not self._cache.load(files[slot], samples[slot]):
                self._decode(files[slot], samples[slot])

        for _ in self._on_all_cores(read, range(len(files))):
            pass  # the first failure, in the order of the indices, is raised here
        self._remark()
        return torch.from_numpy(samples)

    def held(self, skip_bad: bool) -> InMemoryData:
        """Loads all samples into memory: from the cache on disk, or decoded into both."""
        samples = np.empty((len(self.names), *self.sample_shape), self._type)
        self._open_caches()
        cache = self._cache
        assert cache is not None

        def load(index: int) -> None:
            if not cache.load(index, samples[index]):
                self._decode(index, samples[index])
            elif self._first is None:  # what is in the cache was checked, but the others need a standard
                header = read_header(self.store, self.names[index])
                self._compare(self.names[index], self._shown(self.names[index], header))

        self._survey(load, skip_bad)
        for slot, index in enumerate(self._kept):
            if slot != index:
                samples[slot] = samples[index]  # closes the gaps without a second copy of all
        data = InMemoryData(torch.from_numpy(samples[: len(self)]))
        data.units, data.unreadable, data.file_names = self.units, self.unreadable, self.file_names
        is_worth_a_word = samples.nbytes >= SAID_BYTES
        data.remarks = self.remarks if is_worth_a_word else self._skipped
        return data

    def check(self, skip_bad: bool, keeps_decoded: bool = True) -> None:
        """Checks the files, and turns on the cache of decoded images on disk, unless it is not wanted.

        What `fit` refuses, and bad files, are found here, except among the files that are in the cache: these
        were checked before they came there. Files that were all found good are not looked at again until one
        of them changes.
        """
        if keeps_decoded:
            self._open_caches()
            if not skip_bad and (known := load_index(self._key_of(self.half))):
                self._first = known[0], Header(*known[1:])
                self._remark()
                return
        present = np.zeros(len(self.names), np.bool_) if self._cache is None else self._cache.present

        def check(index: int) -> None:
            if present[index] and self._first is not None:
                return
            if skip_bad and not present[index]:
                self._decode(index, np.empty(self.sample_shape, self._type))
            else:
                header = read_header(self.store, self.names[index])
                self._compare(self.names[index], self._shown(self.names[index], header))

        if skip_bad or self.half or self.fit in ("auto", "error"):
            self._survey(check, skip_bad)
            if keeps_decoded and not skip_bad and self._first:
                save_index(self._key_of(self.half), [self._first[0], *self._first[1]])
        self._remark()

    def _open_caches(self) -> None:
        """Opens the cache of the samples, and that of the other halves of their files."""
        self._cache = self._open_cache(self.half)
        if self.half:
            self._cache_of_other_half = self._open_cache(OTHER_HALF[self.half])

    def _open_cache(self, half: Half | None) -> DecodedCache:
        """Opens the cache of these files, or of a half of each, in this form."""
        sample_bytes = int(np.prod(self.sample_shape)) * self._type.itemsize
        return DecodedCache(self._key_of(half), len(self.names), sample_bytes)

    def _key_of(self, half: Half | None) -> str:
        """The key of these files as they were when they were first asked for, or of a half of each."""
        # Another Pillow, other pixels.
        decoder = [f"decoding {DECODING}", PIL.__version__, str(self.sample_shape), self.fit]
        decoder += [half] if half else []
        decoder += [] if self.store.value_range == WHOLE_RANGE else [f"of 16 bits {self.store.value_range}"]
        decoder += [f"arrays of {self._type}"] if self.store.holds_arrays else []
        return cache_key([*decoder, *self._stamps])

    @cached_property
    def _stamps(self) -> list[str]:
        """The stamps of the files."""
        return [self.store.stamp(name) for name in self.names]

    def _decode(self, index: int, out: Pixels) -> None:
        """Decodes the sample at `index` into `out`, checks it, and saves it in the cache, if there is one.

        Of a file that shows two, the other half goes into its own cache, so that no file is decoded twice.
        """
        read = read_array if self.store.holds_arrays else read_image
        whole, image = read(self.store, self.names[index], self.sample_shape[0])
        header = self._shown(self.names[index], whole)
        self._compare(self.names[index], header)
        if self.half and self._cache_of_other_half is not None:
            other = np.empty_like(out)
            self._draw(_crop(image, OTHER_HALF[self.half]), other)
            self._cache_of_other_half.save(index, other)
        self._draw(_crop(image, self.half) if self.half else image, out)
        if self._cache is not None:
            self._cache.save(index, out)

    def _draw(self, image: Image.Image | NDArray[Any], out: Pixels) -> None:
        """Draws an image into `out`, resized."""
        channels, height, width = self.sample_shape
        if isinstance(image, np.ndarray):
            out[...] = resize_array(image, (height, width), self.fit)
            return
        pixels = np.asarray(resize(image, (height, width), self.fit))
        out[...] = pixels.reshape(height, width, channels).transpose(2, 0, 1)

    def _shown(self, name: str, header: Header) -> Header:
        """The header of the part of a file that is shown. Raises ValueError without equal halves."""
        if not self.half:
            return header
        if header.width % 2:
            raise ValueError(
                f"{self.store.name_of(name)} is {header.width} pixels wide, so it is not two images side by "
                "side: make the width even"
            )
        return header._replace(width=header.width // 2)

    def _compare(self, name: str, header: Header) -> None:
        """Checks a file against `fit`; raises ValueError where it is refused."""
        if self._first is None:
            self._first = name, header
        first_name, first = self._first
        size = f"is {header.height}×{header.width}"
        if self.fit == "error" and header[:2] != self.sample_shape[1:]:
            raise ValueError(
                f"{self.store.name_of(name)} {size} (height × width), not "
                f"{self.sample_shape[1]}×{self.sample_shape[2]}: choose --fit crop or stretch, "
                "or pad, or another --image-size"
            )
        if self.fit == "auto" and header[:2] != first[:2]:
            raise ValueError(
                f"{self.store.name_of(first_name)} is {first.height}×{first.width}, "
                f"{self.store.name_of(name)} {size}: choose --fit crop or stretch to bring all to "
                f"{self.sample_shape[1]}×{self.sample_shape[2]}, or pad, which keeps images whole"
            )

    def _survey(self, check: Callable[[int], None], skip_bad: bool) -> None:
        """Checks every file; with `skip_bad`, leaves out those that cannot be read."""

        def attempt(index: int) -> str | None:
            try:
                check(index)
            except UnreadableError as error:
                if not skip_bad:
                    raise
                return str(error)
            return None

        errors: list[str | None] = []
        for index in range(len(self.names)):  # one by one up to the first good file, which sets the standard
            errors.append(attempt(index))
            if errors[-1] is None:
                break
        errors += self._on_all_cores(attempt, range(len(errors), len(self.names)))
        self._kept = [index for index, error in enumerate(errors) if error is None]
        if not self._kept:
            first = (errors[0] or "").removesuffix(REMEDY)
            raise ValueError(f"{describe_none_readable(len(errors))}; the first: {first}")
        bad = [name for name, error in zip(self.names, errors, strict=True) if error is not None]
        if bad:
            self.file_names = [self.names[index] for index in self._kept]
            named = first_few(bad, NAMED)
            self.unreadable = bad
            self._skipped = (f"skipped {len(bad)} file{'s' * (len(bad) > 1)} that cannot be read: {named}",)
        self._remark()

    def _remark(self) -> None:
        cached = () if self._cache is None else self._cache.remarks
        self.remarks = (*self._skipped, *cached, *self.further_remarks)

    def _on_all_cores(self, work: Callable[[int], str | None], indices: range) -> Iterator[str | None]:
        """Maps work over indices on all cores; results come in the order of the indices."""
        for start in range(0, len(indices), WINDOW):
            window = indices[start : start + WINDOW]
            blocks = [window[start : start + BLOCK] for start in range(0, len(window), BLOCK)]
            for results in self._pool.map(lambda block: [work(index) for index in block], blocks):
                yield from results


def _crop(image: Image.Image | NDArray[Any], half: Half) -> Image.Image | NDArray[Any]:
    """Crops a half out of an image of even width."""
    if isinstance(image, np.ndarray):
        return np.split(image, 2, axis=1)[half == "right"]
    width = image.width // 2
    left = 0 if half == "left" else width
    return image.crop((left, 0, left + width, image.height))
