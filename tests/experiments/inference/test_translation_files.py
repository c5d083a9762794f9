"""Files that a translation writes: their names and folders, and that none is overwritten unasked."""

import json
import shutil
from pathlib import Path

import pytest

from tests.experiments.inference.helpers import Gans, Refused, files_below, paint, read, translated


def test_names_and_subfolders_are_kept(gans: Gans, runs: Path) -> None:
    for name in ("in/a.PNG", "in/deep/er/v1.2.jpg", "in/.hidden/x.png", "alone.bmp"):
        paint(name, 8, 8)
    Path("in/notes.txt").write_text("no image")
    shutil.copy("alone.bmp", "photo")
    shutil.copy("alone.bmp", "photo.2024")
    outcome = translated(gans, "pix2pix in alone.bmp photo photo.2024 --out new/out")
    assert outcome.out == "new/out\n" and "5 images to B in new/out" in outcome.err
    assert files_below("new/out") == {"a.png", "deep/er/v1.2.png", "alone.png", "photo.png", "photo.2024.png"}


def test_files_that_are_no_images_are_counted_and_named(gans: Gans, runs: Path) -> None:
    for name in ("in/a.png", "in/deep/b.png", "other/c.png"):
        paint(name, 8, 8)
    for name in ("in/notes.txt", "in/deep/photo.heic", "in/deep/plan.pdf", "in/x.psd", "in/.DS_Store"):
        Path(name).write_text("no image")
    outcome = translated(gans, "pix2pix in other --out out")
    (line,) = (line for line in outcome.err.splitlines() if "left out" in line)
    assert (
        line == "in: left out 4 files because of their endings: deep/photo.heic, deep/plan.pdf, notes.txt, …"
    )


def test_json_names_every_file(gans: Gans, runs: Path) -> None:
    paint("in/a.jpg", 8, 8)
    Path("in/b.png").write_text("no image")
    outcome = translated(gans, "swap in --to b --skip-bad --json --out out")
    assert json.loads(outcome.out) == {
        "out": "out",
        "to": "B",
        "files": [{"input": "in/a.jpg", "output": "out/a.png"}],
        "skipped": ["in/b.png"],
    }


def test_nothing_is_written_over_unasked(gans: Gans, refused: Refused, runs: Path) -> None:
    paint("in/a.png", 8, 8)
    paint("in/b.png", 8, 8)
    paint("out/b.png", 3, 3)
    before = read("out/b.png")
    refused(2, ("out/b.png", "exists", "--force"), "translate pix2pix in --out out")
    assert (read("out/b.png") == before).all() and files_below("out") == {"b.png"}
    translated(gans, "pix2pix in --out out --force")
    assert read("out/b.png").shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("words", "mentions"),
    [
        ("in/a.png --out in", ("in/a.png is one of the images",)),
        ("link/a.png --out in", ("in/a.png is one of the images",)),
        ("in --out in", ("--out in is in in", "outside")),
        ("in --out link/new", ("--out link/new is in in", "outside")),
        ("in/a.png other/a.jpg --out out", ("in/a.png and other/a.jpg", "out/a.png", "rename")),
        ("in/a.png in/a.png --out out", ("would both become out/a.png",)),
    ],
)
def test_inputs_are_never_written_over(
    words: str, mentions: tuple[str, ...], refused: Refused, runs: Path
) -> None:
    """Not even with --force, nor through a link, nor one result over another."""
    before = paint("in/a.png", 8, 8).read_bytes()
    paint("other/a.jpg", 8, 8)
    Path("link").symlink_to("in")
    refused(2, mentions, f"translate pix2pix {words} --force")
    assert Path("in/a.png").read_bytes() == before and files_below("in") == {"a.png"}
    assert not Path("out").exists()
