"""The generator as one file: weights in safetensors, and what is needed to build the network again."""

import json
from pathlib import Path

from torch import nn

from experiments import catalogue
from experiments.build import blueprint_of
from experiments.checkpoint import write_atomically
from experiments.errors import UsageError
from experiments.settings import FIELDS, Settings, read_value

METADATA_KEY = "gans"  # one key only: with several, safetensors writes them in random order
NEEDED = ("arch", "image_size", "channels", "z_dim", "width")  # no paths: equal runs give equal bytes


def export_generator(generator: nn.Module, settings: Settings, path: Path) -> None:
    """Writes the network's parameters and buffers. Equal networks give equal bytes."""
    from safetensors.torch import save

    tensors = {name: value.cpu().contiguous() for name, value in sorted(generator.state_dict().items())}
    description = {name: getattr(settings, name) for name in NEEDED}
    write_atomically(path, save(tensors, metadata={METADATA_KEY: json.dumps(description)}))


def import_generator(path: Path) -> tuple[nn.Module, Settings]:
    """The network in a file that `export_generator` wrote, in evaluation mode, and its settings.

    Raises UsageError for a file that is not one.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            description = json.loads((file.metadata() or {})[METADATA_KEY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        values = {name: read_value(name, description[name]) for name in NEEDED}
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise UsageError(f"{path} is not a generator exported by gans") from error
    settings = Settings(**{name: values.get(name, f.default) for name, f in FIELDS.items()})
    generator = catalogue.load("architecture", settings.arch).generator(blueprint_of(settings))
    try:
        generator.load_state_dict(tensors)
    except RuntimeError as error:
        raise UsageError(f"{path}: its weights are not those of a {settings.arch} generator") from error
    return generator.eval().requires_grad_(False), settings
