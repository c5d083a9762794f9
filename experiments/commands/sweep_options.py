"""Search space and evaluation of `gans sweep`: its options, and how they are read."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from experiments.commands.completion import names_of
from experiments.commands.component_completion import option_keys
from experiments.commands.options import collect_settings, read_options
from experiments.core import registry
from experiments.core.errors import UsageError
from experiments.core.named_values import SettingValues
from experiments.core.options import split_key
from experiments.core.settings import Settings

if TYPE_CHECKING:
    from experiments.sweeps.search_space import Sweep
    from experiments.sweeps.worker import Evaluation

Command = TypeVar("Command", bound=Callable[..., Any])

SEARCHES = ("grid", "random", "tpe")
HALVINGS = ("synchronous", "asynchronous")
EVALUATIONS = "the evaluation at the end of each run, and of those every --evaluate-kimg"
HELPS = {  # where those of a single run are not true
    "seed": "First seed; the others of a setting count on from it.",
    "evaluate_metrics": f"Metrics of {EVALUATIONS} (gans list metrics).",
    "evaluate_samples": f"Number of generated samples of {EVALUATIONS}, and largest number of real ones.",
    "evaluate_reference": f"Real samples of {EVALUATIONS}.",
    "extractor": f"Feature extractor of {EVALUATIONS} (gans list extractors).",
}
SEARCH_OPTIONS = (
    click.option(
        "--arch",
        "architectures",
        metavar="NAME,…",
        shell_complete=names_of("architecture"),
        help=f"Architectures; default: {Settings.arch}.",
    ),
    click.option(
        "--loss",
        "losses",
        metavar="NAME,…",
        shell_complete=names_of("loss"),
        help="Losses; default: the architecture's.",
    ),
    click.option(
        "--data",
        "sets",
        metavar="SPEC,…",
        shell_complete=names_of("data"),
        help="Data; default: the architecture's.",
    ),
    click.option(
        "--seeds",
        "count",
        type=click.IntRange(min=1),
        metavar="N",
        default=3,
        show_default=True,
        help="Number of seeds of each setting.",
    ),
    click.option(
        "--set",
        "sets_of",
        multiple=True,
        metavar="NAME=V,…",
        shell_complete=option_keys(settings=True),
        help="Values of a setting or option, such as n_critic=1,5 or arch.mapping_layers=2,8; values that "
        "have commas themselves between semicolons; repeatable.",
    ),
    click.option(
        "--search",
        type=click.Choice(SEARCHES),
        metavar="|".join(SEARCHES),
        help="Settings that are tried: the whole product, random draws, or those that TPE chooses by the "
        'scores so far (Optuna: pip install "gans[optuna]"); default: grid, or random with --random.',
    ),
    click.option(
        "--trials",
        type=click.IntRange(min=1),
        metavar="N",
        help="Number of settings that --search random or tpe tries, each with all its seeds.",
    ),
    click.option("--grid", is_flag=True, help="Run the whole product of the settings: --search grid."),
    click.option(
        "--random",
        "draws",
        type=click.IntRange(min=1),
        metavar="N",
        help="Draw N settings at random: --search random --trials N.",
    ),
    click.option(
        "--log-uniform",
        "ranges",
        multiple=True,
        shell_complete=option_keys(settings=True),
        metavar="NAME=LOW:HIGH",
        help="Range of a setting, drawn on a log scale; repeatable.",
    ),
    click.option(
        "--uniform",
        "linear_ranges",
        multiple=True,
        shell_complete=option_keys(settings=True),
        metavar="NAME=LOW:HIGH",
        help="Range of a setting, drawn on a linear scale; repeatable.",
    ),
    click.option(
        "--refine",
        type=click.IntRange(min=1),
        metavar="TOP",
        help="Add a finer search around the TOP best settings.",
    ),
    click.option(
        "--early-stop",
        metavar="METRIC",
        shell_complete=names_of("metric"),
        help="Successive halving: train all runs a little, and go on with the better half by this score.",
    ),
    click.option(
        "--halving",
        type=click.Choice(HALVINGS),
        metavar="|".join(HALVINGS),
        help="With --early-stop: runs wait for each other at each rung, or each goes on at once if it is in "
        "the better half of those that were there (ASHA, by Optuna); default: synchronous, and asynchronous "
        "for --search tpe.",
    ),
    click.option(
        "--metric",
        metavar="NAME",
        shell_complete=names_of("metric"),
        help="Score by which runs are compared, and --refine and --search tpe choose; default: that of "
        "--early-stop, else the first that all runs have.",
    ),
)


def search_options(command: Command) -> Command:
    """Adds the options for the search space of a sweep, and for the order in which it is searched."""
    for option in reversed(SEARCH_OPTIONS):
        command = option(command)
    return command


def read_sweep(flags: SettingValues) -> "Sweep":
    """Reads the search space of a sweep from the flags. Raises UsageError where flags clash."""
    from experiments.config.files import read_config
    from experiments.sweeps.search_space import Sweep, normalize_setting_name, read_choices, read_range

    search, draws = read_search(flags)
    read = [read_range(text) for text in flags["ranges"]]
    read += [read_range(text, is_log=False) for text in flags["linear_ranges"]]
    ranges = dict(read)
    if len(ranges) < len(read):
        raise UsageError("--log-uniform and --uniform: give one range of each setting")
    if ranges and draws is None:
        word = "--log-uniform" if flags["ranges"] else "--uniform"
        raise UsageError(f"{word} has no end; say how many to draw with --random N")
    check_choice_of_best(flags, search, bool(ranges))
    words = {"arch": flags["architectures"], "loss": flags["losses"], "data": flags["sets"]}
    choices = {name: read_choices(name, text) for name, text in words.items() if text}
    of_evaluation = [text for text in flags["sets_of"] if is_of_evaluation(text)]

    def vary(text: str) -> None:
        name, equals, values = text.partition("=")
        if not equals:
            raise UsageError(f"--set {text}: give SETTING=VALUE,…")
        own = normalize_setting_name(name, "--set")
        if own in (*choices, *ranges, "seed"):
            raise UsageError(f"--set {name}: it is given already; seeds are --seeds")
        choices[own] = read_choices(own, values)

    for text in flags["sets_of"]:
        if text not in of_evaluation:
            vary(text)
    base, strengths = collect_settings(flags)
    file = read_config(flags["config"]) if flags["config"] else {}
    known = Sweep(choices, (), ranges, base=base, file=file)
    if known.evaluates_on_the_way or not flags["evaluates"]:
        for text in of_evaluation:
            vary(text)
    first = base.pop("seed", 0)
    if twice := [name for name in base if name in (*choices, *ranges)]:
        raise UsageError(f"--set {twice[0]} and its flag exclude each other; give one")
    if not known.evaluates_on_the_way:  # then these say how runs are evaluated at their end
        for name in ("evaluate_metrics", "evaluate_samples", "evaluate_reference", "extractor"):
            base.pop(name, None)
    seeds = range(first, first + flags["count"])
    return Sweep(choices, seeds, ranges, draws, base, strengths, file, is_tpe=search == "tpe")


def read_search(flags: SettingValues) -> tuple[str, int | None]:
    """Reads how settings are searched, and the number of them; None for the whole product.

    Raises UsageError where flags clash.
    """
    draws, trials = flags["draws"], flags["trials"]
    search = flags["search"] or ("random" if draws else "grid")
    if flags["grid"] and draws:
        raise UsageError("--grid and --random exclude each other; give one")
    if flags["grid"] and search != "grid":
        raise UsageError(f"--grid and --search {search} exclude each other; give one")
    if draws and (search != "random" or trials):
        raise UsageError(
            f"--random {draws} is --search random --trials {draws}; give one number and one search"
        )
    if search == "grid":
        if trials:
            raise UsageError("--trials is the number of draws, and the product has none; add --search random")
        return search, None
    if not (draws or trials):
        raise UsageError(f"--search {search} has no end; say how many settings to try with --trials N")
    return search, draws or trials


def check_choice_of_best(flags: SettingValues, search: str, has_ranges: bool) -> None:
    """Checks the flags by which a sweep chooses the best settings. Raises UsageError where they clash."""
    if flags["refine"] and search == "tpe":
        raise UsageError("--refine and --search tpe exclude each other; give one")
    if flags["refine"] and not has_ranges:
        raise UsageError("--refine narrows ranges; give --random N and --log-uniform")
    if flags["refine"] and flags["early_stop"]:
        raise UsageError("--refine and --early-stop exclude each other; give one")
    if flags["halving"] and not flags["early_stop"]:
        raise UsageError(f"--halving {flags['halving']} needs a score; name one with --early-stop METRIC")
    if flags["halving"] == "synchronous" and search == "tpe":
        raise UsageError("--search tpe tries settings one after another; take --halving asynchronous")
    chooses = search == "tpe" or any(flags[name] for name in ("refine", "early_stop", "metric"))
    if not flags["evaluates"] and chooses:
        raise UsageError("--no-evaluate leaves nothing to choose the best by; leave it out")


def is_adaptive(flags: SettingValues, plan: "Sweep") -> bool:
    """Whether what runs next depends on the scores of single runs, as for TPE and asynchronous halving."""
    return plan.is_tpe or flags["halving"] == "asynchronous"


def check_optuna(flags: SettingValues, plan: "Sweep") -> None:
    """Checks that Optuna is there for a sweep that needs it. Raises UsageError otherwise."""
    from experiments.sweeps.optuna_rules import import_optuna

    if is_adaptive(flags, plan):
        import_optuna("--search tpe" if plan.is_tpe else "--halving asynchronous")


def evaluation_of(flags: SettingValues, plan: "Sweep") -> "Evaluation":
    """Evaluation of the sweep runs at their end, from the flags."""
    from experiments.sweeps.worker import Evaluation

    count = flags["evaluate_samples"] or Settings.evaluate_samples
    count = count if flags["evaluates"] else 0
    options = read_options(filter(is_of_evaluation, flags["sets_of"]))
    # With several values they are settings that vary, of the evaluations on the way.
    options = {key: value for key, value in options.items() if len(plan.choices.get(key, ())) < 2}
    metrics, reference = flags["evaluate_metrics"] or (), flags["evaluate_reference"]
    return Evaluation(metrics, count, flags["extractor"], reference, options)


def is_of_evaluation(text: str) -> bool:
    """Whether words `KEY=VALUE` set an option of a metric or of the feature extractor."""
    key = text.partition("=")[0]
    prefix, _ = split_key(key)
    return "." in key and (prefix == "extractor" or prefix in registry.names("metric"))
