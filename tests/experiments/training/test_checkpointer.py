"""Checkpoints by the clock: at least every quarter of an hour, beside those that `--keep` counts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiments.config.resolve import resolve
from experiments.core.background_writer import BackgroundWriter
from experiments.runs.checkpoint import Checkpoints, load_checkpoint, step_of
from experiments.training import checkpoint_callback
from experiments.training.callbacks import Progress
from experiments.training.checkpoint_callback import Checkpointer
from experiments.training.experiment import Experiment, build
from experiments.training.metric_logging import MetricLogger
from tests.experiments.training.test_resume import assert_equal_runs, stop_after

Gans = Callable[..., Any]
RUN = "run --arch mlp --loss bce --data ring8 --width 4 --batch-size 10 --steps 24 --track local"


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    flags = {"arch": "mlp", "loss": "bce", "data": "ring8", "width": 2, "batch_size": 2, "device": "cpu"}
    return build(resolve({**flags, "steps": 9, "track": ("local",)}))


class Clock:
    """Minutes that are set by hand."""

    minutes = 0.0

    def __call__(self) -> float:
        return self.minutes * 60


def test_no_more_than_a_quarter_of_an_hour_is_lost(experiment: Experiment, tmp_path: Path) -> None:
    """Steps of 4 minutes, and an interval of 12 steps with one image in each."""
    clock, folder = Clock(), Checkpoints(tmp_path, keep=2)
    logger: Any = MetricLogger(None, lambda line: None)  # type: ignore[arg-type]
    writer = BackgroundWriter()
    checkpointer = Checkpointer(experiment, folder, 12, logger, writer, clock)
    found = []
    for step in range(1, 39):
        clock.minutes += 4
        checkpointer(Progress(step, step, step - 1, False), {})
        writer.wait()
        found.append([step_of(path) for path in folder.paths()])
    assert [steps[-1:] for steps in found[:8]] == [[], [], [], [4], [4], [4], [4], [8]]
    assert found[11] == [12], "the interim checkpoint of step 8 is gone"
    assert found[15] == [12, 16]
    assert found[23] == [12, 24]
    assert found[37] == [24, 36], "two are kept, of the steps that do not depend on the clock"
    assert found[35] == [24, 36] and found[34] == [12, 24, 32]


def test_a_checkpoint_on_demand_puts_the_clock_back(experiment: Experiment, tmp_path: Path) -> None:
    clock, folder = Clock(), Checkpoints(tmp_path, keep=2)
    logger: Any = MetricLogger(None, lambda line: None)  # type: ignore[arg-type]
    writer = BackgroundWriter()
    checkpointer = Checkpointer(experiment, folder, 1000, logger, writer, clock)
    clock.minutes = 10
    checkpointer.save(1)
    clock.minutes = 24
    checkpointer(Progress(2, 2, 1, False), {})
    clock.minutes = 25
    checkpointer(Progress(3, 3, 2, False), {})
    checkpointer.save(3)
    writer.wait()
    assert [step_of(path) for path in folder.paths()] == [1, 3]


def test_the_clock_changes_no_bits(gans: Gans, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a checkpoint after every step, stopped between those of the interval, and resumed."""
    line = f"{RUN} --checkpoint-kimg 0.1 --sample-kimg 9 --keep 1 --out"
    assert gans(f"{line} whole").status == 0
    monkeypatch.setattr(checkpoint_callback, "INTERIM_SECONDS", 0.0)
    assert gans(f"{line} often").status == 0
    saved: list[list[int]] = []
    original = Checkpoints.save

    def note(self: Checkpoints, *arguments: Any) -> Path:
        path = original(self, *arguments)
        saved.append([step_of(each) for each in self.paths()])
        return path

    monkeypatch.setattr(Checkpoints, "save", note)
    stop_after(13, f"{line} cut".split())
    assert saved[-4:] == [[10], [10, 11], [10, 12], [10, 13]]
    assert load_checkpoint(Path("cut/checkpoints/step-00000013.pt"))["interim"]
    assert gans(f"{line} cut").status == 0
    for run in ("often", "cut"):
        assert_equal_runs(Path("whole"), Path(run))
        assert sorted(path.name for path in Path(run).rglob("*.pt")) == sorted(
            path.name for path in Path("whole").rglob("*.pt")
        )


def test_an_interruption_leaves_no_checkpoint_too_many(gans: Gans) -> None:
    """Stopped between those of the interval, or right at one, which then counts among those that are kept."""
    line = f"{RUN} --checkpoint-kimg 0.05 --sample-kimg 9 --keep 2 --out"
    assert gans(f"{line} whole").status == 0
    for step, at_once in ((13, [5, 10, 13]), (15, [10, 15])):
        cut = f"cut-{step}"
        stop_after(step, f"{line} {cut}".split())
        assert [step_of(path) for path in Checkpoints(Path(cut, "checkpoints")).paths()] == at_once
        assert gans(f"{line} {cut}").status == 0
        assert_equal_runs(Path("whole"), Path(cut))
        assert sorted(path.name for path in Path(cut).rglob("*.pt")) == sorted(
            path.name for path in Path("whole").rglob("*.pt")
        )
