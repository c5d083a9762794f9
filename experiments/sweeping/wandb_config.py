"""The same sweep as a file of W&B's, whose agents call `gans run` on any number of machines."""

from collections.abc import Mapping
from typing import Any

from experiments.errors import UsageError
from experiments.plan import show
from experiments.settings import flag
from experiments.sweeping.plan import Range, Sweep


def wandb_config(sweep: Sweep, metric: str | None, is_better_higher: bool) -> dict[str, Any]:
    """What `wandb sweep FILE` reads. Seeds are values like others; every parameter is a flag of `gans run`.

    Raises UsageError for regularizers given by name, which W&B's agents cannot pass on.
    """
    if sweep.strengths:
        name, strength = next(iter(sweep.strengths.items()))
        raise UsageError(
            f"--{name} {strength:g} with --wandb-config: give it as --regularizers {name}={strength:g}"
        )
    parameters: dict[str, Any] = {_flag(name): {"value": _word(value)} for name, value in sweep.base.items()}
    parameters |= {
        _flag(name): {"values": [_word(value) for value in values]} for name, values in sweep.choices.items()
    }
    parameters |= {_flag(name): _distribution(own) for name, own in sweep.ranges.items()}
    parameters["seed"] = {"values": list(sweep.seeds)}
    parameters.setdefault("track", {"value": "wandb"})
    config: dict[str, Any] = {
        "program": "gans",
        "method": "grid" if sweep.draws is None else "random",
        "parameters": parameters,
        # Not ${program}, which agents look for as a file of the current folder.
        "command": ["gans", "run", "${args_no_boolean_flags}"],
    }
    if metric is not None:
        goal = "maximize" if is_better_higher else "minimize"
        config["metric"] = {"name": f"metric/{metric}", "goal": goal}
    if sweep.draws is not None:
        config["run_cap"] = sweep.draws * len(sweep.seeds)
    return config


def _flag(name: str) -> str:
    return flag(name).removeprefix("--")


def _word(value: Any) -> Any:
    """As the flag takes it."""
    return show(value) if isinstance(value, tuple) else value


def _distribution(own: Range) -> Mapping[str, Any]:
    return {"distribution": "log_uniform_values", "min": own.low, "max": own.high}
