"""folder:PATH: every image below a folder, of any size and kind; subfolders are classes."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from experiments.data import DataSet, Fit, Held, Kind, Native, Source

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff")
HELD_BYTES = 4 * 2**30  # more than this is decoded whenever it is fetched
MODES = {1: "L", 3: "RGB", 4: "RGBA"}


class FolderImages(DataSet):
    """Image files, decoded when they are fetched, on all cores.

    Args:
        root: the folder.
        names: paths of the files below it.
        size: (height, width) of the samples; channels: 1 grey, 3 RGB, 4 RGB with straight alpha.
        fit: how a file of another size is brought to `size`; "error" raises ValueError for the first.
    """

    def __init__(self, root: Path, names: list[str], size: tuple[int, int], channels: int, fit: Fit) -> None:
        self.root, self.names, self.fit = root, names, fit
        self.sample_shape = (channels, *size)
        self.labels, self.classes = _classes(names)
        if fit == "error":
            for name in names:
                _refuse_other_size(root / name, size)

    def __len__(self) -> int:
        return len(self.names)

    def fetch(self, indices: Tensor) -> Tensor:
        channels, height, width = self.sample_shape
        samples = np.empty((len(indices), *self.sample_shape), dtype=np.uint8)

        def decode(place: int, index: int) -> None:
            pixels = np.asarray(_decode(self.root / self.names[index], (height, width), channels, self.fit))
            samples[place] = pixels.reshape(height, width, channels).transpose(2, 0, 1)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for _ in pool.map(decode, range(len(indices)), indices.tolist()):
                pass  # the first failure, in the order of the files, is raised here
        return torch.from_numpy(samples)


class Folder(Source):
    """Images below the folder, subfolders included, in the order of their paths; hidden ones are skipped.

    Where every image lies in a subfolder and there are at least two of these, they are the classes.
    """

    kind: ClassVar[Kind] = "images"

    def native(self) -> Native:
        """Any size; the channels of the first image."""
        return Native(size=None, channels=_channels(self._root / self._names[0]))

    def open(self, size: tuple[int, int] | None, channels: int | None, fit: Fit) -> DataSet:
        """All images at `size`, in memory where they fit into 4 GiB, else decoded on every fetch.

        Raises ValueError without a size, for a file that cannot be read, and with `fit` "error" for one of
        another size; a file that is decoded on fetch may raise it then.
        """
        if size is None:
            raise ValueError("data 'folder' has no size of its own: give one with --image-size")
        channels = channels or self.native().channels or 3
        if channels not in MODES:
            raise ValueError(f"images have 1, 3 or 4 channels, not {channels}")
        images = FolderImages(self._root, self._names, size, channels, fit)
        if len(images) * channels * size[0] * size[1] > HELD_BYTES:
            return images
        return Held(images.fetch(torch.arange(len(images))), images.labels, images.classes)

    @cached_property
    def _root(self) -> Path:
        if not self.argument:
            raise ValueError("data 'folder' needs a path: write --data folder:PATH")
        root = Path(self.argument).expanduser()
        if not root.is_dir():
            problem = "is a file, not a folder" if root.exists() else "does not exist"
            raise ValueError(f"{root} {problem}: write --data folder:PATH with a folder of images")
        return root

    @cached_property
    def _names(self) -> list[str]:
        names = sorted(_walk(self._root), key=os.fsencode)  # bytes: the same order in every locale
        if not names:
            raise ValueError(f"no images below {self._root} (looked for {' '.join(ENDINGS)})")
        return names


def _walk(root: Path) -> Iterator[str]:
    """Paths of the image files relative to `root`, with forward slashes; linked folders are entered once."""

    def fail(error: OSError) -> None:
        raise ValueError(f"{error.filename} cannot be read: {error.strerror}")

    entered = {os.path.realpath(root)}  # a link may lead back up, or to a folder already seen
    for folder, subfolders, files in os.walk(root, followlinks=True, onerror=fail):
        here = Path(folder).relative_to(root)
        new = []
        for name in sorted(subfolders):
            real = os.path.realpath(Path(folder, name))
            if not name.startswith(".") and real not in entered:
                entered.add(real)
                new.append(name)
        subfolders[:] = new
        for name in files:
            if not name.startswith(".") and name.lower().endswith(ENDINGS):
                yield (here / name).as_posix()


def _classes(names: list[str]) -> tuple[Tensor | None, tuple[str, ...]]:
    tops = [name.split("/")[0] if "/" in name else None for name in names]
    classes = sorted({top for top in tops if top is not None}, key=os.fsencode)
    if None in tops or len(classes) < 2:
        return None, ()
    numbers = {name: number for number, name in enumerate(classes)}
    return torch.tensor([numbers[top] for top in tops if top is not None]), tuple(classes)


@contextmanager
def _reading(file: Path) -> Iterator[Image.Image]:
    """The opened image; whatever goes wrong while it is read becomes a ValueError that names the file."""
    try:
        with Image.open(file) as image:
            yield image
    except UnidentifiedImageError as error:
        raise ValueError(f"{file} is not an image, or is damaged") from error
    except Exception as error:  # decoders of damaged files raise anything
        raise ValueError(f"{file} cannot be read: {error}") from error


def _channels(file: Path) -> int:
    with _reading(file) as image:
        if image.has_transparency_data:
            return 4
        return 1 if image.mode in ("1", "L", "F") or image.mode.startswith("I") else 3


def _refuse_other_size(file: Path, size: tuple[int, int]) -> None:
    with _reading(file) as image:
        width, height = image.size
        if image.getexif().get(ExifTags.Base.Orientation, 1) >= 5:  # lies on its side
            width, height = height, width
    if (height, width) != size:
        raise ValueError(
            f"{file} is {height}×{width} (height × width), not {size[0]}×{size[1]}: "
            "choose --fit crop or stretch, or another --image-size"
        )


def _decode(file: Path, size: tuple[int, int], channels: int, fit: Fit) -> Image.Image:
    with _reading(file) as opened:
        image = _convert(ImageOps.exif_transpose(opened), MODES[channels])
    height, width = size
    if image.size == (width, height):
        return image
    box = (0.0, 0.0, float(image.width), float(image.height))
    if fit == "crop":  # the largest centred part of the aspect asked for, to the fraction of a pixel
        scale = max(width / image.width, height / image.height)
        x = max(0.0, (image.width - width / scale) / 2)
        y = max(0.0, (image.height - height / scale) / 2)
        box = (x, y, image.width - x, image.height - y)
    # Pillow widens the filter as it shrinks, and weighs colour by alpha: neither aliasing nor fringes.
    return image.resize((width, height), Image.Resampling.LANCZOS, box=box)


def _convert(image: Image.Image, mode: str) -> Image.Image:
    """The image in 8 bits; transparency is kept in RGBA, else laid on white."""
    if image.mode == "F":
        raise ValueError("its pixels are floating-point, of unknown range; save it with 8 or 16 bits")
    if image.mode.startswith("I"):  # 16 bits; Pillow < 11 says "I". convert() would clip, not scale
        image = Image.fromarray((np.asarray(image).clip(0, 65535) >> 8).astype(np.uint8))
    if mode == "RGBA":
        return image.convert("RGBA")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert(mode)
