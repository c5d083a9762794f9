"""Damaged and hostile checkpoints are named, and nothing is lost."""

import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from experiments.runs.checkpoint import load_checkpoint
from tests.commands.helpers import MOODY, POINTS, Gans, Mood, Refused, everything_below, exported


class Bomb:
    """Unpickling one runs a command."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch executed",)


def write_bomb(path: Path, how: str) -> None:
    if how == "torch":
        torch.save({"format": 1, "step": 5, "seen": 80, "game": {}, "ema": {}, "scores": Bomb()}, path)
    elif how == "old torch":
        torch.save({"format": 1, "x": Bomb()}, path, _use_new_zipfile_serialization=False)
    else:
        path.write_bytes(pickle.dumps({"format": 1, "x": Bomb()}))


@pytest.mark.parametrize("how", ["torch", "old torch", "pickle"])
def test_a_pickle_bomb_does_not_go_off(
    how: str, refused: Refused, gans: Gans, unfinished: Path, seal: Callable[[Path], None], _finished: Path
) -> None:
    """Neither when it is sampled nor as the newest checkpoint of a run, with a hash that fits."""
    bomb = unfinished / "checkpoints/step-00000005.pt"
    write_bomb(bomb, how)
    seal(bomb)
    refused(1, ("step-00000005.pt",), "sample", bomb)
    sampled = gans("sample run -n 2 --out two.npy")
    assert sampled.status == 0
    assert "step-00000005.pt" in sampled.err
    resumed = gans("run --resume run")
    assert resumed.status == 0
    assert "step-00000005.pt" in resumed.err
    assert exported(unfinished) == exported(_finished)
    assert not Path("executed").exists()
    write_bomb(bomb, how)
    torch.load(bomb, weights_only=False) if how != "pickle" else pickle.loads(bomb.read_bytes())
    assert Path("executed").exists(), "the bomb is a real one"


def damage(path: Path, how: str, seal: Callable[[Path], None]) -> None:
    data = path.read_bytes()
    if how == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "one bit":  # of a weight, where only the hash can tell
        weight = load_checkpoint(path)["ema"]["layers.0.weight"].numpy().tobytes()
        assert data.count(weight) == 1
        place = data.index(weight)
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    elif how == "no hash":
        path.with_name(path.name + ".sha256").unlink()
    elif how == "a folder":
        path.unlink()
        path.mkdir()
    else:  # a hash that fits, over something else
        path.unlink()
        contents: dict[str, Any] = {
            "garbage": None,
            "no dictionary": [1, 2],
            "no format": {"step": 4},
            "half of it": {"format": 1, "step": 4},
            "odd types": {"format": 1, "step": "4", "seen": "64", "game": 3, "ema": 3, "scores": 3},
            "other networks": {"format": 1, "step": 4, "seen": 64, "game": {}, "ema": {}, "scores": {}},
        }
        if how == "garbage":
            path.write_bytes(b"PK\x03\x04 hello")
        else:
            torch.save(contents[how], path)
        seal(path)


UNREADABLE = [
    "truncated",
    "empty",
    "one bit",
    "no hash",
    "a folder",
    "garbage",
    "no dictionary",
    "no format",
    "odd types",
]
UNFIT = ["half of it", "other networks"]


@pytest.mark.parametrize("how", UNREADABLE)
def test_a_damaged_newest_checkpoint(
    how: str, refused: Refused, gans: Gans, unfinished: Path, seal: Callable[[Path], None], _finished: Path
) -> None:
    """It is told, and the one before is used: by a resume and by samples of the run."""
    newest = unfinished / "checkpoints/step-00000004.pt"
    damage(newest, how, seal)
    refused(1, ("step-00000004.pt",), f"sample {newest}")
    sampled = gans("sample run -n 3 --out three.npy")
    assert sampled.status == 0
    assert "step-00000004.pt" in sampled.err, "samples of an older step are not passed off as the newest"
    gans("sample run/checkpoints/step-00000003.pt -n 3 --out older.npy")
    assert np.array_equal(np.load("three.npy"), np.load("older.npy"))
    if how == "a folder":
        newest.rmdir()  # what else it may hold is not ours to replace
        return
    resumed = gans("run --resume run")
    assert resumed.status == 0, resumed.err
    assert "step-00000004.pt" in resumed.err
    assert "step 3 of 4" in resumed.err
    assert exported(unfinished) == exported(_finished)


@pytest.mark.parametrize("how", UNFIT)
def test_a_checkpoint_that_does_not_fit(
    how: str, gans: Gans, clear_line: Refused, unfinished: Path, seal: Callable[[Path], None]
) -> None:
    """Whether it is refused or the one before is used, it is named, and there is no traceback."""
    newest = unfinished / "checkpoints/step-00000004.pt"
    damage(newest, how, seal)
    outcome = gans(f"sample {newest} --out x.npy")
    assert outcome.status == 1
    clear_line(outcome.err, "step-00000004.pt")
    for line in ("run --resume run", "sample run --out x.npy"):
        outcome = gans(line)
        assert outcome.status in (0, 1)
        assert "step-00000004.pt" in outcome.err
        if outcome.status:
            clear_line(outcome.err)


def test_when_all_are_damaged_nothing_starts_from_zero_in_silence(refused: Refused, unfinished: Path) -> None:
    for path in (unfinished / "checkpoints").glob("*.pt"):
        path.write_bytes(path.read_bytes()[:100])
    before = everything_below(unfinished)
    refused(1, ("run/checkpoints", "3"), "run --resume run")
    refused(1, ("run/checkpoints",), "sample run")
    assert everything_below(unfinished) == before


def test_a_newer_format_is_not_guessed_at(
    refused: Refused, unfinished: Path, seal: Callable[[Path], None]
) -> None:
    """Going on from the one before would throw away what the newer version has done."""
    path = unfinished / "checkpoints/step-00000009.pt"
    torch.save({"format": 99, "step": 9}, path)
    seal(path)
    before = everything_below(unfinished)
    for line in ("run --resume run", "sample run", f"sample {path}"):
        refused(1, ("step-00000009.pt", "99", "newer"), line)
    assert everything_below(unfinished) == before


def test_the_last_good_checkpoint_outlives_damaged_newer_ones(gans: Gans, moody: Mood) -> None:
    """Keeping one means keeping a good one: a damaged one with a higher number does not take its place."""
    command = f"run {POINTS} --steps 9 --checkpoint-kimg 0.016 --sample-kimg 9 {MOODY} --out run"
    moody("SIGINT 6")
    gans(f"{command} --keep 2")
    Path("run/checkpoints/step-00000006.pt").rename("run/checkpoints/step-00000008.pt")  # it has no hash
    moody("SIGINT 1")
    assert gans(f"{command} --keep 1 --force").status == 130
    assert Path("run/checkpoints/step-00000006.pt").exists(), "the only good checkpoint was forgotten"
    moody("calm")
    outcome = gans(f"{command} --keep 1 --force")
    assert outcome.status == 0, outcome.err
    assert "step 6 of 9" in outcome.err


def test_a_checkpoint_by_itself(refused: Refused, finished: Path) -> None:
    """Without the run's config beside it nobody knows what it is of: the line names the file."""
    Path("garbage.pt").write_bytes(b"hello")
    shutil.copy(finished / "checkpoints/step-00000004.pt", "alone.pt")
    for name in ("garbage.pt", "alone.pt", "missing.pt"):
        outcome = refused(2, (name,), f"sample {name}")
        assert "run" in outcome


def test_a_run_without_a_checkpoint_has_no_samples(refused: Refused, unfinished: Path) -> None:
    shutil.rmtree(unfinished / "checkpoints")
    refused(1, ("run", "no checkpoint"), "sample run")
