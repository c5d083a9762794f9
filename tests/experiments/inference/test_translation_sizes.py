"""Sizes of translated images: padded or stretched for the networks, upright, and brought back."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from experiments.inference.translation import InputFormat, mirror_indices, padded_side
from experiments.inference.translation_targets import Target
from tests.experiments.inference.helpers import ARCHITECTURES, Gans, paint, read, translated

TO = {"pix2pix": "", "cyclegan": "--to B", "stargan": "--to hue=red", "swap": "--to A"}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_size_comes_back(name: str, gans: Gans, runs: Path) -> None:
    sizes = [(16, 16), (1, 1), (3, 50), (37, 21), (4, 4), (64, 33)]
    for number, size in enumerate(sizes):
        paint(f"in/{number}.png", *size)
    translated(gans, f"{name} in {TO[name]} --out out")
    assert [read(f"out/{number}.png").shape for number in range(len(sizes))] == [(*s, 3) for s in sizes]


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (5, 7), (8, 8), (16, 16), (17, 40), (33, 3)])
@pytest.mark.parametrize("trained", [(16, 16), (8, 24)])
def test_what_is_padded_is_cropped_in_its_place(size: tuple[int, int], trained: tuple[int, int]) -> None:
    """A network that changes nothing gives back every pixel, and is shown multiples, twice at least."""
    seen: list[Sequence[int]] = []

    def same(whole: Image.Image, x: Tensor) -> Tensor:
        seen.append(x.shape[2:])
        return x

    pixels = np.random.default_rng(0).integers(256, size=(*size, 3), dtype=np.uint8)
    frame = InputFormat(trained, 3, 8, torch.device("cpu"))
    made = frame.through(Target("same", same), Image.fromarray(pixels))
    assert (np.asarray(made) == pixels).all()
    for shown, own, usual in zip(seen[0], size, trained, strict=True):
        assert shown % 8 == 0 and max(own, min(16, usual)) <= shown < max(own + 8, min(16, usual) + 1)


def test_the_size_of_the_training_is_not_padded() -> None:
    """Also where it is the multiple itself, as that of a U-Net which halves it down to one pixel."""
    assert padded_side(256, 256, 256) == 256
    assert padded_side(16, 16, 48) == 32
    assert padded_side(5, 4, 16) == 8


@pytest.mark.parametrize(("side", "wanted"), [(1, 4), (2, 8), (3, 16), (5, 8), (8, 8), (9, 16), (2, 7)])
def test_borders_are_mirrored_as_often_as_it_takes(side: int, wanted: int) -> None:
    before = (wanted - side) // 2
    truth = np.pad(np.arange(side), (before, wanted - side - before), mode="reflect" if side > 1 else "edge")
    assert mirror_indices(side, wanted).tolist() == truth.tolist()


def test_networks_of_one_size_see_it_and_the_result_is_brought_back() -> None:
    seen: list[Sequence[int]] = []

    def same(whole: Image.Image, x: Tensor) -> Tensor:
        seen.append(x.shape)
        return x

    frame = InputFormat((16, 24), 3, None, torch.device("cpu"))
    smooth = np.add.outer(np.arange(40), np.arange(50)).astype(np.uint8)[:, :, None].repeat(3, axis=2)
    made = np.asarray(frame.through(Target("same", same), Image.fromarray(smooth)))
    assert seen == [(1, 3, 16, 24)] and made.shape == smooth.shape
    assert np.abs(made.astype(int) - smooth).max() <= 4, "stretched there and back, nothing is cut off"


def test_photos_are_turned_upright(gans: Gans, runs: Path) -> None:
    """As a camera on its side writes them: 30 high and 20 wide for the eye."""
    with Image.open(paint("flat.png", 20, 30)) as flat:
        exif = Image.Exif()
        exif[0x0112] = 6
        flat.save("turned.png", exif=exif)
        flat.rotate(-90, expand=True).save("upright.png")
    translated(gans, "cyclegan turned.png upright.png --to B --out out")
    assert read("out/turned.png").shape == (30, 20, 3)
    assert (read("out/turned.png") == read("out/upright.png")).all()
