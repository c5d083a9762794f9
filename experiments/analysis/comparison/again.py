"""Commands that make the runs of a report again, their evaluations, and the report."""

import json
import shlex
from collections.abc import Mapping, Sequence

from experiments.analysis.comparison.evaluation_words import (
    EvaluationCall,
    evaluation_call,
    metric_of,
)
from experiments.analysis.comparison.record import Record
from experiments.analysis.comparison.score_choice import directional_scores, scores_by_name
from experiments.config.flag_words import flags_of_run
from experiments.core.named_values import JsonObject, SettingValues
from experiments.runs.score_lines import is_number
from experiments.runs.scores import is_of_class

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
        metric: the score that is compared; None for all that have a direction.
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
        commands += _evaluations_of(record, folder, metric)
    return commands


def _evaluations_of(record: Record, folder: str, metric: str | None) -> list[str]:
    """Commands that make the scores of a run again in a new folder, but those that training makes.

    Scores are made as the last of their name was: of every checkpoint, where there are several. A call makes
    all those that were made alike, with the score that is compared or, without one, whichever they are.
    """
    marks = scores_by_name(record)
    calls: dict[tuple[str, ...], EvaluationCall] = {}  # by the words that the metrics share
    chosen = None  # those of the score that is compared
    for name in directional_scores(marks):
        by_hand = [
            mark for mark in marks[name] if not _is_made_by_training(record.settings, name, mark.entry)
        ]
        last = marks[name][-1]
        call = evaluation_call(folder, name, last.entry) if last in by_hand else None
        if call is None:
            continue
        is_of_several = len({mark.kimg for mark in by_hand}) > 1
        call = call._replace(shared=(*call.shared, *["--every-checkpoint"] * is_of_several))
        calls[call.shared] = calls[call.shared].join(call) if call.shared in calls else call
        chosen = call.shared if name == metric else chosen
    return [call.command for shared, call in calls.items() if metric is None or shared == chosen]


def _is_made_by_training(settings: SettingValues, score: str, entry: JsonObject) -> bool:
    """Whether a run with these settings makes such a score itself, by --evaluate-kimg."""
    metrics = settings.get("evaluate_metrics") or (metric_of(score, entry),)
    return (
        is_number(settings.get("evaluate_kimg"))
        and metric_of(score, entry) in metrics
        and (entry.get("n") or [0])[0] == settings.get("evaluate_samples")
        and not entry.get("seed")
        and not entry.get("protocol")
        and not entry.get("resamples")
        and not is_of_class(score)
    )


def report_command(by: Sequence[str], metric: str | None) -> str:
    """Command that writes the report of runs that were made again."""
    words = ["gans", "report", FOLDER, "--out", "report.html"]
    words += ["--metric", metric] if metric else []
    words += ["--by", ",".join(by)] if by else []
    return shlex.join(words)
