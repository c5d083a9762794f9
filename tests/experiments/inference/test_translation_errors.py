"""Errors of `gans translate`: unreadable files, impossible targets, and runs that translate nothing."""

from pathlib import Path

import pytest

from experiments.data.core.decoding import UnreadableError
from experiments.inference.translation import TranslationItem
from tests.experiments.inference.helpers import Gans, Refused, files_below, paint, translated


def test_bad_files_stop_before_anything_is_written(gans: Gans, refused: Refused, runs: Path) -> None:
    paint("in/a.png", 16, 16)
    cut = paint("in/z.png", 40, 40)
    cut.write_bytes(cut.read_bytes()[:900])  # the header is whole
    Path("in/b.png").write_text("no image")
    refused(2, ("in/b.png", "--skip-bad"), "translate swap in --to A --out out")
    Path("in/b.png").unlink()
    refused(2, ("in/z.png", "--skip-bad"), "translate swap in --to A --out out")
    assert not Path("out").exists()
    outcome = translated(gans, "swap in --to A --out out --skip-bad")
    assert files_below("out") == {"a.png"}
    assert "skipped 1 file that cannot be read: in/z.png" in outcome.err
    words = "translate swap in/z.png --to A --out n --skip-bad"
    line = refused(2, ("the only image cannot be read", "z.png"), words)
    assert "--skip-bad" not in line
    with pytest.raises(UnreadableError):
        TranslationItem(Path("in"), "z.png", Path()).read(3)


@pytest.mark.parametrize(
    ("line", "mentions"),
    [
        ("cyclegan x.png --out out", ("cyclegan", "A or B", "--to")),
        ("cyclegan x.png --to C --out out", ("--to C", "A or B")),
        ("cyclegan x.png --to A,B --out out", ("A or B", "one of them")),
        ("pix2pix x.png --to A --out out", ("--to A", "pix2pix", "to B")),
        ("pix2pix x.png --to hue=red --out out", ("--to hue=red", "to B")),
        ("stargan x.png --out out", ("stargan", "hue, filled or size", "--to")),
        ("stargan x.png --to B --out out", ("no attribute 'B'", "hue, filled or size")),
        ("stargan x.png --to filled --out out", ("--to filled", "filled=0 or filled=1")),
        ("stargan x.png --to hue=pink --out out", ("'pink'", "red, green or blue")),
        ("stargan x.png --to hue=red,hue=blue --out out", ("hue twice",)),
        ("cyclegan none.png --to A --out out", ("none.png does not exist",)),
        ("cyclegan empty --to A --out out", ("no images below empty",)),
        ("cyclegan x.png --to A --out x.png", ("--out x.png is a file",)),
        ("cyclegan x.png --to A", ("--out",)),
        ("cyclegan --to A --out out", ("INPUT",)),
        ("nowhere x.png --to A --out out", ("nowhere does not exist",)),
        ("cyclegan x.png --to A --out out --plugin none.py", ("none.py",)),
    ],
)
def test_one_line_says_what_is_wrong(
    line: str, mentions: tuple[str, ...], refused: Refused, runs: Path
) -> None:
    paint("x.png", 16, 16)
    Path("empty").mkdir()
    refused(2, mentions, f"translate {line}")
    assert not Path("out").exists()


def test_an_empty_out_is_no_folder(refused: Refused, runs: Path) -> None:
    paint("x.png", 16, 16)
    refused(2, ("--out is empty",), "translate pix2pix x.png --out", "")


def test_generators_that_start_from_noise_are_refused(refused: Refused, finished: Path) -> None:
    paint("x.png", 16, 16)
    refused(2, ("run", "from noise", "gans sample"), "translate run x.png --to B --out out")


def test_a_folder_that_cannot_be_made_is_named(refused: Refused, runs: Path) -> None:
    paint("x.png", 16, 16)
    refused(1, ("cannot write", "x.png/deep"), "translate pix2pix x.png --out x.png/deep")
