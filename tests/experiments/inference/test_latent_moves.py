"""Paths, arithmetic and single dimensions, as pictures that correspond to `gans sample`."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from experiments.core.errors import UsageError
from experiments.core.labelled_sheets import SheetRow, draw_sheet
from experiments.inference import movies
from experiments.inference.latent_moves import (
    LatentTerm,
    arithmetic_sheet,
    draw_neighbours,
    interpolate,
    sum_terms,
    traverse_dimensions,
)
from experiments.inference.latent_space import LatentSpace, latent_from_seed, open_space

Gans = Callable[..., Any]
CELL = 64  # an image of 8×8 pixels is shown eight times as large


@pytest.fixture
def space(trained: Path) -> LatentSpace:
    return open_space(trained, "cpu", None)


def sampled(gans: Gans, seed: int) -> np.ndarray[Any, Any]:
    """The first picture of `gans sample --seed`, as it is enlarged in pictures, `(64, 64, 3)`."""
    assert gans(f"sample run -n 1 --seed {seed} --out one.npy").status == 0
    return np.load("one.npy")[0].transpose(1, 2, 0).repeat(8, axis=0).repeat(8, axis=1)


def cell(picture: np.ndarray[Any, Any], row: int, column: int) -> np.ndarray[Any, Any]:
    top, left = row * (CELL + 2), column * (CELL + 2)
    return picture[top : top + CELL, left : left + CELL]


def places(picture: Image.Image, image: np.ndarray[Any, Any]) -> int:
    """How often an image stands in a picture."""
    pixels = np.asarray(picture)
    height, width = image.shape[:2]
    corners = np.argwhere((pixels[: 1 - height, : 1 - width] == image[0, 0]).all(axis=2))
    return sum(np.array_equal(pixels[y : y + height, x : x + width], image) for y, x in corners)


# --- paths -------------------------------------------------------------------------------------------


def test_frames_begin_and_end_with_the_samples_of_the_seeds(gans: Gans, trained: Path) -> None:
    outcome = gans("interpolate run --from 3 --to 8 --frames 12 --out way.png")
    assert (outcome.status, outcome.out) == (0, "way.png\n"), outcome.err
    picture = np.asarray(Image.open("way.png"))
    assert np.array_equal(cell(picture, 0, 0), sampled(gans, 3))
    assert np.array_equal(cell(picture, 1, 1), sampled(gans, 8)), "the twelfth"
    assert (cell(picture, 1, 2) == 255).all(), "there is no thirteenth"


def test_a_film_has_the_frames_of_the_grid(gans: Gans, trained: Path) -> None:
    for name in ("way.png", "way.gif", "again.gif"):
        assert gans(f"interpolate run --from 3 --to 8 --frames 10 --fps 10 --out {name}").status == 0
    picture, film = np.asarray(Image.open("way.png")), Image.open("way.gif")
    frames = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(film)]
    assert (len(frames), film.info["duration"], film.info["loop"]) == (10, 100, 0)
    for index, frame in enumerate(frames):
        assert np.array_equal(frame, cell(picture, 0, index)), "64 colours need no palette"
    assert Path("way.gif").read_bytes() == Path("again.gif").read_bytes()


def test_a_path_passes_every_seed_in_equal_steps(space: LatentSpace) -> None:
    points = interpolate(space, [1, 2, 3], 21)
    for index, seed in ((0, 1), (10, 2), (20, 3)):
        assert torch.equal(points[index], latent_from_seed(seed, 5))
    # z(t) sin ω = sin((1 − t) ω) z0 + sin(t ω) z1, for t = 0, 1/10, …
    way = points[:11].double()
    shares = torch.linalg.lstsq(torch.stack([way[0], way[-1]], dim=1), way.T).solution
    omega = torch.cosine_similarity(way[0], way[-1], dim=0).acos()
    t = torch.linspace(0, 1, 11, dtype=torch.float64)
    expected = torch.stack([((1 - t) * omega).sin(), (t * omega).sin()]) / omega.sin()
    assert torch.allclose(shares, expected, atol=1e-6)


def test_a_path_through_w_is_a_line(styled: LatentSpace) -> None:
    points = interpolate(styled, [1, 2], 5)
    shares = torch.linspace(0, 1, 5)[:, None]
    assert torch.allclose(points, points[0] + shares * (points[4] - points[0]), atol=1e-6)


def test_few_frames_still_pass_every_seed(space: LatentSpace) -> None:
    points = interpolate(space, [1, 2, 3, 4], 4)
    assert torch.equal(points, space.of_seeds([1, 2, 3, 4]))
    with pytest.raises(UsageError, match="--frames 3: 4 seeds need 4 frames"):
        interpolate(space, [1, 2, 3, 4], 3)


def test_mp4_is_optional(gans: Gans, trained: Path, refused: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "imageio_ffmpeg", None)
    refused(
        2, ("way.mp4", 'pip install "gans[video]"', ".gif"), "interpolate run --from 1 --to 2 --out way.mp4"
    )
    assert not Path("way.mp4").exists()


def test_mp4_has_all_frames(gans: Gans, trained: Path) -> None:
    ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="needs the extra `video`")
    outcome = gans("interpolate run --from 3 --to 8 --frames 12 --out way.mp4")
    assert (outcome.status, outcome.out) == (0, "way.mp4\n"), outcome.err
    reader = ffmpeg.read_frames("way.mp4")
    assert next(reader)["size"] == (CELL, CELL)
    frames = [np.frombuffer(frame, np.uint8).reshape(CELL, CELL, 3) for frame in reader]
    assert len(frames) == 12
    difference = np.abs(frames[0].astype(float) - sampled(gans, 3)).mean()
    assert difference < 12, "but for its coarser colours"


def test_odd_films_are_filled_up() -> None:
    even = movies._even(Image.new("RGB", (5, 4), "black"))
    assert even.size == (6, 4)
    assert np.asarray(even)[:, 5].min() == 255 and np.asarray(even)[:, :5].max() == 0


# --- arithmetic --------------------------------------------------------------------------------------


def test_arithmetic_adds_means_of_latents(space: LatentSpace) -> None:
    one, two, three, four = (latent_from_seed(seed, 5) for seed in (1, 2, 3, 4))
    terms = [LatentTerm(1, (1, 2)), LatentTerm(-1, (3,)), LatentTerm(1, (4, 4))]
    assert torch.allclose(sum_terms(space, terms), (one + two) / 2 - three + four, atol=1e-6)


def test_neighbours_stay_near_the_result(space: LatentSpace) -> None:
    point = latent_from_seed(1, 5)
    points = draw_neighbours(space, point, 0.25, seed=0)
    assert torch.equal(points[4], point)
    shifts = (points - point)[[0, 1, 2, 3, 5, 6, 7, 8]]
    assert shifts.abs().max() <= 0.25 and shifts.abs().max() > 0.15
    assert shifts.std().item() == pytest.approx(0.25 / math.sqrt(3), rel=0.3), "uniform"
    assert torch.equal(points, draw_neighbours(space, point, 0.25, seed=0))
    assert not torch.equal(points, draw_neighbours(space, point, 0.25, seed=1))


def test_noise_in_w_follows_its_spread(styled: LatentSpace) -> None:
    shifts = draw_neighbours(styled, styled.centre, 1.0, seed=0) - styled.centre
    assert (shifts.abs() <= styled.deviation + 1e-6).all()


def test_the_order_of_the_terms_is_that_of_the_words(gans: Gans, trained: Path, space: LatentSpace) -> None:
    outcome = gans("arithmetic run --minus 3 --plus 1,2 --minus 4 --plus 5 --out sum.png")
    assert (outcome.status, outcome.out) == (0, "sum.png\n"), outcome.err
    terms = [LatentTerm(-1, (3,)), LatentTerm(1, (1, 2)), LatentTerm(-1, (4,)), LatentTerm(1, (5,))]
    expected = arithmetic_sheet(space, terms, 0.25, 0)
    assert np.array_equal(np.asarray(Image.open("sum.png")), np.asarray(expected))
    other = arithmetic_sheet(space, [*terms[2:], *terms[:2]], 0.25, 0)
    assert not np.array_equal(np.asarray(other), np.asarray(expected))


def test_the_sheet_shows_each_seed_and_the_result(gans: Gans, trained: Path) -> None:
    gans("arithmetic run --plus 1,2 --minus 2 --plus 2 --out sum.png")
    picture = Image.open("sum.png")
    assert places(picture, sampled(gans, 1)) == 1
    assert places(picture, sampled(gans, 2)) == 5, "and the means of one seed"
    gans("arithmetic run --plus 7 --minus 2 --plus 2 --out sum.png")
    assert places(Image.open("sum.png"), sampled(gans, 7)) == 3, "z + 0 is the result"


# --- dimensions --------------------------------------------------------------------------------------


def test_one_dimension_changes_at_a_time(space: LatentSpace) -> None:
    point = latent_from_seed(1, 5)
    points = traverse_dimensions(space, point, [4, 0], torch.tensor([-2.0, 0.0, 2.0]))
    assert points[0, :, 4].tolist() == points[1, :, 0].tolist() == [-2.0, 0.0, 2.0]
    assert torch.equal(points[0, :, :4], point[:4].expand(3, 4))
    assert torch.equal(points[1, :, 1:], point[1:].expand(3, 4))


def test_dimensions_of_w_are_measured_by_their_spread(styled: LatentSpace) -> None:
    points = traverse_dimensions(styled, styled.centre, [1], torch.tensor([-1.0, 1.0]))
    found = points[0, :, 1]
    assert torch.allclose(found, styled.centre[1] + torch.tensor([-1.0, 1.0]) * styled.deviation[1])


def test_traverse_draws_a_row_for_each_dimension(gans: Gans, trained: Path) -> None:
    outcome = gans("traverse run --seed 3 --dims 0,2 --steps 5 --range 2 --out rows.png")
    assert (outcome.status, outcome.out) == (0, "rows.png\n"), outcome.err
    picture = Image.open("rows.png")
    assert places(picture, sampled(gans, 3)) == 2, "every row begins with the sample itself"
    assert gans("traverse run --out all.png").status == 0
    assert Image.open("all.png").height > 2 * picture.height, "five dimensions"


def test_sheets_have_room_for_their_words() -> None:
    image = torch.full((1, 3, 64, 64), 255, dtype=torch.uint8)
    plain = draw_sheet([SheetRow("", image)])
    worded = draw_sheet([SheetRow("a long label", image, ("a caption wider than its image",))])
    assert worded.width > plain.width + 100 and worded.height > plain.height
    ink = np.asarray(worded).min(axis=2) < 128
    assert not ink[:, [0, -1]].any() and not ink[[0, -1]].any(), "no letter is cut off"
    assert ink[:20].any() and ink[20:].any(), "caption above, label beside"


def test_transparent_samples_lie_on_white() -> None:
    clear = torch.zeros(1, 4, 64, 64, dtype=torch.uint8)
    assert np.asarray(draw_sheet([SheetRow("", clear)])).min() == 255


# --- what is refused ---------------------------------------------------------------------------------

REFUSED = [
    ("interpolate run --from one --to 2 --out x.gif", "--from", "'one'", "3,5,8"),
    ("interpolate run --from 1,2 --to 2 --out x.gif", "--from 1,2", "one seed"),
    ("interpolate run --from 1 --to 2,-3 --out x.gif", "--to", "'-3'"),
    ("interpolate run --from 1 --to 2,,3 --out x.gif", "--to", "''"),
    ("interpolate run --from 1 --to 2,3,4 --frames 3 --out x.gif", "--frames 3", "4 seeds"),
    ("interpolate run --from 1 --to 2 --frames 1 --out x.gif", "--frames", "1"),
    ("interpolate run --from 1 --to 2 --fps 0 --out x.gif", "--fps", "0"),
    ("interpolate run --from 1 --to 2 --out x.jpg", "x.jpg", "FILE.gif, FILE.mp4 or FILE.png"),
    ("interpolate run --from 1 --to 2", "--out"),
    ("interpolate nowhere --from 1 --to 2 --out x.gif", "nowhere"),
    ("arithmetic run --out x.png", "--plus", "--minus"),
    ("arithmetic run --plus a --out x.png", "--plus", "'a'"),
    ("arithmetic run --plus 1 --noise nan --out x.png", "--noise", "nan"),
    ("arithmetic run --plus 1 --out x.gif", "x.gif", "FILE.png"),
    ("traverse run --dims 5 --out x.png", "--dims 5", "0 to 4"),
    ("traverse run --dims x --out x.png", "--dims", "'x'", "dimension"),
    ("traverse run --steps 1 --out x.png", "--steps", "1"),
    ("traverse run --range -1 --out x.png", "--range", "-1"),
    ("traverse run --range inf --out x.png", "--range", "inf"),
    ("traverse run --out x.npy", "x.npy", "FILE.png"),
]


@pytest.mark.parametrize(("line", "mentions"), [(line, rest) for line, *rest in REFUSED], ids=str)
def test_what_has_no_meaning(
    line: str, mentions: list[str], refused: Any, trained: Path, workplace: Path
) -> None:
    before = sorted(workplace.rglob("*"))
    refused(2, tuple(mentions), line)
    assert sorted(workplace.rglob("*")) == before


@pytest.mark.parametrize(
    "line",
    [
        "interpolate run --from 1 --to 2 --out x.gif",
        "arithmetic run --plus 1 --out x.png",
        "traverse run --out x.png",
    ],
)
def test_points_have_no_single_pictures(line: str, refused: Any, finished: Path, workplace: Path) -> None:
    refused(2, ("run makes points", "gans sample", line.split()[0]), line)
    assert not list(workplace.glob("x.*"))


def test_a_damaged_export_is_named(refused: Any, trained: Path) -> None:
    file = trained / "generator.safetensors"
    file.write_bytes(file.read_bytes()[:100])
    refused(2, ("generator.safetensors", "damaged"), f"traverse {file} --out x.png")


def test_a_file_that_cannot_be_written_is_named(refused: Any, trained: Path) -> None:
    Path("file").write_text("")
    refused(1, ("file/x.gif",), "interpolate run --from 1 --to 2 --frames 2 --out file/x.gif")


def test_a_checkpoint_and_an_export_are_the_same_generator(gans: Gans, trained: Path) -> None:
    found = set()
    for source in ("run", "run/generator.safetensors", "run/checkpoints/step-00000020.pt"):
        gans(f"interpolate {source} --from 1 --to 2 --frames 3 --out x.png")
        found.add(Path("x.png").read_bytes())
    assert len(found) == 1
    assert json.loads((trained / "config.json").read_text())["settings"]["steps"]["value"] == 20
