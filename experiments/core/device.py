"""The device to compute on, and the precision."""

import logging
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from experiments.core.errors import UsageError

if TYPE_CHECKING:
    import torch

log = logging.getLogger("gans")


def resolve_device(device: str) -> str:
    """Resolves "auto" to the best device, and checks that this machine has the one asked for.

    "cuda" is the first GPU, and "cuda:N" one of several. The first call gives up TF32, which only
    `--precision tf32` allows. Raises UsageError, with the devices that PyTorch can use here, for another, and
    for one of several where each process has its own.
    """
    import torch

    from experiments.core.processes import processes_here
    from losses.core.batch_parts import process_part

    _start_exactly()
    gpus = [f"cuda:{index}" for index in range(torch.cuda.device_count())] * torch.cuda.is_available()
    others = ["mps"] * torch.backends.mps.is_available() + ["cpu"]
    first = ["cuda"] * bool(gpus)
    device = [*first, *others][0] if device == "auto" else device
    if device not in (*first, *gpus, *others):
        names = " or ".join(f"--device {name}" for name in (*gpus, *others))
        raise UsageError(f"--device {device}: PyTorch finds no such device here; take {names}")
    processes = processes_here()
    if device == "cuda" and processes > len(gpus):
        raise UsageError(
            f"{processes} processes are more than the {len(gpus)} GPUs here; start as many, or take "
            "--device cpu"
        )
    if ":" in device and process_part().count > 1:
        raise UsageError(f"--device {device} is one GPU, and each process has its own; take --device cuda")
    return device


def dtype_of(precision: str) -> "torch.dtype":
    """The type of weights and samples in a precision of training."""
    import torch

    return torch.float64 if precision == "fp64" else torch.float32


def product_type_of(precision: str) -> "torch.dtype | None":
    """The type in which networks multiply in a precision of training; None for that of their weights."""
    import torch

    return torch.bfloat16 if precision == "bf16" else None


def warn_of_emulation(precision: str, device: "torch.device") -> None:
    """Logs that bf16, which is to save time, costs time on a processor without instructions for it."""
    if product_type_of(precision) is not None and device.type == "cpu" and not multiplies_in_bfloat16():
        log.warning(
            f"{precision}: this processor has no instructions for it and emulates it, several times slower "
            "than float32; --precision fp32 is faster here"
        )


def multiplies_in_bfloat16() -> bool:
    """Whether this machine's processor has instructions for bfloat16; true where PyTorch cannot tell."""
    import torch

    found: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return not found or any(value for name, value in found.items() if "bf16" in name)


def allow_tf32(is_allowed: bool) -> None:
    """Lets GPUs round the factors of float32 products and convolutions to 10 bits (TF32), or not."""
    import torch

    torch.set_float32_matmul_precision("high" if is_allowed else "highest")
    torch.backends.cudnn.allow_tf32 = is_allowed


@cache
def _start_exactly() -> None:
    """Gives up TF32, which PyTorch has for convolutions unless told otherwise, once in a process."""
    allow_tf32(False)
