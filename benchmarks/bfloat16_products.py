"""Products of bfloat16 numbers by float32 kernels, for processors without bfloat16 instructions.

Such processors convolve bfloat16 tensors about 25 times as slowly as float32 ones. A product of two bfloat16
numbers is exact in float32, and native instructions add products up in float32; so operands that are widened,
multiplied by the kernels of float32 and rounded once at the end give what native ones give, but for the order
of sums. That is for tests of training in bf16, not for speed.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.library import Library
from torch.utils._pytree import tree_map_only

PRODUCTS = ("convolution", "convolution_backward", "mm", "bmm", "addmm", "baddbmm")

_overrides: list[Library] = []  # kept, as kernels go with their library


def multiply_in_float32() -> None:
    """Makes products of bfloat16 tensors on the CPU take float32's kernels, from now on."""
    if _overrides:
        return
    library = Library("aten", "IMPL")
    for name in PRODUCTS:
        kernel = torch.library.get_kernel(f"aten::{name}", "CPU")
        library.impl(name, _widened(kernel), "CPU", with_keyset=True)
    _overrides.append(library)


def _widened(kernel: Any) -> Callable[..., Any]:
    """Wraps a kernel to compute bfloat16 tensors in float32, and to round what it returns."""

    def compute(keys: torch._C.DispatchKeySet, *operands: Any, **named: Any) -> Any:
        if not any(isinstance(x, Tensor) and x.dtype == torch.bfloat16 for x in operands):
            return kernel.call_boxed(keys, *operands, **named)
        wide = tree_map_only(Tensor, Tensor.float, operands)
        return tree_map_only(Tensor, Tensor.bfloat16, kernel.call_boxed(keys, *wide, **named))

    return compute
