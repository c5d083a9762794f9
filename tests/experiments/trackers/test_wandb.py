"""Weights & Biases offline, read back with its own reader; and what a run is spared."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiments.runs.folder import RunFolder
from experiments.runs.scores import parse_scores, read_evaluation_scores
from experiments.trackers import wandb as tracker
from tests.experiments.trackers.conftest import read_records

Gans = Callable[..., Any]
Parts = Callable[[Path], list[Any]]
POINTS = "run --arch mlp --loss bce --data ring8 --batch-size 16 --width 8"
IMAGES = "run --arch dcgan --loss bce --data shapes --image-size 8 --width 2 --z-dim 4 --batch-size 4"
SHORT = f"{POINTS} --steps 30 --sample-kimg 0.16"
KEY = "0123456789" * 4


def scores_of(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "scores.jsonl").read_text().splitlines()]


def warnings(err: str) -> list[str]:
    return [line for line in err.splitlines() if line.startswith("tracker ")]


def test_what_is_written_is_what_was_said(gans: Gans, parts: Parts) -> None:
    outcome = gans(f"{SHORT} --track wandb --project p --group g --tags a,b --out some/run-7")
    run = Path("some/run-7")
    assert (outcome.status, outcome.out) == (0, "some/run-7\n")
    (part,) = parts(run)
    about = part.run
    assert (about["display_name"], about["project"], about["run_group"]) == ("run-7", "p", "g")
    assert sorted(about["tags"]) == ["a", "b"]
    entries = json.loads((run / "config.json").read_text())["settings"]
    assert part.config == {name: entry["value"] for name, entry in entries.items()}
    assert part.scores == scores_of(run)
    assert [line["kimg"] for line in part.scores] == [0.016, 0.4, 0.48]
    every = next(metric for metric in part.metrics if metric.get("glob_name") == "*")
    assert every["step_metric"] == "kimg", "charts are over kimg"
    assert {name: part.summary[name] for name in scores_of(run)[-1]} == scores_of(run)[-1]
    assert part.exit_codes == [0]


@pytest.mark.parametrize("data", [POINTS, IMAGES])
def test_sample_grids_are_pictures(data: str, gans: Gans, parts: Parts) -> None:
    kimg = 0.016 if data == IMAGES else 0.064
    assert gans(f"{data} --steps 12 --sample-kimg {kimg} --track wandb --out run").status == 0
    (part,) = parts(Path("run"))
    assert [line["kimg"] for line in part.pictures] == pytest.approx([kimg, 2 * kimg, 3 * kimg])
    newest = max(Path("run/samples").glob("kimg-*.png"))
    last = part.pictures[-1]
    assert last["samples.sha256"] == hashlib.sha256(newest.read_bytes()).hexdigest()
    (kept,) = Path("run/wandb").glob(f"*/files/{last['samples.path']}")
    assert kept.read_bytes() == newest.read_bytes()


def test_how_scores_were_made_stands_beside_them(gans: Gans, parts: Parts) -> None:
    """W&B's own comparison has columns only for what is in the lines; a reader gets the whole record."""
    evaluate = "--evaluate-kimg 0.24 --evaluate-samples 20"
    assert gans(f"{SHORT} {evaluate} --track wandb --out run").status == 0
    (part,) = parts(Path("run"))
    evaluated = [line for line in part.scores if "metric/modes/covered" in line]
    kept = read_evaluation_scores(RunFolder(Path("run")))
    assert [(line["step"], parse_scores(line)) for line in evaluated] == kept
    assert [step for step, _ in kept] == [15, 30]
    newest = kept[-1][1]["modes"]
    assert part.summary["metric/modes/covered"] == newest["covered"]
    for name in ("n", "extractor", "seed", "reference", "quantization"):
        assert part.summary[f"evaluation/modes/{name}"] == newest[name]
    hidden = next(metric for metric in part.metrics if metric.get("glob_name") == "evaluation/*")
    assert hidden["options"]["hidden"] is True


def test_options_of_metrics_stand_beside_scores_too(gans: Gans, parts: Parts) -> None:
    """As text, since W&B makes a number of its own of each."""
    evaluate = "--evaluate-kimg 0.48 --evaluate-samples 20 --evaluate-metrics modes --set modes.share=0.3"
    assert gans(f"{SHORT} {evaluate} --track wandb --out run").status == 0
    (part,) = parts(Path("run"))
    line = next(line for line in part.scores if "metric/modes/covered" in line)
    ((_, kept),) = read_evaluation_scores(RunFolder(Path("run")))
    assert kept["modes"]["options"] == {"share": 0.3}
    assert json.loads(line["evaluation/modes/options"]) == {"share": 0.3}
    assert not [name for name in line if "share" in name]


def test_tracking_changes_no_bit(gans: Gans) -> None:
    for name in ("wandb", "local"):
        assert gans(f"{IMAGES} --steps 5 --track {name} --out {name}").status == 0
    assert Path("wandb/wandb").is_dir()
    first, second = (Path(run, "generator.safetensors").read_bytes() for run in ("wandb", "local"))
    assert first == second


def test_it_says_how_to_upload(gans: Gans) -> None:
    outcome = gans(f"{POINTS} --steps 1 --track wandb --out", "a run")
    (line,) = warnings(outcome.err)
    assert "not logged in to https://api.wandb.ai" in line
    assert line.endswith("upload with: gans sync 'a run'")


def test_the_environment_is_left_as_it_was(gans: Gans, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_CACHE_DIR", "mine")
    before = dict(os.environ)
    gans(f"{POINTS} --steps 1 --track wandb --out run")
    assert dict(os.environ) == before
    assert not Path("mine").exists()
    assert tempfile.tempdir is None or "run" not in Path(tempfile.tempdir).parts


@pytest.mark.parametrize("asked", ["auto", "wandb"])
def test_switched_off(asked: str, gans: Gans, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    outcome = gans(f"{POINTS} --steps 1 --track {asked} --out run")
    assert (outcome.status, Path("run/wandb").exists()) == (0, False)
    assert len(warnings(outcome.err)) == (asked == "wandb")


def test_a_run_of_an_agent_has_the_id_that_it_was_given(
    gans: Gans, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As WANDB_RUN_ID alone would give every run of a shell the same one, it counts with a sweep's only."""
    monkeypatch.setenv("WANDB_RUN_ID", "chosen")
    gans(f"{POINTS} --steps 1 --track wandb --out alone")
    monkeypatch.setenv("WANDB_SWEEP_ID", "sweep1")
    gans(f"{POINTS} --steps 1 --track wandb --out member")
    (alone,), (member,) = parts(Path("alone")), parts(Path("member"))
    assert member.run["run_id"] == "chosen" != alone.run["run_id"]


# --- resume ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_cut", [False, True], ids=["whole", "last second lost"])
def test_a_resumed_run_keeps_its_id(
    is_cut: bool, gans: Gans, parts: Parts, moody: Callable[[str], None]
) -> None:
    """Every line of scores is there once, though those after the checkpoint were computed twice."""
    command = f"{SHORT} --plugin moody.py --loss moody --checkpoint-kimg 0.32 --track wandb --out run"
    moody("fail 27")  # after the line of step 25 and the checkpoint of step 20
    assert gans(command).status == 1
    (file,) = Path("run/wandb").glob("offline-run-*/run-*.wandb")
    if is_cut:  # as if killed before W&B has written any line, a second after the beginning
        whole = file.read_bytes()
        file.write_bytes(whole[: whole.index(b"critic/adversarial")])
    moody("calm")
    assert gans(command).status == 0
    first, second = parts(Path("run"))
    assert first.run["run_id"] == second.run["run_id"] == Path("run/wandb/run-id").read_text().strip()
    assert second.run["resume"] is True
    assert [line["step"] for line in first.scores] == ([] if is_cut else [1, 25])
    assert [line["step"] for line in second.scores] == ([1, 25, 30] if is_cut else [30])
    assert [line["step"] for line in scores_of(Path("run"))] == [1, 25, 30]
    assert [line["_step"] for line in second.history] == list(range(len(second.history))), "none was dropped"


def test_a_run_that_starts_anew_is_another(gans: Gans, parts: Parts, moody: Callable[[str], None]) -> None:
    """Without a checkpoint nothing of the first attempt is left, so nothing should be mixed with it."""
    command = f"{SHORT} --plugin moody.py --loss moody --checkpoint-kimg 9 --track wandb --out run"
    moody("fail 2")
    gans(command)
    moody("calm")
    assert gans(command).status == 0
    first, second = parts(Path("run"))
    assert first.run["run_id"] != second.run["run_id"]


# --- real processes ----------------------------------------------------------------------------------


def children(process: "subprocess.Popen[str]") -> list[str]:
    listing = subprocess.run(["ps", "-eww", "-o", "args"], capture_output=True, text=True).stdout
    return [line for line in listing.splitlines() if "wandb-core" in line and f" {process.pid}" in line]


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for temporary files; its path is short, because W&B has a socket there."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.mark.long
def test_ctrl_c_on_a_terminal(
    start: Gans, gans: Gans, wait_for_scores: Callable[..., None], parts: Parts, home: Path, temporary: Path
) -> None:
    """It reaches every process of the group: W&B's own must not die of it, or the last scores are lost."""
    process = start(f"{POINTS} --steps 100000 --track wandb --out run", start_new_session=True)
    wait_for_scores(Path("run"), process)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert "gans run --resume run" in err.splitlines()[-1]
    assert len(warnings(err)) == 1, err
    assert "Traceback" not in err
    assert len(list(Path("run/checkpoints").glob("*.pt"))) == 1
    (part,) = parts(Path("run"))
    assert part.scores == scores_of(Path("run"))
    assert part.exit_codes == [tracker.KILLED]
    assert children(process) == []
    assert sorted(home.rglob("*")) == sorted(temporary.rglob("*")) == []
    assert {path.name for path in Path().iterdir()} == {"run", "home"}


def left_in(temporary: Path) -> list[Path]:
    """Without the module that PyTorch 2.6 writes when it is imported."""
    torchs = {file.parent for file in temporary.glob("*/_remote_module_non_scriptable.py")}
    return [path for path in temporary.iterdir() if path not in torchs]


@pytest.mark.long
def test_a_killed_run_leaves_nothing_behind(
    start: Gans, wait_for_scores: Callable[..., None], parts: Parts, home: Path, temporary: Path
) -> None:
    process = start(f"{POINTS} --steps 100000 --track wandb --out run")
    wait_for_scores(Path("run"), process)
    time.sleep(1.5)  # W&B writes every second
    assert len(children(process)) == 1
    process.kill()
    process.communicate(timeout=60)
    deadline = time.monotonic() + 20
    while children(process) or left_in(temporary):
        assert time.monotonic() < deadline, (children(process), left_in(temporary))
        time.sleep(0.1)
    assert list(home.rglob("*")) == []
    (part,) = parts(Path("run"))
    assert part.scores[0] == scores_of(Path("run"))[0]


@pytest.mark.long
def test_a_killed_and_resumed_run_is_one_without_a_gap_or_a_repetition(
    start: Gans, gans: Gans, parts: Parts
) -> None:
    command = f"{POINTS} --steps 200 --sample-kimg 0.8 --checkpoint-kimg 0.56 --track wandb --out run"
    process, run = start(command), Path("run")
    deadline = time.monotonic() + 60
    while not (run / "scores.jsonl").exists() or len(scores_of(run)) < 5:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.kill()
    process.communicate(timeout=60)
    while children(process):
        time.sleep(0.1)
    assert gans(command).status == 0
    first, second = parts(run)
    assert first.run["run_id"] == second.run["run_id"]
    written, clocks = [*first.scores, *second.scores], dict.fromkeys(tracker.CLOCKS)
    assert [{**line, **clocks} for line in written] == [{**line, **clocks} for line in scores_of(run)]
    assert [line["step"] for line in written] == [1, *range(25, 201, 25)]
    pictures = [line["kimg"] for line in (*first.pictures, *second.pictures)]
    assert pictures == pytest.approx([0.8, 1.6, 2.4, 3.2])
    assert len([line for line in (*first.history, *second.history) if "real._type" in line]) == 1


@pytest.mark.parametrize("left", [0, 7], ids=["no byte left", "no record left"])
def test_what_a_killed_process_has_lost_is_written_again(gans: Gans, parts: Parts, left: int) -> None:
    """All of it, where it was killed before W&B wrote its first record."""
    assert gans(f"{POINTS} --steps 50 --sample-kimg 0.4 --track wandb --out run").status == 0
    (file,) = Path("run").glob("wandb/offline-run-*/run-*.wandb")
    pictures = parts(Path("run"))[0].pictures
    file.write_bytes(file.read_bytes()[:left])
    assert gans("run --resume run --steps 75").status == 0
    shutil.rmtree(file.parent)  # W&B's reader takes no torn file
    (second,) = parts(Path("run"))
    assert [line["step"] for line in second.scores] == [1, 25, 50, 75]
    assert [line["kimg"] for line in second.pictures][: len(pictures)] == [line["kimg"] for line in pictures]
    assert len([line for line in second.history if "real._type" in line]) == 1


@pytest.mark.long
def test_system_statistics_and_console_log_are_options(gans: Gans, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without them no machine and no words of a terminal are in the files."""
    monkeypatch.setenv("WANDB_X_STATS_SAMPLING_INTERVAL", "0.1")
    options = "--set wandb.system_statistics=yes --set wandb.console_log=yes"
    kinds, environments = {}, {}
    for name, words in {"plain": "", "full": f"{options} --steps 300"}.items():
        assert gans(f"{SHORT} {words} --track wandb --out {name}").status == 0
        (file,) = Path(name).glob("wandb/offline-run-*/run-*.wandb")
        records = read_records(file)
        kinds[name] = {kind for record in records for kind in record}
        environments[name] = [record["environment"] for record in records if "environment" in record]
    assert not kinds["plain"] & {"stats", "output", "output_raw", "output_logger"}
    assert kinds["full"] >= {"stats", "output_logger"}
    assert not any("cpu_count" in each for each in environments["plain"])
    assert any("cpu_count" in each for each in environments["full"])


def test_real_images_stand_beside_samples(gans: Gans, parts: Parts) -> None:
    assert gans(f"{IMAGES} --steps 2 --sample-kimg 0.004 --track wandb --out run").status == 0
    (part,) = parts(Path("run"))
    (line,) = [line for line in part.history if "real._type" in line]
    assert line["kimg"] == 0.0
    assert line["real.sha256"] == hashlib.sha256(Path("run/samples/real.png").read_bytes()).hexdigest()


def test_the_report_stands_beside_its_runs(gans: Gans, parts: Parts) -> None:
    assert gans(f"{POINTS} --steps 2 --track wandb --out runs/a").status == 0
    assert gans(f"{POINTS} --steps 2 --seed 1 --out runs/b").status == 0
    outcome = gans("report runs --out report.html --track")
    assert outcome.status == 0 and "put beside 1 tracked run\n" in outcome.err
    first, second = parts(Path("runs/a"))
    assert first.run["run_id"] == second.run["run_id"]
    (line,) = second.history
    digest = hashlib.sha256(Path("report.html").read_bytes()).hexdigest()
    assert (line["report._type"], line["report.sha256"]) == ("html-file", digest)


def test_wandb_itself_may_die(gans: Gans, parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    real = tracker.WandbTracker.images

    def die(self: tracker.WandbTracker, *words: Any) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        real(self, *words)

    monkeypatch.setattr(tracker.WandbTracker, "images", die)
    outcome = gans(f"{SHORT} --track wandb --out run")
    assert (outcome.status, outcome.out) == (0, "run\n")
    assert len([line for line in warnings(outcome.err) if "goes on without it" in line]) == 1
    assert len(scores_of(Path("run"))) == 3
