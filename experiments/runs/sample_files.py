"""Files of samples: the picture, array or folder that `gans sample` writes."""

import io
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
from torch import Tensor

from experiments.core.destinations import output_file, output_folder
from experiments.core.errors import RunError, UsageError
from experiments.core.files import AtomicWriter, write_atomically
from experiments.core.images import draw_samples, save_png, to_pillow, to_uint8

ENDINGS = (".png", ".npy")  # of samples in one file


def open_destination(out: str, count: int, force: bool) -> AbstractContextManager[Path]:
    """Checks the file or folder that `gans sample` writes, as `output_file` and `output_folder` do.

    Raises UsageError for another form of name.
    """
    if not out:
        raise UsageError("--out is empty; give FILE.png, FILE.npy or DIR/")
    if _is_folder(out):
        return output_folder("sample", out, map(_picture_name, range(count)), force=force)
    if Path(out).suffix not in ENDINGS:
        raise UsageError(f"--out {out}: give FILE.png, FILE.npy or DIR/")
    return output_file("sample", out, *ENDINGS, force=force)


def _is_folder(out: str) -> bool:
    return out.endswith("/") or Path(out).is_dir()


def _picture_name(index: int) -> str:
    return f"{index:06d}.png"


def save_samples(samples: Tensor, out: str, as_float: bool = False) -> str:
    """Saves samples as a picture, an array or a folder of images; returns a line on what was written.

    `FILE.png` is a grid or scatter plot, `FILE.npy` uint8 `(N, C, H, W)`, or with `as_float` and of points
    float32, and `DIR/` has a PNG for each image. Raises RunError where it cannot be written.
    """
    path = Path(out)
    try:
        if _is_folder(out):
            return _save_each(samples, path)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".png":
            save_png(draw_samples(samples), path)
        else:
            buffer = io.BytesIO()
            is_rounded = samples.dim() == 4 and not as_float
            np.save(buffer, (to_uint8(samples) if is_rounded else samples).numpy())
            write_atomically(path, buffer.getvalue())
    except OSError as error:
        raise RunError(f"cannot write {out}: {error.strerror or error}") from error
    return f"{len(samples)} samples in {path}"


def _save_each(samples: Tensor, folder: Path) -> str:
    """Saves a PNG for each image."""
    if samples.dim() == 2:
        raise UsageError("points do not make one picture each; give --out FILE.npy or FILE.png")
    folder.mkdir(parents=True, exist_ok=True)
    writer = AtomicWriter()
    for index, image in enumerate(to_uint8(samples)):
        save_png(to_pillow(image), folder / _picture_name(index), writer)
    return f"{len(samples)} pictures in {folder}/"
