"""Memory of tensors, as an accelerator would have to hold them."""

import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from experiments.training.shape_operations import perform, tensors_in


class TensorMemory(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Context that counts the memory of the tensors that are made in it, and still there.

    Attributes:
        peak: the most at any time, in bytes.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = self._now = 0
        self._alive: dict[int, int] = {}  # bytes of each storage, by its address

    def __torch_dispatch__(self, operation: Any, types: Any, inputs: Any = (), named: Any = None) -> Any:
        outputs = perform(operation, inputs, named or {})
        made = [each.untyped_storage() for each in tensors_in(outputs)]
        made = [storage for storage in made if storage._cdata not in self._alive]
        if made:
            # Views of what was there before, and tensors changed in place, take nothing.
            before = {each.untyped_storage()._cdata for each in tensors_in((inputs, named))}
            for storage in made:
                if storage._cdata not in before:
                    self._count(storage)
        return outputs

    def hold(self, tensors: Iterable[Tensor]) -> None:
        """Counts tensors that were made before."""
        for each in tensors:
            self._count(each.untyped_storage())

    def _count(self, storage: torch.UntypedStorage) -> None:
        """Counts a storage until it is freed."""
        key = storage._cdata
        if key not in self._alive:
            self._alive[key] = storage.nbytes()
            self._now += storage.nbytes()
            self.peak = max(self.peak, self._now)
            weakref.finalize(storage, self._release, key)

    def _release(self, key: int) -> None:
        """Counts a storage no longer."""
        self._now -= self._alive.pop(key, 0)
