"""Pictures of a run folder as data URLs: sample grids over time, and real images."""

import base64
import io
import logging
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

from PIL import Image

from experiments.analysis.page.scale import short_number
from experiments.core.errors import RunError
from experiments.core.files import open_regular_file, refuse_link
from experiments.runs.grid_names import REAL_IMAGES, kimg_of_grid

log = logging.getLogger("gans")

GRIDS = 12  # largest number of sample grids of a run, spread from the first to the last
MOST_PIXELS, SHOWN_PIXELS = 2**26, 2**23  # of a grid, and of its picture on the page, which is shrunk to it
QUALITY = 80  # of the grids' WebP compression, in percent


@dataclass(frozen=True)
class EmbeddedPicture:
    """Picture of a page.

    Attributes:
        kimg: thousands of images shown until then; 0 for real images.
        source: the picture as a data URL.
        width, height: in pixels.
    """

    kimg: float
    source: str
    width: int
    height: int


@dataclass(frozen=True)
class Timeline:
    """Sample grids of a run over time.

    Attributes:
        name: of the run; note: its state.
        group: number of its group, which has a colour on the whole page.
        pictures: in the order of kimg; may be empty.
    """

    name: str
    note: str
    group: int
    pictures: Sequence[EmbeddedPicture]

    @property
    def label(self) -> str:
        """Text for screen readers."""
        return f"samples of {self.name}"

    def data(self) -> list[tuple[float, str, str]]:
        """Steps of the slider: kimg, the same in words, and the picture."""
        return [(picture.kimg, short_number(picture.kimg), picture.source) for picture in self.pictures]


def sample_grids(folder: Path) -> list[EmbeddedPicture]:
    """Sample grids of a run folder in the order of kimg. A remark names each picture that is left out."""
    if not _is_own(folder):
        return []
    files = []
    for file in sorted(file for file in (folder / "samples").glob("*.png") if file.name != REAL_IMAGES):
        kimg = kimg_of_grid(file.name)
        if kimg is None:
            log.info(f"{file} is left out: grids of samples have names such as kimg-000012.png")
        else:
            files.append((kimg, file))
    files.sort(key=itemgetter(0))
    if len(files) > GRIDS:
        files = [files[round(i * (len(files) - 1) / (GRIDS - 1))] for i in range(GRIDS)]
    found = [_picture(file, kimg) for kimg, file in files]
    return [picture for picture in found if picture is not None]


def real_images(folder: Path) -> EmbeddedPicture | None:
    """Real images of a run folder, which a run saves when it begins; None where there are none."""
    file = folder / "samples" / REAL_IMAGES
    return _picture(file, 0) if _is_own(folder) and file.exists() else None


def _is_own(folder: Path) -> bool:
    """Whether the samples of a run folder are its own, and not a link to somewhere else."""
    try:
        refuse_link(folder / "samples")
    except RunError as error:
        log.info(f"{folder} is shown without samples: {error}")
        return False
    return True


def _picture(file: Path, kimg: float) -> EmbeddedPicture | None:
    """Picture of a PNG file, compressed as WebP; None, with a remark, where it is none."""
    content = io.BytesIO()
    try:
        with warnings.catch_warnings(), open_regular_file(file) as stream:
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(stream, formats=["PNG"]) as picture:
                pixels = picture.width * picture.height
                if pixels > MOST_PIXELS:
                    raise ValueError(f"it has more than {MOST_PIXELS:,} pixels")
                shown = picture.reduce(max(1, math.ceil((pixels / SHOWN_PIXELS) ** 0.5)))
                shown.convert("RGB").save(content, "WEBP", quality=QUALITY)
    except Exception as error:  # whatever a damaged file makes the reader stumble over
        log.info(f"{file} is left out: {str(error) or type(error).__name__}")
        return None
    data = base64.b64encode(content.getvalue()).decode()
    return EmbeddedPicture(kimg, f"data:image/webp;base64,{data}", shown.width, shown.height)
