"""What stands beside a score, and where scores are kept and shown."""

import json
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from experiments.checkpoint import write_atomically
from experiments.run_folder import RunFolder

Scores = dict[str, dict[str, Any]]  # name → value, further numbers, and how they were made
SPREADS = ("standard_error", "deviation")  # stand beside a score, and are none


def versions() -> dict[str, str]:
    return {"torch": torch.__version__, "pillow": version("pillow")}


def others_of(score: dict[str, Any]) -> dict[str, float]:
    """The numbers of a score beside its value."""
    return {key: value for key, value in score.items() if isinstance(value, float) and key != "value"}


def numbers_of(scores: Scores) -> dict[str, float]:
    """`metric/fid`; scores whose numbers have names of their own, by these: `metric/precision`."""
    numbers: dict[str, float] = {}
    for name, score in scores.items():
        own = {key: value for key, value in others_of(score).items() if key not in SPREADS}
        numbers |= own or {name: score["value"]}
    return {f"metric/{name}": value for name, value in numbers.items()}


def lines_of(scores: Scores) -> Iterable[str]:
    """`fid 12.34`, a line for every number; those that have names of their own follow by these."""
    for name, score in scores.items():
        others = others_of(score)
        yield name if others.keys() - SPREADS else f"{name} {score['value']:.6g}"
        yield from (f"  {key} {value:.6g}" for key, value in others.items())


def kept_scores(folder: RunFolder) -> dict[int, Scores]:
    """Step → scores of its generator, as `evaluation.json` has them; nothing where it cannot be read."""
    try:
        content = json.loads(_file(folder).read_text(encoding="utf-8"))
        return {int(step): scores for step, scores in content.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def keep_record(folder: RunFolder, step: int, scores: Scores) -> None:
    """Adds scores, with the whole record of how they were made, to `evaluation.json`."""
    kept = kept_scores(folder)
    kept[step] = kept.get(step, {}) | scores
    content = {str(step): kept[step] for step in sorted(kept)}
    write_atomically(_file(folder), (json.dumps(content, indent=2) + "\n").encode())


def keep_scores(word: str, step: int, scores: Scores) -> None:
    """Adds them to the run's `scores.jsonl`, at the step of the generator that was judged, and to
    `evaluation.json`. Nothing is kept of a generator outside a run folder."""
    folder = RunFolder(Path(word))
    if not folder.exists:
        return
    kimg = next((line["kimg"] for line in folder.scores() if line["step"] == step), None)
    with folder.locked():
        with folder.scores_file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"step": step, "kimg": kimg, **numbers_of(scores)}) + "\n")
        keep_record(folder, step, scores)


def _file(folder: RunFolder) -> Path:
    return folder.path / "evaluation.json"
