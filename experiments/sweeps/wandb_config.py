"""Export of a sweep to W&B's sweeps, whose agents call `gans run` on any number of machines."""

from pathlib import Path
from typing import Any

from experiments.analysis.comparison.score_choice import direction
from experiments.core.errors import UsageError
from experiments.core.named_values import SettingValues
from experiments.core.settings import flag
from experiments.core.value_format import format_value
from experiments.runs.scores import distance_name
from experiments.sweeps.search_space import Range, Sweep
from experiments.sweeps.worker import Evaluation

AT_THE_END = 1e9  # kimg between evaluations: longer than any run, whose last step is evaluated in any case


def wandb_config(
    sweep: Sweep, file: Path | None, metric: str | None, evaluation: Evaluation
) -> SettingValues:
    """Converts a sweep to the config that `wandb sweep FILE` reads.

    Seeds are values like others; every parameter is a flag of `gans run`.

    Args:
        file: config file from which the sweep has settings; agents read it too.
        metric: score by which W&B compares the runs.
        evaluation: of every run at its end, unless the sweep's settings say when.

    Raises UsageError for a metric without a direction.
    """
    base = {**sweep.base, **sweep.strengths}
    if evaluation.count and not sweep.evaluates_on_the_way:
        base |= {"evaluate_kimg": AT_THE_END, "evaluate_samples": evaluation.count}
        base |= {"evaluate_metrics": evaluation.metrics} if evaluation.metrics else {}
        base |= {"extractor": evaluation.extractor} if evaluation.extractor else {}
        base |= {"evaluate_reference": evaluation.reference} if evaluation.reference else {}
        base |= evaluation.options
    parameters: dict[str, Any] = dict(_fixed(name, value) for name, value in base.items())
    if file is not None:
        parameters["config"] = {"value": str(file)}
    parameters |= {
        _flag(name): {"values": [_word(name, value) for value in values]}
        for name, values in sweep.choices.items()
    }
    parameters |= {_flag(name): _distribution(own) for name, own in sweep.ranges.items()}
    parameters["seed"] = {"values": list(sweep.seeds)}
    if "track" not in sweep.file:
        parameters.setdefault("track", {"value": "wandb"})
    config: dict[str, Any] = {
        "program": "gans",
        "method": "grid" if sweep.draws is None else "random",
        "parameters": parameters,
        # Not ${program}, which agents look for as a file of the current folder.
        "command": ["gans", "run", "${args_no_boolean_flags}"],
    }
    if metric is not None:
        better = direction(metric, {"distance": metric} if metric.startswith("fd-") else {})
        if better is None:
            raise UsageError(
                f"--metric {metric} is not one number with a direction, which W&B needs; "
                "take one such as fid or modes/covered"
            )
        name = metric
        if evaluation.extractor not in (None, "inception"):  # the name under which runs log it
            name = distance_name(metric, f"fd-{evaluation.extractor}")
        config["metric"] = {"name": f"metric/{name}", "goal": "maximize" if better else "minimize"}
    if sweep.draws is not None:
        config["run_cap"] = sweep.draws * len(sweep.seeds)
    return config


def _flag(name: str) -> str:
    """Flag of a setting or key of an option, as a parameter of the config."""
    return name if "." in name else flag(name).removeprefix("--")


def _fixed(name: str, value: object) -> tuple[str, dict[str, Any]]:
    """Parameter with one value. Agents leave out what is false, which a config file may have as true."""
    if value is False:
        return f"no-{_flag(name)}", {"value": True}
    return _flag(name), {"value": _word(name, value)}


def _word(name: str, value: object) -> Any:
    """Value of a setting in the words of its flag."""
    if value == ():
        return ""
    return format_value(value, name) if isinstance(value, tuple) else value


def _distribution(own: Range) -> SettingValues:
    """Distribution from which W&B draws a number of this range."""
    ends = {"min": own.low, "max": own.high}
    if own.is_log:
        return (
            {"distribution": "q_log_uniform_values", **ends, "q": 1}
            if own.is_whole
            else {"distribution": "log_uniform_values", **ends}
        )
    return {"distribution": "int_uniform" if own.is_whole else "uniform", **ends}
