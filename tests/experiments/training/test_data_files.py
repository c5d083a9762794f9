"""Runs on arrays, tar files, databases and tables: killed and resumed, or in two processes, they are one."""

import io
import random
import socket
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.runs.checkpoint import checkpoint_name, load_checkpoint
from tests.conftest import long_but
from tests.experiments.training.test_resume import (
    arguments,
    assert_equal_runs,
    finish,
    killed_and_resumed,
    start,
)

COUNT, SIDE, STEPS = 100, 16, 3
SHARED = f"--arch dcgan --image-size {SIDE} --width 2 --batch-size 8 --precision fp64 --track local"
Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


def encoded(pixels: Pixels) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def write_array(root: Path, pixels: Pixels) -> str:
    np.save(root / "set.npy", pixels)
    return f"npy:{root}/set.npy"


def write_arrays(root: Path, pixels: Pixels) -> str:
    """Compressed, so that it is not mapped."""
    np.savez_compressed(root / "set.npz", images=pixels)
    return f"npz:{root}/set.npz"


def write_tars(root: Path, pixels: Pixels) -> str:
    for shard in range(2):
        with tarfile.open(root / f"set-{shard}.tar", "w") as tar:
            for number in range(shard * COUNT // 2, (shard + 1) * COUNT // 2):
                info = tarfile.TarInfo(f"{number:03}.png")
                content = encoded(pixels[number])
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return f"wds:{root}/set-*.tar"


def write_database(root: Path, pixels: Pixels) -> str:
    lmdb = pytest.importorskip("lmdb")
    with lmdb.open(str(root / "set"), map_size=2**24) as database, database.begin(write=True) as writing:
        for number, picture in enumerate(pixels):
            writing.put(f"{SIDE}-{number:05}".encode(), encoded(picture))
    return f"lmdb:{root}/set"


def write_table(root: Path, pixels: Pixels) -> str:
    """A parquet file, which the library turns into a file of its own in its cache."""
    datasets = pytest.importorskip("datasets")
    rows = {"image": [{"bytes": encoded(picture), "path": None} for picture in pixels]}
    table = datasets.Dataset.from_dict(rows, features=datasets.Features(image=datasets.Image()))
    (root / "set/data").mkdir(parents=True)
    table.to_parquet(str(root / "set/data/train-00000-of-00001.parquet"))
    return f"hf:{root}/set"


WRITERS: dict[str, Callable[[Path, Pixels], str]] = {
    "npy": write_array,
    "npz": write_arrays,
    "wds": write_tars,
    "lmdb": write_database,
    "hf": write_table,
}


@pytest.fixture(autouse=True)
def _own_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "hf-cache"))


@pytest.fixture(scope="module")
def pixels() -> Pixels:
    return np.random.default_rng(0).integers(256, size=(COUNT, SIDE, SIDE, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, pixels: Pixels) -> Path:
    """The run on a folder of the same pictures, which was not killed."""
    root = tmp_path_factory.mktemp("whole")
    (root / "set").mkdir()
    for number, picture in enumerate(pixels):
        Image.fromarray(picture).save(root / f"set/{number:03}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANS_CACHE", str(root / "cache"))
        finish(arguments("--arch dcgan --loss bce", root / "run", f"folder:{root}/set"))
    return root / "run"


@pytest.mark.long
@pytest.mark.parametrize("kind", long_but({"lmdb"}, WRITERS))
def test_killed_and_resumed(
    kind: str, tmp_path: Path, pixels: Pixels, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read while training, and bit-equal to the run on a folder; an epoch and a half between kills."""
    monkeypatch.setattr("tests.experiments.training.test_resume.KILLS", 1)
    words = [*arguments("--arch dcgan --loss bce", tmp_path / "cut", WRITERS[kind](tmp_path, pixels))]
    killed_and_resumed([*words, "--stream"], tmp_path / "cut", random.Random(kind))
    assert_equal_runs(whole, tmp_path / "cut")


def weights_of(run: Path) -> dict[str, torch.Tensor]:
    game = load_checkpoint(run / "checkpoints" / checkpoint_name(STEPS))["game"]
    return {name: value for name, value in game.items() if isinstance(value, torch.Tensor)}


@pytest.mark.parametrize("kind", long_but({"wds"}, WRITERS))
def test_two_processes_are_one(
    kind: str, tmp_path: Path, pixels: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They begin at once, with empty caches: of indices, of decoded images, of the library itself."""
    words = f"run {SHARED} --data {WRITERS[kind](tmp_path, pixels)} --steps {STEPS} --stream --out"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ranks = []
    for rank in range(2):
        with monkeypatch.context() as patch:
            variables = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": 2, "RANK": rank}
            for name, value in {**variables, "LOCAL_RANK": rank}.items():
                patch.setenv(name, str(value))
            ranks.append(start([*words.split(), str(tmp_path / "both")]))
    for process in ranks:
        process.join(120)
    assert [process.exitcode for process in ranks] == [0, 0]
    finish([*words.split(), str(tmp_path / "alone")])
    both, alone = weights_of(tmp_path / "both"), weights_of(tmp_path / "alone")
    assert both.keys() == alone.keys() and len(alone) > 10
    for name in alone:
        torch.testing.assert_close(both[name], alone[name], rtol=1e-12, atol=1e-12)
