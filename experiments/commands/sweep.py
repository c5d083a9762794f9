"""Command `gans sweep`: parse, call, print. Nothing heavy is imported at the top."""

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from experiments.commands.options import (
    OptionsCommand,
    collect_settings,
    debug_option,
    jobs_option,
    json_option,
    settings_options,
)
from experiments.core.errors import RunError, UsageError
from experiments.core.named_values import SettingValues
from experiments.core.settings import Settings

log = logging.getLogger("gans")

if TYPE_CHECKING:
    from experiments.sweeps.engines import Engine
    from experiments.sweeps.search_space import Sweep, SweepRun
    from experiments.sweeps.stages import SweepContext
    from experiments.sweeps.worker import Evaluation

MOST_THREADS = 2**16  # of a run; more in a file are no number that this program has written
MOST_SWEEP_BYTES = 2**16  # of sweep.json
ENGINES = ("local", "ray")
EVALUATIONS = "the evaluation at the end of each run, and of those every --evaluate-kimg"
HELPS = {  # where those of a single run are not true
    "seed": "First seed; the others of a setting count on from it; default: 0.",
    "evaluate_metrics": f"Metrics of {EVALUATIONS} (gans list metrics); default: those of gans evaluate.",
    "evaluate_samples": f"Number of generated samples of {EVALUATIONS}, and largest number of real ones.",
    "evaluate_reference": f"Real samples of {EVALUATIONS}; default: those that gans evaluate takes.",
    "extractor": f"Feature extractor of {EVALUATIONS} (gans list extractors); default: the best whose "
    "weights are here.",
}


@click.command(cls=OptionsCommand, short_help="Train and compare many runs, each with several seeds.")
@click.option("--arch", "architectures", metavar="NAME,…", help=f"Architectures; default: {Settings.arch}.")
@click.option("--loss", "losses", metavar="NAME,…", help="Losses; default: the architecture's.")
@click.option("--data", "sets", metavar="SPEC,…", help="Data; default: the architecture's.")
@click.option(
    "--seeds",
    "count",
    type=click.IntRange(min=1),
    metavar="N",
    default=3,
    show_default=True,
    help="Number of seeds of each setting.",
)
@click.option(
    "--set",
    "sets_of",
    multiple=True,
    metavar="NAME=V,…",
    help="Values of a setting or option, such as n_critic=1,5 or arch.mapping_layers=2,8; values that have "
    "commas themselves between semicolons; repeatable.",
)
@click.option("--grid", is_flag=True, help="Run the whole product of the settings, as without --random.")
@click.option(
    "--random",
    "draws",
    type=click.IntRange(min=1),
    metavar="N",
    help="Draw N settings at random, instead of the product.",
)
@click.option(
    "--log-uniform",
    "ranges",
    multiple=True,
    metavar="NAME=LOW:HIGH",
    help="Range of a setting, drawn on a log scale; repeatable.",
)
@click.option(
    "--refine",
    type=click.IntRange(min=1),
    metavar="TOP",
    help="Add a finer search around the TOP best settings.",
)
@click.option(
    "--early-stop",
    metavar="METRIC",
    help="Successive halving: train all runs a little, and go on with the better half by this score.",
)
@click.option(
    "--metric",
    metavar="NAME",
    help="Score by which runs are compared, and --refine chooses the best; default: that of --early-stop, "
    "else the first that all runs have.",
)
@jobs_option
@click.option(
    "--devices-per-run",
    "processes",
    type=click.IntRange(min=1),
    metavar="N",
    default=1,
    show_default=True,
    help="Number of processes that train each run together, each on a GPU of its own, or on CPUs.",
)
@click.option(
    "--engine",
    type=click.Choice(ENGINES),
    default="local",
    show_default=True,
    help="Engine that starts the runs: on this machine, or on a Ray cluster.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the sweep; default: runs/sweep-….",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Settings from a JSON, YAML or TOML file.",
)
@click.option("--evaluate/--no-evaluate", "evaluates", default=True, help="Evaluate every run at its end.")
@click.option("--skip-impossible", is_flag=True, help="Leave out impossible sweep runs.")
@click.option("--dry-run", is_flag=True, help="List the sweep runs without training.")
@click.option(
    "--wandb-config", is_flag=True, help="Print the sweep as a file for wandb sweep, without training."
)
@json_option
@settings_options("arch", "loss", "data", "set", helps=HELPS)
@debug_option
def sweep(as_json: bool, debug: bool, dry_run: bool, wandb_config: bool, **flags: Any) -> None:
    """Train and compare many runs: a product of settings or random draws, with several seeds each.

    The same command again goes on where it was interrupted.
    """
    from experiments.sweeps.stages import SweepContext, check_sweep_runs

    plan = read_sweep(flags)
    if wandb_config:
        print_wandb_config(plan, flags, as_json)
        return
    out = flags["out"] or Path("runs") / f"sweep-{plan.digest}"
    context = SweepContext(out.absolute(), plan, evaluation_of(flags), processes=flags["processes"])
    asked = [name for name in (flags["early_stop"], flags["metric"]) if name]
    lengths = check_sweep_runs(context, plan.sweep_runs(), flags["skip_impossible"], asked)
    sweep_runs = [sweep_run for sweep_run in plan.sweep_runs() if sweep_run.name in lengths]
    if dry_run:
        names = [sweep_run.name for sweep_run in sweep_runs]
        for line in [json.dumps({"members": names})] if as_json else names:
            click.echo(line)
        return
    engine = make_engine(flags, out, plan)
    from experiments.runs.folder import lock_folder
    from experiments.sweeps.progress import SweepProgress

    log.info(f"gans sweep: {len(sweep_runs)} runs in {out}, {engine.jobs} at once")
    with lock_folder(out, "sweep"), SweepProgress(context.out) as board:
        context = replace(context, engine=engine, show=board.show)
        sweep_runs, ended = run_stages(context, sweep_runs, lengths, flags)
    print_comparison(context, sweep_runs, ended, out, flags["metric"] or flags["early_stop"], as_json)


def read_sweep(flags: SettingValues) -> "Sweep":
    """Reads the search space of a sweep from the flags. Raises UsageError where flags clash."""
    from experiments.config.files import read_config
    from experiments.sweeps.search_space import Sweep, normalize_setting_name, read_choices, read_range

    draws = flags["draws"]
    if flags["grid"] and draws:
        raise UsageError("--grid and --random exclude each other; give one")
    ranges = dict(read_range(text) for text in flags["ranges"])
    if ranges and draws is None:
        raise UsageError("--log-uniform has no end; say how many to draw with --random N")
    if flags["refine"] and not ranges:
        raise UsageError("--refine narrows ranges; give --random N and --log-uniform")
    if flags["refine"] and flags["early_stop"]:
        raise UsageError("--refine and --early-stop exclude each other; give one")
    if not flags["evaluates"] and (flags["refine"] or flags["early_stop"] or flags["metric"]):
        raise UsageError("--no-evaluate leaves nothing to choose the best by; leave it out")
    words = {"arch": flags["architectures"], "loss": flags["losses"], "data": flags["sets"]}
    choices = {name: read_choices(name, text) for name, text in words.items() if text}
    for text in flags["sets_of"]:
        name, equals, values = text.partition("=")
        if not equals:
            raise UsageError(f"--set {text}: give SETTING=VALUE,…")
        own = normalize_setting_name(name, "--set")
        if own in (*choices, *ranges, "seed"):
            raise UsageError(f"--set {name}: it is given already; seeds are --seeds")
        choices[own] = read_choices(own, values)
    base, strengths = collect_settings(flags)
    first = base.pop("seed", 0)
    if twice := [name for name in base if name in (*choices, *ranges)]:
        raise UsageError(f"--set {twice[0]} and its flag exclude each other; give one")
    if base.get("evaluate_kimg") is None:  # then these say how runs are evaluated at their end
        for name in ("evaluate_metrics", "evaluate_samples", "evaluate_reference", "extractor"):
            base.pop(name, None)
    file = read_config(flags["config"]) if flags["config"] else {}
    return Sweep(choices, range(first, first + flags["count"]), ranges, draws, base, strengths, file)


def evaluation_of(flags: SettingValues) -> "Evaluation":
    """Evaluation of the sweep runs, from the flags."""
    from experiments.sweeps.worker import Evaluation

    count = flags["evaluate_samples"] or Settings.evaluate_samples
    count = count if flags["evaluates"] else 0
    return Evaluation(flags["evaluate_metrics"] or (), count, flags["extractor"], flags["evaluate_reference"])


def make_engine(flags: SettingValues, out: Path, plan: "Sweep") -> "Engine":
    """Makes the engine that executes a sweep's runs: local processes, or a Ray cluster.

    A sweep that is resumed in `out` keeps its number of threads per run.
    """
    from experiments.core.device import resolve_device
    from experiments.sweeps.devices import gpus_to_share
    from experiments.sweeps.engines import LocalEngine, RayEngine, default_jobs

    processes = flags["processes"]
    device = resolve_device({**plan.file, **plan.base}.get("device", "auto"))
    if flags["engine"] == "ray":  # whose nodes may have fewer cores than this machine
        threads = threads_of_sweep(out, (flags["jobs"] or default_jobs("cpu")) * processes)
        return RayEngine(flags["jobs"], threads, processes * device.startswith("cuda"), processes)
    gpus = [] if "device" in plan.choices else gpus_to_share(device, processes)
    jobs = flags["jobs"] or default_jobs(device, gpus, processes)
    return LocalEngine(jobs, threads_of_sweep(out, jobs * processes), gpus)


def threads_of_sweep(out: Path, jobs: int) -> int:
    """Number of threads of each run, which `sweep.json` keeps.

    Sums of floating-point numbers depend on it, so that a sweep that goes on has as many as it began with.
    """
    from experiments.core.files import parse_json, read_regular_file, write_atomically

    file = out / "sweep.json"
    try:
        kept = parse_json(read_regular_file(file, MOST_SWEEP_BYTES))["threads"]
        if not (type(kept) is int and 1 <= kept <= MOST_THREADS):
            raise ValueError(f"{kept} threads")
        return kept
    except (FileNotFoundError, NotADirectoryError):
        pass
    except RunError as error:  # a link, a pipe, or far too much
        raise UsageError(f"{error}; or take another --out") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{file} cannot be read; take another --out") from error
    from experiments.sweeps.engines import threads_per_job

    threads = threads_per_job(jobs)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is not the folder of a sweep and not empty; take another --out")
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_atomically(file, json.dumps({"format": 1, "threads": threads}).encode())
    except OSError as error:
        raise RunError(f"cannot make {out}: {error.strerror or error}; take another --out") from error
    return threads


def run_stages(
    context: "SweepContext", sweep_runs: "list[SweepRun]", kimg: dict[str, float], flags: dict[str, Any]
) -> "tuple[list[SweepRun], list[SweepRun]]":
    """Runs all stages of a sweep; returns all its runs, and those that were to go to their end."""
    from experiments.sweeps.stages import run_finer_search, successive_halving, train_all

    if flags["early_stop"]:
        return sweep_runs, successive_halving(context, sweep_runs, flags["early_stop"], kimg)
    train_all(context, sweep_runs)
    if flags["refine"]:
        sweep_runs = sweep_runs + run_finer_search(context, sweep_runs, flags["refine"], flags["metric"])
    return sweep_runs, sweep_runs


def print_comparison(
    context: "SweepContext",
    sweep_runs: "list[SweepRun]",
    ended: "list[SweepRun]",
    out: Path,
    metric: str | None,
    as_json: bool,
) -> None:
    """Prints the comparison of the runs that went to their end.

    Raises RunError where any run failed.
    """
    from experiments.analysis.comparison.terminal_table import compare, format_comparison, to_json

    folders = [context.folder(sweep_run) for sweep_run in sweep_runs]
    failed = [folder for folder in folders if folder.state.startswith("failed")]
    result: dict[str, Any] = {"folder": str(out)}
    result["members"] = [{"folder": str(folder.path), "state": folder.state} for folder in folders]
    lines: list[str] = []
    if context.evaluation.count and len(failed) < len(folders):
        try:
            found = compare([context.record(sweep_run) for sweep_run in ended], metric)
            lines, result["comparison"] = format_comparison(found), to_json(found)
        except UsageError as error:  # the runs are there all the same
            log.info(f"not compared: {error}")
    for line in [json.dumps(result)] if as_json else [*lines, str(out)]:
        click.echo(line)
    if failed:
        first = f"{failed[0].path.name} {failed[0].state}"
        raise RunError(
            f"{len(failed)} of {len(folders)} sweep runs failed ({first}); the same command tries again"
        )


def print_wandb_config(plan: "Sweep", flags: SettingValues, as_json: bool) -> None:
    """Prints a sweep as a file for `wandb sweep`. Raises UsageError for flags that agents cannot follow."""
    import yaml  # type: ignore[import-untyped]

    from experiments.sweeps.wandb_config import wandb_config

    for name in ("early_stop", "refine", "skip_impossible"):
        if flags[name]:
            word = "--" + name.replace("_", "-")
            raise UsageError(
                f"{word} with --wandb-config: W&B's agents train all runs to their end; leave it out"
            )
    config = wandb_config(plan, flags["config"], flags["metric"], evaluation_of(flags))
    click.echo(json.dumps(config) if as_json else yaml.safe_dump(config, sort_keys=False).rstrip())
