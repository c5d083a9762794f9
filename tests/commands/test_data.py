"""`gans run` on files that change, are streamed, or cannot be read."""

import os
from pathlib import Path

import pytest

from tests.commands.helpers import IMAGES, Gans, exported


@pytest.mark.parametrize("way", ["", "--stream"])
def test_bad_files_are_skipped_on_request_and_named(way: str, gans: Gans, pictures: Path) -> None:
    whole = pictures / "00.png"
    whole.write_bytes(whole.read_bytes()[:200])
    refused = gans(f"run {IMAGES} {way} --out run")
    assert refused.status == (1 if way else 2)
    assert "00.png" in refused.err and "--skip-bad" in refused.err
    skipped = gans(f"run {IMAGES} {way} --skip-bad --out other")
    assert skipped.status == 0, skipped.err
    assert f"data folder:{pictures.absolute()}: skipped 1 file that cannot be read: 00.png" in skipped.err


def test_streaming_changes_no_bit(gans: Gans, pictures: Path, workplace: Path) -> None:
    gans(f"run {IMAGES} --out held")
    streamed = gans(f"run {IMAGES} --stream --out streamed")
    assert f"decoded images are kept in {workplace}" in streamed.err
    assert exported(Path("held")) == exported(Path("streamed"))
    assert gans(f"run {IMAGES} --out streamed").status == 0, "the same run, however its files are read"


def test_data_that_changed_is_noticed(gans: Gans, pictures: Path) -> None:
    gans(f"run {IMAGES} --out run")
    (pictures / "03.png").unlink()
    command = "run --resume run --steps 9 --force"
    assert gans("run --resume run --steps 9").status == 2, "other settings need --force"
    refused = gans(f"run {IMAGES} --out run")
    assert refused.status == 0, "it is finished"
    (Path("run") / "generator.safetensors").unlink()
    refused = gans(f"run {IMAGES} --out run")
    assert refused.status == 2 and "12 samples then, 11 now" in refused.err and "--force" in refused.err
    assert gans(command).status == 0


def test_what_is_no_file_is_named(gans: Gans, pictures: Path) -> None:
    """A pipe would be waited for, for ever."""
    os.mkfifo(pictures / "zz.png")
    outcome = gans(f"run {IMAGES} --out run")
    assert (
        outcome.status == 2 and "zz.png cannot be read: it is a pipe or a device, not a file" in outcome.err
    )
    assert gans(f"run {IMAGES} --skip-bad --out run").status == 0


def test_file_names_do_not_command_the_terminal(gans: Gans, pictures: Path) -> None:
    (pictures / "x\n\x1b[31mred.png").write_text("no image")
    outcome = gans(f"run {IMAGES} --skip-bad --out run")
    assert outcome.status == 0
    assert "\x1b" not in outcome.err and "x \\x1b[31mred.png" in outcome.err
