"""A GAN laboratory; every file beside this one is an architecture (`--arch NAME`).

`gans.load`, `gans.train`, `gans.evaluate` and `gans.fid` are the commands as functions, `gans.Adversary` is a
critic for a loop of your own; `gans.loss`, `gans.penalty` and `gans.metric` are the parts by name, and
`gans.AdversarialObjective` the losses of both players for any critic.
"""

import importlib
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

OFFERED = {
    "load": "experiments.api",
    "train": "experiments.api",
    "evaluate": "experiments.api",
    "fid": "experiments.api",
    "loss": "experiments.api",
    "penalty": "experiments.api",
    "metric": "experiments.api",
    "TrainedGenerator": "experiments.api",
    "Run": "experiments.api",
    "UsageError": "experiments.core.errors",
    "RunError": "experiments.core.errors",
    "load_plugin": "experiments.core.registry:load",
    "Adversary": "experiments.config.adversary",
    "AdversarialObjective": "gans.core.objective",
    "Batch": "gans.core.networks",
    "Clock": "gans.core.clock",
    "GradientPenalty": "losses.core.gradient_penalty",
}
ROOMS = ("experiments", "losses", "metrics")
HOME = Path(__file__).resolve().parent.parent
__all__ = sorted(OFFERED)


def __getattr__(name: str) -> Any:
    """Imports an offered name when it is first used."""
    if name not in OFFERED:
        raise AttributeError(f"module 'gans' has no attribute {name!r}; it offers {', '.join(__all__)}")
    for room in ROOMS:
        _refuse_stranger(room)
    module, _, own = OFFERED[name].partition(":")
    return getattr(importlib.import_module(module), own or name)


def __dir__() -> list[str]:
    return __all__


def _refuse_stranger(room: str) -> None:
    """Checks that no file of the user's hides a package of this laboratory; raises ImportError."""
    spec = sys.modules[room].__spec__ if room in sys.modules else find_spec(room)
    file = Path(spec.origin).resolve() if spec is not None and spec.origin else None
    if file is not None and file != HOME / room / "__init__.py":
        raise ImportError(f"{file} hides the package {room} of gans: rename that file, and import gans anew")
