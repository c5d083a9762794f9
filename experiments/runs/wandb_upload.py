"""Upload of runs that W&B tracked offline, by W&B's own command."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from experiments.core.errors import RunError, UsageError
from experiments.core.files import refuse_link
from experiments.core.word_lists import first_few
from experiments.runs.folder import RunFolder, run_folders
from experiments.trackers.core.wandb_login import is_logged_in, wandb_server

RETRIES = 2  # of a request to a server that does not answer; W&B's own patience is without end
UPLOADED = ".wandb.synced"  # how W&B marks what the server has


@dataclass(frozen=True)
class Upload:
    """Result of the upload of one run.

    Attributes:
        run: the run folder.
        parts: how many parts were uploaded, one of each process that worked on the run; 0 where all had been.
        url: address of the run; empty where W&B does not say.
    """

    run: Path
    parts: int
    url: str


def find_runs(paths: list[Path]) -> list[RunFolder]:
    """Lists run folders in paths that are run folders or hold some, each once.

    Raises UsageError for other paths.
    """
    found = {folder.path.resolve(): folder for path in paths for folder in run_folders(path) if folder.exists}
    return list(found.values())


def select_offline_runs(runs: list[RunFolder]) -> list[RunFolder]:
    """Selects the runs that were tracked offline. Raises UsageError where none was, or without a login."""
    tracked = [run for run in runs if _parts(run)]
    if not tracked:
        names = first_few([run.path for run in runs], 3)
        raise UsageError(f"{names}: nothing to upload; gans run --track wandb writes offline without a login")
    if not is_logged_in():
        raise UsageError(f"not logged in to {wandb_server()}; log in with: wandb login")
    return tracked


def upload(run: RunFolder) -> Upload:
    """Uploads all parts of a run that the server does not have, oldest first.

    Raises RunError for a run that another process is working on, or where the server does not take it.
    """
    with run.lock():
        parts = [part for part in _parts(run) if not _is_uploaded(part)]
        if not parts:
            return Upload(run.path, 0, "")
        command = [sys.executable, "-m", "wandb", "sync", *map(str, parts)]
        done = subprocess.run(command, env=_environment(run), capture_output=True, text=True)
        said = done.stdout + done.stderr
        if not all(map(_is_uploaded, parts)):  # its exit status says nothing about that
            reasons = re.findall(r"(?:ERROR|Error:?) (.+)", said) or ["W&B does not say why"]
            raise RunError(f"{run.path}: not uploaded to {wandb_server()}: {reasons[-1].strip()}")
    urls = re.findall(r"View run at (\S+)", said)
    return Upload(run.path, len(parts), urls[-1] if urls else "")


def _parts(run: RunFolder) -> list[Path]:
    """Folders of the parts of a run. Raises RunError for links, by which other people's would be sent."""
    files = sorted(run.path.glob("wandb/offline-run-*/*.wandb"))
    for file in files:
        for path in (file.parent.parent, file.parent, file):
            refuse_link(path)
    return [file.parent.resolve() for file in files]


def _is_uploaded(part: Path) -> bool:
    return any(part.glob(f"*{UPLOADED}"))


def _environment(run: RunFolder) -> dict[str, str]:
    """Environment variables for W&B: its own files stay in the run folder, and its patience has an end."""
    return {
        **os.environ,
        "WANDB_DIR": str(run.path.resolve()),
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_X_GRAPHQL_RETRY_MAX": str(RETRIES),
        "WANDB_X_FILE_STREAM_RETRY_MAX": str(RETRIES),
        "WANDB_X_FILE_TRANSFER_RETRY_MAX": str(RETRIES),
    }
