"""A machine whose disk is full, or that does two things at once."""

import contextlib
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands.helpers import (
    IMAGES,
    MOODY,
    POINTS,
    Gans,
    Mood,
    Refused,
    everything_below,
    exported,
    files_up_to,
    weights_are_finite,
)

pytestmark = pytest.mark.usefixtures("as_for_users")  # files of their true sizes


def test_a_full_disk_leaves_a_run_that_can_go_on(
    refused: Refused, gans: Gans, moody: Mood, pictures: Path
) -> None:
    command = f"run {IMAGES} --steps 6 {MOODY} --checkpoint-kimg 0.004 --out"
    moody("calm")
    gans(f"{command} whole")
    moody("SIGINT 3")
    gans(f"{command} run")
    moody("calm")
    checkpoint = Path("run/checkpoints/step-00000003.pt")
    with files_up_to(checkpoint.stat().st_size - 1):
        refused(1, ("step-00000004.pt", "File too large", "step-00000003.pt"), f"{command} run")
    assert weights_are_finite(checkpoint)
    assert not [name for name in everything_below(Path("run")) if "partial" in name or "00000004" in name]
    assert gans(f"{command} run").status == 0
    assert exported(Path("run")) == exported(Path("whole"))
    assert pictures.exists()


@pytest.mark.parametrize(
    ("size", "name"), [(100, "config.json"), (7000, "real.png"), (60_000, "step-00000001.pt")]
)
def test_a_full_disk_names_what_was_not_written(
    size: int, name: str, refused: Refused, gans: Gans, workplace: Path
) -> None:
    command = f"run {POINTS} --width 64 --checkpoint-kimg 0.016 --sample-kimg 9 --out run"
    with files_up_to(size):
        refused(1, (name, "File too large"), command)
    assert not list(workplace.rglob("*.partial"))
    assert gans(command).status == 0


def test_a_full_disk_for_samples(refused: Refused, finished: Path) -> None:
    for name in ("big.npy", "big.png"):
        with files_up_to(500):
            refused(1, (name, "File too large"), f"sample {finished} -n 500 --out {name}")
    assert [path.name for path in Path().iterdir()] == ["run"]


@pytest.mark.long
def test_a_full_disk_in_a_real_process(start: Gans, clear_line: Refused, finished: Path) -> None:
    process = start(f"sample {finished} -n 500 --out big.npy", largest_file=500)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    clear_line(err, "big.npy", "File too large")


def test_two_processes_on_one_folder(
    fork: Gans, refused: Refused, gans: Gans, moody: Mood, wait_for_scores: Callable[..., None]
) -> None:
    command = f"run {POINTS} {MOODY} --steps 1000000 --checkpoint-kimg 99999 --sample-kimg 99999"
    moody("calm")
    first = fork(f"{command} --out run")
    wait_for_scores(Path("run"), first)
    config = Path("run/config.json").read_bytes()
    moody("SIGINT 1")  # so that a second process that is let in comes to an end
    refused(1, ("run", "another process"), f"{command} --out run")
    refused(1, ("run", "another process"), "run --resume run --width 9 --force")
    assert Path("run/config.json").read_bytes() == config
    assert first.poll() is None
    first.send_signal(signal.SIGKILL)
    first.wait()
    # A killed process leaves no lock behind.
    moody("calm")
    assert gans("run --resume run --steps 2 --force").status == 0


def test_an_early_ctrl_c_has_no_traceback(start: Gans, moody: Mood) -> None:
    """While the program still gets ready: here, in the import of a plug-in."""
    moody("calm")
    Path("slow.py").write_text("import pathlib, time\npathlib.Path('here').touch()\ntime.sleep(60)\n")
    process = start(f"run {POINTS} --plugin slow.py --out run")
    while not Path("here").exists() and process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert not Path("run").exists()
