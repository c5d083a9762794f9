"""Mixed precision: networks multiply in bfloat16, everything outside of them computes in float32.

Within `mixed_precision` a module that an objective calls runs under autocast, with all that it calls itself,
and what it returns is float32. Losses, penalties and games see float32 alone, and need not know of it. Parts
of networks whose rounding would do harm, such as statistics over a batch, are `in_full_precision`.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache, partial, reduce, wraps
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor, nn
from torch.library import Library
from torch.nn.functional import conv2d, conv_transpose2d, linear
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.nn.utils.parametrize import ParametrizationList
from torch.overrides import TorchFunctionMode

from losses.core.batch_parts import map_tensors

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_type: torch.dtype | None = None  # in which networks multiply now; None: in that of their tensors
_calls: list[AbstractContextManager[Any]] = []  # autocast of the modules that are computed, outermost first
_type_without_values: torch.dtype | None = None  # that of products on the meta device, which has no autocast


@contextmanager
def mixed_precision(dtype: torch.dtype | None) -> Iterator[None]:
    """Context in which networks multiply in `dtype` and return float32; None changes nothing.

    Weights are cast anew wherever they are used, so that no cast outlives a change of them.
    """
    global _type, _calls
    if dtype is None:
        yield
        return
    _let_autocast_interpolate()
    before, (_type, _calls) = (_type, _calls), (dtype, [])
    hooks = (
        register_module_forward_pre_hook(_enter_module),
        register_module_forward_hook(_leave_module, always_call=True),
    )
    try:
        yield
    finally:
        while _calls:  # of modules that Ctrl-C left
            _calls.pop().__exit__(None, None, None)
        _type, _calls = before
        for hook in hooks:
            hook.remove()


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Context without mixed precision, for tensors on a device."""
    global _type
    before, _type = _type, None
    try:
        with _autocast(device.type, None):
            yield
    finally:
        _type = before


def in_full_precision(compute: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Decorates a function of tensors, such as a layer's `forward`, to compute in float32 under autocast."""

    @wraps(compute)
    def computed(*inputs: Parameters.args, **named: Parameters.kwargs) -> Result:
        device = next((x.device for x in inputs if isinstance(x, Tensor)), None)
        if device is None or not _is_autocast(device.type):
            return compute(*inputs, **named)
        with full_precision(device):
            return compute(*map_tensors(to_full_precision, inputs), **named)

    return computed


def to_full_precision(x: Tensor) -> Tensor:
    """Casts numbers of 16 bits to float32, and leaves others as they are."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def keep_precision(call: Callable[..., Any], device: torch.device) -> Callable[..., Any]:
    """A function that computes in the precision of now whenever it is called, as in a later backward pass."""
    dtype = _type
    if dtype is None:
        return call

    def called(*inputs: Any) -> Any:
        with _autocast(device.type, dtype):
            return call(*inputs)

    return called


def _enter_module(module: nn.Module, inputs: Any) -> None:
    """Turns autocast on for an outermost module, and off for weights that are made of others."""
    if torch.compiler.is_compiling():
        return  # within a network whose call is `call_outermost`
    context: AbstractContextManager[Any] = nullcontext()
    is_weight = isinstance(module, ParametrizationList)
    if _type is not None and (is_weight or not _calls):
        context = _autocast(_device_type(module, inputs), None if is_weight else _type)
    context.__enter__()
    _calls.append(context)


def _leave_module(module: nn.Module, inputs: Any, output: Any) -> Any:
    """Ends what `_enter_module` began; what leaves an outermost module is float32."""
    if torch.compiler.is_compiling():
        return output
    if _calls:
        _calls.pop().__exit__(None, None, None)
    return output if _calls else _to_full_precision_within(output)


def call_outermost(module: nn.Module, call: Callable[..., Any]) -> Callable[..., Any]:
    """A function that calls a compiled module, whose precision is decided before what is compiled begins."""

    def called(*inputs: Any, **named: Any) -> Any:
        if _type is None or torch.compiler.is_compiling():
            return call(*inputs, **named)
        _enter_module(module, inputs)
        output = None
        try:
            output = call(*inputs, **named)
        finally:
            output = _leave_module(module, inputs, output)
        return output

    return called


def _to_full_precision_within(output: Any) -> Any:
    """Casts the tensors in what a module returns: itself, or tuples, lists and dictionaries of such."""
    if isinstance(output, dict):
        return {key: _to_full_precision_within(value) for key, value in output.items()}
    if isinstance(output, list):
        return [_to_full_precision_within(value) for value in output]
    return map_tensors(to_full_precision, output)


def _device_type(module: nn.Module, inputs: Any) -> str:
    """The device of a module's inputs, or else of its weights."""
    tensors = (x for x in (*inputs, *module.parameters()) if isinstance(x, Tensor))
    return next((x.device.type for x in tensors), "cpu")


def _autocast(device: str, dtype: torch.dtype | None) -> AbstractContextManager[Any]:
    """Context in which products on a device are in `dtype`, or, for None, in that of their tensors."""
    if device == "meta":
        return _autocast_without_values(dtype)
    if dtype is None:
        return torch.autocast(device, enabled=False)
    return torch.autocast(device, dtype, cache_enabled=False)


def _is_autocast(device: str) -> bool:
    """Whether products on a device are cast now."""
    return _type_without_values is not None if device == "meta" else torch.is_autocast_enabled(device)


@contextmanager
def _autocast_without_values(dtype: torch.dtype | None) -> Iterator[None]:
    """Autocast on the meta device, as far as shapes and memory go."""
    global _type_without_values
    before, _type_without_values = _type_without_values, dtype
    try:
        with nullcontext() if before else _CastProducts():
            yield
    finally:
        _type_without_values = before


PRODUCTS = frozenset((conv2d, conv_transpose2d, linear, torch.matmul, Tensor.matmul, Tensor.__matmul__))


class _CastProducts(TorchFunctionMode):
    """Casts the factors of products, as autocast does."""

    def __torch_function__(self, function: Any, types: Any, inputs: Any = (), named: Any = None) -> Any:
        dtype = _type_without_values
        if function in PRODUCTS and dtype is not None:
            inputs = map_tensors(lambda x: x.to(dtype) if x.is_floating_point() else x, tuple(inputs))
        return function(*inputs, **(named or {}))


@cache
def _let_autocast_interpolate() -> Library:
    """Lets `torch.lerp`, `addcmul` and `addcdiv` take tensors of two types under autocast, as `cat` does."""
    library = Library("aten", "IMPL")  # type: ignore[no-untyped-call]
    lerps, others = ("lerp.Scalar", "lerp.Tensor"), ("addcmul", "addcdiv")
    # On GPUs autocast knows the others.
    known = {"AutocastCPU": (*lerps, *others), "AutocastCUDA": lerps, "AutocastMPS": lerps}
    for key, names in known.items():
        autocast = torch._C.DispatchKeySet(getattr(torch._C.DispatchKey, key))
        for name in names:
            operation, _, overload = name.partition(".")
            found = getattr(getattr(torch.ops.aten, operation), overload or "default")
            library.impl(name, partial(_promote, found, autocast), key)  # type: ignore[no-untyped-call]
    return library


def _promote(operation: Any, autocast: Any, *inputs: Any, **named: Any) -> Any:
    """Computes an operation on tensors of the widest type among them."""
    dtype = reduce(torch.promote_types, (x.dtype for x in inputs if isinstance(x, Tensor)))
    with torch._C._ExcludeDispatchKeyGuard(autocast):
        return operation(*(x.to(dtype) if isinstance(x, Tensor) else x for x in inputs), **named)
