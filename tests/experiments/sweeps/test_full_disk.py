"""A disk that is full ends a sweep with a line that names what was not written."""

from pathlib import Path

import pytest

from experiments.core.errors import RunError
from experiments.runs.folder import RunFolder, lock_folder
from experiments.sweeps.engines import start_worker
from experiments.sweeps.queue import describe_end
from experiments.sweeps.worker import Evaluation, SweepTask


@pytest.fixture
def task(tmp_path: Path) -> SweepTask:
    return SweepTask(str(tmp_path / "sweep" / "seed-0"), {}, {}, {}, Evaluation(count=0))


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: object, *words: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.open", refuse)
    monkeypatch.setattr("os.mkdir", refuse)


def test_the_log_of_a_run(task: SweepTask, full: None) -> None:
    with pytest.raises(RunError, match=r"seed-0/log.txt: No space left"):
        start_worker(task, 1)


def test_the_reason_of_a_failure(task: SweepTask, full: None) -> None:
    with pytest.raises(RunError, match=r"seed-0/ended.txt: No space left"):
        describe_end(task, 1)


def test_the_lock(tmp_path: Path, full: None) -> None:
    with (
        pytest.raises(RunError, match=f"cannot lock {tmp_path}: No space left"),
        lock_folder(tmp_path, "sweep"),
    ):
        pass


def test_an_error_within_the_lock_is_its_own(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), lock_folder(tmp_path, "sweep"):
        (tmp_path / "absent").read_bytes()
    with lock_folder(tmp_path, "sweep"):
        assert RunFolder(tmp_path).is_locked


def test_a_log_that_is_a_link(task: SweepTask, tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    Path(task.folder).mkdir(parents=True)
    (Path(task.folder) / "log.txt").symlink_to(tmp_path / "victim")
    with pytest.raises(RunError, match=r"log\.txt is a link"):
        start_worker(task, 1)
