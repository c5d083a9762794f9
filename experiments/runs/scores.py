"""Evaluation scores in a run folder: reading, writing and formatting them, with their provenance."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from experiments.core.errors import RunError
from experiments.core.files import TO_APPEND, append_line, open_regular_file, parse_json
from experiments.core.named_values import JsonObject
from experiments.core.settings import Settings
from experiments.runs.evaluation_records import BY_CLASS, NESTED, SPREADS, check_scores, read_evaluations
from experiments.runs.folder import RunFolder
from experiments.runs.grid_names import REAL_IMAGES, kimg_of_grid
from experiments.runs.score_lines import RemarkCallback, ignore_remark
from experiments.trackers.core.tracker import PROVENANCE, TrackedRun

EvaluationScores = dict[str, dict[str, Any]]  # name → value, further numbers, and how they were made
CLASS = "class"  # in the names of scores within a class
NUMBER = "metric/"  # what the names of evaluation scores begin with, in lines of scores

TOO_FEW = "too few"  # images of a class for a score

# Parts of the record of a score that must be equal for scores of different runs to compare.
COMPARED_PARTS = (
    *("extractor", "weights", "resize_rule", "extractor_options"),
    *("options", "n", "quantization", "reference", "split", "protocol"),
)
# What a record leaves out where it is usual; records of earlier versions never say it.
UNSAID = {"split": "training"}


def distance_name(metric: str, distance: str) -> str:
    """Name of a metric's score between features whose Fréchet distance has that name.

    `fid` is Inception's alone: `distance_name("fid-infinity", "fd-dinov2")` is `fd-dinov2-infinity`.
    """
    return metric.replace("fid", distance, 1) if metric.startswith("fid") else metric


def usual_name(score: str, record: JsonObject) -> str:
    """Name of a score with "fid" for any Fréchet distance: `fd-random-vgg/to-B` → `fid/to-B`."""
    distance = str(record.get("distance"))
    return score.replace(distance, "fid", 1) if score.startswith(distance) else score


def differences(record: JsonObject, other: JsonObject, parts: Sequence[str]) -> list[str]:
    """Parts in which two records of scores differ."""
    pairs = ((part, *(each.get(part, UNSAID.get(part)) for each in (record, other))) for part in parts)
    return [part for part, ours, theirs in pairs if ours != theirs]


def versions() -> dict[str, str]:
    """Versions of the libraries on which scores may depend."""
    return {"torch": torch.__version__, "pillow": version("pillow")}


def quantization(record: JsonObject) -> str:
    """The quantization of samples before they were evaluated: uint8, or none."""
    return "none" if record.get("extractor") == "none" else "uint8"


def further_numbers(score: JsonObject) -> dict[str, float]:
    """Further numbers of a score beside its value."""
    return {key: value for key, value in score.items() if isinstance(value, float) and key != "value"}


def flatten_scores(scores: EvaluationScores) -> dict[str, float]:
    """Flattens scores to numbers by name: `metric/fid`; `metric/precision-recall/recall`.

    The latter is for metrics with several scores. Scores within a class are `metric/fid/class/NAME`, and
    `metric/precision-recall/class/NAME/recall`.
    """
    numbers: dict[str, float] = {}
    for name, score in scores.items():
        own = {f"{name}/{key}": value for key, value in further_numbers(score).items() if key not in SPREADS}
        numbers |= own or {name: score["value"]}
        numbers |= {f"{name}/{end}": value for end, value in _flatten_classes(score).items()}
    return {f"{NUMBER}{name}": value for name, value in numbers.items()}


def is_of_class(name: str) -> bool:
    """Whether a flat name is that of a score within a class."""
    return f"/{CLASS}/" in name


def _flatten_classes(score: JsonObject) -> dict[str, float]:
    """Flattens scores within classes to numbers by name: `class/NAME`, or of several `class/NAME/recall`."""
    found: dict[str, float] = {}
    for name, entry in (score.get(BY_CLASS) or {}).items():
        own = {key: float(value) for key, value in entry.items() if key != "n"}
        found |= {f"{CLASS}/{name}/{key}" if len(own) > 1 else f"{CLASS}/{name}": own[key] for key in own}
    return found


def flat_provenance(folder: RunFolder, line: JsonObject) -> JsonObject:
    """The provenance of the scores in a line, by flat names (`evaluation/fid/extractor`).

    It is read from the run folder, and empty for a line without evaluation scores.
    """
    if not any(name.startswith(NUMBER) for name in line):
        return {}
    scores = dict(read_evaluation_scores(folder)).get(line["step"], {})
    return {
        f"{PROVENANCE}{name}/{key}": value for name, score in scores.items() for key, value in score.items()
    }


def describe_tracked_run(folder: RunFolder, settings: Settings, step: int, kimg: float) -> TrackedRun:
    """Makes the description of a run for its trackers, which go on after `step`."""
    return TrackedRun(
        folder=folder.path,
        settings=json.loads(json.dumps(settings.to_dict())),
        step=step,
        kimg=kimg,
        project=settings.project,
        group=settings.group,
        tags=settings.tags,
        provenance=partial(flat_provenance, folder),
        earlier_scores=lambda: [line for line in folder.scores() if line["step"] <= step],
        earlier_pictures=partial(_earlier_pictures, folder, kimg),
    )


def _earlier_pictures(folder: RunFolder, kimg: float) -> list[tuple[str, Path, float]]:
    """Names, files and times of the pictures in a run folder up to a time, in their order.

    Names of files tell whole kimg; the lines of the steps that drew them tell all.
    """
    times = [line["kimg"] for line in folder.scores() if "samples/pairwise_distance" in line]
    real = folder.samples / REAL_IMAGES
    found = [("real", real, 0.0)] * real.is_file()
    for file in folder.samples.glob("kimg-*.png"):
        named = kimg_of_grid(file.name)
        if named is not None:
            near = [time for time in times if 0 <= time - named < 1] if isinstance(named, int) else []
            found.append(("samples", file, min(near, default=float(named))))
    found.sort(key=lambda each: each[2])  # by names, 1.52 kimg would come before the first grid of 1 kimg
    return [each for each in found if each[2] <= kimg]


def parse_scores(line: JsonObject) -> EvaluationScores:
    """Parses scores with their provenance from a line that has them by flat names, without what is none."""
    scores: EvaluationScores = {}
    for flat, value in line.items():
        name, _, key = flat.removeprefix(PROVENANCE).rpartition("/")
        if flat.startswith(PROVENANCE):
            if key in NESTED and isinstance(value, str):  # as W&B keeps them
                with suppress(ValueError):  # which the check finds
                    value = parse_json(value)
            scores.setdefault(name, {})[key] = value
    return check_scores(scores)


def format_scores(scores: EvaluationScores) -> list[str]:
    """Formats scores as lines such as `fid 12.34`, one for every number.

    Numbers that have names of their own follow by these, then a line that says what intervals are, and tables
    of the scores within classes last.
    """
    lines = []
    for name, score in scores.items():
        others, intervals = further_numbers(score), score.get("intervals") or {}
        first = next(iter(intervals), "")  # which names the value, of a metric with one number
        lines += [
            name
            if others.keys() - SPREADS
            else f"{name} {score['value']:.6g}{_format_interval(intervals.get(first))}"
        ]
        lines += [
            f"  {key} {value:.6g}{_format_interval(intervals.get(key))}" for key, value in others.items()
        ]
    return [*lines, *_describe_intervals(scores), *_class_tables(scores)]


def _describe_intervals(scores: EvaluationScores) -> list[str]:
    """A line on the intervals in brackets; none without intervals."""
    resamples = [score.get("resamples") for score in scores.values() if score.get("intervals")]
    if not resamples:
        return []
    counts = sorted({count for count in resamples if type(count) is int})  # a file may hold anything
    sets = f" ({' or '.join(f'{count:,}' for count in counts)} sets)" if counts else ""
    halved = [name for name, score in scores.items() if score.get("resampling") == "halves"]
    halves = f", of {' and '.join(halved)} by halves of them" if halved else ""
    return [
        f"in brackets: 95 % by a bootstrap over the samples{sets}{halves}; they say nothing of other seeds"
    ]


def _class_tables(scores: EvaluationScores) -> list[str]:
    """Formats scores within classes: a table of all that are of equally many images of each class."""
    tables: dict[tuple[Any, ...], dict[str, dict[str, JsonObject]]] = {}
    for name, score in scores.items():
        if classes := score.get(BY_CLASS):
            counts = tuple((label, *entry["n"]) for label, entry in classes.items())
            tables.setdefault(counts, {})[name] = classes
    lines = []
    for counts, by_name in tables.items():
        columns = [
            (name, key)
            for name, classes in by_name.items()
            for key in dict.fromkeys(key for entry in classes.values() for key in entry if key != "n")
            or ("",)
        ]
        several = {name for name, _ in columns if [each for each, _ in columns].count(name) > 1}
        keys = [key for _, key in columns]
        header = [
            (key if keys.count(key) == 1 else f"{name}/{key}") if name in several else name
            for name, key in columns
        ]
        rows = [["class", "samples", "real", *header]]
        for label, *own in counts:
            entries = [by_name[name][label].get(key) for name, key in columns]
            cells = [TOO_FEW if value is None else f"{value:.6g}" for value in entries]
            rows.append([label, *map(str, own), *cells])
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines += ["", *("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)]
    return lines


def _format_interval(interval: Sequence[float] | None) -> str:
    """Formats an interval beside a score; empty for None."""
    return "" if interval is None else f" ({interval[0]:.6g} to {interval[1]:.6g})"


def describe_numbers(numbers: Mapping[str, float]) -> str:
    """Describes numbers by name in one line: `fd-random-vgg 12.34, precision-recall/recall 0.5`."""
    return ", ".join(f"{name} {value:.4g}" for name, value in numbers.items())


def read_evaluation_scores(
    folder: RunFolder, remark: RemarkCallback = ignore_remark
) -> list[tuple[int, EvaluationScores]]:
    """Reads step and scores of every evaluation in `evaluation.jsonl`, in order; remarks name the rest."""
    return read_evaluations(folder.evaluation_file, remark)


def append_record(folder: RunFolder, step: int, scores: EvaluationScores) -> None:
    """Appends scores, with their provenance, to `evaluation.jsonl`, unless its last line has the same."""
    append_line(folder.evaluation_file, json.dumps({"step": step, "scores": scores}), is_repeated=False)


def check_score_files(folder: RunFolder) -> None:
    """Checks that a run's files of scores are regular files, or not there, before the work of making scores.

    Raises RunError for links, folders and pipes. What cannot be written is no reason not to print scores.
    """
    for file in (folder.scores_file, folder.evaluation_file):
        with suppress(OSError):
            open_regular_file(file).close()


def append_scores(folder: RunFolder, step: int, kimg: float | None, scores: EvaluationScores) -> None:
    """Appends evaluation scores to the run's `scores.jsonl` and `evaluation.jsonl`.

    They stand at the step of the generator that was evaluated. Both files only grow, so that a run may be
    evaluated while it trains. The same scores again, as of a command that was killed after it wrote them, are
    not appended twice. Raises RunError where they cannot be written.
    """
    try:
        open_regular_file(folder.evaluation_file, TO_APPEND).close()  # both are written, or none
        line = json.dumps({"step": step, "kimg": kimg, **flatten_scores(scores)})
        append_line(folder.scores_file, line, is_repeated=False)
        append_record(folder, step, scores)
        if folder.is_finished:  # so that only its evaluation can have failed, which is made up for
            folder.ended_file.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(f"cannot keep the scores in {folder.path}: {error.strerror or error}") from error
