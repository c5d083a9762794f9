"""Translation of image files of any size and kind, at their own size and under their own names."""

import logging
from collections.abc import Callable, Iterable, Sequence
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from experiments.core.array_writing import array_bytes
from experiments.core.errors import UsageError, usage_errors
from experiments.core.files import AtomicWriter, make_parent_folders
from experiments.core.images import to_pillow, to_uint8, write_picture
from experiments.core.paths import require_path
from experiments.core.seeds import make_deterministic, seed_all
from experiments.core.units import PixelUnits
from experiments.core.word_lists import first_few
from experiments.data.core.array_pictures import read_network_array
from experiments.data.core.conversion import convert, resize
from experiments.data.core.decoding import (
    ARRAY_ENDINGS,
    IMAGE_ENDINGS,
    REMEDY,
    UnreadableError,
    describe_none_readable,
    read_image,
)
from experiments.data.core.image_files import NAMED
from experiments.data.folder import FolderStore, images_below
from experiments.inference.translation_targets import Target, as_input, resized

log = logging.getLogger("gans")


class TranslationItem(NamedTuple):
    """Image file to translate, by its name below a folder, and the file that its translation becomes."""

    folder: Path
    name: str
    result: Path

    @property
    def file(self) -> Path:
        """Path of the image file."""
        return self.folder / self.name

    def read(self, channels: int) -> tuple[Image.Image, Image.Image | None]:
        """Reads the image with the channels of the run, and its transparency apart.

        An image with transparency is put on white. The second value is None where the image has no
        transparency, or where the run has four channels itself. Raises UnreadableError.
        """
        header, image = read_image(FolderStore(self.folder), self.name, 4)
        if channels == 4:
            return image, None
        return convert(image, channels), image.getchannel("A") if header.channels == 4 else None

    def read_array(self, channels: int, units: PixelUnits) -> NDArray[Any]:
        """Reads the image as networks see it, in the units of the run. Raises UnreadableError."""
        return read_network_array(FolderStore(self.folder), self.name, channels, units)


def find_images(inputs: Sequence[Path], out: str, force: bool, ending: str = ".png") -> list[TranslationItem]:
    """Finds all image files to translate, with the files of their results; logs which files are left out.

    Args:
        ending: of the results.

    Raises UsageError for a file that is not there, and where a result would take the place of an input, of
    another result or, without `force`, of any file.
    """
    if not out:
        raise UsageError("--out is empty; give a folder")
    target = Path(out)
    if target.exists() and not target.is_dir():
        raise UsageError(f"--out {out} is a file; give a folder")
    items = [item for path in inputs for item in _items_of(path, target, ending)]
    files = {item.file.resolve() for item in items}
    becomes: dict[Path, TranslationItem] = {}
    for item in items:
        first = becomes.setdefault(item.result, item)
        if first is not item:
            raise UsageError(
                f"{first.file} and {item.file} would both become {item.result}; rename one, or translate it "
                "into another --out"
            )
        if item.result.resolve() in files:
            raise UsageError(f"{item.result} is one of the images to translate; take another --out")
        if item.result.exists() and not force:
            raise UsageError(f"{item.result} exists; take another --out, or --force to write over it")
    return items


def _items_of(path: Path, out: Path, ending: str) -> list[TranslationItem]:
    """Items of an image file, or of all images below a folder."""
    require_path(path, "image files, or folders of them")
    if not path.is_dir():
        return [TranslationItem(path.parent, path.name, out / f"{_stem(path.name)}{ending}")]
    if out.resolve().is_relative_to(path.resolve()):
        # Else the results of one translation would be among the images of the next.
        raise UsageError(f"--out {out} is in {path}, whose images are translated; take a folder outside")
    with usage_errors():
        names, remarks = images_below(path)
    for remark in remarks:
        log.info(f"{path}: {remark}")
    return [TranslationItem(path, name, out / f"{_stem(name)}{ending}") for name in names]


def _stem(name: str) -> str:
    """Name of a file without its ending, if that is the ending of an image."""
    return (
        str(Path(name).with_suffix("")) if name.lower().endswith((*IMAGE_ENDINGS, *ARRAY_ENDINGS)) else name
    )


def check_readable(
    items: Sequence[TranslationItem],
    skip_bad: bool,
    advance: Callable[[int], None],
    channels: int = 3,
    units: PixelUnits | None = None,
) -> list[TranslationItem]:
    """Reads every image once, before the first is translated; returns those that can be read.

    Args:
        channels, units: those of the run.

    So a bad file leaves nothing behind. Raises UsageError for it, or where there is no good one; with
    `skip_bad` logs which are bad.
    """
    good, bad = [], []
    for item in items:
        try:
            _ = item.read(3) if units is None else item.read_array(channels, units)
            good.append(item)
        except UnreadableError as error:
            if not skip_bad:
                raise UsageError(str(error)) from error
            bad.append((item, str(error).removesuffix(REMEDY)))
        advance(1)
    if not good:
        raise UsageError(f"{describe_none_readable(len(bad))}; the first: {bad[0][1]}")
    if bad:
        named = first_few([item.file for item, _ in bad], NAMED)
        log.info(f"skipped {len(bad)} file{'s' * (len(bad) > 1)} that cannot be read: {named}")
    return good


class InputFormat(NamedTuple):
    """Input format of a translator, to which images of any size are brought.

    Attributes:
        size: (height, width) of the training.
        channels: those of the run.
        multiple: number that sides must be multiples of; None where they must be those of the training.
        device: where the network is.
        units: of images beyond 8 bits.
    """

    size: tuple[int, int]
    channels: int
    multiple: int | None
    device: torch.device
    units: PixelUnits | None = None

    def through(self, target: Target, image: Image.Image) -> Image.Image:
        """Translates an image; the result has the same size."""
        own = image.height, image.width
        if self.multiple is None:
            made = target.change(image, as_input(resize(image, self.size, "stretch")).to(self.device))
            return resize(to_pillow(to_uint8(made[0])), own, "stretch")
        return to_pillow(to_uint8(self._padded(target, image, own)))

    def array_through(self, target: Target, image: NDArray[Any]) -> Tensor:
        """Translates an array `(H, W, C)` in [−1, 1] to `(C, H, W)` of the same size."""
        own = (image.shape[0], image.shape[1])
        if self.multiple is None:
            made = target.change(image, as_input(resized(image, self.size, "stretch")).to(self.device))
            back = resized(made[0].float().cpu().permute(1, 2, 0).numpy(), own, "stretch")
            return torch.from_numpy(np.ascontiguousarray(back.transpose(2, 0, 1)))
        return self._padded(target, image, own).float().cpu()

    def _padded(self, target: Target, image: Image.Image | NDArray[Any], own: tuple[int, int]) -> Tensor:
        """Translates an image with a reflected border, which is cut off: `(C, H, W)`."""
        assert self.multiple is not None
        sides = [
            padded_side(side, self.multiple, trained) for side, trained in zip(own, self.size, strict=True)
        ]
        rows, columns = (mirror_indices(side, wanted) for side, wanted in zip(own, sides, strict=True))
        made = target.change(image, as_input(image)[:, :, rows][:, :, :, columns].to(self.device))
        top, left = ((wanted - side) // 2 for side, wanted in zip(own, sides, strict=True))
        return made[0][:, top : top + own[0], left : left + own[1]]


def padded_side(side: int, multiple: int, trained: int) -> int:
    """Side to which an image's side is padded: the next multiple, but twice that or the training's at least.

    Layers need a border to reflect, and more than one pixel to normalize.
    """
    return max(ceil(side / multiple) * multiple, min(2 * multiple, trained))


def mirror_indices(side: int, wanted: int) -> Tensor:
    """Indices `(wanted,)` that pad a side by reflection.

    All pixels are in the middle, and around them their reflection, as often as it takes.
    """
    period = max(1, 2 * (side - 1))
    positions = (torch.arange(wanted) - (wanted - side) // 2) % period
    return torch.minimum(positions, period - positions)


@torch.no_grad()
def translate_files(
    items: Iterable[TranslationItem],
    frame: InputFormat,
    target: Target,
    seed: int,
    advance: Callable[[int], None],
) -> None:
    """Translates image files one after the other, and writes the results.

    The random numbers of dropout are a function of the seed and of the file's name alone, and so do not
    depend on what else is translated.
    """
    make_deterministic()
    writer = AtomicWriter()
    for item in items:
        if frame.units is not None:
            _translate_array(item, frame, frame.units, target, seed, writer)
            advance(1)
            continue
        with usage_errors():
            image, alpha = item.read(frame.channels)
        seed_all(seed, "translate", item.file.name)
        result = frame.through(target, image)
        if alpha is not None:
            result.putalpha(alpha)
        write_picture(item.result, result, writer)
        advance(1)


def _translate_array(
    item: TranslationItem,
    frame: InputFormat,
    units: PixelUnits,
    target: Target,
    seed: int,
    writer: AtomicWriter,
) -> None:
    """Translates an image beyond 8 bits, and writes the result in its original units."""
    with usage_errors():
        image = item.read_array(frame.channels, units)
    seed_all(seed, "translate", item.file.name)
    values = units.to_depth(frame.array_through(target, image))
    with make_parent_folders(item.result):
        writer.write(item.result, array_bytes(values, item.result.suffix))
