"""Description of a folder of runs, such as a sweep's: each run in a line, and the settings that differ."""

from collections.abc import Sequence
from pathlib import Path
from shlex import quote

from experiments.analysis.comparison.groups import differing_settings, distinguishing_settings
from experiments.analysis.comparison.read import read_record
from experiments.analysis.comparison.record import Record
from experiments.analysis.comparison.score_choice import directional_scores, scores_by_name
from experiments.core.console import describe_kimg
from experiments.core.errors import UsageError
from experiments.core.settings import flag
from experiments.core.value_format import format_value
from experiments.runs.folder import run_folders


def describe_folder(path: Path) -> tuple[str, dict[str, list[str]]]:
    """Describes a folder of runs: a title, and lines by the name of their part.

    Runs stand under their state in words, each with its kimg and its newest score.

    Raises UsageError where there is no run.
    """
    runs, records = run_folders(path), []
    lines: dict[str, list[tuple[str, ...]]] = {}
    for run in runs:
        state = run.state.partition(":")[0]
        try:
            records.append(read_record(run))
            lines.setdefault(state, []).append((run.path.name, *_progress(records[-1])))
        except UsageError:
            lines.setdefault(f"{state}, without a config that can be read", []).append((run.path.name,))
    rows = {f"{state} ({len(own)})": _aligned(own) for state, own in sorted(lines.items())}
    rows["settings that differ"] = _differences(records)
    scored = [record for record in records if record.evaluations]
    rows["next"] = _next_steps(path, records, scored)
    title = f"{path}: a folder with {len(runs)} run{'s' * (len(runs) != 1)}"
    return title, {name: own for name, own in rows.items() if own}


def _progress(record: Record) -> tuple[str, str]:
    """The kimg of a run, and its newest score."""
    kimg = describe_kimg(record.lines[-1].get("kimg") or 0.0) if record.lines else "not begun"
    marks = scores_by_name(record)
    names = directional_scores(marks)
    return kimg, f"{names[0]} {marks[names[0]][-1].value:.4g}" if names else "no score"


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows with their columns below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(f"{each:{width}}" for each, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _differences(records: Sequence[Record]) -> list[str]:
    """Settings that tell the runs apart with their values, and the seeds."""
    values = differing_settings(records)
    found = []
    for name in distinguishing_settings(records):
        words = " | ".join(format_value(each, name) for each in values[name])
        found.append(f"{flag(name)}{'=' if '.' in name else ' '}{words}")
    seeds = sorted({record.settings.get("seed", 0) for record in records})
    return found + ([f"--seed {' | '.join(map(str, seeds))}"] if len(seeds) > 1 else [])


def _next_steps(path: Path, records: Sequence[Record], scored: Sequence[Record]) -> list[str]:
    """Commands that come next: scores of a run that has none, then the comparison and its report."""
    bare = [record for record in records if not record.evaluations and record.state == "finished"]
    found = [f"gans evaluate {quote(record.name)}" for record in bare[:1]]
    if len(scored) > 1:
        found.append(f"gans compare {quote(str(path))}")
    return [*found, f"gans report {quote(str(path))} --out report.html"] if records else found
