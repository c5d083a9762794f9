"""Description of a path: a run, a sweep, a checkpoint, an exported network, published weights, or data."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from experiments.analysis.data_description import describe_data
from experiments.analysis.folder_description import describe_folder
from experiments.config.files import MOST_CONFIG_BYTES
from experiments.core import registry
from experiments.core.console import describe_kimg, describe_seconds
from experiments.core.errors import UsageError
from experiments.core.files import parse_json, read_regular_file
from experiments.core.named_values import JsonObject
from experiments.core.paths import require_path
from experiments.core.settings import FIELDS, Settings, flag
from experiments.core.value_format import format_value
from experiments.core.word_lists import describe_count
from experiments.data.core.decoding import IMAGE_ENDINGS
from experiments.data.core.sources import spec_of_path
from experiments.runs.checkpoint import load_checkpoint, step_of
from experiments.runs.export import open_export
from experiments.runs.folder import RunFolder
from experiments.runs.published.files import read_published_file
from experiments.runs.scores import (
    NUMBER,
    EvaluationScores,
    describe_numbers,
    flatten_scores,
    format_scores,
    read_evaluation_scores,
    usual_name,
)
from experiments.runs.weights import Role

if TYPE_CHECKING:
    from torch import nn

GIVEN = ("flag", "config")  # beginnings of the sources of settings that somebody chose
NAMED = ("arch", "loss", "data", "preset", "device", "seed")  # which the title says, or any run has
OF_NETWORK = ("width", "z_dim", "critic_norm", "critic_dropout", "minibatch_statistic", "classes")
PICTURES = ("samples", "plots", "audit")  # folders of a run


@dataclass(frozen=True)
class Description:
    """A description in parts.

    Attributes:
        title: what it is, in a line.
        rows: lines by the name of their part, in the order in which they are read.
        run: the folder of the run, if it is one.
    """

    title: str
    rows: dict[str, list[str]] = field(default_factory=dict)
    run: RunFolder | None = None

    def to_json(self) -> JsonObject:
        """Returns the title, and the lines of each part."""
        return {"title": self.title, **self.rows}


def describe_path(path: Path) -> Description:
    """Describes a run folder, a folder of runs, a file of weights, or data: a path, or a data spec.

    Raises UsageError for anything else.
    """
    if not path.exists() and str(path).partition(":")[0] in registry.names("data"):
        return Description(*describe_data(str(path)))
    if path.is_dir():
        folder = RunFolder(path)
        if folder.has_begun:
            return describe_run(folder)
        return _describe_or_data(path, lambda: Description(*describe_folder(path)))
    require_path(path, "a run folder, a file of weights, or images (gans list data)")
    return _describe_or_data(path, lambda: _describe_weights(path))


def _describe_or_data(path: Path, describe: Callable[[], Description]) -> Description:
    """Describes a path that may be data: the error is that of what it looks like."""
    try:
        return describe()
    except UsageError as error:
        run = next((each for each in path.absolute().parents if RunFolder(each).exists), None)
        if run is not None:
            raise UsageError(f"{path} is a part of a run, described by: {_info_command(run)}") from error
        found = spec_of_path(str(path))
        if found is None and path.suffix.lower() in IMAGE_ENDINGS:
            raise UsageError(
                f"{path} is an image; for all beside it: {_info_command(path.parent)}"
            ) from error
        if found is None:
            raise
        try:
            return Description(*describe_data(found[0]))
        except UsageError as of_data:
            raise (error if path.is_dir() else of_data) from of_data


def _info_command(path: Path) -> str:
    """The command that describes a folder."""
    return f"gans info {quote(os.path.relpath(path))}"


def _describe_weights(path: Path) -> Description:
    """Describes a checkpoint, an exported network or published weights. Raises UsageError for other files."""
    if path.suffix == ".pt" and RunFolder(path.absolute().parent.parent).exists:
        return _describe_checkpoint(path)
    for role in ("generator", "critic"):
        try:
            return _describe_export(path, role)
        except UsageError:
            continue
    return _describe_published(path)


def describe_run(folder: RunFolder) -> Description:
    """Describes a run: its state, what was chosen for it, its newest scores, its files."""
    if not folder.exists:  # it ended before it began
        return Description(f"{folder.path}: a run that {folder.state}")
    settings, rows = folder.settings(), {}
    lines = folder.scores()
    rows["state"] = [_progress(folder, lines)]
    rows["networks"] = [_networks(settings)]
    rows["settings"] = _chosen_settings(folder)
    rows["scores"] = _scores(folder)
    rows["best"] = [_best(path, settings.best_metric, folder) for path in folder.best.paths()[-1:]]
    rows["checkpoints"] = [str(path) for path in folder.checkpoints().paths()]
    rows["pictures"] = [str(path) for name in PICTURES if (path := _newest_picture(folder.path / name))]
    title = f"{folder.path}: {_experiment(settings)}"
    return Description(title, {name: own for name, own in rows.items() if own}, folder)


def _experiment(settings: Settings) -> str:
    """The names of a run's parts, its preset and its seed."""
    parts = f"{settings.arch} with {settings.loss} on {settings.data}"
    return f"{parts}, {settings.preset}, seed {settings.seed}"


def _scores(folder: RunFolder, at: int | None = None) -> list[str]:
    """Scores of a run at its newest evaluation, or at a step; nothing where there are none."""
    found: dict[int, EvaluationScores] = {}
    for step, scores in read_evaluation_scores(folder):
        found[step] = {**found.get(step, {}), **scores}
    step = max(found, default=0) if at is None else at
    return [f"at step {step:,}", *format_scores(found[step])] if step in found else []


def _best(path: Path, metric: str | None, folder: RunFolder) -> str:
    """The best checkpoint of a run, with the number by which it is the best.

    Args:
        metric: which decides, or one of its numbers; None for the first that the run was scored by.
    """
    step = step_of(path)
    word = registry.METRIC_ALIASES.get(metric or "", metric)
    entries = [each for at, scores in read_evaluation_scores(folder) if at == step for each in scores.items()]
    numbers = {
        name.removeprefix(NUMBER): value
        for key, entry in entries
        for name, value in flatten_scores({key: entry}).items()
        if word in (None, *usual_name(name.removeprefix(NUMBER), entry).split("/"))
    }
    first = dict([*numbers.items()][:1])
    return f"step {step:,}{f', {describe_numbers(first)}' if first else ''}: {path}"


def is_evaluated(folder: RunFolder) -> bool:
    """Whether the newest generator of a run has scores."""
    steps = [step for step, _ in read_evaluation_scores(folder)]
    trained = [line["step"] for line in folder.scores()]
    newest = max([*map(step_of, folder.checkpoints().paths()), *trained], default=0)
    return max(steps, default=-1) >= newest


def _progress(folder: RunFolder, lines: Sequence[JsonObject]) -> str:
    """State of a run, and how long it was trained."""
    saved = max(map(step_of, folder.checkpoints().paths()), default=0)
    if not lines:
        return f"{folder.state}, step {saved:,}" if saved else folder.state
    scored, kimg = lines[-1]["step"], describe_kimg(lines[-1].get("kimg", 0.0))
    words = f"{folder.state}, step {scored:,}, {kimg}"
    if saved > scored:  # an interrupted run saves a checkpoint, and no scores
        words = f"{folder.state}, step {saved:,}, scores to step {scored:,}, {kimg}"
    seconds = next((line["seconds"] for line in reversed(lines) if "seconds" in line), None)
    return f"{words}, {describe_seconds(seconds)} of training" if isinstance(seconds, float) else words


def _networks(settings: Settings) -> str:
    """The images, and the sizes of the networks."""
    import torch

    from experiments.config.factory import build_networks

    with torch.device("meta"):
        networks = build_networks(settings)
    counts = list(map(_count_parameters, networks))
    images = f"; images of {_images(settings)}" if settings.image_size else ""
    return f"generator {counts[0]:,} parameters, critic {counts[1]:,}{images}"


def _count_parameters(network: "nn.Module") -> int:
    return sum(each.numel() for each in network.parameters())


def _images(settings: Settings) -> str:
    """The shape of the images of a run."""
    height, width = settings.image_size or (1, 1)
    return f"{height} × {width}, {settings.channels} channel{'s' * (settings.channels != 1)}"


def _chosen_settings(folder: RunFolder) -> list[str]:
    """Settings that were not left to their defaults, as flags."""
    content = parse_json(read_regular_file(folder.config_file, MOST_CONFIG_BYTES))
    entries: dict[str, Any] = content.get("settings") or {}
    values = folder.settings().to_dict()
    return [
        _as_flag(name, values[name])
        for name, entry in entries.items()
        if isinstance(entry, dict) and str(entry.get("from")).startswith(GIVEN)
        if values.get(name) is not None and name not in NAMED
    ]


def _as_flag(name: str, value: Any) -> str:
    """A setting or option as it is typed."""
    if isinstance(value, bool) and "." not in name:
        return flag(name) if value else flag(name).replace("--", "--no-", 1)
    return f"{flag(name)}{'=' if '.' in name else ' '}{format_value(value, name)}"


def _newest_picture(folder: Path) -> Path | None:
    """The picture in a folder that was written last; None without one."""
    pictures = [path for path in folder.glob("*.png") if path.name != "real.png"]
    return max(pictures, key=lambda path: (path.stat().st_mtime, path.name), default=None)


def _describe_checkpoint(path: Path) -> Description:
    """Describes a checkpoint of a run."""
    folder = RunFolder(path.absolute().parent.parent)
    settings, state = folder.settings(), load_checkpoint(path)
    title = f"{path}: checkpoint of {_experiment(settings)}"
    rows = {
        "step": [f"{state['step']:,}, {describe_kimg(state['seen'] / 1000)}"],
        "run": [os.path.relpath(folder.path)],
        "settings": _chosen_settings(folder),
        "scores": _scores(folder, state["step"]),
    }
    rows["next"] = _next_of_file(path, settings, to_score=not rows["scores"])
    return Description(title, {name: own for name, own in rows.items() if own})


def _describe_export(path: Path, role: Role) -> Description:
    """Describes an exported network. Raises UsageError for a file that is none."""
    network, settings, step, kimg, _ = open_export(path, role)
    folder = RunFolder(path.absolute().parent)
    rows = {"network": [f"{role} of {settings.arch}, {_count_parameters(network):,} parameters"]}
    if settings.image_size:
        rows["images"] = [_images(settings)]
    if step is not None and kimg is not None:
        rows["trained"] = [f"step {step:,}, {describe_kimg(kimg)}"]
    if folder.exists:
        rows["run"], rows["settings"] = [os.path.relpath(folder.path)], _chosen_settings(folder)
        rows["scores"] = _scores(folder, step) if step is not None and role == "generator" else []
    else:
        rows["settings"] = _settings_of_export(settings)
    if role == "generator":
        rows["next"] = _next_of_file(path, settings, to_score=folder.exists and not rows["scores"])
    return Description(f"{path}: exported {role}", {name: own for name, own in rows.items() if own})


def _settings_of_export(settings: Settings) -> list[str]:
    """Settings of a network alone that differ from the table's defaults, and its options, as flags."""
    return [
        _as_flag(name, value)
        for name, value in settings.to_dict().items()
        if name.startswith("arch.") or (name in OF_NETWORK and value != FIELDS[name].default)
    ]


def _next_of_file(path: Path, settings: Settings, to_score: bool) -> list[str]:
    """Commands that come next for the file of a generator.

    Args:
        to_score: whether it has no scores, and a run beside it says of which data it is.
    """
    word = quote(str(path))
    makes = registry.load("architecture", settings.arch).task == "noise"
    found = [f"gans sample {word}" if makes else f"gans translate {word} INPUT --out DIR"]
    found += [f"gans evaluate {word}"] if to_score else []
    return [*found, f"gans run --arch {settings.arch} --init-from {word} --data folder:DIR"]


def _describe_published(path: Path) -> Description:
    """Describes published weights. Raises UsageError for a file that holds none."""
    content = read_published_file(path)
    rows = {"file": [content.form, f"sha256 {content.sha256}"]}
    if content.licence:
        rows["licence"] = [content.licence]
    rows["networks"] = [
        f"{each.name}{f' ({each.class_name})' if each.class_name else ''}: "
        f"{sum(tensor.numel() for tensor in each.tensors.values()):,} numbers in "
        f"{describe_count(len(each.tensors), 'tensor')}"
        for each in content.networks
    ]
    return Description(
        f"{path}: weights, of which gans import {quote(str(path))} --out DIR makes a run", rows
    )
