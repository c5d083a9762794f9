"""Run folders of strangers, which hold links and pipes where a run writes."""

import os
from pathlib import Path

import pytest

from tests.commands.helpers import POINTS, Gans, Refused


@pytest.fixture
def victim(workplace: Path) -> Path:
    file = workplace / "victim"
    file.write_text("precious\n")
    return file


@pytest.mark.parametrize(
    "name",
    [".scores.jsonl.partial", ".lock", "scores.jsonl", "evaluation.jsonl", "config.json", "wandb/run-id"],
)
def test_resuming_writes_through_no_link(name: str, gans: Gans, unfinished: Path, victim: Path) -> None:
    link = unfinished / name
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(victim)
    outcome = gans("run --resume", unfinished)
    assert victim.read_text() == "precious\n"
    assert outcome.status == 0 if "partial" in name else name in outcome.err


@pytest.mark.parametrize("name", ["scores.jsonl", "evaluation.jsonl"])
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_scores_are_appended_to_files_only(
    name: str, kind: str, gans: Gans, finished: Path, victim: Path
) -> None:
    (finished / name).unlink(missing_ok=True)
    (finished / name).symlink_to(victim) if kind == "link" else os.mkfifo(finished / name)
    outcome = gans("evaluate -n 64", finished)
    assert outcome.status == 1 and name in outcome.err and "remove it" in outcome.err
    scores = finished / "scores.jsonl"
    assert name == "scores.jsonl" or "metric/" not in scores.read_text(), "nothing is written by halves"
    assert victim.read_text() == "precious\n"


@pytest.mark.parametrize("name", ["samples", "checkpoints", "best", "healthy"])
def test_folders_that_are_links_are_refused(
    name: str, refused: Refused, unfinished: Path, workplace: Path
) -> None:
    elsewhere = workplace / "elsewhere"
    folder = unfinished / name
    if folder.exists():
        folder.rename(elsewhere)
    elsewhere.mkdir(exist_ok=True)
    before = sorted(elsewhere.iterdir())
    folder.symlink_to(elsewhere)
    refused(1, (name, "is a link"), "run --resume", unfinished)
    assert sorted(elsewhere.iterdir()) == before


def test_a_run_on_another_disk_is_reached_through_a_link(gans: Gans, unfinished: Path) -> None:
    Path("elsewhere").symlink_to(unfinished)
    assert gans("run --resume elsewhere").status == 0
    assert gans("evaluate -n 64 elsewhere").status == 0


def test_a_torn_line_swallows_no_other(gans: Gans, finished: Path) -> None:
    for name, torn in (
        ("scores.jsonl", '{"step": 31, "kimg": 0.4'),
        ("evaluation.jsonl", '{"step": 31, "sc'),
    ):
        with (finished / name).open("a") as file:
            file.write(torn)
    assert gans("evaluate -n 64", finished).status == 0
    assert '"metric/' in (finished / "scores.jsonl").read_text().splitlines()[-1]
    assert gans("compare", finished).status == 0


def test_what_a_killed_process_was_writing_is_removed(gans: Gans, unfinished: Path) -> None:
    left = [
        unfinished / ".scores.jsonl.0a.partial",
        unfinished / "checkpoints" / ".step-00000009.pt.0a.partial",
    ]
    for file in left:
        file.touch()
    assert gans("run --resume", unfinished).status == 0
    assert not [file for file in left if file.exists()]


def test_a_folder_left_before_its_config_was_whole_is_free(gans: Gans) -> None:
    Path("killed").mkdir()
    Path("killed/.config.json.0a1b2c3d.partial").touch()
    assert gans(f"run {POINTS} --out killed").status == 0


@pytest.mark.parametrize(
    "content", ["[" * 100_000, '{"threads": 1e999}', '{"threads": true}', '{"threads": -1}']
)
def test_a_sweep_whose_file_is_bad(content: str, refused: Refused) -> None:
    Path("sweep").mkdir()
    Path("sweep/sweep.json").write_text(content)
    refused(2, ("sweep.json", "--out"), "sweep --arch mlp --data ring8 --seeds 1 --no-evaluate --out sweep")
