"""`gans run` again: resumed, stopped, and forced to go on with other settings."""

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.runs.folder import RunFolder
from tests.commands.helpers import IMAGES, MOODY, POINTS, Gans, Refused, exported, read_scores, settings_of


def test_resume_by_folder_goes_on_where_it_stopped(gans: Gans, finished: Path) -> None:
    """From the newest checkpoint, with the scores that were written after it dropped."""
    whole, scores = exported(finished), read_scores(finished)
    (finished / "generator.safetensors").unlink()
    for end in ("", ".sha256"):
        (finished / f"checkpoints/step-00000004.pt{end}").unlink()
    outcome = gans("run --resume run")
    assert (outcome.status, outcome.out) == (0, "run\n")
    assert "step 3 of 4" in outcome.err
    assert exported(finished) == whole
    volatile = ("seconds", "images_per_second", "waiting_for_data")
    for old, new in zip(scores, read_scores(finished), strict=True):
        assert {k: v for k, v in old.items() if k not in volatile} == {
            k: v for k, v in new.items() if k not in volatile
        }


@pytest.mark.parametrize(
    "again", [f"run {POINTS} --checkpoint-kimg 0.016 --keep 3 --out run", "run --resume run"]
)
def test_a_resumed_run_still_says_where_its_settings_came_from(
    again: str, gans: Gans, unfinished: Path
) -> None:
    before = json.loads((unfinished / "config.json").read_text())["settings"]
    assert gans(again).status == 0
    assert json.loads((unfinished / "config.json").read_text())["settings"] == before


def test_a_run_without_a_checkpoint_starts_anew(gans: Gans, unfinished: Path) -> None:
    shutil.rmtree(unfinished / "checkpoints")
    assert gans(f"run --resume {unfinished}").status == 0
    assert [line["step"] for line in read_scores(unfinished)] == [1, 4], "the old scores are gone"


@pytest.mark.parametrize("mood", ["SIGINT 3", "SIGTERM 3"])
def test_a_stopped_run_is_saved_and_resumes_to_the_same_bytes(
    mood: str, gans: Gans, moody: Callable[[str], None]
) -> None:
    command = f"run {POINTS} {MOODY} --steps 8 --checkpoint-kimg 9 --sample-kimg 9 --out"
    moody("calm")
    gans(f"{command} whole")
    moody(mood)
    stopped = gans(command, "cut here")
    assert (stopped.status, stopped.out) == (130, "")
    assert "step 3" in stopped.err
    assert "gans run --resume 'cut here'" in stopped.err, "a line to copy into a shell"
    assert [p.name for p in Path("cut here/checkpoints").glob("*.pt")] == ["step-00000003.pt"]
    moody("calm")
    assert gans(command, "cut here").status == 0
    assert exported(Path("cut here")) == exported(Path("whole"))
    assert [line["step"] for line in read_scores(Path("cut here"))] == [1, 8]


@pytest.mark.long
def test_ctrl_c_stops_a_real_process(
    gans: Gans, start: Gans, wait_for_scores: Callable[..., None], workplace: Path
) -> None:
    command = f"run {POINTS} --steps 200 --sample-kimg 99 --checkpoint-kimg 99"
    process = start(f"{command} --out cut")
    wait_for_scores(Path("cut"), process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (130, "")
    assert "gans run --resume cut" in err
    assert "Traceback" not in err
    assert not Path("cut/generator.safetensors").exists(), "it was stopped on the way"
    gans(f"{command} --out whole")
    assert gans("run --resume cut").status == 0
    assert exported(workplace / "cut") == exported(workplace / "whole")


def test_force_goes_on_with_other_settings(gans: Gans, finished: Path) -> None:
    outcome = gans("run --resume run --steps 6 --force")
    assert outcome.status == 0
    assert settings_of(finished)["steps"] == 6
    assert [line["step"] for line in read_scores(finished)] == [1, 4, 6]


def test_force_begins_with_what_a_run_did_without(gans: Gans, workplace: Path) -> None:
    """ADA and LeCam remember what a run without them has not seen: they begin, and may end, in its middle."""
    command = f"run {IMAGES} --data shapes --loss hinge --checkpoint-kimg 0.004 --out run"
    assert gans(f"{command} --lecam 0.3 --set lecam.start=0 --steps 2").status == 0
    state = RunFolder(workplace / "run").checkpoints().newest()
    assert state is not None
    anchors = {key: value for key, value in state["game"].items() if "lecam" in key}
    assert anchors
    more = "--critic-augment ada --set ada.interval=1 --set ada.target=-0.99 --set lecam.start=0"
    assert gans(f"{command} --lecam 0.3 {more} --steps 3 --force").status == 0
    changed = RunFolder(workplace / "run").checkpoints().newest()
    assert changed is not None and set(anchors) < set(changed["game"])
    assert any("critic_view" in key for key in changed["game"])
    (counted,) = (key for key in anchors if key.endswith("_extra_state"))  # LeCam went on counting
    assert (anchors[counted], changed["game"][counted]) == ({"updates": 10}, {"updates": 15})
    outcome = gans(f"{command} --steps 4 --force")
    assert outcome.status == 0, outcome.err
    without = RunFolder(workplace / "run").checkpoints().newest()
    assert without is not None and not [key for key in without["game"] if "lecam" in key or "view" in key]


def test_a_run_goes_on_from_another_folder(
    gans: Gans, pictures: Path, moody: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a run needs, a plug-in and a folder of images, is found wherever the command is typed."""
    command = f"run {IMAGES} --data folder:{pictures} {MOODY} --checkpoint-kimg 0.004"
    moody("SIGINT 2")
    assert gans(f"{command} --out run").status == 130
    moody("calm")
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert gans("sample ../run -n 2 --out two.npy").status == 0
    outcome = gans("run --resume ../run")
    assert (outcome.status, outcome.out) == (0, "../run\n"), outcome.err
    assert gans("sample ../run -n 2 --out two.npy").status == 0


def test_what_a_forced_change_replaces_is_kept(gans: Gans, finished: Path) -> None:
    """Also where the new settings fail at once."""
    export, config = exported(finished), (finished / "config.json").read_bytes()
    outcome = gans(f"run --resume {finished} --steps 9 --penalty real --penalty-weight 1e300 --force")
    assert outcome.status == 1 and "lower --penalty-weight" in outcome.err
    assert (finished / "generator-step-00000004.safetensors").read_bytes() == export
    assert (finished / "config-step-00000004.json").read_bytes() == config


@pytest.mark.parametrize("flags", ["--optimizer rmsprop", "--optimizer sgd"])
def test_another_optimizer_is_refused_before_anything_changes(flags: str, gans: Gans, finished: Path) -> None:
    before = {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()}
    outcome = gans(f"run --resume {finished} --steps 9 {flags} --force")
    assert outcome.status == 1 and "another optimizer" in outcome.err, outcome.err
    assert {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()} == before


def test_another_loss_is_not_resumed_with_the_settings_of_the_first(gans: Gans, finished: Path) -> None:
    outcome = gans(f"run --resume {finished} --steps 9 --loss wgan-gp --force")
    assert outcome.status == 2 and "--loss wgan-gp with the config of a" in outcome.err


@pytest.mark.parametrize(
    ("changed", "can_be_forced"),
    [("--lr-critic 1e-4", True), ("--width 12", False), ("--z-dim 3", False), ("--optimizer rmsprop", False)],
)
def test_force_is_offered_where_it_goes_on(
    changed: str, can_be_forced: bool, gans: Gans, refused: Refused
) -> None:
    """Networks of other shapes, and another optimizer, have no use for what was saved."""
    assert gans(f"run {POINTS} --out run").status == 0
    line = refused(2, ("another config", "take another --out"), f"run {POINTS} {changed} --out run")
    assert ("--force" in line) == can_be_forced
    assert (gans(f"run {POINTS} {changed} --steps 6 --out run --force").status == 0) == can_be_forced
