"""Snapshots in the layout of NVlabs', made of tensors and of what modules say of themselves."""

import pickle
import sys
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tests.gans.published.numbers import FOLDER, Numbers, read

SNAPSHOT = FOLDER / "nvlabs_snapshot.pkl"
VERSION = 6


def _reconstruct_persistent_obj(meta: dict[str, Any]) -> None:
    """Stands for the official function, which is only named."""


class EasyDict(dict[str, Any]):
    """Stands for the official class, which is only named."""


_reconstruct_persistent_obj.__module__ = "torch_utils.persistence"
EasyDict.__module__ = "dnnlib.util"


class Persistent:
    """An object that is pickled as the official ones are."""

    def __init__(self, class_name: str, state: dict[str, Any]) -> None:
        self.meta = {"type": "class", "version": VERSION, "module_src": "raise SystemExit"}
        self.meta |= {"class_name": class_name, "state": state}

    def __reduce__(self) -> tuple[Any, ...]:
        return _reconstruct_persistent_obj, (self.meta,)


@contextmanager
def official_modules() -> Iterator[None]:
    """Modules of the official names, so that pickles can name what is in them."""
    found = {
        name: ModuleType(name) for name in ("torch_utils", "torch_utils.persistence", "dnnlib", "dnnlib.util")
    }
    found["torch_utils.persistence"]._reconstruct_persistent_obj = _reconstruct_persistent_obj  # type: ignore[attr-defined]
    found["dnnlib.util"].EasyDict = EasyDict  # type: ignore[attr-defined]
    sys.modules.update(found)
    try:
        yield
    finally:
        for name in found:
            del sys.modules[name]


def persistent(class_name: str, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> Persistent:
    """A network of these tensors and values, by their paths."""
    state: dict[str, Any] = {
        "training": False,
        "_parameters": OrderedDict(),
        "_buffers": OrderedDict(),
        "_non_persistent_buffers_set": set(),
        "_backward_hooks": OrderedDict(),
        "_modules": OrderedDict(),
        "gain": np.float64(2**0.5),
    }
    heads = dict.fromkeys(path.partition(".")[0] for path in (*tensors, *values) if "." in path)
    for head in heads:
        own = [
            {path.partition(".")[2]: value for path, value in each.items() if path.partition(".")[0] == head}
            for each in (tensors, values)
        ]
        if head == "_init_kwargs":
            state[head] = EasyDict(own[1])
        else:
            state["_modules"][head] = persistent(f"Class_{head}", *own)
    for path, value in tensors.items():
        if "." not in path:
            is_buffer = path in ("noise_const", "resample_filter", "w_avg")
            kept = value.float().clone()
            state["_buffers" if is_buffer else "_parameters"][path] = (
                kept if is_buffer else torch.nn.Parameter(kept)
            )
    state |= {path: value for path, value in values.items() if "." not in path}
    return Persistent(class_name, state)


def write_snapshot(path: Path, content: Mapping[str, Any], protocol: int = 3) -> Path:
    """Writes a pickle, as NVlabs' training does."""
    with official_modules():
        path.write_bytes(pickle.dumps({"training_set_kwargs": EasyDict(), **content}, protocol))
    return path


def generator(numbers: Numbers, **values: Any) -> Persistent:
    """A generator of a file of numbers; values of layers are given for all of them."""
    return persistent("Generator", numbers.group("weights/"), values)


def critic(numbers: Numbers, **values: Any) -> Persistent:
    """A critic of a file of numbers."""
    return persistent("Discriminator", numbers.group("weights/"), values)


def numbers_of(name: str) -> Numbers:
    """The numbers of a network of StyleGAN2."""
    return read(f"stylegan2_{name}")
