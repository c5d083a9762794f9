"""Commands by heading, in the order of use, each with its line of help and imported when it is asked for."""

from collections.abc import Iterator, Mapping
from importlib import import_module

import click

COMMANDS: dict[str, dict[str, str]] = {
    "Train": {
        "run": "Train a generator and a critic.",
        "plan": "Tell what a run will need, and what fits.",
        "find-lr": "Suggest both learning rates by a range test.",
        "list": "List architectures, losses, data and others.",
    },
    "Look": {
        "info": "Tell what a run or a file is.",
        "sample": "Draw samples as pictures or an array.",
        "explore": "Move samples by hand, in the browser.",
        "doctor": "Diagnose a run: faults and their remedies.",
    },
    "Judge": {
        "evaluate": "Score a generator against its data.",
        "fid": "Compute the Fréchet distance of two sets.",
        "stats": "Write feature statistics for gans fid.",
        "audit": "Look for copied data and lost modes.",
        "train-classifier": "Train an extractor on labelled images.",
    },
    "Compare": {
        "sweep": "Train many runs with several seeds each.",
        "compare": "Compare settings by a score over the seeds.",
        "report": "Write an HTML report of runs.",
        "reproduce": "Repeat a published row and check its number.",
        "sync": "Upload what W&B wrote offline.",
    },
    "Latent space": {
        "interpolate": "Interpolate samples, as a film or a grid.",
        "traverse": "Change one latent dimension at a time.",
        "directions": "Find directions that change samples most.",
        "mix": "Mix coarse and fine styles of samples.",
        "arithmetic": "Add and subtract samples by their latents.",
        "project": "Find the sample nearest to an image.",
    },
    "Translate": {
        "translate": "Translate images by the generator of a run.",
    },
    "Files": {
        "prepare": "Resize a data set once, into a zip file.",
        "import": "Import published weights as a run folder.",
        "export": "Export the generator of a run as one file.",
    },
}
# Modules of commands that do not have the names of these.
MODULES = {
    **dict.fromkeys(("fid", "stats"), "distance"),
    **dict.fromkeys(("interpolate", "traverse", "directions", "arithmetic"), "latent_moves"),
    "report": "compare",
    "import": "import_weights",
}


class CommandTable(Mapping[str, click.Command]):
    """The commands by name: reading names imports nothing, so that `gans --help` answers at once."""

    def __init__(self) -> None:
        self._lines = {name: line for lines in COMMANDS.values() for name, line in lines.items()}
        self._imported: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        """Imports the command. Raises KeyError where there is none of this name."""
        if name not in self._imported:
            line = self._lines[name]
            module = import_module(f"experiments.commands.{MODULES.get(name, name.replace('-', '_'))}")
            own = (each for each in vars(module).values() if isinstance(each, click.Command))
            command = next(each for each in own if each.name == name)
            command.short_help = line
            self._imported[name] = command
        return self._imported[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)
