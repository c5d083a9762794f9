"""Commands that make the runs of a report again, their evaluations, and the report."""

import json
import shlex
from collections.abc import Mapping, Sequence

from experiments.analysis.comparison.record import Record
from experiments.analysis.comparison.score_choice import evaluation_command, scores_by_name
from experiments.config.flag_words import flags_of_run
from experiments.runs.score_lines import is_number

FOLDER = "again"


def folders_of(records: Sequence[Record]) -> dict[str, str]:
    """Folders for runs that are made again, by the names of the runs: each its own."""
    found: dict[str, str] = {}
    for record in records:
        last = record.name.rstrip("/").rpartition("/")[2]
        word = "".join(sign if sign.isalnum() or sign in "-_." else "-" for sign in last)[:80] or "run"
        folder, number = f"{FOLDER}/{word}", 2
        while folder in found.values():
            folder, number = f"{FOLDER}/{word}-{number}", number + 1
        found[record.name] = folder
    return found


def commands_of(
    records: Sequence[Record], folders: Mapping[str, str], metric: str | None = None
) -> list[str]:
    """Commands that train runs again, and evaluate those whose score was made after their training.

    The flags of a run are found by resolving them. Where that does not end with its settings, the command
    names its config.

    Args:
        folders: for the new runs, by the names of the old ones.
        metric: the score that is compared.
    """
    commands = []
    resolved: dict[str, list[str] | None] = {}
    for record in records:
        if not record.settings:  # it failed before it began
            continue
        seed = record.settings.get("seed", 0)
        folder = folders[record.name]
        key = json.dumps({**record.settings, "seed": 0}, default=str)
        if key not in resolved:  # seeds of a group have the same flags
            resolved[key] = flags_of_run(record.settings)
        flags = resolved[key]
        if flags is None and record.folder is None:
            continue
        words = flags or ["--config", str(record.folder / "config.json")]  # type: ignore[operator]
        commands.append(shlex.join(["gans", "run", *words, "--seed", str(int(seed)), "--out", folder]))
        marks = scores_by_name(record).get(metric or "", ())
        if marks and not is_number(record.settings.get("evaluate_kimg")):
            command = evaluation_command(folder, metric or "", marks[-1].entry)
            commands += [command] if command else []
    return commands


def report_command(by: Sequence[str], metric: str | None) -> str:
    """Command that writes the report of runs that were made again."""
    words = ["gans", "report", FOLDER, "--out", "report.html"]
    words += ["--metric", metric] if metric else []
    words += ["--by", ",".join(by)] if by else []
    return shlex.join(words)
