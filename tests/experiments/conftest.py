"""Members of a sweep without processes of their own."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from experiments.sweeps import engines, queue
from experiments.sweeps.engines import Engine, Job
from experiments.sweeps.reproduction import reproduce
from experiments.sweeps.worker import SweepTask, run_task


class Here(Engine):
    """Members in this process: what a sweep decides is the same, without starting others."""

    def __init__(self, jobs: int, threads: int, gpus: Sequence[str] = ()) -> None:
        self.jobs, self.gpus = jobs, gpus
        self.started: list[tuple[str, float | None]] = []

    def start(self, task: SweepTask) -> Job:
        self.started.append((Path(task.folder).name, task.until_kimg))
        return Ended(run_task(task))


class Ended(Job):
    def __init__(self, status: int) -> None:
        self.status = status

    def poll(self) -> int:
        return self.status

    def stop(self) -> None:
        pass


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[Here]:
    """The engines that commands make from now on."""
    made: list[Here] = []

    def make(jobs: int, threads: int, gpus: Sequence[str] = ()) -> Here:
        made.append(Here(jobs, threads, gpus))
        return made[-1]

    for module in (engines, reproduce):
        monkeypatch.setattr(module, "LocalEngine", make)
    monkeypatch.setattr(queue, "POLL_SECONDS", 0.0)
    return made
