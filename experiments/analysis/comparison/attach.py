"""Reports beside the runs that they are about, in the trackers that have followed these runs."""

import logging
from collections.abc import Sequence
from pathlib import Path

from experiments.analysis.comparison.record import Record
from experiments.core.errors import RunError, UsageError
from experiments.runs.folder import RunFolder
from experiments.runs.scores import describe_tracked_run
from experiments.trackers.core.several import reopen_trackers, trackers_of_run

log = logging.getLogger("gans")


def attach_report(file: Path, records: Sequence[Record]) -> int:
    """Gives a report to the trackers that have followed these runs, and keep documents.

    Runs on which another process works are left out, with a remark. Returns the number of runs beside which
    some tracker has put it.
    """
    count = 0
    for folder in (RunFolder(record.folder) for record in records if record.folder):
        try:
            settings = folder.settings()
            if not trackers_of_run(settings.track, folder.path):
                continue
            lines = [line for line in folder.scores() if line.get("kimg") is not None]
            last = lines[-1] if lines else {"step": 0, "kimg": 0.0}
            with folder.lock():
                run = describe_tracked_run(folder, settings, int(last["step"]), last["kimg"])
                trackers = reopen_trackers(settings.track, run, settings.options)
                count += trackers.give_document("report", file) > 0
                trackers.close(0 if folder.is_finished else 1 if folder.state.startswith("failed") else 130)
        except (RunError, UsageError) as error:
            log.info(f"{error}: its trackers are not given the report")
    return count
