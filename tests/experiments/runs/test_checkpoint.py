"""Checkpoints are written whole or not at all, verified, and loaded without executing anything."""

import hashlib
import logging
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.core.errors import RunError
from experiments.runs.checkpoint import Checkpoints, DamagedError, hash_path, load_checkpoint
from tests.conftest import ROOT


def saved(folder: Path, *steps: int, keep: int = 9) -> Checkpoints:
    checkpoints = Checkpoints(folder, keep)
    for step in steps:
        checkpoints.save(step, {"x": torch.full((3,), float(step))})
    return checkpoints


def seal(path: Path) -> None:
    """Gives whatever stands in `path` a matching hash."""
    hash_path(path).write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n")


def test_round_trip_and_the_hash_is_what_sha256sum_checks(tmp_path: Path) -> None:
    path = saved(tmp_path, 7).paths()[0]
    content = load_checkpoint(path)
    assert (content["step"], content["x"].tolist()) == (7, [7.0, 7.0, 7.0])
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert hash_path(path).read_text() == f"{digest}  step-00000007.pt\n"


def test_only_the_newest_are_kept_in_the_order_of_steps(tmp_path: Path) -> None:
    saved(tmp_path, 9, 10, 100, 1000, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"step-{step:08d}.pt{ending}" for step in (100, 1000) for ending in ("", ".sha256")
    ]


def test_a_damaged_newer_one_never_pushes_out_a_good_one(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, 1, 2, 3, keep=3)
    for newer in checkpoints.paths()[1:]:
        newer.write_bytes(b"damaged")
    again = Checkpoints(tmp_path, keep=1)
    assert again.newest()["step"] == 1  # type: ignore[index]
    again.save(2, {})
    assert [load_checkpoint(path)["step"] for path in again.paths()] == [2]


def test_what_a_kill_has_left_of_checkpoints_is_removed(tmp_path: Path) -> None:
    """Between the two files of one: a hash without its checkpoint; or before an old one was deleted."""
    checkpoints = saved(tmp_path, 1, 2, 3)
    checkpoints.paths()[0].unlink()
    hash_path(tmp_path / "step-00000009.pt").write_text("of a later step")
    Checkpoints(tmp_path, keep=1).forget_old(3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000003.pt", "step-00000003.pt.sha256"]


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "no hash", "empty hash"])
def test_a_damaged_newest_is_reported_and_the_one_before_is_used(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoints = saved(tmp_path, 1, 2)
    newest = checkpoints.paths()[-1]
    data = bytearray(newest.read_bytes())
    if damage == "truncated":
        newest.write_bytes(data[:-50])
    elif damage == "flipped":
        data[len(data) // 2] ^= 1
        newest.write_bytes(data)
    elif damage == "empty":
        newest.write_bytes(b"")
    elif damage == "no hash":
        hash_path(newest).unlink()
    else:
        hash_path(newest).write_text("")
    with caplog.at_level(logging.INFO, "gans"):
        content = checkpoints.newest()
    assert content is not None
    assert content["step"] == 1
    assert len(caplog.messages) == 1
    assert "step-00000002.pt" in caplog.messages[0]


def test_without_any_readable_checkpoint_nothing_starts_from_zero_in_silence(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, 1, 2)
    for path in checkpoints.paths():
        path.write_bytes(b"x")
    with pytest.raises(RunError, match="none of its 2 checkpoints"):
        checkpoints.newest()
    assert Checkpoints(tmp_path / "empty").newest() is None


class Bomb:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_a_pickle_bomb_does_not_go_off(tmp_path: Path, how: str) -> None:
    path, target = tmp_path / "step-00000001.pt", tmp_path / "executed"
    content = {"format": 1, "step": 1, "x": Bomb(target)}
    if how == "torch":
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    seal(path)
    with pytest.raises(DamagedError, match="not a checkpoint"):
        load_checkpoint(path)
    assert not target.exists()
    torch.load(path, weights_only=False) if how == "torch" else pickle.loads(path.read_bytes())
    assert target.exists(), "the bomb is a real one"


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04broken"])
def test_other_files_are_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "step-00000001.pt"
    path.write_bytes(content)
    seal(path)
    with pytest.raises(DamagedError, match=r"step-00000001\.pt: not a checkpoint"):
        load_checkpoint(path)


def test_a_newer_format_is_not_guessed_at(tmp_path: Path) -> None:
    saved(tmp_path, 1)
    path = tmp_path / "step-00000003.pt"
    torch.save({"format": 99, "step": 3}, path)
    seal(path)
    for read in (lambda: load_checkpoint(path), lambda: Checkpoints(tmp_path).newest()):
        with pytest.raises(RunError, match="format 99 is newer"):
            read()


def test_earlier_versions_read_what_is_written(tmp_path: Path) -> None:
    (old,) = (ROOT / "tests" / "old_runs" / "mlp" / "checkpoints").glob("*.pt")
    assert load_checkpoint(saved(tmp_path, 1).paths()[0])["format"] == load_checkpoint(old)["format"]


def test_a_full_disk_leaves_the_last_good_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoints = saved(tmp_path, 1, 2)
    before = sorted(tmp_path.iterdir())

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match=r"No space left.*last good checkpoint is step-00000002\.pt"):
        checkpoints.save(3, {"x": torch.zeros(3)})
    assert sorted(tmp_path.iterdir()) == before
    assert load_checkpoint(checkpoints.paths()[-1])["step"] == 2
