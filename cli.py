"""The command line: parse, call, print. Nothing heavy is imported at the top."""

import json
import sys
import traceback
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from experiments import catalogue
from experiments.command_line import (
    SettingType,
    asked_settings,
    debug_option,
    describe,
    label_option,
    meters,
    say,
    setting_option,
    settings_options,
)
from experiments.comparison.commands import compare, report
from experiments.doctor.commands import doctor
from experiments.errors import UsageError
from experiments.latents.commands import COMMANDS
from experiments.rates.commands import find_lr
from experiments.reproduction.command import reproduce
from experiments.sweeping.commands import sweep
from experiments.sync_command import sync
from experiments.translation_command import translate

KINDS = {
    "architectures": "architecture",
    "losses": "loss",
    "data": "data",
    "penalties": "penalty",
    "regularizers": "regularizer",
    "trackers": "tracker",
    "metrics": "metric",
    "extractors": "extractor",
}


class Commands(click.Group):
    """Offers close matches for an unknown command."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in self.commands:
            close = get_close_matches(args[0], self.commands, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(self.commands)}"
            raise click.UsageError(f"unknown command '{args[0]}'; {hint}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(package_name="gans")
@click.pass_context
def gans(ctx: click.Context) -> None:
    """A laboratory for generative adversarial networks.

    \b
    gans run --arch dcgan --loss wgan-gp     train on embedded data
    gans list                                architectures, losses and data
    gans sample RUN --out grid.png           pictures from a run
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@gans.command()
@settings_options()
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Run folder; default: runs/….")
@click.option("--resume", type=click.Path(path_type=Path), metavar="DIR", help="Continue the run in DIR.")
@click.option("--config", type=click.Path(path_type=Path), metavar="FILE", help="Settings from a JSON file.")
@click.option("--dry-run", is_flag=True, help="Print every setting and its source, sizes and memory; stop.")
@click.option("--force", is_flag=True, help="Continue a run although settings differ.")
@debug_option
def run(
    out: Path | None,
    resume: Path | None,
    config: Path | None,
    dry_run: bool,
    force: bool,
    debug: bool,
    **flags: Any,
) -> None:
    """Train a generator and a critic; the same command again resumes an interrupted run."""
    if out is not None and resume is not None:
        raise UsageError("--out and --resume exclude each other; --resume DIR continues in DIR")
    if resume is not None and config is not None:
        raise UsageError("--config and --resume exclude each other; a run has its own config")
    from experiments.config import read_config, refuse_another_recipe, resolve
    from experiments.run_folder import RunFolder, choose_folder, open_run

    asked, strengths = asked_settings(flags)
    file = open_run(resume).config_file if resume is not None else config
    values = read_config(file) if file else {}
    if file is not None:
        refuse_another_recipe(values, asked)
    resolved = resolve(asked, values, str(file or ""), strengths)
    if dry_run:
        from experiments.plan import describe_plan

        click.echo(describe_plan(resolved))
        return
    target = resume or out
    folder = RunFolder(target) if target else choose_folder(resolved.settings)
    from experiments.running import Interrupted
    from experiments.running import run as start

    say(
        f"gans run --arch {resolved.settings.arch} --loss {resolved.settings.loss} "
        f"--data {resolved.settings.data} --preset {resolved.settings.preset} on {resolved.settings.device} "
        f"in {folder.path}"
    )
    try:
        start(resolved, folder, say, force)
    except Interrupted:
        sys.exit(130)
    click.echo(folder.path)


@gans.command("list")
@click.argument("kind", required=False, metavar=f"[{'|'.join(KINDS)}]")
@setting_option("plugin")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@debug_option
def list_plugins(kind: str | None, plugin: tuple[str, ...] | None, as_json: bool, debug: bool) -> None:
    """Names and one line on each: architectures, losses, data, penalties, regularizers and more."""
    if kind is not None and kind not in KINDS:
        raise catalogue.unknown("kind", kind, list(KINDS))
    for path in plugin or ():
        catalogue.add_plugin(path)
    found = {
        plural: {name: catalogue.summary_of(single, name) for name in catalogue.names_of(single)}
        for plural, single in KINDS.items()
        if kind in (None, plural)
    }
    if as_json:
        click.echo(json.dumps(found))
        return
    for plural, entries in found.items():
        click.echo(click.style(plural, bold=True))
        for name, line in entries.items():
            click.echo(f"  {name:<26} {line}")


@gans.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("-n", "count", type=click.IntRange(min=1), default=64, show_default=True, help="How many.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the latents.")
@click.option("--truncation", type=click.FloatRange(0, 2), metavar="PSI", help="Nearer to the mean of w.")
@label_option("Of one class, by a conditional generator; default: as the data has them.")
@click.option("--cutoff", type=click.IntRange(min=1), metavar="N", help="Only its first N styles.")
@click.option("--out", default="samples.png", show_default=True, metavar="FILE.png|FILE.npy|DIR/")
@click.option("--device", type=SettingType("device"), default="auto", metavar="auto|cpu|cuda|mps")
@setting_option("plugin")
@debug_option
def sample(
    run: Path,
    count: int,
    seed: int,
    truncation: float | None,
    cutoff: int | None,
    label: int | None,
    out: str,
    device: str,
    plugin: tuple[str, ...] | None,
    debug: bool,
) -> None:
    """Samples of RUN (a run folder, a checkpoint or an exported generator) as pictures or an array."""
    from experiments.sampling import Truncation, from_noise, generate, load_generator, of_class, save_samples

    if cutoff is not None and truncation is None:
        raise UsageError("--cutoff says where --truncation ends; give both")
    for path in plugin or ():
        catalogue.add_plugin(path)
    network, _ = load_generator(run, say)
    generator = of_class(from_noise(network, str(run)), label, str(run))
    near = None if truncation is None else Truncation(truncation, cutoff)
    say(save_samples(generate(generator, count, seed, device, near), out))
    click.echo(out)


def extraction_options(command: Callable[..., None]) -> Callable[..., None]:
    """Flags of everything that looks at images through an extractor."""
    path = click.Path(path_type=Path)
    for option in (
        debug_option,
        setting_option("plugin"),
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


@gans.command()
@click.argument("a")
@click.argument("b")
@look_options
@extraction_options
@click.option("--force", is_flag=True, help="Compare what was not made alike.")
def fid(a: str, b: str, force: bool, as_json: bool, debug: bool, **flags: Any) -> None:
    """The Fréchet distance between A and B: data, a run, a generator, or statistics (.npz)."""
    from experiments.evaluation.distance import distance
    from experiments.evaluation.record import lines_of

    with meters() as meter:
        one, other = comparison(flags, meter).sides(a, b)
    scores = distance(one, other, flags["seed"], force, say)
    for line in [json.dumps(scores)] if as_json else lines_of(scores):
        click.echo(line)


@gans.command()
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


@gans.command()
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
    from experiments.evaluation.judging import Judge, judged
    from experiments.evaluation.plots import check_plots, draw
    from experiments.evaluation.record import keep_scores, lines_of
    from experiments.evaluation.telling import tell_trackers
    from experiments.run_folder import RunFolder

    how, count, seed = how_of(flags), flags["count"], flags["seed"]
    candidates = judged(run, every_checkpoint, say)
    folder, found = RunFolder(Path(run)), {}
    if plot:
        check_plots(candidates[-1], folder)
    with meters() as meter:
        judge = Judge(how, [name for name in metrics.split(",") if name], count, seed, say, meter)
        try:
            for each in candidates:
                found[str(each.step)] = scores = judge(each)
                for line in [] if as_json else [f"step {each.step}"] * every_checkpoint + lines_of(scores):
                    click.echo(line)
                if folder.exists:
                    keep_scores(folder, each.step or 0, each.kimg, scores)
        finally:  # what was found is said, even if it cannot be kept
            if as_json and found:
                click.echo(json.dumps(found if every_checkpoint else scores))
        if folder.exists:
            tell_trackers(folder, {each.step or 0: found[str(each.step)] for each in candidates}, say)
        if plot:
            for file in draw(each, judge.trials[0], folder.path, meter):
                say(f"drawn: {file}")


@gans.command("train-classifier")
@click.option("--data", required=True, metavar="SPEC", help="A labelled set of images.")
@click.option("--epochs", type=click.IntRange(min=1), default=3, show_default=True, help="Passes over it.")
@click.option("--name", metavar="NAME", help="For --extractor classifier:NAME; default: that of the data.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the training.")
@click.option("--device", type=SettingType("device"), default="auto", metavar="auto|cpu|cuda|mps")
@click.option("--force", is_flag=True, help="Train again what is there.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@setting_option("download")
@look_options
@setting_option("plugin")
@debug_option
def train_classifier(data: str, force: bool, as_json: bool, debug: bool, **flags: Any) -> None:
    """Trains the extractor classifier:NAME on a labelled set, once, and keeps it with its accuracy."""
    from experiments.evaluation.classifying import Training, classifier_name, keep_classifier
    from experiments.evaluation.samples import open_data_as

    for path in flags["plugin"] or ():
        catalogue.add_plugin(path)
    training = Training(flags["epochs"], flags["seed"], flags["device"])
    images = open_data_as(data, *look_of_flags(flags))
    with meters() as meter:
        name = flags["name"] or classifier_name(data)
        found = keep_classifier(data, images, name, training, force, say, meter)
    click.echo(json.dumps(found) if as_json else f"{found['extractor']} accuracy {found['accuracy']:.4f}")


LABORATORY = (sweep, compare, report, doctor, find_lr, reproduce, sync)
for command in (*COMMANDS, translate, *LABORATORY):
    gans.add_command(command)


def how_of(flags: dict[str, Any]) -> Any:
    """What the flags say about extraction."""
    from experiments.evaluation.extracting import How

    for path in flags["plugin"] or ():
        catalogue.add_plugin(path)
    names = ("extractor", "weights", "resize_rule", "device", "download")
    return How(**{name: flags[name] for name in names})


def comparison(flags: dict[str, Any], meter: Any) -> Any:
    """What opens the sides of a distance, as the flags say."""
    from experiments.evaluation.distance import Comparison

    how = how_of(flags)
    look, reach = look_of_flags(flags)
    return Comparison(how, look, reach, flags["count"], flags["seed"], say, meter)


def look_of_flags(flags: dict[str, Any]) -> tuple[Any, Any]:
    """The form that data is brought to, and how it is come by."""
    from experiments.config import access
    from experiments.evaluation.samples import Look

    look = Look(flags["image_size"], flags["channels"], flags["fit"] or "auto")
    return look, access({name: value for name, value in flags.items() if value is not None})


def main(arguments: list[str] | None = None) -> None:
    """Runs a command. One line for an error; exit status 2 for usage, 1 at run time, 130 interrupted."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        gans.main(arguments, prog_name="gans", standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
        fail("interrupted", 130)
    except Exception as error:
        if "--debug" in arguments:
            traceback.print_exc()
        fail(describe(error), 2 if isinstance(error, click.UsageError | UsageError) else 1)


def fail(line: str, status: int) -> None:
    say(f"gans: {line}")
    sys.exit(status)


if __name__ == "__main__":
    main()
