"""A pretended accelerator: its tensors live in main memory, and every wait for the device is noted.

It is found as "cuda:N" by whoever asks. An operation that mixes its tensors with those of the CPU fails, as
it would there, and copies to and from it are noted unless nobody has to wait for them.
"""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

aten = torch.ops.aten
ROOT = Path(__file__).parents[1]
COPIES = (aten.copy_.default, aten._to_copy.default)
INDEXING = (aten.index.Tensor, aten.index_put.default, aten.index_put_.default)
# Operations whose result the host must know: a number, or how much memory a result takes.
AWAITED = (
    *(aten._local_scalar_dense.default, aten.equal.default, aten.nonzero.default, aten._unique2.default),
    *(aten.masked_select.default, aten.bincount.default, aten.repeat_interleave.Tensor),
)
# See torch.use_deterministic_algorithms. Gradients of embeddings have one in newer versions only; multinomial
# takes a cumulative sum.
NONDETERMINISTIC = (
    *(aten.reflection_pad1d_backward, aten.reflection_pad2d_backward, aten.reflection_pad3d_backward),
    *(aten.upsample_linear1d_backward, aten.upsample_bilinear2d_backward, aten.upsample_bicubic2d_backward),
    *(aten._upsample_bilinear2d_aa_backward, aten._upsample_bicubic2d_aa_backward),
    *(aten.grid_sampler_2d_backward, aten._adaptive_avg_pool2d_backward, aten.adaptive_max_pool2d_backward),
    *(aten.embedding_dense_backward, aten.nll_loss2d_forward, aten.avg_pool3d_backward, aten.put_),
    *(aten.cumsum, aten.multinomial, aten.histc, aten.median, aten.kthvalue),
)


class DeviceTensor(Tensor):
    """A tensor that says it lies on the accelerator; `held` is where it really is.

    For autograd's engine, which has no queue for a GPU that is not there, it is on the meta device.
    """

    held: Tensor
    place: torch.device

    @staticmethod
    def __new__(cls, held: Tensor, place: torch.device) -> "DeviceTensor":
        made: DeviceTensor = Tensor._make_wrapper_subclass(
            cls, held.shape, strides=held.stride(), dtype=held.dtype, device="meta"
        )
        made.held, made.place = held, place
        return made

    @property
    def device(self) -> torch.device:
        return self.place

    def __deepcopy__(self, memo: dict[int, Any]) -> "DeviceTensor":
        copy = DeviceTensor(self.held.clone(), self.place).requires_grad_(self.requires_grad)
        if getattr(self, "_is_param", False):
            copy._is_param = True
        return memo.setdefault(id(self), copy)

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise AssertionError(f"{func} of a tensor on the accelerator, outside of its mode")


class FakeAccelerator(TorchDispatchMode):
    """Mode in which a pretended accelerator is there.

    Attributes:
        waits: lines that made the host wait for the device, with the operation, since they were cleared.
    """

    def __init__(self, name: str = "cuda:0") -> None:
        super().__init__()
        self.place = torch.device(name)
        self.waits: list[str] = []
        self._pinned: dict[int, Tensor] = {}

    def pin(self, x: Tensor) -> Tensor:
        """Copies a tensor into memory from which the device copies by itself."""
        assert not isinstance(x, DeviceTensor), "only main memory is pinned"
        if self._is_pinned(x):
            return x
        copy = x.clone()
        self._pinned[copy.untyped_storage().data_ptr()] = copy
        return copy

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        tensors = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
        own = {id(each.held): each for each in tensors if isinstance(each, DeviceTensor)}
        place = next(iter(own.values())).place if own else None
        if kwargs.get("device") is not None:
            place = self._place_of(torch.device(kwargs["device"]))
            kwargs["device"] = "cpu"
        self._check(func, tensors, args, kwargs, place)
        args, kwargs = tree_map(lambda x: x.held if isinstance(x, DeviceTensor) else x, (args, kwargs))

        def wrap(x: Any) -> Any:
            if not isinstance(x, Tensor) or place is None:
                return x
            if id(x) in own:
                return own[id(x)]  # changed in place
            # Zeros of autograd may have no memory.
            return DeviceTensor(torch.zeros_like(x) if x._is_zerotensor() else x, place)

        return tree_map(wrap, func(*args, **kwargs))

    def _place_of(self, device: torch.device) -> torch.device | None:
        """The accelerator that a device names; None for the CPU."""
        if device.type == "cuda":
            return torch.device("cuda", max(0, device.index or 0))
        return self.place if device.type == "meta" else None

    def _check(
        self, func: Any, tensors: list[Tensor], args: Any, kwargs: Any, place: torch.device | None
    ) -> None:
        """Notes what the host must wait for. Raises RuntimeError for what a device cannot compute."""
        is_strict = place is not None and torch.are_deterministic_algorithms_enabled()
        if is_strict and func.overloadpacket in NONDETERMINISTIC:
            raise RuntimeError(f"{func} does not have a deterministic implementation")
        there = [isinstance(each, DeviceTensor) for each in tensors]
        if func in COPIES:
            is_sent = not there[-1] and (place is not None if func is aten._to_copy.default else there[0])
            is_fetched = there[-1] and (place is None if func is aten._to_copy.default else not there[0])
            is_free = kwargs.get("non_blocking", len(args) > 2 and args[2]) and self._is_pinned(tensors[-1])
            if is_fetched or (is_sent and not is_free):
                self._note(func)
            return
        if place is not None and kwargs.get("generator") is not None:
            raise RuntimeError(f"{func}: a generator of the CPU cannot draw on {place}")
        if not any(there):
            return
        if any(each.place != place for each in tensors if isinstance(each, DeviceTensor)):
            raise RuntimeError(f"{func}: tensors on several accelerators")
        has_mask = any(each.dtype in (torch.bool, torch.uint8) for each in tensors[1:])
        is_indexing = func in INDEXING and there[0]
        # Indices on the CPU are copied, and the copy is waited for.
        if func in AWAITED or (is_indexing and (has_mask or not all(there))):
            self._note(func)
        if not all(there) and not is_indexing and not _takes_numbers(func, tensors):
            raise RuntimeError(f"{func}: tensors on {place} and on the CPU")

    def _is_pinned(self, x: Tensor) -> bool:
        return x.untyped_storage().data_ptr() in self._pinned

    def _note(self, func: Any) -> None:
        """Notes the line of the repository that called an operation."""
        frames = [each for each in traceback.extract_stack() if Path(each.filename).is_relative_to(ROOT)]
        own = [
            each
            for each in frames
            if "tests" not in Path(each.filename).parts and ".venv" not in each.filename
        ]
        at = f"{Path(own[-1].filename).relative_to(ROOT)}:{own[-1].lineno}" if own else "tests"
        self.waits.append(f"{func} at {at}")


def _takes_numbers(func: Any, tensors: list[Tensor]) -> bool:
    """Whether all tensors on the CPU are numbers that are handed to the device with the operation."""
    others = [each for each in tensors if not isinstance(each, DeviceTensor)]
    is_pointwise = torch.Tag.pointwise in func.tags or "_foreach" in func.name()
    return is_pointwise and all(each.dim() == 0 for each in others) and isinstance(tensors[0], DeviceTensor)


@contextmanager
def fake_accelerator(monkeypatch: pytest.MonkeyPatch, name: str = "cuda:0") -> Iterator[FakeAccelerator]:
    """Context in which PyTorch finds a pretended accelerator."""
    accelerator = FakeAccelerator(name)
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    monkeypatch.setattr(torch.cuda, "_lazy_init", lambda: None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device=None: (2**33, 2**33))
    monkeypatch.setattr(Tensor, "pin_memory", lambda x: accelerator.pin(x))
    # Parameters are moved in place by their identity, as those of a GPU are.
    monkeypatch.setattr(torch.__future__, "_swap_module_params_on_conversion", True)
    torch._C._ensureCUDADeviceGuardSet()  # of a GPU that is not there
    lifts = torch._C._only_lift_cpu_tensors()
    torch._C._set_only_lift_cpu_tensors(True)
    try:
        with accelerator:
            yield accelerator
    finally:
        torch._C._set_only_lift_cpu_tensors(lifts)
        torch.use_deterministic_algorithms(False)
        torch.set_float32_matmul_precision("highest")
