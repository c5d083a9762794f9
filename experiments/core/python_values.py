"""Arguments of Python calls, made plain: NumPy's and PyTorch's numbers, paths and devices as Python's own."""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from experiments.core.errors import UsageError
from experiments.core.settings import FIELDS
from experiments.core.value_readers import Read, text


def plain_value(name: str, value: Any) -> Any:
    """Converts an argument to texts, numbers, booleans and None, or lists, tuples and mappings of these.

    Paths and devices become their words; NumPy's numbers, arrays and tensors become numbers and lists.

    Args:
        name: of the argument, for errors.

    Raises UsageError for any other object.

    >>> plain_value("steps", np.int64(100)), plain_value("device", torch.device("cuda", 1))
    (100, 'cuda:1')
    """
    if isinstance(value, np.generic | np.ndarray | Tensor):
        value = value.tolist()
    elif isinstance(value, os.PathLike):
        value = os.fspath(value)
    elif isinstance(value, torch.device):
        value = str(value)
    if isinstance(value, Mapping):
        return {plain_value(name, key): plain_value(name, own) for key, own in value.items()}
    if isinstance(value, tuple):
        return tuple(plain_value(name, own) for own in value)
    if isinstance(value, list | set | frozenset | range):
        return [plain_value(name, own) for own in value]
    if value is None or isinstance(value, str | int | float):
        return value
    what = f"the class {value.__name__}" if isinstance(value, type) else f"an object {type(value).__name__}"
    raise UsageError(f"{name}: {what} is no value of it; give a name or a number, or a list of them")


def plain_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Converts settings by name as `plain_value` does.

    Raises UsageError for what is not plain, and for a name that is no text.
    """
    found = {name: plain_value(name, value) for name, value in settings.items()}
    for name, value in found.items():
        named = value.get("name") if isinstance(value, Mapping) else value
        if named is not None and name in FIELDS and FIELDS[name].metadata["read"] is text:
            read_argument(name, text, named)
    return found


def read_argument(name: str, read: Read, value: Any) -> Any:
    """Reads an argument by a reader of values, made plain before. Raises UsageError that names it."""
    plain = plain_value(name, value)
    try:
        return read(plain)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{name}: {error}") from error
