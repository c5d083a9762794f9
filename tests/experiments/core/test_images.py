"""Pictures show samples as they are."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.core.images import GAP, draw_samples, grid, save_png, to_pillow, to_uint8


def test_the_map_to_bytes_is_fixed() -> None:
    """[16] A batch without black and white stays without; out of range is clamped, the rest rounded."""
    values = torch.tensor([-3.0, -1.0, -0.5, 0.0, 0.1, 0.5, 1.0, 7.0])
    assert to_uint8(values).tolist() == [0, 0, 64, 128, 140, 191, 255, 255]


def test_grid_places_images_row_by_row() -> None:
    images = torch.arange(5, dtype=torch.uint8).view(5, 1, 1, 1).expand(5, 1, 64, 64) * 10
    picture = grid(images, columns=2)
    assert picture.shape == (1, 3 * 64 + 2 * GAP, 2 * 64 + GAP)
    corner = 64 + GAP
    assert picture[0, 0, 0] == 0
    assert picture[0, 0, corner] == 10
    assert picture[0, corner, 0] == 20
    assert picture[0, 2 * corner, 0] == 40
    assert (picture[0, 2 * corner :, corner:] == 255).all(), "the missing cell is white"


@pytest.mark.parametrize(
    ("shape", "cell"),
    [((8, 8), (64, 64)), ((28, 28), (56, 56)), ((16, 32), (32, 64)), ((200, 100), (200, 100))],
)
def test_small_images_are_enlarged_by_whole_factors(shape: tuple[int, int], cell: tuple[int, int]) -> None:
    image = torch.randint(256, (1, 3, *shape), dtype=torch.uint8)
    picture = grid(image)
    assert picture.shape[1:] == cell
    assert torch.equal(picture[:, :: cell[0] // shape[0], :: cell[1] // shape[1]], image[0])


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_png_holds_the_same_bytes(tmp_path: Path, channels: int, mode: str) -> None:
    image = torch.randint(256, (channels, 6, 5), dtype=torch.uint8)
    save_png(to_pillow(image), tmp_path / "x.png")
    read = Image.open(tmp_path / "x.png")
    assert read.mode == mode
    assert np.array_equal(np.asarray(read).reshape(6, 5, channels), image.permute(1, 2, 0).numpy())


@pytest.mark.usefixtures("as_for_users")
def test_points_are_plotted_in_the_frame_of_the_reals() -> None:
    reals = torch.tensor([[-1.0, -1.0], [1.0, 1.0]])
    here = np.asarray(draw_samples(0.05 * torch.randn(200, 2), reals))
    away = np.asarray(draw_samples(torch.full((200, 2), 50.0), reals))
    # A blue cloud in the middle differs from the empty frame; a runaway point does not shrink the frame.
    assert here.shape == away.shape
    blue = [(np.abs(p.astype(int) - (31, 119, 180)).sum(axis=2) < 60).sum() for p in (here, away)]
    assert blue[0] > 100
    assert blue[1] == 0
