"""Training of a run from its specification to its exported generator, new or resumed."""

import logging
from collections.abc import Sequence
from shlex import quote

import torch

from experiments.config.factory import build_networks
from experiments.config.resolve import RunSpec
from experiments.core.errors import UsageError
from experiments.core.processes import (
    check_alike,
    entered_by_first,
    first_on_each_machine,
    from_first,
    is_first,
)
from experiments.core.settings import Settings
from experiments.evaluation.evaluate import Evaluator
from experiments.runs.checkpoint import step_of
from experiments.runs.folder import RunFolder
from experiments.runs.resume import changes_length, changes_only_length, length_flag
from experiments.runs.revisions import check_training
from experiments.training.best_generator import open_evaluator
from experiments.training.experiment import Experiment, build
from experiments.training.fine_tuning import begin_from_weights
from experiments.training.memory_estimate import estimate
from experiments.training.trainer import Trainer

log = logging.getLogger("gans")

FOUND_RANGE = "data.range"  # the option that other data, or another version, may find otherwise


def run(
    spec: RunSpec,
    folder: RunFolder,
    force: bool = False,
    until_kimg: float | None = None,
    resumes: bool = False,
) -> None:
    """Trains a run until its end, from its newest good checkpoint where there is one.

    Args:
        force: goes on although settings differ.
        until_kimg: where it pauses, with a checkpoint; the same call again goes on.
        resumes: whether the specification is that of the folder (experiments/runs/resume.py), so that another
            length is meant, and goes on without `force`.

    Raises UsageError for a folder that holds something else, RunError for what fails on the way, and
    Interrupted after Ctrl-C. Until everything is built and restored, the folder stays as it was.
    """
    changed, is_finished = from_first(
        lambda: (check_folder(spec, folder, force, resumes), folder.is_finished)
    )
    if is_finished and not changed:
        how = f"finished ({folder.early_end})" if folder.early_end else "finished"
        log.info(f"{folder.path}: this run is {how}; another --seed or --out makes a new one")
        return
    if is_first() and folder.generator_file.exists() and not is_finished:
        log.info(f"{folder.generator_file} is damaged; the run goes on from its newest good checkpoint")
    # A new folder is made only for settings that can be built; an old one is locked first.
    is_new = from_first(lambda: not folder.exists)
    experiment = first_on_each_machine(lambda: _build(spec, folder)) if is_new else None
    evaluator = _open_evaluator(spec) if is_new else None
    from_first(folder.prepare)
    with entered_by_first(folder.lock):
        # Again: another process may have been here since.
        changed = from_first(lambda: check_folder(spec, folder, force, resumes))
        if experiment is None:
            experiment = first_on_each_machine(lambda: _build(spec, folder))
            evaluator = _open_evaluator(spec)
        check_alike({"settings": repr(spec.settings), "data": experiment.fingerprint})
        Trainer(experiment, folder, evaluator, until_kimg).train(changed, force)


def _open_evaluator(spec: RunSpec) -> Evaluator | None:
    """Opens the evaluator of a run where evaluations are asked for; all processes do that together."""
    return open_evaluator(spec.settings) if spec.settings.evaluate_kimg else None


def _build(spec: RunSpec, folder: RunFolder) -> Experiment:
    """Builds the experiment.

    It has its initial weights, if any, unless there are checkpoints to go on from.
    """
    experiment = build(spec)
    if spec.settings.init_from is not None and not folder.checkpoints().paths():
        begin_from_weights(experiment)
    return experiment


def check_folder(spec: RunSpec, folder: RunFolder, force: bool, resumes: bool = False) -> list[str]:
    """Checks that a folder can hold this run; returns a line for each setting that differs from its run.

    Raises UsageError for a folder with other files or imported weights in it or, without `force`, with
    another run; a run that `resumes` may have another length. Raises RunError for one whose training is
    another now.
    """
    if folder.path.exists() and not folder.path.is_dir():
        raise UsageError(f"--out {folder.path} is a file; a run needs a folder")
    if folder.is_imported:
        raise UsageError(
            f"{folder.path} holds imported weights, of a training that cannot be resumed; give a new run "
            "another --out"
        )
    if not folder.exists:
        if not folder.is_free:
            raise UsageError(f"{folder.path} is not a run folder and not empty; take another --out")
        return []
    changed = folder.differences(spec.settings)
    if changed and not force and not (resumes and changes_only_length(changed)):
        newest = folder.checkpoints().newest() if resumes else None
        if newest is not None:  # of an earlier version, whose options had other names or none
            check_training(spec.settings.arch, newest.get("revision", 1), str(folder.path))
        remedy = _remedy(spec, folder, resumes)
        raise UsageError(f"{folder.path} holds a run with another config ({'; '.join(changed)}); {remedy}")
    return changed


def _remedy(spec: RunSpec, folder: RunFolder, resumes: bool) -> str:
    """Remedy for a run with another config: where it is only shorter, the command that trains it longer;
    where the data have another range now, the one that goes on with the recorded one."""
    newest, changed = folder.checkpoints().paths()[-1:], folder.differences(spec.settings)
    resume = f"gans run --resume {quote(str(folder.path))}"
    if newest and spec.sources.get(FOUND_RANGE) != "flag" and all(map(_is_of_range, changed)):
        return f"go on with the range of that run: {resume}"
    if changes_only_length(changed) and newest:
        if changes_length(changed):
            if estimate(spec).steps > step_of(newest[0]):
                return f"train it longer with: {resume} {length_flag(spec.settings)}"
        else:
            return f"go on with: {resume}"
    fits = not newest or _fits(spec.settings, folder, changed)
    other = "begin another run with --out in place of --resume" if resumes else "take another --out"
    return f"{other}{', or --force to go on with the new settings' if fits else ''}"


def _fits(settings: Settings, folder: RunFolder, changed: Sequence[str]) -> bool:
    """Whether checkpoints of a run are of networks of the same shapes, and of the same optimizer."""
    if any(line.startswith("optimizer: ") for line in changed):
        return False
    try:
        return _shapes(folder.settings()) == _shapes(settings)
    except UsageError:  # an earlier version made other networks
        return False


def _shapes(settings: Settings) -> list[dict[str, torch.Size]]:
    """Shapes of the tensors of both networks, by name."""
    with torch.device("meta"):
        networks = build_networks(settings)
    return [{name: each.shape for name, each in network.state_dict().items()} for network in networks]


def _is_of_range(line: str) -> bool:
    """Whether a difference of a config, a line `name: old → new`, is of the range of values of the data."""
    return line.partition(":")[0] == FOUND_RANGE
