"""Copies of a training state in main memory, which stay as they are while training goes on."""

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, UntypedStorage

from experiments.core.named_values import StateDict


def state_bytes(state: StateDict) -> int:
    """Number of bytes of the tensors in a state; those that share memory count once."""
    return sum(each.nbytes() for each in _storages(state).values())


def copy_state(state: StateDict) -> StateDict:
    """Copies a state, its tensors into main memory; `torch.save` writes equal bytes of both on a CPU.

    Tensors that share memory do so in the copy, too.
    """
    copies = {key: _copy_storage(each) for key, each in _storages(state).items()}
    memo: dict[int, Any] = {}  # of deepcopy, which takes from here what is copied already
    for tensor in _tensors(state):
        own = copies[tensor.untyped_storage()._cdata]
        parts = (tensor.storage_offset(), tensor.shape, tensor.stride())
        memo[id(tensor)] = torch.empty(0, dtype=tensor.dtype).set_(own, *parts)
    return copy.deepcopy(state, memo)


def _copy_storage(storage: UntypedStorage) -> UntypedStorage:
    own = UntypedStorage(storage.nbytes())  # type: ignore[no-untyped-call]
    own.copy_(storage)
    return own


def _storages(state: StateDict) -> dict[int, UntypedStorage]:
    """Storages of the tensors in a state, by the number that `torch.save` knows them by."""
    storages = (tensor.untyped_storage() for tensor in _tensors(state))
    return {storage._cdata: storage for storage in storages}


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in nested dictionaries, lists and tuples."""
    if isinstance(value, Tensor):
        if value.layout == torch.strided:  # others have no storage of their own, and are copied as a whole
            yield value
    elif isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _tensors(part)
