"""Training of a sweep run by several processes, which torchrun starts below the run's worker.

    python -m torch.distributed.run … -m experiments.sweeps.processes

The task is in the environment. When standard input ends, as it does when the worker dies in whatever way, the
processes save and stop together.
"""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from experiments.core.console import describe_error, log_lines
from experiments.core.errors import RunError
from experiments.core.stop_signal import StopSignal
from experiments.runs.folder import RunFolder
from experiments.sweeps.devices import VISIBLE
from experiments.sweeps.worker import SweepTask, log, stop_when_closed

TASK = "GANS_SWEEP_TASK"  # environment variable that holds the task
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone")
POLL_SECONDS = 0.2


def train_in_processes(task: SweepTask) -> None:
    """Trains the run of a task in its number of processes, by torchrun.

    Raises RunError with the reason where they fail, Interrupted where they were asked to stop.
    """
    from experiments.training.trainer import Interrupted

    folder = RunFolder(Path(task.folder))
    environment = os.environ | {TASK: task.to_line()}
    if task.spec().settings.device == "cpu":
        environment[VISIBLE] = ""
    command = (*TORCHRUN, "--nproc-per-node", str(task.processes), "-m", "experiments.sweeps.processes")
    with StopSignal() as stop:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)
        status = _wait(process, stop)
    if stop.requested or (status == 0 and task.until_kimg is None and not folder.is_finished):
        raise Interrupted
    if status != 0:
        reason = folder.state.removeprefix("failed: ") if folder.ended_file.exists() else ""
        raise RunError(reason or f"its processes ended with status {status}; see {folder.log_file}")


def _wait(process: "subprocess.Popen[bytes]", stop: StopSignal) -> int:
    """Waits for torchrun; returns its exit status. Closes its standard input once a stop is requested."""
    assert process.stdin is not None
    while True:
        if stop.requested and not process.stdin.closed:
            with suppress(OSError):
                process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            return process.wait(POLL_SECONDS)


def train_part(task: SweepTask) -> int:
    """Trains the run of a task together with the other processes; returns the exit status.

    The first failure in time is the run's, and its reason is written into the run folder. Being asked to stop
    is none: torchrun would cut the others off while they save.
    """
    from experiments.core.processes import joined_processes
    from experiments.training.run import run
    from experiments.training.trainer import Interrupted

    folder = RunFolder(Path(task.folder))
    try:
        with joined_processes():
            run(task.spec(), folder, until_kimg=task.until_kimg)
    except (Interrupted, KeyboardInterrupt):
        return 0
    except Exception as error:
        line = describe_error(error)
        log.error(f"gans: {line}")
        with suppress(RunError):  # a full disk, which may be why
            if not folder.ended_file.exists():
                folder.end(f"failed: {line}")
        return 1
    return 0


def main() -> int:
    """Trains the task of the environment; returns the exit status."""
    task = SweepTask.from_line(os.environ[TASK])
    stop_when_closed(sys.stdin, lambda: signal.raise_signal(signal.SIGINT))
    with log_lines():
        return train_part(task)


if __name__ == "__main__":
    sys.exit(main())
