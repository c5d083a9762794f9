"""Damaged exports of runs whose last checkpoint is gone, and exports without a hash beside them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import gans as laboratory
from experiments.runs.folder import RunFolder
from tests.conftest import CommandResult

Gans = Callable[..., CommandResult]
RUN = "run --arch mlp --data ring8 --loss bce --batch-size 8 --width 4 --track local --out run"
LENGTHS = ("--steps 6", "--kimg 0.045")  # 6 steps of 8 images, the last in full
FILE, HASH = Path("run/generator.safetensors"), Path("run/generator.safetensors.sha256")


@pytest.fixture(params=LENGTHS)
def half(request: pytest.FixtureRequest, gans: Gans, workplace: Path) -> bytes:
    """A run with the checkpoint of step 3 alone, and an export that is empty; the whole one is returned."""
    assert gans(f"{RUN} {request.param} --checkpoint-kimg 0.024").status == 0
    for file in Path("run/checkpoints").glob("step-00000006*"):
        file.unlink()
    whole = FILE.read_bytes()
    FILE.write_bytes(b"")
    return whole


def test_half_trained_weights_replace_no_export(half: bytes, gans: Gans) -> None:
    """Two evaluations have the same step and score; then the run trains to the same end."""
    first, again = (gans("evaluate run -n 40 --json") for _ in range(2))
    assert first.status == again.status == 0 and first.out == again.out
    assert "step-00000003.pt is taken instead" in again.err and "gans run --resume run" in again.err
    lines = [json.loads(line) for line in Path("run/evaluation.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [3], "the same scores are kept once"
    assert FILE.read_bytes() == b"" and not RunFolder(Path("run")).is_finished
    resumed = gans("run --resume run")
    assert resumed.status == 0 and "is damaged" in resumed.err and "at step 3 of 6" in resumed.err
    assert FILE.read_bytes() == half


@pytest.mark.parametrize("damage", [lambda whole: b"", lambda whole: whole[:-9] + b"x" + whole[-8:]])
def test_a_damaged_export_ends_no_run(half: bytes, damage: Callable[[bytes], bytes], gans: Gans) -> None:
    FILE.write_bytes(damage(half))
    if not FILE.read_bytes():
        HASH.unlink()
    assert RunFolder(Path("run")).state == "unfinished"
    assert gans("run --resume run").status == 0
    assert FILE.read_bytes() == half and RunFolder(Path("run")).state == "finished"


@pytest.fixture
def finished(gans: Gans, workplace: Path) -> bytes:
    assert gans(f"{RUN} {LENGTHS[0]}").status == 0
    return FILE.read_bytes()


def test_an_export_without_a_hash_is_compared_with_the_checkpoint(finished: bytes, gans: Gans) -> None:
    assert gans("sample run --out s.npy").status == 0
    drawn = Path("s.npy").read_bytes()
    HASH.unlink()
    FILE.write_bytes(finished[:-60] + bytes(60))
    outcome = gans("sample run --out s.npy")
    assert outcome.status == 0 and "has not the weights of step-00000006.pt" in outcome.err
    assert Path("s.npy").read_bytes() == drawn and FILE.read_bytes() == finished and HASH.exists()


def test_a_whole_export_gets_its_hash(finished: bytes, gans: Gans) -> None:
    kept = HASH.read_text()
    HASH.unlink()
    outcome = gans("sample run --out s.npy")
    assert outcome.status == 0 and "damaged" not in outcome.err
    assert HASH.read_text() == kept and FILE.read_bytes() == finished


def test_an_export_that_nothing_verifies_is_said(finished: bytes, gans: Gans) -> None:
    HASH.unlink()
    shutil.rmtree("run/checkpoints")
    outcome = gans("sample run --out s.npy")
    assert outcome.status == 0 and "no hash and no checkpoint of the last step" in outcome.err
    assert not HASH.exists()


def test_an_export_says_how_long_it_was_trained(finished: bytes, gans: Gans) -> None:
    """Whatever its scores say: a line of a later step may have been added by hand."""
    scores = Path("run/scores.jsonl")
    scores.write_text(scores.read_text() + '{"step": 99, "kimg": 9.9, "metric/x": 1.0}\n')
    assert gans("export run --out alone.safetensors").status == 0
    assert Path("alone.safetensors").read_bytes() == finished
    for path in ("run", "alone.safetensors"):
        assert (laboratory.load(path).step, laboratory.load(path).kimg) == (6, 0.048)


def test_an_export_of_an_older_version_takes_its_step_from_the_scores(finished: bytes, gans: Gans) -> None:
    length = int.from_bytes(finished[:8], "little")
    header = json.loads(finished[8 : 8 + length])
    description = json.loads(header["__metadata__"]["gans"])
    assert description.pop("step") == 6 and description.pop("kimg") == 0.048
    header["__metadata__"]["gans"] = json.dumps(description)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    FILE.write_bytes(len(text).to_bytes(8, "little") + text + finished[8 + length :])
    HASH.unlink()
    assert (laboratory.load("run").step, laboratory.load("run").kimg) == (6, 0.048)


@pytest.mark.parametrize("step", ["x", -1, True, 1.5, 10**300])
def test_a_step_that_is_none_is_refused(step: object, finished: bytes, gans: Gans) -> None:
    length = int.from_bytes(finished[:8], "little")
    header = json.loads(finished[8 : 8 + length])
    description = json.loads(header["__metadata__"]["gans"])
    header["__metadata__"]["gans"] = json.dumps({**description, "step": step})
    text = json.dumps(header).encode()
    Path("odd.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + finished[8 + length :])
    outcome = gans("sample odd.safetensors --out s.npy")
    assert outcome.status == 2 and "odd.safetensors is not a generator exported by gans" in outcome.err
