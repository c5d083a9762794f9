"""Colour modes of translated images: grey, colour and transparency."""

from pathlib import Path

import numpy as np
from PIL import Image

from experiments.inference.translation import TranslationItem
from tests.experiments.inference.helpers import Gans, paint, read, translated


def test_the_networks_see_white_and_transparency_is_put_back(gans: Gans, runs: Path) -> None:
    see_through = paint("in/glass.png", 21, 18, 4)
    with Image.open(see_through) as image:
        white = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    white.save("in/white.png")
    translated(gans, "cyclegan in --to B --out out")
    assert read("out/glass.png").shape == (21, 18, 4)
    assert (read("out/glass.png")[:, :, 3] == read(see_through)[:, :, 3]).all()
    assert (read("out/glass.png")[:, :, :3] == read("out/white.png")).all()
    assert read("out/white.png").shape == (21, 18, 3)


def test_grey_runs_give_grey_files(gans: Gans, runs: Path) -> None:
    paint("in/colour.png", 10, 12)
    paint("in/glass.png", 10, 12, 4)
    translated(gans, "grey in --to B --out out")
    with Image.open("out/colour.png") as colour, Image.open("out/glass.png") as glass:
        assert (colour.mode, glass.mode) == ("L", "LA")


def test_grey_images_take_the_colours_of_the_run(gans: Gans, runs: Path) -> None:
    translated(gans, "cyclegan --to B --out out", paint("grey.png", 10, 12, 1))
    assert read("out/grey.png").shape == (10, 12, 3)


def test_networks_that_see_transparency_are_given_it(workplace: Path) -> None:
    paint("glass.png", 4, 4, 4)
    image, apart = TranslationItem(Path(), "glass.png", Path("out.png")).read(4)
    assert apart is None and (np.asarray(image) == read("glass.png")).all()
