"""Worker of a sweep, a process that trains and evaluates one run, and stops with the sweep.

    python -m experiments.sweeps.worker < TASK

The task is one line of JSON. When standard input ends, as it does when the sweep's process dies in
whatever way, the run saves and stops.
"""

import json
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.config.resolve import RunSpec
from experiments.core.console import describe_error, log_lines
from experiments.core.errors import RunError, UsageError
from experiments.core.files import parse_json, read_regular_file, write_atomically
from experiments.core.named_values import SettingValues
from experiments.runs.folder import RunFolder
from experiments.runs.initial_settings import resolve_run

log = logging.getLogger("gans")

if TYPE_CHECKING:
    from experiments.evaluation.evaluate import Evaluator

EVALUATION_FILE = "sweep-evaluation.json"  # in a run folder: the evaluation of its newest scores
MOST_EVALUATION_BYTES = 2**16  # of that file
INTERRUPTED = 130  # exit status after Ctrl-C
HANDOVER_SECONDS = 60.0  # time in which an earlier process of this run has to save and stop


@dataclass(frozen=True)
class Evaluation:
    """Evaluation of a sweep run when it ends or pauses.

    Attributes:
        metrics: their names; empty for those of gans evaluate.
        count: largest number of samples on each side; 0: no evaluation.
        extractor: the feature extractor; None for the usual one of the data.
        reference: real samples to compare with: train, held-out or both; None for the usual ones.
        options: of the metrics and of the extractor, by key (`kid.subset_size`).
    """

    metrics: tuple[str, ...] = ()
    count: int = 5000
    extractor: str | None = None
    reference: str | None = None
    options: SettingValues = field(default_factory=dict)

    def keep(self, folder: RunFolder) -> None:
        """Writes down in a run folder that its newest scores are of this evaluation."""
        write_atomically(folder.path / EVALUATION_FILE, json.dumps(asdict(self)).encode())

    @staticmethod
    def forget(folder: RunFolder) -> None:
        """Writes down that the newest scores of a run folder are of no evaluation known here."""
        write_atomically(folder.path / EVALUATION_FILE, b"null")

    def is_kept(self, folder: RunFolder) -> bool:
        """Whether the newest scores of a run folder are of this evaluation, as far as the folder says."""
        try:
            return bool(self._kept(folder) == self._values())
        except FileNotFoundError:
            return True  # of a sweep from before the evaluation was written down
        except (RunError, OSError, ValueError):
            return False

    def is_another(self, folder: RunFolder) -> bool:
        """Whether a run folder says that its newest scores are of another evaluation."""
        try:
            return self._kept(folder) not in (None, self._values())
        except (RunError, OSError, ValueError):
            return False

    def _values(self) -> Any:
        return json.loads(json.dumps(asdict(self)))

    @staticmethod
    def _kept(folder: RunFolder) -> Any:
        """The evaluation in a run folder; None if none is known. Raises OSError, RunError, ValueError."""
        return parse_json(read_regular_file(folder.path / EVALUATION_FILE, MOST_EVALUATION_BYTES))

    def evaluator(self, device: str) -> "Evaluator":
        """Builds the evaluator, on this device."""
        from experiments.evaluation.evaluate import Evaluator
        from experiments.evaluation.features import ExtractorOptions
        from experiments.evaluation.protocols import ReferenceChoice

        extraction = ExtractorOptions(self.extractor, device=device)
        choice = ReferenceChoice(self.reference)
        return Evaluator(extraction, self.metrics, self.count, 0, _silent, self.options, choice)


def _silent(name: str, total: int) -> Callable[[int], None]:
    """Ignores the progress of an extraction: the log of a sweep run has one line of its evaluation."""
    return lambda count: None


@dataclass(frozen=True)
class SweepTask:
    """Task of a worker: the run folder, its settings, and its evaluation.

    Attributes:
        folder: the run folder.
        flags: its settings; strengths: its further regularizers; file: settings from a config file.
        evaluation: the evaluation after the training.
        until_kimg: where it pauses; None: at its end.
        processes: number of processes that train it together, each on a device of its own.
    """

    folder: str
    flags: SettingValues
    strengths: dict[str, float]
    file: SettingValues
    evaluation: Evaluation
    until_kimg: float | None = None
    processes: int = 1

    def to_line(self) -> str:
        """Writes the task as one line of JSON."""
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_line(cls, line: str) -> "SweepTask":
        """Reads a task from its line of JSON."""
        values = json.loads(line)
        return cls(**{**values, "evaluation": Evaluation(**values["evaluation"])})

    def spec(self) -> RunSpec:
        """Resolves the settings of the run."""
        return resolve_run(
            self.flags, self.file, "of the sweep", self.strengths, RunFolder(Path(self.folder))
        )

    @property
    def is_done(self) -> bool:
        """Whether nothing of the task is left to do."""
        folder = RunFolder(Path(self.folder))
        if folder.state.startswith("failed") or not (folder.is_finished or self.until_kimg):
            return False
        if self.evaluation.count == 0:
            return folder.is_finished
        if not self.evaluation.is_kept(folder):
            return False
        evaluated = evaluated_kimg(folder)
        if self.until_kimg is not None:
            return any(kimg >= self.until_kimg for kimg in evaluated)
        trained = [line["kimg"] for line in folder.scores() if line.get("kimg") is not None]
        return bool(evaluated) and evaluated[-1] == trained[-1]


def evaluated_kimg(folder: RunFolder) -> list[float]:
    """Kimg of all evaluations of a run folder, in the order of steps."""
    from experiments.analysis.comparison.read import read_record

    return [kimg for kimg, _ in read_record(folder).evaluations if kimg is not None]


def train_and_evaluate(task: SweepTask) -> None:
    """Trains and evaluates the run of a task. Raises the errors of both."""
    from experiments.sweeps.processes import train_in_processes
    from experiments.training.run import run

    folder = RunFolder(Path(task.folder))
    folder.ended_file.unlink(missing_ok=True)
    _wait_for(folder)
    spec = task.spec()
    if task.processes > 1:
        train_in_processes(task)
    else:
        run(spec, folder, until_kimg=task.until_kimg)
    if task.evaluation.count and not task.is_done:
        from experiments.evaluation.publish import evaluate_newest

        task.evaluation.forget(folder)  # a kill between scores and their note would leave the wrong one
        evaluate_newest(folder, task.evaluation.evaluator(spec.settings.device))
        task.evaluation.keep(folder)


def _wait_for(folder: RunFolder) -> None:
    """Waits until an earlier process of this run, which was left alone, has saved and stopped."""
    end = time.monotonic() + HANDOVER_SECONDS
    while folder.is_locked and time.monotonic() < end:
        time.sleep(0.2)


def stop_when_closed(lifeline: Any, stop: Callable[[], None]) -> None:
    """Calls `stop` when the other end of a pipe is gone."""

    def wait() -> None:
        while lifeline.readline():
            pass
        stop()

    threading.Thread(target=wait, daemon=True).start()


def run_task(task: SweepTask) -> int:
    """Runs a task; returns the exit status. The reason of a failure is written into the run folder."""
    from experiments.training.trainer import Interrupted

    try:
        train_and_evaluate(task)
    except (Interrupted, KeyboardInterrupt):
        return INTERRUPTED
    except Exception as error:
        line = describe_error(error)
        log.info(f"gans: {line}")
        try:
            RunFolder(Path(task.folder)).end(f"failed: {line}")
        except RunError as unwritten:  # a full disk, which may be why the run failed
            log.info(f"gans: {unwritten}")
        return 2 if isinstance(error, UsageError) else 1
    return 0


def main() -> int:
    """Runs the task on standard input; returns the exit status."""
    task = SweepTask.from_line(sys.stdin.readline())
    stop_when_closed(sys.stdin, lambda: signal.raise_signal(signal.SIGINT))
    with log_lines():
        return run_task(task)


if __name__ == "__main__":
    sys.exit(main())
