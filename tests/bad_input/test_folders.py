"""Folders that are something else, cannot be made, or hold another run."""

from pathlib import Path

import pytest

from tests.commands.helpers import IMAGES, POINTS, Gans, Refused, everything_below


def test_folders_that_are_something_else(refused: Refused, workplace: Path) -> None:
    foreign = workplace / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("mine")
    (workplace / "file").write_text("mine")
    before = everything_below(workplace)
    for force in ("", "--force"):
        refused(2, ("foreign", "--out"), f"run {POINTS} {force} --out foreign")
        refused(2, ("file", "folder"), f"run {POINTS} {force} --out file")
    assert everything_below(workplace) == before
    assert [path.name for path in foreign.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("path", ["file/run", "/proc/run", "n" * 300])
def test_folders_that_cannot_be_made(path: str, refused: Refused, workplace: Path) -> None:
    (workplace / "file").write_text("mine")
    refused(1, (path,), f"run {POINTS} --out", path)
    assert everything_below(workplace) == {"file": b"mine"}


def test_runs_that_is_a_file(refused: Refused) -> None:
    Path("runs").write_text("mine")
    refused(1, ("runs",), f"run {POINTS}")
    assert Path("runs").read_text() == "mine"


@pytest.mark.parametrize("line", ["run --resume", "sample"])
def test_what_is_not_a_run(line: str, refused: Refused) -> None:
    Path("empty").mkdir()
    Path("file").write_text("x")
    for name in ("missing", "empty", "file"):
        refused(2, (name,), line, name)
    assert not Path("missing").exists()
    assert not list(Path("empty").iterdir())


@pytest.mark.parametrize(
    "out", ["a.jpg", "noending", "file/a.png", "file/", "/proc/none/a.png", "/proc/none/", ""]
)
def test_samples_that_cannot_be_written(out: str, gans: Gans, pictures: Path, clear_line: Refused) -> None:
    gans(f"run {IMAGES} --out run")
    Path("file").write_text("mine")
    before = sorted(path.name for path in Path().iterdir())
    outcome = gans("sample run -n 2 --out", out)
    assert outcome.status in (1, 2)
    clear_line(outcome.err, out or "--out")
    assert sorted(path.name for path in Path().iterdir()) == before
    assert Path("file").read_text() == "mine"


def test_points_make_no_picture_each(refused: Refused, finished: Path) -> None:
    refused(2, ("points", ".npy"), f"sample {finished} --out each/")


@pytest.mark.parametrize("again", [f"run {POINTS} --out run", "run --resume run"])
def test_a_run_with_another_config(again: str, refused: Refused, finished: Path) -> None:
    before = everything_below(finished)
    line = refused(2, ("width", "8 → 9", "seed", "0 → 7", "--out"), f"{again} --width 9 --seed 7")
    assert "z_dim" not in line, "only what differs is told"
    assert everything_below(finished) == before


def test_force_with_networks_of_another_shape_loses_nothing(
    refused: Refused, finished: Path, gans: Gans
) -> None:
    """The checkpoint cannot go on with these; the run is still the old one, finished."""
    before = everything_below(finished)
    refused(1, ("checkpoint", "width"), "run --resume run --width 9 --force")
    assert everything_below(finished) == before
    assert "finished" in gans("run --resume run").err


def test_force_cannot_end_before_it_began(refused: Refused, finished: Path) -> None:
    before = everything_below(finished)
    line = refused(2, ("--steps", "2", "4"), "run --resume run --steps 2 --force")
    assert "checkpoint" in line or "already" in line
    assert everything_below(finished) == before
