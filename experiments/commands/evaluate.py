"""`gans evaluate`, `fid`, `stats` and `train-classifier`: parse, call, print.

Nothing heavy is imported at the top.
"""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from experiments.commands.options import SettingType, debug_option, plugin_option, setting_option
from experiments.core.console import meters
from experiments.core.errors import UsageError

log = logging.getLogger("gans")


def extraction_options(command: Callable[..., None]) -> Callable[..., None]:
    """Flags of everything that looks at images through an extractor."""
    path = click.Path(path_type=Path)
    for option in (
        debug_option,
        plugin_option,
        click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout."),
        click.option("--device", type=SettingType("device"), default="auto", metavar="auto|cpu|cuda|mps"),
        click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of samples."),
        click.option("--download", is_flag=True, help="Fetch what is not on this machine."),
        click.option("--resize-rule", metavar="RULE", help="How images come to the extractor's size."),
        click.option("--weights", type=path, metavar="FILE", help="Of the extractor."),
        click.option("--extractor", metavar="NAME", help="What sees features (gans list extractors)."),
        click.option(
            "-n", "count", type=click.IntRange(min=2), default=50_000, show_default=True, help="At most."
        ),
    ):
        command = option(command)
    return command


def look_options(command: Callable[..., None]) -> Callable[..., None]:
    """Flags of the form that data is brought to."""
    for name in ("skip_bad", "data_root", "fit", "channels", "image_size"):
        command = setting_option(name)(command)
    return command


@click.command()
@click.argument("a")
@click.argument("b")
@look_options
@extraction_options
@click.option("--force", is_flag=True, help="Compare what was not made alike.")
def fid(a: str, b: str, force: bool, as_json: bool, debug: bool, **flags: Any) -> None:
    """The Fréchet distance between A and B: data, a run, a generator, or statistics (.npz)."""
    from experiments.evaluation.distance import distance
    from experiments.runs.scores import lines_of

    with meters() as meter:
        one, other = comparison(flags, meter).sides(a, b)
    scores = distance(one, other, flags["seed"], force)
    for line in [json.dumps(scores)] if as_json else lines_of(scores):
        click.echo(line)


@click.command()
@click.argument("spec")
@click.option("--out", required=True, metavar="FILE.npz", help="Where to write them.")
@look_options
@extraction_options
def stats(spec: str, out: str, as_json: bool, debug: bool, **flags: Any) -> None:
    """Writes mean and covariance of the features of SPEC, as `gans fid` reads them."""
    from experiments.evaluation.distance import write_statistics

    if not out.endswith(".npz"):
        raise UsageError(f"--out {out}: give FILE.npz")
    with meters() as meter:
        side = comparison(flags, meter).open(spec)
    write_statistics(side, Path(out))
    click.echo(json.dumps({"file": out, **side.record}) if as_json else out)


@click.command()
@click.argument("run")
@click.option(
    "--metrics",
    default="",
    metavar="NAME,…",
    help="gans list metrics; default: fid,kid,precision-recall for images, with l1,psnr,ssim where a run "
    "translates and the truth is known; modes for ring8 and grid25.",
)
@click.option("--every-checkpoint", is_flag=True, help="All checkpoints that the run still has.")
@click.option("--plot", is_flag=True, help="Draw classes, nearest reals and scores by class into RUN/plots.")
@extraction_options
def evaluate(
    run: str, metrics: str, every_checkpoint: bool, plot: bool, as_json: bool, debug: bool, **flags: Any
) -> None:
    """Scores of RUN's newest generator against its data; they go into the run's scores too."""
    from experiments.evaluation.evaluate import Evaluator, judged
    from experiments.evaluation.plots import check_plots, draw
    from experiments.evaluation.publish import tell_trackers
    from experiments.runs.folder import RunFolder
    from experiments.runs.scores import keep_scores, lines_of

    options, count, seed = how_of(flags), flags["count"], flags["seed"]
    candidates = judged(run, every_checkpoint)
    folder, found = RunFolder(Path(run)), {}
    if plot:
        check_plots(candidates[-1], folder)
    with meters() as meter:
        evaluator = Evaluator(options, [name for name in metrics.split(",") if name], count, seed, meter)
        try:
            for each in candidates:
                found[str(each.step)] = scores = evaluator(each)
                for line in [] if as_json else [f"step {each.step}"] * every_checkpoint + lines_of(scores):
                    click.echo(line)
                if folder.exists:
                    keep_scores(folder, each.step or 0, each.kimg, scores)
        finally:  # what was found is said, even if it cannot be kept
            if as_json and found:
                click.echo(json.dumps(found if every_checkpoint else scores))
        if folder.exists:
            tell_trackers(folder, {each.step or 0: found[str(each.step)] for each in candidates})
        if plot:
            for file in draw(each, evaluator.task_metrics[0], folder.path, meter):
                log.info(f"drawn: {file}")


@click.command("train-classifier")
@click.option("--data", required=True, metavar="SPEC", help="A labelled set of images.")
@click.option("--epochs", type=click.IntRange(min=1), default=3, show_default=True, help="Passes over it.")
@click.option("--name", metavar="NAME", help="For --extractor classifier:NAME; default: that of the data.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the training.")
@click.option("--device", type=SettingType("device"), default="auto", metavar="auto|cpu|cuda|mps")
@click.option("--force", is_flag=True, help="Train again what is there.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@setting_option("download")
@look_options
@plugin_option
@debug_option
def train_classifier(data: str, force: bool, as_json: bool, debug: bool, **flags: Any) -> None:
    """Trains the extractor classifier:NAME on a labelled set, once, and keeps it with its accuracy."""
    from experiments.evaluation.classifier_training import Training, classifier_name, keep_classifier
    from experiments.evaluation.sample_sets import open_data_as

    training = Training(flags["epochs"], flags["seed"], flags["device"])
    images = open_data_as(data, *look_of_flags(flags))
    with meters() as meter:
        name = flags["name"] or classifier_name(data)
        found = keep_classifier(data, images, name, training, force, meter)
    click.echo(json.dumps(found) if as_json else f"{found['extractor']} accuracy {found['accuracy']:.4f}")


def how_of(flags: dict[str, Any]) -> Any:
    """What the flags say about extraction."""
    from experiments.evaluation.features import ExtractorOptions

    names = ("extractor", "weights", "resize_rule", "device", "download")
    return ExtractorOptions(**{name: flags[name] for name in names})


def comparison(flags: dict[str, Any], meter: Any) -> Any:
    """What opens the sides of a distance, as the flags say."""
    from experiments.evaluation.distance import DistanceSides

    options = how_of(flags)
    image_format, reach = look_of_flags(flags)
    return DistanceSides(options, image_format, reach, flags["count"], flags["seed"], meter)


def look_of_flags(flags: dict[str, Any]) -> tuple[Any, Any]:
    """The form that data is brought to, and how it is come by."""
    from experiments.data.core.sources import access
    from experiments.evaluation.sample_sets import ImageFormat

    image_format = ImageFormat(flags["image_size"], flags["channels"], flags["fit"] or "auto")
    return image_format, access({name: value for name, value in flags.items() if value is not None})
