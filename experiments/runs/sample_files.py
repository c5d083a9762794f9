"""Files of samples: the picture, array or folder that `gans sample` writes."""

import io
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
from torch import Tensor

from experiments.core.array_writing import array_bytes, array_ending
from experiments.core.destinations import output_file, output_folder
from experiments.core.errors import RunError, UsageError
from experiments.core.files import AtomicWriter, write_atomically
from experiments.core.images import draw_samples, save_png, to_pillow, to_uint8
from experiments.core.units import PixelUnits
from experiments.core.word_lists import describe_count

ENDINGS = (".png", ".npy")  # of samples in one file


def open_destination(
    out: str, count: int, force: bool, units: PixelUnits | None = None
) -> AbstractContextManager[Path]:
    """Checks the file or folder that `gans sample` writes, as `output_file` and `output_folder` do.

    Args:
        units: of the samples, where these are images beyond 8 bits.

    Raises UsageError for another form of name.
    """
    if not out:
        raise UsageError("--out is empty; give FILE.png, FILE.npy or DIR/")
    if _is_folder(out):
        names = [_picture_name(index, units) for index in range(count)]
        return output_folder("sample", out, names, force=force)
    if Path(out).suffix not in ENDINGS:
        raise UsageError(f"--out {out}: give FILE.png, FILE.npy or DIR/")
    return output_file("sample", out, *ENDINGS, force=force)


def _is_folder(out: str) -> bool:
    return out.endswith("/") or Path(out).is_dir()


def _picture_name(index: int, units: PixelUnits | None) -> str:
    return f"{index:06d}{array_ending() if units else '.png'}"


def save_samples(samples: Tensor, out: str, as_float: bool = False, units: PixelUnits | None = None) -> str:
    """Saves samples as a picture, an array or a folder of images; returns a line on what was written.

    `FILE.png` is a grid or scatter plot, `FILE.npy` uint8 `(N, C, H, W)`, or with `as_float` and of points
    float32, and `DIR/` has a PNG for each image. Of images with units, arrays and folders have the original
    units: a TIFF or .npy file for each image. Raises RunError where it cannot be written.
    """
    path = Path(out)
    try:
        if _is_folder(out):
            return _save_each(samples, path, units)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".png":
            save_png(draw_samples(samples), path)
            if units:
                return f"{describe_count(len(samples), 'sample')} in {path}, {view_words(samples.shape[1])}"
        else:
            buffer = io.BytesIO()
            is_rounded = samples.dim() == 4 and not as_float
            np.save(buffer, _as_written(samples, is_rounded, units).numpy())
            write_atomically(path, buffer.getvalue())
    except OSError as error:
        raise RunError(f"cannot write {out}: {error.strerror or error}") from error
    return f"{describe_count(len(samples), 'sample')} in {path}"


def view_words(channels: int) -> str:
    """Words on what a picture shows of images beyond 8-bit RGB, and on where all is."""
    shown = {1: "", 3: ""}.get(channels, f" of the first {3 if channels > 4 else 1} of {channels} channels")
    return f"a view{shown} in 8 bits; --out FILE.npy or DIR/ has the original units"


def _as_written(samples: Tensor, is_rounded: bool, units: PixelUnits | None) -> Tensor:
    """Samples as an array file has them."""
    if units and samples.dim() == 4:
        return units.to_depth(samples) if is_rounded else units.from_networks(samples)
    return to_uint8(samples) if is_rounded else samples


def _save_each(samples: Tensor, folder: Path, units: PixelUnits | None) -> str:
    """Saves a file for each image: PNG, or of images with units TIFF or .npy."""
    if samples.dim() == 2:
        raise UsageError("points do not make one picture each; give --out FILE.npy or FILE.png")
    folder.mkdir(parents=True, exist_ok=True)
    writer = AtomicWriter()
    if units:
        for index, values in enumerate(units.to_depth(samples)):
            path = folder / _picture_name(index, units)
            writer.write(path, array_bytes(values, path.suffix))
        return f"{describe_count(len(samples), 'picture')} of {units.depth} in {folder}/"
    for index, image in enumerate(to_uint8(samples)):
        save_png(to_pillow(image), folder / _picture_name(index, units), writer)
    return f"{describe_count(len(samples), 'picture')} in {folder}/"
