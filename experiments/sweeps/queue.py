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
# Takes the states of all tasks so far; gives further ones by their names, or none at present.
More = Callable[[Mapping[str, str]], Mapping[str, SweepTask]]


def run_tasks(
    tasks: Mapping[str, SweepTask], engine: Engine, show: Show, more: More = lambda states: {}
) -> dict[str, str]:
    """Runs every task to its end; leaves alone those that are done, and goes on where one fails.

    Args:
        tasks: by their names.
        show: called with the state of each task whenever one changes, and now and then.
        more: asked for further tasks whenever nothing waits and there is room. A name may come again once its
            task has ended.

    Returns:
        The state of each task at its end: "done", "stopped" or "failed: …".

    Raises KeyboardInterrupt after Ctrl-C, when all have saved and stopped.
    """
    known = dict(tasks)
    states = {name: _first_state(task) for name, task in known.items()}
    at_work: dict[str, Job] = {}
    with StopSignal() as stop:
        while True:
            while not stop.requested and len(at_work) < engine.jobs and "waiting" not in states.values():
                if not (further := more(states)):
                    break
                known |= further
                states |= {name: _first_state(task) for name, task in further.items()}
            for name in [name for name, state in states.items() if state == "waiting"]:
                if len(at_work) < engine.jobs and not stop.requested:
                    at_work[name], states[name] = engine.start(known[name]), "running"
            show(states)
            if not at_work and "waiting" not in states.values():
                break
            time.sleep(POLL_SECONDS)
            if stop.requested:
                for job in at_work.values():
                    job.stop()
                states |= {name: "stopped" for name, state in states.items() if state == "waiting"}
            for name, job in list(at_work.items()):
                if (status := job.poll()) is not None:
                    del at_work[name]
                    states[name] = describe_end(known[name], status)
        if stop.requested:
            raise KeyboardInterrupt
    return states


def _first_state(task: SweepTask) -> str:
    """State of a task before it is started: "done" or "waiting"."""
    return "done" if task.is_done else "waiting"


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
