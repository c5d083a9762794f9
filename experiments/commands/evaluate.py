"""Command `gans evaluate`: parse, call, print. Nothing heavy is imported at the top."""

import logging
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from experiments.commands.completion import files_or, names_of
from experiments.commands.extraction_options import (
    BOTH_COUNTS,
    add_extraction_options,
    read_extractor_options,
)
from experiments.commands.options import check_options, read_options, setting_option
from experiments.core.console import describe_error, format_json, progress_bars
from experiments.core.errors import RunError, UsageError
from experiments.core.named_values import SettingValues
from experiments.evaluation.protocols import PROTOCOLS, REFERENCES, ReferenceChoice

if TYPE_CHECKING:
    from experiments.evaluation.candidates import Candidate
    from experiments.evaluation.evaluate import Evaluator
    from experiments.evaluation.extraction import Meter
    from experiments.runs.scores import EvaluationScores

log = logging.getLogger("gans")


@click.command()
@click.argument("run", shell_complete=files_or())
@click.option(
    "--metrics",
    default="",
    metavar="NAME,…",
    shell_complete=names_of("metric"),
    help="Metrics (gans list metrics); default: fid,kid,precision-recall for images, with l1,psnr,ssim where "
    "a run translates and the truth is known; modes for ring8 and grid25.",
)
@click.option("--every-checkpoint", is_flag=True, help="Evaluate all checkpoints that the run still has.")
@click.option(
    "--plot", is_flag=True, help="Draw classes, nearest real images and scores by class into RUN/plots."
)
@click.option(
    "--reference",
    type=click.Choice(REFERENCES),
    help="Real samples to compare with: those of the training, held-out ones (test files, test/, further "
    "drawn ones), or both; default: those of the training, and for runs that translate held-out ones.",
)
@click.option(
    "--protocol",
    type=click.Choice([*PROTOCOLS]),
    help="Published convention: fid50k-full compares 50,000 samples with all training images, and without "
    "--reference also with held-out ones where there are any; the default metric is then fid, and no other "
    "-n is taken.",
)
@click.option(
    "--intervals",
    type=click.IntRange(min=2),
    metavar="N",
    is_flag=False,
    flag_value=100,
    help="Intervals of 95 % of each score, by a bootstrap over the samples in N sets; without N: 100. They "
    "say nothing of other seeds of the training.",
)
@click.option(
    "--by-class",
    is_flag=True,
    help="Score each class, too, by the metrics that can (fid, kid, …). Classes are the labels of a "
    "conditional run, else those that --extractor classifier:NAME sees.",
)
@setting_option("skip_bad")
@setting_option("data_root")
@add_extraction_options(BOTH_COUNTS, "metric", "extractor")
def evaluate(
    run: str, metrics: str, every_checkpoint: bool, plot: bool, as_json: bool, debug: bool, **flags: Any
) -> None:
    """Evaluate a generator against its data: RUN is a run folder, or a checkpoint in one.

    \b
    gans evaluate runs/mine
    gans evaluate runs/mine --metrics fid,kid -n 10000 --reference held-out
    gans evaluate runs/mine --every-checkpoint --json

    Of a run folder it is the newest generator, and the scores are kept in the folder, too. An exported
    generator alone does not say what it was trained on: `gans fid` compares it with any data.
    """
    from experiments.core.processes import from_first
    from experiments.evaluation.candidates import candidates_of
    from experiments.evaluation.plots import check_plots, draw
    from experiments.evaluation.publish import publish_scores
    from experiments.runs.folder import RunFolder
    from experiments.runs.scores import append_scores, check_score_files, format_scores

    given = read_options(flags["options"])
    check_options(given, "metric", "extractor")
    candidates = [each.with_access(flags) for each in candidates_of(run, every_checkpoint)]
    folder, found = RunFolder(Path(run)), {}
    faults: dict[str, Exception] = {}
    if folder.exists:
        check_score_files(folder)
    if plot:
        check_plots(candidates[-1], folder)
    with progress_bars() as meter:
        evaluator = open_evaluator(metrics, given, flags, candidates[0], meter)
        try:
            for each, scores in score_one_by_one(candidates, evaluator, faults):
                found[str(each.step)] = scores
                for line in (
                    [] if as_json else [f"step {each.step}"] * every_checkpoint + format_scores(scores)
                ):
                    click.echo(line)
                if folder.exists:
                    from_first(partial(append_scores, folder, each.step or 0, each.kimg, scores))
        finally:  # scores are printed even if they cannot be kept
            if as_json and found:
                click.echo(format_json(found if every_checkpoint else scores))
        if not found:
            raise next(iter(faults.values()))
        if folder.exists:
            by_step = {
                each.step or 0: found[str(each.step)] for each in candidates if str(each.step) in found
            }
            from_first(lambda: publish_scores(folder, by_step))
        if plot:
            for file in draw(each, evaluator.task_metrics[0], folder.path, meter):
                log.info(f"drawn: {file}")
    if faults:
        lines = [f"no score {name}: {describe_error(error)}" for name, error in faults.items()]
        raise RunError("; ".join(lines)) from next(iter(faults.values()))


def score_one_by_one(
    candidates: "Sequence[Candidate]", evaluator: "Evaluator", faults: dict[str, Exception]
) -> "Iterator[tuple[Candidate, EvaluationScores]]":
    """Scores generators of one run; of several, one that has no score leaves the others.

    Args:
        faults: takes the errors of metrics, and of such generators, by what has no score.
    """
    for each in candidates:
        whose = f" of step {each.step}" if len(candidates) > 1 else ""
        try:
            scores = evaluator(each)
        except (UsageError, RunError) as error:
            if not whose:
                raise
            faults[whose.strip()] = error
            continue
        faults.update((name + whose, error) for name, error in evaluator.faults.items())
        yield each, scores


def open_evaluator(
    metrics: str, options: SettingValues, flags: SettingValues, first: "Candidate", meter: "Meter"
) -> "Evaluator":
    """Opens what generators are scored by, and says what is compared.

    Args:
        metrics: names after `--metrics`; empty for the usual ones.
        options: of metrics and of the extractor, by key.
        flags: the other flags of `gans evaluate`.
        first: the first generator; others are of the same run.
    """
    from experiments.evaluation.evaluate import Evaluator

    evaluator = Evaluator(
        read_extractor_options(flags),
        [name for name in metrics.split(",") if name],
        flags["count"],
        flags["seed"],
        meter,
        options,
        ReferenceChoice(flags["reference"], flags["protocol"]),
        flags["intervals"] or 0,
        flags["by_class"],
    )
    evaluator.open(first.settings, first.name, trained_data=first.trained_data)
    log.info(evaluator.describe())
    if remark := evaluator.remark_on_reference():
        log.info(remark)
    return evaluator
