"""Queue of a sweep's tasks: starts them, watches them, and writes down how they end."""

import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from experiments.core.stop_signal import StopSignal
from experiments.runs.folder import RunFolder
from experiments.sweeps.engines import Engine, Job
from experiments.sweeps.worker import INTERRUPTED, SweepTask

POLL_SECONDS = 0.2
Show = Callable[[Mapping[str, str]], None]


def run_tasks(tasks: Mapping[str, SweepTask], engine: Engine, show: Show) -> dict[str, str]:
    """Runs every task to its end; leaves alone those that are done, and goes on where one fails.

    Args:
        tasks: by their names.
        show: called with the state of each task whenever one changes, and now and then.

    Returns:
        The state of each task at its end: "done", or "failed: …".

    Raises KeyboardInterrupt after Ctrl-C, when all have saved and stopped.
    """
    states = {name: "done" if task.is_done else "waiting" for name, task in tasks.items()}
    at_work: dict[str, Job] = {}
    with StopSignal() as stop:
        while "waiting" in states.values() or at_work:
            for name in [name for name, state in states.items() if state == "waiting"]:
                if len(at_work) < engine.jobs and not stop.requested:
                    at_work[name], states[name] = engine.start(tasks[name]), "running"
            show(states)
            time.sleep(POLL_SECONDS)
            if stop.requested:
                for job in at_work.values():
                    job.stop()
                states |= {name: "stopped" for name, state in states.items() if state == "waiting"}
            for name, job in list(at_work.items()):
                if (status := job.poll()) is not None:
                    del at_work[name]
                    states[name] = describe_end(tasks[name], status)
        show(states)
        if stop.requested:
            raise KeyboardInterrupt
    return states


def describe_end(task: SweepTask, status: int) -> str:
    """Describes how a task ended, from its exit status: "done", "stopped" or "failed: …".

    A reason of failure that the run itself has not left in its folder is written there.
    """
    if status in (0, INTERRUPTED):
        return "done" if status == 0 else "stopped"
    folder = RunFolder(Path(task.folder))
    if status < 0 or not folder.ended_file.exists():
        reason = f"ended by signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
        folder.end(f"failed: {reason}; see {folder.log_file}")
    return folder.state
