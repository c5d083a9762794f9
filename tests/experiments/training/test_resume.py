"""A run that is killed at any moment and resumed ends bit-identical to the uninterrupted one [23]."""

import json
import os
import random
import signal
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from shutil import make_archive
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import cli
from experiments.runs.checkpoint import Checkpoints, load_checkpoint
from tests.conftest import ARCHITECTURES, DATA, long_but
from tests.forked import CONTEXT
from tests.shortcuts import take_shortcuts

KILLS = 2
STEPS = 40
# Every loss is stopped and goes on in test_composition.py, within one process.
CASES = {
    "dcgan, wgan": "--arch dcgan --loss wgan",
    "mlp": "--arch mlp --loss wgan-gp",
    "resnet": "--arch resnet --loss hinge",
    # Two sizes of 0.15 kimg, two fades of as many; and one that fades from its first image to its last.
    "progan": "--arch progan --fade-kimg 0.15",
    "progan, fading": "--arch progan --fade-kimg 0.64 --stable-kimg 0.001",
    "progan, batches of three sizes": "--arch progan --stage-batch-sizes 4:24,16:4 --penalty-every 3",
    # Pools of 50 that are full after seven updates, of images that change by themselves.
    "cyclegan": "--arch cyclegan --augment flip",
    # Everything that draws random numbers while training, or keeps something from step to step.
    "everything": "--arch dcgan --loss bce --label-flip 0.1 --instance-noise 0.1 --critic-dropout 0.3 "
    "--critic-norm spectral --augment flip,crop,jitter --lr-schedule cosine --lr-warmup-kimg 0.1 "
    "--critic-ema-kimg 0.05 --penalty dragan --penalty-every 3 --penalty-anneal 0.5",
}


def arguments(case: str, out: Path, data: str = "shapes") -> list[str]:
    start = ["--data", "shapes-styles"] if "cyclegan" in case else ["--data", data, "--z-dim", "8"]
    size = [*start, "--image-size", "16", "--width", "4", "--batch-size", "8"]
    length = ["--n-critic", "2", "--steps", str(STEPS), "--keep", "3"]
    every = ["--checkpoint-kimg", str(9 * 16 / 1000), "--sample-kimg", str(25 * 16 / 1000)]
    return ["run", *case.split(), *size, *length, *every, "--out", str(out)]


def start(words: list[str]) -> BaseProcess:
    process = CONTEXT.Process(target=work, args=(words, dict(os.environ)))
    process.start()
    return process


def work(words: list[str], environment: dict[str, str]) -> None:
    os.environ.clear()  # the fork server has that of its own beginning, perhaps a process's among several
    os.environ.update(environment)
    take_shortcuts(setattr)
    cli.main(words)


def finish(words: list[str]) -> None:
    process = start(words)
    process.join(120)
    assert process.exitcode in (0, None)


@pytest.mark.long
@pytest.mark.parametrize("case", long_but({"everything", "progan, fading"}, CASES))
def test_killed_at_random_moments(case: str, tmp_path: Path) -> None:
    finish(arguments(CASES[case], tmp_path / "whole"))
    killed_and_resumed(arguments(CASES[case], tmp_path / "cut"), tmp_path / "cut", random.Random(case))
    assert_equal_runs(tmp_path / "whole", tmp_path / "cut")


@pytest.mark.long
@pytest.mark.parametrize("kind", long_but({"zip"}, ["zip", "folder"]))
def test_streamed_files_killed_at_random_moments(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decoded in the background, kept on disk by a process that dies while it writes there, and read in the
    epochs after. The run that is not streamed says what must come out."""
    monkeypatch.setenv("GANS_CACHE", str(tmp_path / "cache"))
    folder, noise = tmp_path / "pictures", np.random.default_rng(0)
    folder.mkdir()
    for number in range(250):  # two and a half epochs
        Image.fromarray(noise.integers(256, size=(24, 20, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    data = f"folder:{folder}"
    if kind == "zip":
        data = f"zip:{make_archive(str(folder), 'zip', folder)}"
    finish(arguments("--arch dcgan --loss bce", tmp_path / "whole", data))
    words = [*arguments("--arch dcgan --loss bce", tmp_path / "cut", data), "--stream"]
    killed_and_resumed(words, tmp_path / "cut", random.Random(kind))
    assert list((tmp_path / "cache" / "decoded").glob("*.pixels"))
    assert_equal_runs(tmp_path / "whole", tmp_path / "cut")


def killed_and_resumed(words: list[str], cut: Path, moments: random.Random) -> None:
    killed_at = []
    for number in range(KILLS):
        process = start(words)
        before = newest(cut)
        # The first kill may fall anywhere, before any checkpoint too; the others after some progress.
        deadline = time.monotonic() + 60
        while number and newest(cut) == before and process.is_alive() and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(moments.uniform(0, 0.15))
        if process.is_alive():
            os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
        killed_at.append((process.exitcode, newest(cut)))
    assert any(code == -signal.SIGKILL for code, _ in killed_at), f"too fast to be killed: {killed_at}"
    finish(words)


@pytest.mark.parametrize("arch", long_but({"dcgan", "swap"}, ARCHITECTURES))
def test_stopped_between_checkpoints(arch: str, tmp_path: Path) -> None:
    """By Ctrl-C, in the middle of a score interval."""
    task = ARCHITECTURES[arch].task
    words = ["--n-critic", "2", "--steps", "7", "--data", DATA[task], "--image-size", "8", "--width", "2"]
    words += ["--z-dim", "3"] if task == "noise" else []
    words = ["run", "--arch", arch, *words, "--batch-size", "4", "--out"]
    call([*words, str(tmp_path / "whole")])
    stop_after(3, [*words, str(tmp_path / "cut")])
    call([*words, str(tmp_path / "cut")])
    assert_equal_runs(tmp_path / "whole", tmp_path / "cut")


def call(words: list[str], status: int | None = None) -> None:
    try:
        cli.main(words)
    except SystemExit as stop:
        assert stop.code == status
    else:
        assert status is None


def stop_after(step: int, words: list[str]) -> None:
    """Runs until the given step and stops there as Ctrl-C does."""
    from experiments.training.callbacks import Progress
    from experiments.training.metric_logging import MetricLogger

    original = MetricLogger.__call__

    def interrupt(self: MetricLogger, moment: Progress, scores: dict[str, Tensor]) -> None:
        original(self, moment, scores)
        if moment.step == step:
            signal.raise_signal(signal.SIGINT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MetricLogger, "__call__", interrupt)
        call(words, status=130)


def newest(run: Path) -> str:
    return max((path.name for path in (run / "checkpoints").glob("step-*.pt")), default="")


def assert_equal_runs(whole: Path, cut: Path) -> None:
    exported = {path.name: path.read_bytes() for path in whole.glob("*.safetensors")}
    assert exported == {path.name: path.read_bytes() for path in cut.glob("*.safetensors")}
    one, other = (load_checkpoint(run / "checkpoints" / newest(run)) for run in (whole, cut))
    assert one["step"] == other["step"]
    assert one["seen"] == other["seen"]
    assert one.keys() == other.keys()
    for part in {"game", "ema", "critic_ema"} & one.keys():
        pairs = list(zip(tensors(one[part]), tensors(other[part]), strict=True))
        assert pairs
        assert all(torch.equal(a, b) for a, b in pairs)
    assert scores(whole) == scores(cut)
    for picture in (whole / "samples").iterdir():
        assert picture.read_bytes() == (cut / "samples" / picture.name).read_bytes()


def tensors(state: Any) -> list[Tensor]:
    if isinstance(state, Tensor):
        return [state]
    if isinstance(state, dict):
        return [tensor for value in state.values() for tensor in tensors(value)]
    return []


def scores(run: Path) -> list[dict[str, float]]:
    """Without what depends on the clock on the wall."""
    lines = [json.loads(line) for line in (run / "scores.jsonl").read_text().splitlines()]
    return [
        {k: v for k, v in line.items() if k not in ("seconds", "images_per_second", "waiting_for_data")}
        for line in lines
    ]


def test_a_step_is_saved_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while a checkpoint is being written must not write it again over itself."""
    written: list[int] = []
    save = Checkpoints.save

    def count(self: Checkpoints, step: int, content: dict[str, Any], *others: Any) -> Path:
        written.append(step)
        return save(self, step, content, *others)

    monkeypatch.setattr(Checkpoints, "save", count)
    words = ["run", "--arch", "mlp", "--steps", "9", "--width", "2", "--batch-size", "4", "--out"]
    stop_after(3, [*words, str(tmp_path / "cut"), "--checkpoint-kimg", "0.004"])
    assert written == [1, 2, 3]
