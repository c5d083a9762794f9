"""Pictures of samples: one fixed map from [−1, 1] to [0, 255], for real images and fakes alike."""

import io
import logging
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from experiments.core.files import AtomicWriter, make_parent_folders
from experiments.core.plot_style import GENERATED, REAL, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CELL_SIDE = 64  # pixels: smaller images are enlarged by a whole factor, so that a person can see them
GAP = 2
GRID_COLUMNS = 8


def to_uint8(images: Tensor) -> Tensor:
    """Converts images in [−1, 1] to uint8: rounded and clamped, never stretched to the batch's own range."""
    return images.add(1.0).mul(127.5).round().clamp(0, 255).to(torch.uint8)


def from_uint8(images: Tensor) -> Tensor:
    """Converts images in [0, 255], uint8 or not rounded, to float32 in [−1, 1], as the networks see them."""
    return images.float().div(127.5).sub(1.0)


def grid(images: Tensor, columns: int = GRID_COLUMNS) -> Tensor:
    """Arranges uint8 images `(N, C, H, W)` in one uint8 picture `(C, H', W')`, row by row, on white."""
    count, channels, height, width = images.shape
    columns = min(columns, count)
    rows = ceil(count / columns)
    scale = max(1, CELL_SIDE // max(height, width))
    images = images.repeat_interleave(scale, dim=2).repeat_interleave(scale, dim=3)
    height, width = height * scale, width * scale
    canvas = torch.full(
        (channels, rows * (height + GAP) - GAP, columns * (width + GAP) - GAP), 255, dtype=torch.uint8
    )
    for index, image in enumerate(images):
        top, left = index // columns * (height + GAP), index % columns * (width + GAP)
        canvas[:, top : top + height, left : left + width] = image
    return canvas


def view(image: Tensor) -> Tensor:
    """The channels of an image `(C, H, W)` that a picture shows: all of 1, 3 or 4.

    Of two it is the first, in grey, and of more than four the first three, as red, green and blue.
    """
    channels = image.shape[0]
    return image[: 3 if channels > 4 else 1] if channels not in (1, 3, 4) else image


def to_pillow(image: Tensor) -> Image.Image:
    """Converts a uint8 image `(C, H, W)` to Pillow, in mode L, RGB or RGBA; of other channels, the `view`."""
    image = view(image)
    array = image.permute(1, 2, 0).contiguous().cpu().numpy()
    return Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)


@styled
def scatter(points: Tensor, reals: Tensor | None = None) -> Image.Image:
    """Draws a scatter plot of points `(N, 2)` in the plane, over real points in grey."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), dpi=100)
    axes = figure.add_subplot(aspect="equal")
    shown = points if reals is None else reals
    if reals is not None:
        axes.scatter(
            reals[:, 0].numpy(), reals[:, 1].numpy(), s=6, color=REAL, alpha=0.7, linewidths=0, label="real"
        )
    axes.scatter(
        points[:, 0].numpy(), points[:, 1].numpy(), s=4, color=GENERATED, linewidths=0, label="generated"
    )
    # The view is that of the real points, so that a runaway generator does not shrink them to a dot.
    low, high = shown.amin().item(), shown.amax().item()
    margin = 0.15 * max(high - low, 1e-6)
    axes.set(xlim=(low - margin, high + margin), ylim=(low - margin, high + margin))
    return render_figure(figure)


def render_figure(figure: "Figure") -> Image.Image:
    """Renders a figure of matplotlib as a picture."""
    # A machine without some font has another; which one is no news to who asked for a picture.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    figure.tight_layout()
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels = canvas.buffer_rgba()  # type: ignore[no-untyped-call]
    return Image.fromarray(np.asarray(pixels)).convert("RGB")


def save_png(picture: Image.Image, path: Path, writer: AtomicWriter | None = None) -> None:
    """Writes a PNG without times or other metadata; equal pictures give equal bytes.

    Args:
        writer: one for all pictures that are written; a new one by default.
    """
    (writer or AtomicWriter()).write(path, png_bytes(picture))


def png_bytes(picture: Image.Image) -> bytes:
    """Encodes a picture as PNG, without times or other metadata."""
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()


def draw_samples(samples: Tensor, reals: Tensor | None = None, columns: int = GRID_COLUMNS) -> Image.Image:
    """Draws a grid of images in [−1, 1] `(N, C, H, W)`, or a scatter plot of points over real points."""
    samples = samples.detach().float().cpu()
    if samples.dim() == 2:
        return scatter(samples, reals)
    return to_pillow(grid(to_uint8(samples), columns))


def write_picture(path: Path, picture: Image.Image, writer: AtomicWriter | None = None) -> None:
    """Writes a picture as a PNG file, as `save_png` does. Raises RunError where it cannot be written."""
    with make_parent_folders(path):
        save_png(picture, path, writer)
