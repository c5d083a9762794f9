"""Reproduction of a published row in ordinary run folders, evaluated as `gans evaluate` does."""

import logging
from dataclasses import dataclass
from pathlib import Path

import torch

from experiments.config.resolve import RunSpec, resolve
from experiments.core.errors import RunError, UsageError
from experiments.core.named_values import SettingValues
from experiments.core.trusted_plugins import add_named_plugins
from experiments.core.word_lists import describe_count
from experiments.evaluation.evaluate import Evaluator
from experiments.evaluation.extraction import Meter
from experiments.evaluation.features import ExtractorOptions
from experiments.evaluation.publish import evaluate_newest
from experiments.runs.checkpoint import step_of
from experiments.runs.folder import RunFolder
from experiments.runs.scores import EvaluationScores, read_evaluation_scores
from experiments.sweeps.devices import gpus_to_share
from experiments.sweeps.engines import LocalEngine, threads_per_job
from experiments.sweeps.progress import SweepProgress
from experiments.sweeps.queue import run_tasks
from experiments.sweeps.reproduction.published_rows import PublishedRow
from experiments.sweeps.worker import Evaluation, SweepTask
from experiments.training.run import check_folder, run

log = logging.getLogger("gans")


@dataclass(frozen=True)
class ReproductionOptions:
    """Options of a reproduction: number of seeds, length, device, and where data and weights are found.

    A kimg of None is the row's own length.
    """

    seeds: int
    kimg: float | None = None
    device: str = "auto"
    download: bool = False
    data_root: str | None = None
    weights: Path | None = None


def prepare_reproduction(
    name: str, row: PublishedRow, options: ReproductionOptions, meter: Meter
) -> tuple[list[RunSpec], Evaluator]:
    """Resolves the settings of every seed of a row, and opens the evaluator.

    Raises RunError with what is missing on this machine, before anything runs.
    """
    add_named_plugins(row.flags.get("plugin"))
    flags = dict(row.flags) | {"device": options.device, "download": options.download, "group": name}
    flags |= {"data_root": options.data_root} if options.data_root else {}
    if options.kimg is not None:
        flags = {key: value for key, value in flags.items() if key != "steps"} | {"kimg": options.kimg}
    extractor = ExtractorOptions(
        row.extractor, options.weights, device=options.device, download=options.download
    )
    evaluator = Evaluator(extractor, [row.metric], row.samples, 0, meter)
    try:
        specs = [resolve({**flags, "seed": seed}) for seed in range(options.seeds)]
        if row.needs_gpu and options.kimg is None and not torch.cuda.is_available():
            raise UsageError(
                "needs a GPU at the published length; --kimg K is a shorter run without a verdict"
            )
        evaluator.open(specs[0].settings, name)
    except UsageError as error:
        raise RunError(f"{name} cannot run here: {error}") from error
    return specs, evaluator


def reproduce(
    row: PublishedRow, specs: list[RunSpec], evaluator: Evaluator, out: Path, jobs: int
) -> list[float]:
    """Trains and evaluates every seed of a row; returns the row's number for each of them.

    Runs and evaluations that are in this folder already are not repeated; runs of another row are
    refused before anything runs.

    Args:
        jobs: number of seeds that are trained at once, each in a process of its own; a single one in this.
    """
    folders = [RunFolder(out / f"seed-{spec.settings.seed}") for spec in specs]
    pairs = list(zip(specs, folders, strict=True))
    for spec, folder in pairs:
        if changed := check_folder(spec, folder, force=True):
            raise UsageError(
                f"{folder.path} holds a run with another config ({'; '.join(changed)}); take another --out"
            )
    if jobs > 1 and sum(not folder.is_finished for folder in folders) > 1:
        _train_in_parallel(pairs, out, jobs)
    values = []
    for spec, folder in pairs:
        log.info(f"seed {spec.settings.seed} of {len(specs)} in {folder.path}")
        if not folder.is_finished:
            run(spec, folder)
        scores = _earlier_scores(folder, evaluator) or evaluate_newest(folder, evaluator)
        (score,) = scores.values()
        values.append(float(score[row.number]))
    return values


def _train_in_parallel(pairs: list[tuple[RunSpec, RunFolder]], out: Path, jobs: int) -> None:
    """Trains several seeds at once, as the runs of a sweep. Raises RunError where one fails."""
    tasks = {
        folder.path.name: SweepTask(
            str(folder.path.absolute()), given_flags(spec), {}, {}, Evaluation(count=0)
        )
        for spec, folder in pairs
    }
    jobs = min(jobs, len(tasks))
    engine = LocalEngine(jobs, threads_per_job(jobs), gpus_to_share(pairs[0][0].settings.device))
    log.info(f"{describe_count(len(tasks), 'seed')} in {out}, {engine.jobs} at once")
    with SweepProgress(out) as board:
        states = run_tasks(tasks, engine, board.show)
    for name, state in states.items():
        if state != "done":
            raise RunError(f"{name} {state}; the same command tries again")


def given_flags(spec: RunSpec) -> SettingValues:
    """Flags from which the settings of a run were resolved."""
    return {name: value for name, value in spec.settings.to_dict().items() if spec.sources[name] == "flag"}


def _earlier_scores(folder: RunFolder, evaluator: Evaluator) -> EvaluationScores | None:
    """Scores of the newest generator that the same evaluator has computed before; None without."""
    newest = max(map(step_of, folder.checkpoints().paths()), default=None)
    (name,) = (evaluator.key_of(metric) for metric in evaluator.metrics)
    extractor = evaluator.extractor.description()
    for step, scores in reversed(read_evaluation_scores(folder)):
        score = scores.get(name, {})
        if (
            step == newest
            and score.get("n", [0])[0] == evaluator.count
            and score.get("seed") == evaluator.seed
            and all(score.get(key) == extractor[key] for key in ("extractor", "weights", "resize_rule"))
            and not any(score.get(key) for key in ("options", "extractor_options"))  # others than published
        ):
            return {name: score}
    return None
