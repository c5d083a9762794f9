"""Labelled sheets of sample images: a row for each model or setting, with captions."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from experiments.core.images import grid, to_pillow

GAP = 4
MARGIN = 8
LABEL, CAPTION = 14, 11  # pixels: the heights of the letters beside a row, and above an image
HEADING_INK, INK = "black", "#3d4652"  # of headings and labels in all plots
REGULAR, BOLD = "DejaVuSans.ttf", "DejaVuSans-Bold.ttf"


class SheetRow(NamedTuple):
    """A row of a sheet: a label, images and captions.

    Attributes:
        label: words to its left.
        images: uint8 `(N, C, H, W)`.
        captions: words above each image; none at all, or N.
    """

    label: str
    images: Tensor
    captions: Sequence[str] = ()


def draw_sheet(rows: Sequence[SheetRow], heading: str = "") -> Image.Image:
    """Draws rows below each other on white, their images in columns; small images are enlarged.

    Args:
        heading: words above all of it, in lines.
    """
    cells = [[on_white(to_pillow(grid(image[None]))) for image in row.images] for row in rows]
    cell_width, cell_height = cells[0][0].size
    words = [caption for row in rows for caption in row.captions]
    column = max(cell_width, *(_width(word, CAPTION) for word in ["", *words])) + GAP
    left = max(_width(row.label, LABEL) for row in rows) + 2 * MARGIN
    heights = [cell_height + GAP + (CAPTION + GAP if row.captions else 0) for row in rows]
    lines = heading.splitlines()
    width = max(
        left + column * max(map(len, cells)) - GAP,
        *(MARGIN + _width(line, LABEL, BOLD) for line in ["", *lines]),
    )
    head = len(lines) * (LABEL + GAP) + (MARGIN if lines else 0)
    canvas = Image.new("RGB", (width + MARGIN, head + sum(heights) - GAP + 2 * MARGIN), "white")
    pen = ImageDraw.Draw(canvas)
    for number, line in enumerate(lines):
        _write(pen, (MARGIN, MARGIN + number * (LABEL + GAP)), line, LABEL, "lt", BOLD)
    top = MARGIN + head
    for row, images, height in zip(rows, cells, heights, strict=True):
        above = top + height - GAP - cell_height
        _write(pen, (MARGIN, above + cell_height // 2), row.label, LABEL, "lm")
        for index, image in enumerate(images):
            x = left + index * column + (column - GAP - cell_width) // 2
            canvas.paste(image, (x, above))
            if row.captions:
                _write(pen, (x + cell_width // 2, above - GAP // 2), row.captions[index], CAPTION, "mb")
        top += height
    return canvas


def on_white(image: Image.Image) -> Image.Image:
    """Converts an image to RGB on a white background."""
    if image.mode != "RGBA":
        return image.convert("RGB")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def format_signed(value: float) -> str:
    """Formats a number for a caption, with the typographer's minus."""
    return f"{value:+.3g}".replace("-", "−") if value else "0"


def _write(
    pen: ImageDraw.ImageDraw,
    position: tuple[int, int],
    text: str,
    size: int,
    anchor: str,
    face: str = REGULAR,
) -> None:
    ink = HEADING_INK if face == BOLD else INK
    pen.text(position, text, fill=ink, font=_font(size, face), anchor=anchor)


def _width(text: str, size: int, face: str = REGULAR) -> int:
    return round(_font(size, face).getlength(text))


@cache
def _font(size: int, face: str) -> ImageFont.FreeTypeFont:
    """Loads a font of matplotlib, which has all signs, and is the same on every machine."""
    import matplotlib

    file = Path(matplotlib.get_data_path(), "fonts/ttf", face)
    return ImageFont.truetype(str(file), size, layout_engine=ImageFont.Layout.BASIC)
