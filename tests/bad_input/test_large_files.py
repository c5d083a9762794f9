"""Files of any length in the place of small ones: sparse ones, which take no room on a disk."""

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from experiments.core import registry
from experiments.core.errors import RunError
from experiments.data.core.decoding import read_header
from experiments.data.zip import Zip, ZipStore
from experiments.runs import checkpoint, export
from experiments.runs.checkpoint import DamagedError, hash_path, load_checkpoint
from experiments.runs.export import read_export
from metrics.extractors.classifier import read_classifier
from metrics.extractors.core import weights
from metrics.extractors.core.extractor import WeightsError
from tests.commands.helpers import Gans, Refused, little_memory

LARGE = 300 * 2**20  # bytes: five times what `little_memory` leaves


def make_large(path: Path) -> Path:
    path.touch()
    os.truncate(path, LARGE)
    return path


def test_a_large_checkpoint_is_passed_over_for_the_one_before(gans: Gans, unfinished: Path) -> None:
    make_large(unfinished / "checkpoints/step-00000004.pt")
    with little_memory():
        outcome = gans("sample run -n 4 --out s.npy")
    assert outcome.status == 0
    assert "step-00000004.pt: damaged" in outcome.err and "trying the one before" in outcome.err
    assert Path("s.npy").exists()


def test_a_large_export_is_replaced_by_the_checkpoint(gans: Gans, finished: Path) -> None:
    make_large(finished / "generator.safetensors")
    with little_memory():
        outcome = gans("sample run -n 4 --out s.npy")
    assert outcome.status == 0 and "replaced by the generator of step-00000004.pt" in outcome.err


def test_a_large_export_without_a_hash_is_refused(
    refused: Refused, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = Path("alone.safetensors")
    alone.write_bytes((finished / "generator.safetensors").read_bytes())
    monkeypatch.setattr(export, "MOST_UNVERIFIED_BYTES", alone.stat().st_size)
    assert read_export(alone).tensors
    make_large(alone)
    with little_memory():
        refused(2, ("alone.safetensors has more than", "alone.safetensors.sha256"), "sample", alone)


def test_too_little_memory_is_no_damage(unfinished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An earlier checkpoint would take the place of a good one, which is then deleted."""
    newest = unfinished / "checkpoints/step-00000004.pt"
    for error in (MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried")):

        def fail(file: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(checkpoint, "load_torch_file", fail)
        with pytest.raises(RunError, match="not enough memory to read it") as refusal:
            load_checkpoint(newest)
        assert not isinstance(refusal.value, DamagedError)


def test_a_sealed_checkpoint_is_not_held_whole(unfinished: Path, seal: Callable[[Path], None]) -> None:
    """Its hash is right, but it is none of ours: what is not asked for is not read."""
    newest = unfinished / "checkpoints/step-00000004.pt"
    with zipfile.ZipFile(newest, "a") as archive:
        info = zipfile.ZipInfo("archive/data/unused")
        archive.writestr(info, bytes(LARGE // 3))
    seal(newest)
    with little_memory():
        assert load_checkpoint(newest)["step"] == 4
    assert hash_path(newest).exists()


def test_plugins_of_any_length_are_refused_before_they_are_read(refused: Refused, finished: Path) -> None:
    config = json.loads((finished / "config.json").read_text())
    config["settings"]["plugin"] = {"value": ["run/p.py"], "from": "flag"}
    (finished / "config.json").write_text(json.dumps(config))
    make_large(finished / "p.py")
    with little_memory():
        refused(2, ("run/p.py", "has more than 1,048,576 bytes"), "sample run --out s.npy")
    os.truncate(finished / "p.py", 2**20)
    refused(2, ("run/p.py", "which you have not run before"), "sample run --out s.npy")
    (finished / "p.py").unlink()
    os.mkfifo(finished / "p.py")
    refused(2, ("run/p.py", "no regular file"), "sample run --out s.npy")


@pytest.mark.parametrize("name", ["x" * 5000 + ".py", "a\0.py"])
def test_plugins_whose_names_no_file_can_have(name: str) -> None:
    with pytest.raises(registry.UsageError, match="plug-in"):
        registry.read_plugin(name)


def test_weights_that_are_larger_than_their_network(tmp_path: Path) -> None:
    large = make_large(tmp_path / "x.safetensors")
    with little_memory(), pytest.raises(WeightsError, match="damaged, or not a classifier"):
        read_classifier(large)
    shapes = {"weight": (3, 4)}
    with pytest.raises(WeightsError, match=r"has more than 16,777,312 bytes, more than those of a network"):
        weights.read(large, "a network", shapes)
    torch.save({"weight": torch.ones(3, 4)}, tmp_path / "x.pt")
    assert weights.read(tmp_path / "x.pt", "a network", shapes)[0]["weight"].sum() == 12


@pytest.mark.parametrize(
    ("method", "name", "size"),
    [(zipfile.ZIP_BZIP2, "bzip2", 100 * 2**20), (zipfile.ZIP_LZMA, "LZMA", 2**20)],
)
def test_zips_by_methods_that_inflate_all_at_once(method: int, name: str, size: int, tmp_path: Path) -> None:
    """A hundred bytes of bzip2 that are 100 MB, and say that they are 100 bytes."""
    file = tmp_path / "x.zip"
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("a.png", bytes(size))
    content = file.read_bytes()
    file.write_bytes(content.replace(size.to_bytes(4, "little"), (100).to_bytes(4, "little")))
    with little_memory(), pytest.raises(ValueError, match=f"a.png in .* is compressed with {name}"):
        read_header(ZipStore(file), "a.png")
    with little_memory(), pytest.raises(ValueError, match=rf"x\.zip is compressed with {name} .*: unpack it"):
        Zip(str(file)).native()
