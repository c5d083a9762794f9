"""Files that are written while training goes on: nothing is lost, mixed up or told too early."""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import cli
from experiments.config.resolve import RunSpec
from experiments.runs import checkpoint
from experiments.runs.checkpoint import Checkpoints, HashedFile, load_checkpoint, step_of
from experiments.runs.folder import RunFolder
from experiments.trackers.local import LocalTracker
from experiments.training import checkpoint_callback, sample_grids
from experiments.training.run import run
from tests.experiments.training.test_resume import CONTEXT, assert_equal_runs, stop_after, tensors

Gans = Callable[..., Any]
RUN = "run --arch mlp --loss bce --data ring8 --width 4 --batch-size 10 --steps 30 --track local"
OFTEN = f"{RUN} --checkpoint-kimg 0.05 --sample-kimg 0.07 --keep 99 --out"


def slowly(function: Callable[..., Any], seconds: float = 0.03) -> Callable[..., Any]:
    def wait_first(*arguments: Any) -> Any:
        time.sleep(seconds)
        return function(*arguments)

    return wait_first


def test_slow_writing_changes_no_file(gans: Gans, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each checkpoint is that of its step, although training is past it when it is written."""
    monkeypatch.setattr(checkpoint_callback, "SPARE", 2**60)
    threads: list[bool] = []
    save = Checkpoints.save

    def note(*arguments: Any) -> Path:
        threads.append(threading.current_thread() is threading.main_thread())
        return save(*arguments)

    monkeypatch.setattr(Checkpoints, "save", note)
    assert gans(f"{OFTEN} whole").status == 0
    assert threads == [True] * 6, "without memory for a copy it is written at once"
    monkeypatch.setattr(checkpoint_callback, "SPARE", 2)
    monkeypatch.setattr(Checkpoints, "save", slowly(note))
    assert gans(f"{OFTEN} slow").status == 0
    assert threads[6:] == [False] * 6
    assert_equal_runs(Path("whole"), Path("slow"))
    paths = [Checkpoints(Path(run, "checkpoints")).paths() for run in ("whole", "slow")]
    assert [[step_of(path) for path in each] for each in paths] == [[5, 10, 15, 20, 25, 30]] * 2
    for one, other in zip(*paths, strict=True):
        first, second = load_checkpoint(one), load_checkpoint(other)
        assert first["seen"] == second["seen"]
        for part in ("game", "ema", "scores"):
            pairs = zip(tensors(first[part]), tensors(second[part]), strict=True)
            assert all(a.equal(b) for a, b in pairs)


def test_what_came_before_a_checkpoint_is_there_and_reported_before_it(
    gans: Gans, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or else a killed run that goes on after it would lack a grid, or its tracker would."""
    events: list[tuple[str, float]] = []
    save, save_png = Checkpoints.save, sample_grids.save_png

    def note_save(self: Checkpoints, step: int, *others: Any) -> Path:
        path = save(self, step, *others)
        events.append(("checkpoint", step * 0.01))
        return path

    def note_report(self: LocalTracker, name: str, file: Path, kimg: float) -> None:
        assert threading.current_thread() is threading.main_thread()
        assert file.stat().st_size
        events.append(("reported", kimg))

    monkeypatch.setattr(Checkpoints, "save", note_save)
    monkeypatch.setattr(LocalTracker, "images", note_report)
    monkeypatch.setattr(sample_grids, "save_png", slowly(save_png))
    assert gans(f"{OFTEN} run").status == 0
    assert events == sorted(events, key=lambda event: (event[1], event[0] == "checkpoint"))
    assert len(events) == 6 + 5 + 1  # checkpoints, grids, and the grid of real samples


def test_saved_is_said_when_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """After Ctrl-C, and where a sweep pauses a run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Checkpoints, "save", slowly(Checkpoints.save, 0.1))
    there: list[list[str]] = []

    def note(message: str, *_: Any) -> None:
        if "saved at step" in message:
            there.append([path.name for path in Path("run/checkpoints").glob("*.pt")])

    monkeypatch.setattr("experiments.training.trainer.log.info", note)
    words = f"{RUN} --checkpoint-kimg 9 --keep 1 --out run"
    stop_after(7, words.split())
    folder = RunFolder(Path("run"))
    run(RunSpec(folder.settings(), {}), folder, until_kimg=0.1)
    assert there == [["step-00000007.pt"], ["step-00000010.pt"]]


@pytest.mark.parametrize("step", [10, 30])
def test_a_full_disk_ends_the_run_with_its_line(
    gans: Gans, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """While it trains, and at its end."""

    def full(content: bytes) -> int:
        raise OSError(28, "No space left on device")

    each_write(monkeypatch.setattr, step, full)
    done = gans(f"{OFTEN} run")
    assert done.status == 1
    (line,) = [line for line in done.err.splitlines() if "No space left" in line]
    last = f"the last good checkpoint is step-{step - 5:08d}.pt"
    assert line == f"gans: cannot write run/checkpoints/step-{step:08d}.pt: No space left on device; {last}"
    assert not Path("run/generator.safetensors").exists()
    assert sorted(path.name for path in Path("run/checkpoints").iterdir()) == [
        f"step-{saved:08d}.pt{ending}" for saved in range(5, step, 5) for ending in ("", ".sha256")
    ]


def each_write(replace: Callable[..., None], step: int, instead: Callable[[Any], int]) -> None:
    """Has something else done wherever the checkpoint of a step is written, in pieces."""
    save = Checkpoints.save

    def change_file(self: Checkpoints, at: int, *others: Any) -> Path:
        def make(file: Any) -> HashedFile:
            hashed = HashedFile(file)
            if at == step:
                hashed.file = SimpleNamespace(write=lambda content: instead(content))  # type: ignore[assignment]
            return hashed

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(checkpoint, "HashedFile", make)
            return save(self, at, *others)

    replace(Checkpoints, "save", change_file)


@pytest.mark.long
def test_killed_while_the_thread_writes(tmp_path: Path) -> None:
    """In the middle of a checkpoint, with training past its step: the one before is there, and goes on."""
    for name, kill in (("whole", 0), ("cut", 20), ("cut", 0)):
        process = CONTEXT.Process(target=work, args=(f"{OFTEN} {tmp_path / name}".split(), kill))
        process.start()
        process.join(120)
        assert process.exitcode == (-signal.SIGKILL if kill else 0)
        if kill:
            saved = Checkpoints(tmp_path / name / "checkpoints").paths()
            assert [step_of(path) for path in saved] == [5, 10, 15]
            assert load_checkpoint(saved[-1])["step"] == 15
            lines = (tmp_path / name / "scores.jsonl").read_text().splitlines()
            assert len(lines) > 1, "training went on meanwhile"
    assert_equal_runs(tmp_path / "whole", tmp_path / "cut")
    names = [sorted(path.name for path in (tmp_path / name).rglob("*")) for name in ("whole", "cut")]
    assert names[0] == names[1]


def work(words: list[str], kill_at: int) -> None:
    def kill(content: bytes | memoryview) -> int:
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGKILL)
        return 0

    each_write(setattr, kill_at, kill)
    cli.main(words)
