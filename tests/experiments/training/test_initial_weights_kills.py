"""Runs that begin from weights, in processes that are killed: before their first checkpoint, and after it."""

import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

from tests.experiments.training.test_resume import assert_equal_runs, finish, newest, start

SIZE = "--data shapes --image-size 16 --width 4 --z-dim 8 --batch-size 8 --n-critic 1 --track local"
ATTEMPTS = 5  # of a kill before the first checkpoint: another process may have the processor until after it


def kill_once(words: list[str], is_time: Callable[[], bool]) -> None:
    """Starts a run and kills it as soon as it is time."""
    process = start(words)
    deadline = time.monotonic() + 60
    while not is_time() and process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.001)
    assert process.is_alive(), f"it ended by itself, with {process.exitcode}"
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    assert process.exitcode == -signal.SIGKILL


def test_it_ends_with_the_bits_of_a_run_that_was_not_killed(tmp_path: Path) -> None:
    source, whole, cut = (tmp_path / name for name in ("source", "whole", "cut"))
    finish(["run", *f"--arch dcgan {SIZE} --steps 4 --out {source}".split()])
    flags = "--freeze-critic 2 --critic-ema-kimg 0.1 --steps 60 --checkpoint-kimg 0.2 --seed 3"
    line = f"run --init-from {source} {flags} {SIZE} --out"
    finish([*line.split(), str(whole)])
    words = [*line.split(), str(cut)]
    for _ in range(ATTEMPTS):
        shutil.rmtree(cut, ignore_errors=True)
        kill_once(words, (cut / "scores.jsonl").exists)
        if not newest(cut):
            break
    assert (cut / "config.json").exists() and not newest(cut), "killed before its first checkpoint"
    kill_once(words, lambda: bool(newest(cut)))
    assert not (cut / "generator.safetensors").exists()
    shutil.move(source, tmp_path / "moved")
    finish(words)
    assert_equal_runs(whole, cut)
    exported = [(run / "generator.safetensors").read_bytes() for run in (whole, tmp_path / "moved")]
    assert exported[0] != exported[1], "it has trained"
