"""Commands `gans evaluate`, `fid`, `stats` and `train-classifier`: parse, call, print.

Nothing heavy is imported at the top.
"""

import json
import logging
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from experiments.commands.completion import complete_choice, files_or, names_of
from experiments.commands.options import (
    Command,
    Decorator,
    check_options,
    debug_option,
    device_option,
    json_option,
    out_option,
    plugin_option,
    read_options,
    set_option,
    setting_option,
)
from experiments.core.console import describe_error, progress_bars
from experiments.core.errors import RunError
from experiments.core.named_values import SettingValues
from experiments.core.settings import FIELDS
from experiments.evaluation.protocols import PROTOCOLS, REFERENCES, ReferenceChoice

if TYPE_CHECKING:
    from experiments.evaluation.candidates import Candidate
    from experiments.evaluation.evaluate import Evaluator
    from experiments.evaluation.extraction import Meter

log = logging.getLogger("gans")

DRAWN_SIZE = (32, 32)  # at which a classifier is trained on a set that is drawn at any size
OF_DATA = "that of the data"


BOTH_COUNTS = (
    "Largest number of samples on each side; default: at most 50,000 real ones, and as many generated ones."
)


def add_extraction_options(count_help: str, *kinds: str) -> Decorator:
    """Makes a decorator that adds the options of commands that extract features.

    Args:
        count_help: help of `-n`.
        kinds: kinds of the components whose options `--set` takes.
    """
    path = click.Path(path_type=Path)
    whole = click.IntRange(min=0)
    count = click.IntRange(min=2)
    options = (
        debug_option,
        plugin_option,
        json_option,
        device_option,
        set_option(*kinds),
        click.option(
            "--seed", type=whole, metavar="N", default=0, show_default=True, help="Seed of the samples."
        ),
        click.option("--download", is_flag=True, help="Download weights and data that are missing here."),
        click.option(
            "--resize-rule",
            metavar="tf1|pytorch-fid|clean",
            shell_complete=complete_choice,
            help="Rule by which images are resized for the extractor; default: the extractor's own (tf1 for "
            "inception, clean for the others).",
        ),
        click.option("--weights", type=path, metavar="FILE", help="Weights of the feature extractor."),
        click.option(
            "--extractor",
            metavar="NAME",
            shell_complete=names_of("extractor"),
            help="Feature extractor (gans list extractors); default: the best whose weights are here.",
        ),
        click.option("-n", "count", type=count, metavar="N", help=count_help),
    )

    def add(command: Command) -> Command:
        for option in options:
            command = option(command)
        return command

    return add


def add_format_options(default: str) -> Decorator:
    """Makes a decorator that adds the options of the format that data is brought to.

    Args:
        default: image size and channels without these options, in words.
    """

    def add(command: Command) -> Command:
        for name in ("skip_bad", "data_root", "fit", "channels", "image_size"):
            own = default if name in ("channels", "image_size") else ""
            command = setting_option(name, FIELDS[name].metadata["help"], own)(command)
        return command

    return add


@click.command()
@click.argument("a", shell_complete=files_or("data"))
@click.argument("b", shell_complete=files_or("data"))
@add_format_options("that of a generator on the other side, else the data's own")
@add_extraction_options(BOTH_COUNTS, "extractor", "data")
@click.option("--force", is_flag=True, help="Compare sides of different provenance.")
def fid(a: str, b: str, force: bool, as_json: bool, debug: bool, **flags: Any) -> None:
    """Compute the Fréchet distance between A and B: data, a run, a generator, or statistics (.npz).

    \b
    gans fid folder:photos folder:samples --fit crop
    gans fid fashion-mnist runs/mine --extractor random-vgg
    """
    from experiments.evaluation.distance import distance
    from experiments.runs.scores import format_scores

    with progress_bars() as meter:
        one, other = make_distance_sides(flags, meter, a, b).sides(a, b)
    scores = distance(one, other, flags["seed"], force)
    for line in [json.dumps(scores)] if as_json else format_scores(scores):
        click.echo(line)


@click.command()
@click.argument("spec", shell_complete=files_or("data"))
@out_option("FILE.npz")
@add_format_options(OF_DATA)
@add_extraction_options("Largest number of samples; default: 50,000.", "extractor", "data")
def stats(spec: str, out: str, force: bool, as_json: bool, debug: bool, **flags: Any) -> None:
    """Write mean and covariance of the features of SPEC to a file that `gans fid` reads.

    \b
    gans stats folder:photos --out photos.npz
    gans fid photos.npz runs/mine

    SPEC is data, a run folder, a checkpoint or an exported generator.
    """
    from experiments.core.destinations import output_file
    from experiments.core.processes import entered_by_first, from_first
    from experiments.evaluation.distance import write_statistics

    destination = partial(output_file, "stats", out, ".npz", force=force)
    with entered_by_first(destination), progress_bars() as meter:
        side = make_distance_sides(flags, meter, spec).open(spec)
        from_first(lambda: write_statistics(side, Path(out)))
    click.echo(json.dumps({"file": out, **side.record}) if as_json else out)


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
            for each in candidates:
                found[str(each.step)] = scores = evaluator(each)
                faults |= evaluator.faults
                for line in (
                    [] if as_json else [f"step {each.step}"] * every_checkpoint + format_scores(scores)
                ):
                    click.echo(line)
                if folder.exists:
                    from_first(partial(append_scores, folder, each.step or 0, each.kimg, scores))
        finally:  # scores are printed even if they cannot be kept
            if as_json and found:
                click.echo(json.dumps(found if every_checkpoint else scores))
        if folder.exists:
            by_step = {each.step or 0: found[str(each.step)] for each in candidates}
            from_first(lambda: publish_scores(folder, by_step))
        if plot:
            for file in draw(each, evaluator.task_metrics[0], folder.path, meter):
                log.info(f"drawn: {file}")
    if faults:
        lines = [f"no score {name}: {describe_error(error)}" for name, error in faults.items()]
        raise RunError("; ".join(lines)) from next(iter(faults.values()))


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


@click.command("train-classifier")
@click.option(
    "--data", required=True, metavar="SPEC", shell_complete=names_of("data"), help="Labelled set of images."
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    metavar="N",
    default=3,
    show_default=True,
    help="Passes over the data.",
)
@click.option(
    "--name", metavar="NAME", help="Name for --extractor classifier:NAME; default: that of the data."
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    metavar="N",
    default=0,
    show_default=True,
    help="Seed of the training.",
)
@device_option
@click.option("--force", is_flag=True, help="Train again, even if the classifier is there.")
@json_option
@set_option("data")
@setting_option("download")
@add_format_options(f"{OF_DATA}; {DRAWN_SIZE[0]} where a set is drawn at any size")
@plugin_option
@debug_option
def train_classifier(data: str, force: bool, as_json: bool, debug: bool, **flags: Any) -> None:
    """Train the extractor classifier:NAME on a labelled set, once, and keep it with its accuracy.

    \b
    gans train-classifier --data fashion-mnist
    gans evaluate runs/mine --extractor classifier:fashion-mnist
    """
    from experiments.evaluation.classifier_training import Training, classifier_name, keep_classifier
    from experiments.evaluation.sample_sets import open_data_as, read_data_options

    given = read_options(flags["options"])
    check_options(given, "data")
    training = Training(flags["epochs"], flags["seed"], flags["device"], read_data_options(given, [data]))
    images = open_data_as(data, *read_data_format_and_access(flags, given), drawn_size=DRAWN_SIZE)
    for remark in images.remarks:
        log.info(f"data {data}: {remark}")
    with progress_bars() as meter:
        name = flags["name"] or classifier_name(data)
        found = keep_classifier(data, images, name, training, force, meter)
    click.echo(json.dumps(found) if as_json else f"{found['extractor']} accuracy {found['accuracy']:.4f}")


def read_extractor_options(flags: SettingValues, given: dict[str, str] | None = None) -> Any:
    """Makes the options of feature extraction from flags, and the extractor's own from `--set`."""
    from experiments.evaluation.features import ExtractorOptions

    own = {key: value for key, value in (given or {}).items() if key.startswith("extractor.")}
    names = ("extractor", "weights", "resize_rule", "device", "download")
    return ExtractorOptions(**{name: flags[name] for name in names}, options=own)


def make_distance_sides(flags: SettingValues, meter: Any, *words: str) -> Any:
    """Makes the opener of the sides of a distance. Raises UsageError for options that no side has."""
    from experiments.evaluation.distance import DistanceSides, is_data_spec
    from experiments.evaluation.sample_sets import read_data_options

    given = read_options(flags["options"])
    check_options(given, "extractor", "data")
    read_data_options(given, list(filter(is_data_spec, words)))
    options = read_extractor_options(flags, given)
    return DistanceSides(
        options, *read_data_format_and_access(flags, given), flags["count"], flags["seed"], meter
    )


def read_data_format_and_access(flags: SettingValues, given: dict[str, str]) -> tuple[Any, Any]:
    """Makes the format of image data, and the access to data, from flags and from `--set`."""
    from experiments.data.core.sources import data_access_from
    from experiments.evaluation.sample_sets import ImageFormat

    found = ImageFormat(flags["image_size"], flags["channels"], flags["fit"] or "auto")
    return found, data_access_from(
        {name: value for name, value in flags.items() if value is not None} | given
    )
