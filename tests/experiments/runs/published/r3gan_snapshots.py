"""Snapshots in the layout of R3GAN's training: plain modules of PyTorch, made of tensors alone."""

import pickle
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from tests.experiments.runs.published.snapshots import EasyDict, official_modules

WORDS = {
    "Generator": {"network": "Generator", "basis": "Generative", "change": "Up"},
    "Discriminator": {"network": "Discriminator", "basis": "Discriminative", "change": "Down"},
}
CLASSES = {  # file and name of a module's class, by something that the module has
    "Model": ("training.networks", "{network}"),
    "MainLayers": ("R3GAN.Networks", "{network}"),
    "Layers": ("R3GAN.Networks", "{network}Stage"),
    "Basis": ("R3GAN.Networks", "{basis}Basis"),
    "Resampler": ("R3GAN.Networks", "{change}sampleLayer"),
    "LinearLayer1": ("R3GAN.Networks", "ResidualBlock"),
    "Layer": ("R3GAN.Networks", "Convolution"),
    "Kernel": ("R3GAN.Resamplers", "Interpolative{change}samplerCUDA"),
    "Bias": ("R3GAN.FusedOperators", "BiasedActivationCUDA"),
}


@contextmanager
def authors_modules() -> Iterator[None]:
    """Modules of the authors' names, with the classes that their pickles name."""
    files = {
        name: ModuleType(name) for name in ("R3GAN", "training", *(file for file, _ in CLASSES.values()))
    }
    for words in WORDS.values():
        for file, template in CLASSES.values():
            name = template.format(**words)
            setattr(files[file], name, type(name, (nn.Module,), {"__module__": file}))
    sys.modules.update(files)
    try:
        with official_modules():
            yield
    finally:
        for name in files:
            del sys.modules[name]


def network_of(kind: str, weights: Mapping[str, Tensor]) -> nn.Module:
    """A Generator or Discriminator of these weights, by their names within `Model`."""
    whole = _module(kind, {f"Model.{name}": tensor for name, tensor in weights.items()})
    whole.z_dim, whole.c_dim, whole.img_resolution = 12, 0, 32
    return whole.eval().requires_grad_(False)


def _module(kind: str, tensors: Mapping[str, Tensor]) -> Any:
    parts: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        parts.setdefault(part, {})[rest] = tensor
    made: Any = _empty(kind, parts)
    for part, below in parts.items():
        if "" not in below:
            made.add_module(part, _module(kind, below))
        elif part == "Kernel":
            made.register_buffer(part, below[""].float().clone())
        else:
            made.register_parameter(part, nn.Parameter(below[""].float().clone()))
    if "Layers" in parts:
        made.DataType = torch.bfloat16 if any("Kernel" in name for name in tensors) else torch.float32
    return made


def _empty(kind: str, parts: Mapping[str, Mapping[str, Tensor]]) -> nn.Module:
    """A module of the class that has these parts."""
    if "weight" in parts:
        dimensions = parts["weight"][""].dim()
        return nn.Conv2d(1, 1, 1, bias=False) if dimensions == 4 else nn.Linear(1, 1, bias=False)
    for part, (file, name) in CLASSES.items():
        if part in parts:
            made: nn.Module = getattr(sys.modules[file], name.format(**WORDS[kind]))()
            return made
    return nn.ModuleList()


def write_training_snapshot(path: Path, networks: Mapping[str, nn.Module], protocol: int = 4) -> Path:
    """Writes networks as R3GAN's training does, with its options and the state of its optimizers."""
    content: dict[str, Any] = {
        **networks,
        "training_set_kwargs": {"path": "cifar10.zip", "max_size": 50_000, "options": EasyDict(xflip=False)},
        "cur_nimg": 20_000_256,
    }
    for name in networks.keys() & {"G", "D"}:
        weight = nn.Parameter(torch.ones(2, 3))
        optimizer = torch.optim.Adam([weight], 5e-5, (0.0, 0.99))
        weight.sum().backward()
        optimizer.step()
        content[f"{name}_opt_state"] = optimizer.state_dict()
    path.write_bytes(pickle.dumps(content, protocol))
    return path
