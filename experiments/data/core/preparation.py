"""Preparation of a data set once and for all: resized, in a zip file as StyleGAN's dataset tool writes it.

The images are made in parts, which are kept beside the file until it is whole: a preparation that was killed
goes on. Equal input gives equal bytes.
"""

import io
import json
import os
import shutil
import struct
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import prod
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from experiments.core.files import open_atomically, write_atomically
from experiments.data.core.array_images import ArraySource
from experiments.data.core.attribute_files import CSV, format_csv
from experiments.data.core.conversion import MODES
from experiments.data.core.copies import CopyFinder
from experiments.data.core.dataset import DataSet, Source
from experiments.data.core.decoded_cache import cache_key
from experiments.data.core.image_files import ImageFiles
from experiments.data.core.label_files import DATASET_JSON
from experiments.data.core.listed_images import file_stamp

PART_BYTES = 32 * 2**20  # of pixels: what is in memory at once, and lost by a kill
MOST_IN_A_PART = 1024
IN_A_FOLDER = 1000  # images, whose numbers begin alike in five of eight digits
FORMAT = "1"  # of the parts; another number, other parts
LENGTH = struct.Struct("<Q")


class PreparedSet(NamedTuple):
    """A prepared set.

    Attributes:
        images: their number; shape: of each.
        classes: their number.
        attributes: their names.
        copies: images that equal an earlier one, each by its name with that one's: of the files that they are
            from, or else in the zip file.
    """

    images: int
    shape: tuple[int, ...]
    classes: int
    attributes: tuple[str, ...]
    copies: tuple[tuple[str, str], ...] = ()


def write_prepared(
    data: DataSet, source: Source, words: Sequence[str], out: Path, advance: Callable[[int], None]
) -> PreparedSet:
    """Writes a data set as PNG files with a `dataset.json` into a zip file, going on where it was left.

    Attributes go into an `attributes.csv` beside it, which other trainers do not look at.

    Args:
        data: images as they are to be written.
        source: where they come from.
        words: everything else that decides on them.
        out: the zip file.
        advance: called with the number of images that are done since the last call.

    Raises ValueError for an image that cannot be read, and OSError where nothing can be written.
    """
    folder = out.with_name(f".{out.name}.parts") / _key_of(data, source, words)
    folder.mkdir(parents=True, exist_ok=True)
    for other in folder.parent.iterdir():
        if other != folder:  # of other input
            shutil.rmtree(other, ignore_errors=True)
    count = max(1, min(MOST_IN_A_PART, PART_BYTES // prod(data.sample_shape)))
    parts = torch.split(torch.arange(len(data)), count)
    files = [folder / f"{number:08}.part" for number in range(len(parts))]
    with ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="gans-encode") as pool:
        for file, indices in zip(files, parts, strict=True):
            if not file.exists():
                encoded = pool.map(_encode, data.fetch(indices).numpy())
                write_atomically(file, b"".join(LENGTH.pack(len(each)) + each for each in encoded))
            advance(len(indices))
    finder = CopyFinder()
    with open_atomically(out) as whole, zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as packed:
        names = [image_name(number) for number in range(len(data))]
        origins, contents = data.file_names or names, (each for part in files for each in _read_part(part))
        for name, origin, content in zip(names, origins, contents, strict=True):
            packed.writestr(zipfile.ZipInfo(name), content)  # dated 1980
            finder.add(origin, content)
        packed.writestr(zipfile.ZipInfo(DATASET_JSON), _labels_of(data, names))
        if data.attributes is not None:
            packed.writestr(zipfile.ZipInfo(CSV), format_csv(names, data.attributes))
    shutil.rmtree(folder.parent)
    groups = () if data.attributes is None else data.attributes.groups
    attributes = tuple(group.name for group in groups)
    return PreparedSet(len(data), data.sample_shape, len(data.classes), attributes, tuple(finder.copies))


def image_name(number: int) -> str:
    """The path of an image, as StyleGAN's dataset tool names it: `00000/img00000000.png`."""
    return f"{number // IN_A_FOLDER:05}/img{number:08}.png"


def unfit_for_others(shape: tuple[int, ...]) -> str:
    """Says why NVlabs' and R3GAN's trainers do not take images `(C, H, W)`; empty where they do."""
    channels, height, width = shape
    if channels not in (1, 3):
        return f"NVlabs' and R3GAN's trainers take images of 1 or 3 channels, not {channels}"
    if height != width or height & (height - 1):
        return (
            "NVlabs' and R3GAN's trainers take square images whose side is a power of two, "
            f"not {height}×{width}"
        )
    return ""


def names_of_lost_attributes(source: Source, data: DataSet) -> list[str]:
    """Names the attributes of a source that a set opened from it lacks, as images that are held out may."""
    names = [group.name for group in source.attribute_groups()]
    if data.attributes is not None:
        return []
    return [name for name in names if name != "class" or data.labels is None]


def _key_of(data: DataSet, source: Source, words: Sequence[str]) -> str:
    """A name of everything that decides on the images."""
    found = [FORMAT, *words, str(len(data)), str(data.sample_shape)]
    if isinstance(data, ImageFiles):
        found += [data.store.stamp(data.names[index]) for index in data.kept.tolist()]
    if isinstance(source, ArraySource):
        found.append(file_stamp(Path(source.location)))
    return cache_key(found)


def _encode(pixels: NDArray[np.uint8]) -> bytes:
    """Encodes an image `(C, H, W)` as that tool does, without compression, so that training reads it fast."""
    image = Image.fromarray(
        np.ascontiguousarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))
    )
    assert image.mode == MODES[len(pixels)]
    file = io.BytesIO()
    image.save(file, "png", compress_level=0, optimize=False)
    return file.getvalue()


def _read_part(file: Path) -> Iterator[bytes]:
    """Reads the images of a part."""
    content = memoryview(file.read_bytes())
    while content:
        (length,) = LENGTH.unpack(content[: LENGTH.size])
        yield bytes(content[LENGTH.size : LENGTH.size + length])
        content = content[LENGTH.size + length :]


def _labels_of(data: DataSet, names: Sequence[str]) -> str:
    """The content of `dataset.json`, with the names of the classes."""
    if data.labels is None:
        return json.dumps({"labels": None})
    labels = [[name, label] for name, label in zip(names, data.labels.tolist(), strict=True)]
    return json.dumps({"labels": labels, "classes": list(data.classes)})
