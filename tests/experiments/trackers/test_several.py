"""Several trackers at once, none of which can stop a run; and the words after `--track`."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiments.runs.folder import RunFolder
from experiments.trackers.core.several import open_trackers, tracker_names
from experiments.trackers.core.tracker import TrackedRun

Gans = Callable[..., Any]
POINTS = "run --arch mlp --loss bce --data ring8 --steps 4 --batch-size 16 --width 8 --sample-kimg 0.032"


def told(run: str) -> list[str]:
    return (Path(run) / "told.txt").read_text().splitlines()


def told_but_pictures(run: str) -> list[str]:
    """What is told in order; of pictures a tracker is told as soon as they are written, before its end."""
    assert sum(line.startswith("images samples") for line in told(run)[1:-1]) == 2
    return [line for line in told(run) if not line.startswith("images")]


def warnings(err: str) -> list[str]:
    return [line for line in err.splitlines() if line.startswith("tracker ")]


def test_a_tracker_is_told_everything(gans: Gans, plugins: str) -> None:
    flags = "--track recorder --project p --group g --tags a,b --out run"
    outcome = gans(f"{POINTS} {plugins} {flags}")
    assert (outcome.status, outcome.out, warnings(outcome.err)) == (0, "run\n", [])
    expected = ["open 0 0.0 p g ('a', 'b') 8", "scores 1 0.016", "scores 4 0.064", "close 0"]
    assert told_but_pictures("run") == expected
    pictures = [line for line in told("run") if line.startswith("images")]
    assert pictures[0] == "images real real.png 0.0"
    assert pictures[1:] == [f"images samples kimg-000000.{seen}.png 0.{seen}" for seen in ("032", "064")]
    assert len(Path("run/scores.jsonl").read_text().splitlines()) == 2, "the local one is always on"


@pytest.mark.parametrize("fault", ["construction", "scores", "images", "close"])
def test_a_tracker_that_fails_is_left_out_with_one_warning(
    fault: str, gans: Gans, plugins: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fails again whenever it is called after that, so it must not be."""
    monkeypatch.setenv("FAULT", fault)
    outcome = gans(f"{POINTS} {plugins} --track faulty,recorder --out run")
    assert (outcome.status, outcome.out) == (0, "run\n")
    assert warnings(outcome.err) == [f"tracker faulty: no luck in {fault}; the run goes on without it"]
    words = [line.split()[0] for line in told_but_pictures("run")]
    assert words == ["open", "scores", "scores", "close"]
    assert [json.loads(line)["step"] for line in Path("run/scores.jsonl").read_text().splitlines()] == [1, 4]
    assert Path("run/generator.safetensors").is_file()


def test_the_local_tracker_is_not_guarded(tmp_path: Path) -> None:
    """Scores that cannot be written are the run's own failure."""
    (tmp_path / "scores.jsonl").mkdir()
    with pytest.raises(IsADirectoryError):
        open_trackers(("local",), TrackedRun(tmp_path))


@pytest.mark.parametrize("mood", ["SIGINT 3", "nan 3", "fail 3"])
def test_trackers_are_closed_however_a_run_ends(
    mood: str, gans: Gans, plugins: str, moody: Callable[[str], None]
) -> None:
    moody(mood)
    command = f"{POINTS} {plugins},moody.py --loss moody --track recorder --out run"
    status = 130 if mood == "SIGINT 3" else 1
    assert gans(command).status == status
    assert told("run")[-1] == f"close {status}"
    moody("calm")
    assert gans(command).status == 0
    assert [line for line in told("run") if line.startswith("close")] == [f"close {status}", "close 0"]


def test_a_resumed_run_says_from_where(gans: Gans, plugins: str, moody: Callable[[str], None]) -> None:
    moody("SIGINT 3")
    gans(f"{POINTS} {plugins},moody.py --loss moody --track recorder --out run")
    moody("calm")
    assert gans("run --resume run").status == 0
    assert [line for line in told("run") if line.startswith("open")][1].startswith("open 3 0.048 ")


def test_the_product_comes_before_the_last_upload(gans: Gans, plugins: str, workplace: Path) -> None:
    """Whoever loses patience with a tracker that closes slowly has their generator."""
    (workplace / "recorder.py").write_text(
        (workplace / "recorder.py")
        .read_text()
        .replace(
            'self.tell("close", exit_status)',
            'self.tell("close", __import__("pathlib").Path("run/generator.safetensors").exists())',
        )
    )
    gans(f"{POINTS} {plugins} --track recorder --out run")
    assert told("run")[-1] == "close True"


# --- gans evaluate after the training ----------------------------------------------------------------


def test_who_followed_a_run_is_told_what_it_was_judged_to_be(gans: Gans, plugins: str) -> None:
    gans(f"{POINTS} {plugins} --track recorder,faulty --out run")
    Path("run/recorder").mkdir()
    outcome = gans("evaluate run -n 20 --every-checkpoint")
    assert outcome.status == 0
    scores = ["scores 3 0.048", "scores 4 0.064"]
    assert told("run")[-5:] == ["close 0", "open 4 0.064 gans None () 8", *scores, "close 0"]
    scores = [json.loads(line) for line in Path("run/scores.jsonl").read_text().splitlines()]
    assert [line["step"] for line in scores] == [1, 4, 3, 4], "and the local one only once"


def test_who_did_not_follow_it_is_not(gans: Gans, plugins: str) -> None:
    gans(f"{POINTS} {plugins} --track recorder --out run")
    before = told("run")
    assert gans("evaluate run -n 20").status == 0
    assert told("run") == before


def test_trackers_are_not_told_while_the_run_trains(gans: Gans, plugins: str) -> None:
    gans(f"{POINTS} {plugins} --track recorder --out run")
    Path("run/recorder").mkdir()
    before = told("run")
    with RunFolder(Path("run")).lock():
        outcome = gans("evaluate run -n 20")
    assert (outcome.status, told("run")) == (0, before)
    assert "run: another process is working on this run folder: its trackers are not told" in outcome.err


# --- the words after --track -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "close"),
    [("wnadb", "wandb"), ("tensorbord", "tensorboard"), ("atuo", "auto"), ("lcoal", "local")],
)
def test_an_unknown_tracker_is_refused_before_anything_is_made(
    word: str, close: str, refused: Callable[..., str], workplace: Path
) -> None:
    before = sorted(workplace.iterdir())
    refused(
        2, (f"unknown tracker '{word}'", f"did you mean {close}"), f"{POINTS} --track local,{word} --out run"
    )
    assert sorted(workplace.iterdir()) == before


def test_a_missing_package_is_refused_before_anything_is_made(
    refused: Callable[..., str], plugins: str, workplace: Path
) -> None:
    needy = (
        (workplace / "recorder.py")
        .read_text()
        .replace(
            "    def __init__", '    requires = {"no_such_package": "pip install it"}\n\n    def __init__', 1
        )
    )
    (workplace / "needy.py").write_text(needy)
    refused(
        2,
        ("needy", "no_such_package", "pip install it"),
        f"{POINTS} --plugin needy.py --track needy --out run",
    )
    assert not Path("run").exists()


def test_each_is_opened_once(monkeypatch: pytest.MonkeyPatch, workplace: Path) -> None:
    assert tracker_names(("auto",)) == tracker_names(("local",)) == tracker_names(()) == []
    monkeypatch.setenv("WANDB_API_KEY", "k")
    assert tracker_names(("auto",)) == ["wandb"]
    assert tracker_names(("tensorboard", "auto", "local", "wandb")) == ["tensorboard", "wandb"]
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert tracker_names(("auto", "local")) == []
    assert tracker_names(("wandb",)) == ["wandb"], "who asks for it is told why not"


def test_without_a_login_wandb_is_not_even_imported(gans: Gans, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes a second, and runs that are not tracked should not pay for it."""
    for module in ("wandb", "experiments.trackers.wandb"):
        monkeypatch.setitem(sys.modules, module, None)  # whoever imports it gets an error
    outcome = gans(f"{POINTS} --out run")
    assert (outcome.status, warnings(outcome.err)) == (0, [])


def test_ctrl_c_goes_through_the_guard(gans: Gans, plugins: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who does not want to wait for a tracker that closes slowly need not."""
    Path("faulty.py").write_text(Path("faulty.py").read_text().replace("OSError", "KeyboardInterrupt"))
    monkeypatch.setenv("FAULT", "close")
    outcome = gans(f"{POINTS} {plugins} --track faulty --out run")
    assert (outcome.status, warnings(outcome.err)) == (130, [])
    assert Path("run/generator.safetensors").is_file()
