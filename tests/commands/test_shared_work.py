"""Samples, translations and scores are shared out to processes, and equal those of one."""

import io
import os
import socket
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import torch.multiprocessing as mp

from cli import gans
from experiments.data import shapes
from tests.house.house import ROOT
from tests.shortcuts import take_shortcuts

RUNS = ROOT / "tests" / "old_runs"
TRAINED_ON = 50_000  # shapes, of these runs: scores refuse other data
COMMANDS = {
    "sample": f"sample {RUNS}/dcgan -n 150 --out OUT.npy",
    "noise": f"sample {RUNS}/stylegan -n 70 --noise-mode random --out OUT.npy",
    "seeds": f"sample {RUNS}/stylegan --seeds 0-9 --noise-mode random --out OUT.npy",
    "paths": f"evaluate {RUNS}/dcgan/checkpoints/LAST -n 100 --metrics fid,path-length --json --extractor "
    "random-vgg",
    "fid": f"fid {RUNS}/mlp shapes -n 100 --image-size 16 --extractor random-vgg --json",
    "stats": "stats shapes -n 130 --image-size 16 --extractor random-vgg --out OUT.npz",
    "translation": f"evaluate {RUNS}/pix2pix/checkpoints/LAST -n 70 --metrics l1 --json",
    "points": f"evaluate {RUNS}/mlp-points/checkpoints/LAST -n 100 --metrics fid,modes --json",
}


def command(name: str, folder: Path) -> list[str]:
    """The words of a command, with a file of its own."""
    words = COMMANDS[name].replace("OUT", str(folder / name)).split()
    last = {each: str(max(Path(each).parent.glob("*.pt"))) for each in words if each.endswith("LAST")}
    return [last.get(word, word) for word in words] + ["--device", "cpu"]


def perform(folder: Path) -> None:
    """Performs all commands, and keeps what they print."""
    for name in COMMANDS:
        with redirect_stdout(io.StringIO()) as out:
            gans.main(command(name, folder), prog_name="gans", standalone_mode=False)
        (folder / f"{name}.{os.environ.get('RANK', 0)}.txt").write_text(out.getvalue())


def perform_together(rank: int, folder: Path, port: int, caches: Path) -> None:
    """Performs all commands as one of two processes."""
    from experiments.core.processes import joined_processes

    take_shortcuts(setattr)
    shapes.LENGTH = TRAINED_ON
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": str(rank), "MASTER_ADDR": "127.0.0.1"}
    os.environ |= {"MASTER_PORT": str(port), "GANS_CACHE": str(caches)}
    with joined_processes():
        perform(folder)


@pytest.mark.long
def test_two_processes_make_what_one_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both, alone = tmp_path / "both", tmp_path / "alone"
    for folder in (both, alone):
        folder.mkdir()
    monkeypatch.setenv("GANS_CACHE", str(tmp_path / "cache of one"))
    monkeypatch.setattr(shapes, "LENGTH", TRAINED_ON)
    perform(alone)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start: Any = mp.start_processes
    start(perform_together, (both, port, tmp_path / "cache of both"), 2, start_method="forkserver")
    files = {file.name for file in alone.iterdir()}
    assert {file.name for file in both.iterdir()} == files | {f"{name}.1.txt" for name in COMMANDS}
    for name in files:
        made, expected = ((folder / name).read_bytes() for folder in (both, alone))
        assert made.replace(b"both", b"alone") == expected, name
    assert (tmp_path / "cache of both" / "references").is_dir()
