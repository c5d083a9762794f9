"""Files of published translators, written as their authors' code writes them, from the official numbers."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from experiments.runs.generator import load_critic, load_generator
from tests.gans.published.numbers import Numbers, read

TOLERANCE = 1e-5  # of float32
ATTRIBUTES = "--attributes " + ",".join(["Black_Hair", "Blond_Hair", "Brown_Hair", "Male", "Young"])


def weights(numbers: Numbers) -> dict[str, Tensor]:
    """The official weights as files hold them: in float32, with the counts of batches beside statistics."""
    found = {name: tensor.float() for name, tensor in numbers.group("weights/").items()}
    counts = [name.replace("running_mean", "num_batches_tracked") for name in found if "running_mean" in name]
    return found | {name: torch.tensor(7) for name in counts}


def write(name: str, source: str | Mapping[str, Tensor]) -> str:
    """Writes a file of `torch.save` with these weights, or with those of a file of numbers; its name."""
    torch.save(weights(read(source)) if isinstance(source, str) else dict(source), name)
    return name


def generator_of(folder: str) -> torch.nn.Module:
    return load_generator(Path(folder))[0]


def critic_of(folder: str) -> torch.nn.Module:
    critic = load_critic(Path(folder), load_generator(Path(folder))[1])
    assert critic is not None
    return critic
