"""Frames written as a film (GIF, MP4) or as a grid (PNG)."""

import importlib
import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from experiments.core.errors import RunError, UsageError
from experiments.core.files import write_file
from experiments.core.images import grid, to_pillow, write_picture
from experiments.core.labelled_sheets import on_white

ENDINGS = (".gif", ".mp4", ".png")
COLUMNS = 10
COLOURS = 256  # in a frame of a GIF


def check_encoder(path: Path) -> None:
    """Checks that a film can be encoded here. Raises UsageError where its encoder is not installed."""
    if path.suffix == ".mp4":
        _ffmpeg(path)


def save_frames(frames: Tensor, path: Path, per_second: int) -> None:
    """Writes frames, uint8 `(N, C, H, W)`, in the format that the file's ending names.

    PNG and GIF keep every pixel, as far as a frame of a GIF has no more than 256 colours; MP4 does not.
    Small images are enlarged as in a grid. Raises RunError where the file cannot be written.
    """
    if path.suffix == ".png":
        write_picture(path, to_pillow(grid(frames, COLUMNS)))
        return
    pictures = [on_white(to_pillow(grid(frame[None]))) for frame in frames]
    encode = _gif if path.suffix == ".gif" else _mp4
    write_file(path, encode(pictures, per_second))


def _gif(pictures: list[Image.Image], per_second: int) -> bytes:
    """Encodes pictures as an animated GIF."""
    # A palette of its own for every frame, and no dither, which would flicker.
    reduced = [picture.quantize(COLOURS, dither=Image.Dither.NONE) for picture in pictures]
    buffer = io.BytesIO()
    duration = round(1000 / per_second)
    reduced[0].save(
        buffer, format="GIF", save_all=True, append_images=reduced[1:], duration=duration, loop=0, disposal=1
    )
    return buffer.getvalue()


def _mp4(pictures: list[Image.Image], per_second: int) -> bytes:
    """Encodes pictures as an MP4 film. Raises RunError where the encoder fails."""
    constant_batches = [_even(picture) for picture in pictures]
    with tempfile.TemporaryDirectory() as folder:  # the encoder goes back in its file, so it needs one
        file = Path(folder, "film.mp4")
        ffmpeg = _ffmpeg(file)
        # Without times, versions and threads, so that equal frames give equal files.
        exact = ["-fflags", "+bitexact", "-flags:v", "+bitexact", "-map_metadata", "-1", "-threads", "1"]
        try:
            encoder = ffmpeg.write_frames(
                str(file),
                constant_batches[0].size,
                fps=per_second,
                macro_block_size=1,
                quality=9,
                output_params=exact,
            )
            encoder.send(None)
            for picture in constant_batches:
                encoder.send(np.asarray(picture).tobytes())
            encoder.close()
            return file.read_bytes()
        except (OSError, RuntimeError) as error:
            raise RunError("the encoder of imageio-ffmpeg failed; take a file that ends in .gif") from error


def _ffmpeg(path: Path) -> Any:
    """Imports imageio-ffmpeg. Raises UsageError where it is not installed."""
    try:
        return importlib.import_module("imageio_ffmpeg")
    except ImportError as error:
        raise UsageError(
            f'{path.name}: MP4 needs an encoder: pip install "gans[video]", or give a file that ends in .gif'
        ) from error


def _even(picture: Image.Image) -> Image.Image:
    """Pads a picture to even sides with a white line: the format's colours have half the resolution."""
    canvas = Image.new(
        "RGB", (picture.width + picture.width % 2, picture.height + picture.height % 2), "white"
    )
    canvas.paste(picture, (0, 0))
    return canvas
