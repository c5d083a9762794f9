"""Opening of a run's data: what its settings say of size and fit reaches every task's images."""

import io
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.config.resolve import resolve
from experiments.data.core import decoding
from experiments.data.core.decoding import Extremes, Store, read_extremes
from experiments.data.core.open import open_data, open_domains, task_of
from tests.conftest import ARCHITECTURES
from tests.experiments.data.helpers import png_of_16_bits

pytestmark = pytest.mark.usefixtures("image_cache")
TASKS = {"noise": "dcgan", "pairs": "pix2pix", "domains": "cyclegan"}


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    """A/ and B/ with pictures twice as wide as high: black, but for white sides."""
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:, :4] = pixels[:, 12:] = 255
    for folder in ("A", "B"):
        (tmp_path / folder).mkdir()
        for number in range(4):
            Image.fromarray(pixels).save(tmp_path / folder / f"{number}.png")
    return tmp_path


@pytest.mark.parametrize(("fit", "white"), [("crop", 0), ("stretch", 4), ("auto", 0)])
@pytest.mark.parametrize("task", TASKS)
def test_oblong_pictures_are_fitted_as_the_settings_say(task: str, fit: str, white: int, wide: Path) -> None:
    """The middle square is black; of the whole picture half of the columns are white."""
    flags: dict[str, Any] = {"arch": TASKS[task], "data": f"folder:{wide}", "image_size": (8, 8)}
    settings = resolve({**flags, "fit": fit, "batch_size": 2, "width": 2, "steps": 1}).settings
    assert task_of(settings) == task == ARCHITECTURES[TASKS[task]].task
    if task == "noise":
        opened = [open_data(settings)[0]]
    else:
        domains = open_domains(settings, paired=task == "pairs")
        opened = [domains.a, domains.b]
    for data in opened:
        pictures = data.fetch(torch.arange(2)).float()
        assert pictures.shape == (2, 3, 8, 8)
        assert int((pictures.mean(dim=(0, 1, 2)) > 127).sum()) == white


class Bytes(Store):
    """A store whose every file is one picture of 16 bits."""

    def __init__(self, height: int, width: int) -> None:
        pixels = np.arange(height * width, dtype=np.uint16).reshape(height, width) + 7
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        self.content = file.getvalue()

    def open(self, name: str) -> BinaryIO:
        return io.BytesIO(self.content)

    def size_of(self, name: str) -> int:
        return len(self.content)

    def name_of(self, name: str) -> str:
        return name

    def stamp(self, name: str) -> str:
        return name


@pytest.mark.parametrize(("height", "width", "is_read"), [(10, 10, True), (9, 12, False), (12, 9, False)])
def test_extremes_of_large_pictures_in_colour_are_not_looked_for(
    height: int, width: int, is_read: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would take their memory: by the number of pixels, whatever the shape; grey takes little."""
    monkeypatch.setattr(decoding, "MOST_SURVEYED_PIXELS", 100)
    expected = Extremes(7, height * width + 6, is_scalable=True)
    grey, colour = Bytes(height, width), Bytes(height, width)
    values = np.arange(height * width).reshape(height, width, 1) + 7
    colour.content = png_of_16_bits(values.repeat(3, axis=2))
    assert read_extremes(grey, "a.png") == expected
    assert read_extremes(colour, "a.png") == (expected if is_read else None)
