"""Projection finds the latents of a generator's own images, and the nearest sample for others."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from experiments.core.images import to_uint8
from experiments.inference.latent_space import LatentSpace, latent_from_seed, open_space
from experiments.inference.projection import LatentParameters, project, read_target, refine, squared_errors
from tests.experiments.inference.test_latent_moves import places, sampled

Gans = Callable[..., Any]


def quiet(count: int) -> None:
    """Nobody watches."""


@pytest.fixture
def space(trained: Path) -> LatentSpace:
    return open_space(trained, "cpu", None)


def own_image(space: LatentSpace, seed: int) -> Tensor:
    return to_uint8(space.samples(space.of_seeds([seed])))[0]


@pytest.mark.parametrize("seed", [3, 8])
def test_an_image_of_its_own_is_found_again(space: LatentSpace, seed: int) -> None:
    """To the rounding of its pixels: uniform in a level of 2/255, so of variance (2/255)²/12."""
    found = project(space, own_image(space, seed), 300, 0, quiet)
    assert found.error < 4 * (2 / 255) ** 2 / 12
    assert found.psnr == pytest.approx(10 * np.log10(4 / found.error))
    assert (found.point - latent_from_seed(seed, 5)).abs().max() < 0.1, "and so is its latent"


def test_least_squares_find_the_bottom_of_the_valley(space: LatentSpace) -> None:
    """From nearby, where Adam would still need hundreds of steps; and never upwards."""
    goal = latent_from_seed(3, 5)
    image = space.samples(goal[None])[0]
    begin = goal + 0.02
    end = refine(space, begin, image)
    before, after = squared_errors(space, torch.stack([begin, end]), image)
    assert after < 1e-4 * before and (end - goal).abs().max() < 1e-3
    noise = torch.rand(image.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    before, after = squared_errors(space, torch.stack([begin, refine(space, begin, noise)]), noise)
    assert after < before


def test_w_is_searched_where_there_is_a_mapping_network(styled: LatentSpace) -> None:
    found = project(styled, own_image(styled, 3), 300, 0, quiet)
    assert found.point.shape == (3,)
    assert found.error < 1e-4


def test_it_is_a_function_of_the_seed(space: LatentSpace) -> None:
    image = torch.randint(256, (3, 8, 8), dtype=torch.uint8)
    one, two, other = (project(space, image, 20, seed, quiet) for seed in (0, 0, 1))
    assert torch.equal(one.point, two.point) and not torch.equal(one.point, other.point)


def test_the_search_comes_nearer_than_chance(space: LatentSpace) -> None:
    image = torch.randint(256, (3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    chance = squared_errors(space, torch.randn(256, 5), image.float() / 127.5 - 1).min()
    taken: list[int] = []
    found = project(space, image, 200, 0, taken.append)
    assert found.error < chance
    assert sum(taken) == 200, "the meter ends at its end"
    assert found.error == pytest.approx((found.sample - (image.float() / 127.5 - 1)).square().mean().item())
    assert found.point.square().mean() < 9, "near where noise is"


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_few_steps_are_enough_to_end(space: LatentSpace, steps: int) -> None:
    assert project(space, own_image(space, 3), steps, 0, quiet).error < 4


def test_searchers_stand_where_they_are_put(styled: LatentSpace) -> None:
    points = styled.of_seeds([1, 2])
    assert torch.allclose(LatentParameters(styled, points)(), points, atol=1e-5)


# --- the command -------------------------------------------------------------------------------------


def test_the_command(gans: Gans, trained: Path) -> None:
    gans("sample run -n 1 --seed 3 --out own/")
    outcome = gans("project run own/000000.png --out near/found.png")
    said = [
        line for line in outcome.err.splitlines() if line and "in all, about" not in line
    ]  # on a slow machine
    assert outcome.status == 0 and said == [  # rich < 14 ends its line
        "next: gans sample run --latents near/found.npy --out again.png"
    ], outcome.err
    error, psnr, out = outcome.out.splitlines()
    assert (error.split()[0], psnr.split()[0], out) == ("mean_squared_error", "psnr", "near/found.png")
    assert float(psnr.split()[1]) > 40
    latent = np.load("near/found.npy")
    assert latent.shape == (5,) and np.abs(latent - latent_from_seed(3, 5).numpy()).max() < 0.1
    assert places(Image.open(out), sampled(gans, 3)) >= 1, "the image itself"


@pytest.mark.parametrize(
    "flags",
    [
        "--arch dcgan --z-dim 5",
        "--arch dcgan --z-dim 5 --conditional",
        "--arch stylegan2 --z-dim 12 --set arch.mapping_layers=1",
    ],
)
def test_the_next_command_makes_the_nearest_sample_again(flags: str, gans: Gans, workplace: Path) -> None:
    """A w that is taken for a z would make another picture, without a word."""
    small = "--loss bce --data shapes --image-size 8 --width 2 --batch-size 4 --steps 1 --track local"
    assert gans(f"run {flags} {small} --out run").status == 0
    Image.new("RGB", (8, 8), "red").save("red.png")
    label = " --label 2" if "--conditional" in flags else ""
    outcome = gans(f"project run red.png --steps 5 --out near.png{label}")
    assert outcome.status == 0, outcome.err
    (line,) = [line for line in outcome.err.splitlines() if line.startswith("next: gans ")]
    assert ("--space w" in line) == ("stylegan2" in flags) and label in line
    assert gans(line.removeprefix("next: gans ").replace("again.png", "again.npy")).status == 0
    again = np.load("again.npy")
    assert again.shape == (1, 3, 8, 8)
    enlarged = again[0].transpose(1, 2, 0).repeat(8, axis=0).repeat(8, axis=1)
    assert places(Image.open("near.png"), enlarged) >= 1


def test_json_is_one_object(gans: Gans, trained: Path, pictures: Path) -> None:
    outcome = gans("project run pictures/00.png --steps 5 --json --out found.png")
    found = json.loads(outcome.out)
    assert found.keys() == {"mean_squared_error", "psnr", "space", "out", "latent"}
    assert (found["space"], found["out"], found["latent"]) == ("z", "found.png", "found.npy")


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_any_image_is_cropped_to_the_generators_size(mode: str, workplace: Path) -> None:
    """The middle of a wide image: white, between black sides that are cut off."""
    image = Image.new("L", (40, 16), 0)
    image.paste(255, (12, 0, 28, 16))
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
    else:
        image = image.convert(mode)
    image.save("wide.tiff")
    for channels in (1, 3, 4):
        target = read_target(Path("wide.tiff"), (8, 8), channels)
        assert (target.shape, target.dtype) == ((channels, 8, 8), torch.uint8)
        assert target.float().mean() > 240


REFUSED = [
    ("project run nowhere.png --out x.png", "nowhere.png", "nowhere.png does not exist"),
    ("project run text.png --out x.png", "text.png", "not an image"),
    ("project run cut.png --out x.png", "cut.png", "cannot be read"),
    ("project run pictures --out x.png", "pictures", "not a file"),
    ("project run pictures/00.png --out x.gif", "x.gif", "FILE.png"),
    ("project run pictures/00.png --out pictures/00.png", "pictures/00.png", "another"),
    ("project run pictures/00.png --steps 0 --out x.png", "--steps", "0"),
    ("project run pictures/00.png --seed x --out x.png", "--seed", "x"),
    ("project run --out x.png", "IMAGE"),
    ("project nowhere pictures/00.png --out x.png", "nowhere"),
]


@pytest.mark.parametrize(("line", "mentions"), [(line, rest) for line, *rest in REFUSED], ids=str)
def test_what_has_no_meaning(
    line: str, mentions: list[str], refused: Any, trained: Path, pictures: Path
) -> None:
    Path("text.png").write_text("no image")
    Path("cut.png").write_bytes((pictures / "00.png").read_bytes()[:150])
    before = (pictures / "00.png").read_bytes()
    assert "--skip-bad" not in refused(2, tuple(mentions), line)
    assert not list(Path().glob("x.*"))
    assert (pictures / "00.png").read_bytes() == before


def test_points_are_no_images(refused: Any, finished: Path, pictures: Path) -> None:
    refused(2, ("run makes points",), "project run pictures/00.png --out x.png")
    shutil.rmtree(pictures)
    assert not list(Path().glob("x.*"))
