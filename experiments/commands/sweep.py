"""Command `gans sweep`: parse, call, print. Nothing heavy is imported at the top."""

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from experiments.commands.options import (
    OptionsCommand,
    WordOption,
    config_option,
    debug_option,
    jobs_option,
    json_option,
    settings_options,
)
from experiments.commands.sweep_options import (
    HELPS,
    check_optuna,
    evaluation_of,
    is_adaptive,
    read_sweep,
    search_options,
)
from experiments.core.console import format_json, output_width
from experiments.core.errors import RunError, UsageError
from experiments.core.named_values import SettingValues

log = logging.getLogger("gans")

if TYPE_CHECKING:
    from experiments.sweeps.context import SweepContext
    from experiments.sweeps.engines import Engine
    from experiments.sweeps.search_space import Sweep, SweepRun

MOST_THREADS = 2**16  # of a run; more in a file are no number that this program has written
SWEEP_FILE = "sweep.json"
MOST_SWEEP_BYTES = 2**16  # of that file
ENGINES = ("local", "ray")


@click.command(cls=OptionsCommand)
@search_options
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
@config_option
@click.option(
    "--evaluate/--no-evaluate",
    "evaluates",
    default=True,
    cls=WordOption,
    help="Evaluate every run at its end.",
)
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

    \b
    gans sweep --arch dcgan --loss bce,hinge,wgan-gp --seeds 3
    gans sweep --loss wgan-gp --set n_critic=1,5 --random 4 --log-uniform lr_generator=1e-5:1e-3

    The same command again goes on where it was interrupted.
    """
    from experiments.sweeps.checks import check_scored_alike, check_sweep_runs
    from experiments.sweeps.context import SweepContext

    plan = read_sweep(flags)
    if wandb_config:
        print_wandb_config(plan, flags, as_json)
        return
    out = flags["out"] or Path("runs") / f"sweep-{plan.digest}"
    context = SweepContext(out.absolute(), plan, evaluation_of(flags, plan), processes=flags["processes"])
    if flags["early_stop"]:
        check_scored_alike(context)
    asked = [name for name in (flags["early_stop"], flags["metric"]) if name]
    check_optuna(flags, plan)
    known = plan.sample_runs() if plan.is_tpe else plan.sweep_runs()
    lengths = check_sweep_runs(context, known, flags["skip_impossible"], asked)
    sweep_runs = [sweep_run for sweep_run in known if sweep_run.name in lengths]
    if dry_run:
        check_sweep_folder(out)
        print_members(plan, sweep_runs, as_json)
        if not plan.is_tpe:
            runs, total = len(lengths), sum(lengths.values())
            log.info(
                f"{runs} run{'s' * (runs > 1)}, {total:,.6g} kimg in all; gans plan tells the time of one"
            )
        return
    engine = make_engine(flags, out, plan)
    from experiments.runs.folder import lock_folder
    from experiments.sweeps.progress import SweepProgress

    count = (plan.draws or 0) * len(plan.seeds) if plan.is_tpe else len(sweep_runs)
    log.info(f"gans sweep: {count} run{'s' * (count > 1)} in {out}, {engine.jobs} at once")
    whole = {} if flags["early_stop"] else lengths  # else most runs end earlier
    with lock_folder(out, "sweep"), SweepProgress(context.out, context.evaluation.count > 0, whole) as board:
        context = replace(context, engine=engine, show=board.show)
        sweep_runs, ended = run_stages(context, sweep_runs, lengths, flags)
    print_comparison(context, sweep_runs, ended, out, flags["metric"] or flags["early_stop"], as_json)


def print_members(plan: "Sweep", sweep_runs: "list[SweepRun]", as_json: bool) -> None:
    """Prints the names of a sweep's runs; of a search by TPE those of the draws with which it begins."""
    if plan.is_tpe:
        from experiments.sweeps.optuna_rules import DRAWS_FIRST

        count = plan.draws or 0
        sweep_runs = plan.runs_of(plan.draw(number) for number in range(min(count, DRAWS_FIRST)))
        if count > DRAWS_FIRST:
            log.info(f"the first {DRAWS_FIRST} of {count} trials; the others follow from their scores")
    names = [sweep_run.name for sweep_run in sweep_runs]
    for line in [format_json({"members": names})] if as_json else names:
        click.echo(line)


def make_engine(flags: SettingValues, out: Path, plan: "Sweep") -> "Engine":
    """Makes the engine that executes a sweep's runs: local processes, or a Ray cluster.

    A sweep that is resumed in `out` keeps its number of threads per run.
    """
    from experiments.core.device import resolve_device
    from experiments.sweeps.devices import check_processes, gpus_to_share
    from experiments.sweeps.engines import LocalEngine, RayEngine, default_jobs

    processes, has_own_devices = flags["processes"], "device" in plan.choices
    if has_own_devices and processes > 1:
        raise UsageError(f"--devices-per-run {processes} and --set device exclude each other; give one")
    device = resolve_device({**plan.file, **plan.base}.get("device", "auto"))
    check_processes(device, processes)
    if flags["engine"] == "ray":  # whose nodes may have fewer cores than this machine
        threads = threads_of_sweep(out, (flags["jobs"] or default_jobs("cpu")) * processes)
        return RayEngine(flags["jobs"], threads, processes * device.startswith("cuda"), processes)
    gpus = [] if has_own_devices else gpus_to_share(device, processes)
    jobs = flags["jobs"] or default_jobs(device, gpus, processes)
    return LocalEngine(jobs, threads_of_sweep(out, jobs * processes), gpus)


def check_sweep_folder(out: Path) -> None:
    """Checks that a folder is that of a sweep, or free for one. Raises UsageError otherwise."""
    from experiments.core.files import is_leftover

    if (out / SWEEP_FILE).is_file() or not out.exists():
        return
    if not out.is_dir() or not all(is_leftover(entry.name) for entry in out.iterdir()):
        raise UsageError(f"{out} is not the folder of a sweep and not empty; take another --out")


def threads_of_sweep(out: Path, jobs: int) -> int:
    """Number of threads of each run, which `sweep.json` keeps.

    Sums of floating-point numbers depend on it, so that a sweep that goes on has as many as it began with.
    """
    from experiments.core.files import write_atomically
    from experiments.sweeps.engines import threads_per_job

    file = out / SWEEP_FILE
    if (kept := _kept_threads(file)) is not None:
        return kept
    threads = threads_per_job(jobs)
    check_sweep_folder(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_atomically(file, json.dumps({"format": 1, "threads": threads}).encode())
    except OSError as error:
        raise RunError(f"cannot make {out}: {error.strerror or error}; take another --out") from error
    return threads


def _kept_threads(file: Path) -> int | None:
    """Reads the number of threads that a sweep began with; None without its file.

    Raises UsageError for a file that is none of a sweep.
    """
    from experiments.core.files import parse_json, read_regular_file

    try:
        kept = parse_json(read_regular_file(file, MOST_SWEEP_BYTES))["threads"]
        if not (type(kept) is int and 1 <= kept <= MOST_THREADS):
            raise ValueError(f"{kept} threads")
        return kept
    except (FileNotFoundError, NotADirectoryError):
        return None
    except RunError as error:  # a link, a pipe, or far too much
        raise UsageError(f"{error}; or take another --out") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{file} cannot be read; take another --out") from error


def run_stages(
    context: "SweepContext", sweep_runs: "list[SweepRun]", kimg: dict[str, float], flags: dict[str, Any]
) -> "tuple[list[SweepRun], list[SweepRun]]":
    """Runs all stages of a sweep; returns all its runs, and those that were to go to their end."""
    from experiments.sweeps.search import run_search
    from experiments.sweeps.stages import run_finer_search, successive_halving, train_all

    if is_adaptive(flags, context.sweep):
        metric = flags["early_stop"] or flags["metric"]
        return run_search(context, sweep_runs, metric, bool(flags["early_stop"]))
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
            lines, result["comparison"] = format_comparison(found, output_width()), to_json(found)
        except UsageError as error:  # the runs are there all the same
            log.info(f"not compared: {error}")
    for line in [format_json(result)] if as_json else [*lines, str(out)]:
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

    if plan.is_tpe:
        raise UsageError(
            "--search tpe with --wandb-config: W&B's agents draw at random; take --search random"
        )
    for name in ("early_stop", "refine", "skip_impossible"):
        if flags[name]:
            word = "--" + name.replace("_", "-")
            raise UsageError(
                f"{word} with --wandb-config: W&B's agents train all runs to their end; leave it out"
            )
    config = wandb_config(plan, flags["config"], flags["metric"], evaluation_of(flags, plan))
    click.echo(format_json(config) if as_json else yaml.safe_dump(config, sort_keys=False).rstrip())
