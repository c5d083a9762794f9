"""Sizes and channels of sets that are held: geometry, levels and rounding, for square and other pictures."""

import numpy as np
import pytest
import torch
from torch import Tensor

from experiments.data.core.dataset import Fit
from experiments.data.core.pixels import CHUNK, resize_and_convert


def noise(count: int, channels: int, height: int, width: int) -> Tensor:
    return torch.from_numpy(
        np.random.default_rng(0).integers(0, 256, (count, channels, height, width), dtype=np.uint8)
    )


def quarters() -> Tensor:
    """24×48: columns of twelve in red, green, blue, white."""
    picture = torch.zeros(1, 3, 24, 48, dtype=torch.uint8)
    for column, lit in enumerate(([0], [1], [2], [0, 1, 2])):
        picture[:, lit, :, 12 * column : 12 * column + 12] = 255
    return picture


@pytest.mark.parametrize("channels", [1, 3])
def test_its_own_shape_is_exact(channels: int) -> None:
    pictures = noise(CHUNK + 3, channels, 5, 7)
    for fit in ("auto", "crop", "stretch", "error"):
        assert torch.equal(resize_and_convert(pictures, (5, 7), channels, fit), pictures)


def test_channels() -> None:
    rgb, grey = noise(4, 3, 5, 7), noise(4, 1, 5, 7)
    luma = (rgb.double() * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(1, keepdim=True)
    assert (resize_and_convert(rgb, (5, 7), 1, "auto") - luma).abs().max() <= 0.5001
    assert torch.equal(resize_and_convert(grey, (5, 7), 3, "auto"), grey.repeat(1, 3, 1, 1))
    for pictures in (rgb, grey):
        rgba = resize_and_convert(pictures, (5, 7), 4, "auto")
        assert torch.equal(rgba[:, :3], resize_and_convert(pictures, (5, 7), 3, "auto"))
        assert (rgba[:, 3] == 255).all()
        assert rgba.is_contiguous()


@pytest.mark.parametrize("fit", ["auto", "crop"])
def test_crop_takes_the_middle(fit: Fit) -> None:
    square = resize_and_convert(quarters(), (24, 24), 3, fit)
    assert torch.equal(square, quarters()[:, :, :, 12:36])
    small = resize_and_convert(quarters(), (12, 12), 3, fit)[0]
    assert small[:, 6, 1].tolist() == [0, 255, 0]
    assert small[:, 6, 10].tolist() == [0, 0, 255]
    tall = resize_and_convert(quarters().mT.contiguous(), (24, 24), 3, fit)
    assert torch.equal(tall, square.mT)


def test_stretch_takes_all() -> None:
    small = resize_and_convert(quarters(), (24, 24), 3, "stretch")[0, :, 12]
    assert small[:, [2, 8, 14, 20]].T.tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255] * 3]


def test_crop_keeps_circles_round_and_centred() -> None:
    y, x = np.mgrid[:109, :89] + 0.5  # CelebA's aspect
    cover = (30.5 - np.hypot(y - 54.5, x - 44.5)).clip(0, 1)
    disc = torch.from_numpy((255 * cover).round().astype(np.uint8))[None, None]
    small = resize_and_convert(disc, (64, 64), 1, "crop")[0, 0].double() / 255
    radius = 30 * 64 / 89
    assert small.sum().item() == pytest.approx(np.pi * radius**2, rel=0.02)
    for axis in (0, 1):
        assert small.sum(axis).max().item() == pytest.approx(2 * radius, abs=0.7)
        middle = (small.sum(axis) * (torch.arange(64) + 0.5)).sum() / small.sum()
        assert middle.item() == pytest.approx(32, abs=0.51)


def test_shrinking_averages() -> None:
    """A fine checkerboard becomes even grey; without antialiasing it would be black, white or stripes."""
    board = ((torch.arange(64)[:, None] + torch.arange(64)) % 2 * 255).byte()[None, None]
    assert (resize_and_convert(board, (8, 8), 1, "auto").int() - 127).abs().max() <= 2


def test_levels_stay_where_they_were() -> None:
    """Rounded to the nearest, once: cutting off would lower the mean by half a level, twice by more."""
    pictures = noise(300, 3, 16, 16)
    for channels in (1, 3):
        expected = resize_and_convert(pictures, (16, 16), channels, "auto").double().mean()
        resized = resize_and_convert(pictures, (16, 32), channels, "stretch").double().mean()
        assert (resized - expected).abs() < 0.1


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (50, 3), (33, 34)])
def test_every_size_is_met_exactly(size: tuple[int, int]) -> None:
    for fit in ("crop", "stretch"):
        assert resize_and_convert(noise(2, 3, 21, 17), size, 3, fit).shape == (2, 3, *size)
