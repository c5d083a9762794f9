"""Most memory that the process of a run takes, on a CPU or an accelerator.

On a CPU tensors are not all: measured, resident memory grows by what the first step loads, and by what the C
library's allocator keeps of blocks that do not fit together. benchmarks/memory.py compares ten runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

import torch

from experiments.core.settings import Settings
from experiments.core.units import value_bytes
from experiments.data.core.batch_sizes import BatchSchedule
from experiments.data.core.batch_stream import BATCHES_AHEAD, data_bytes, device_for_data
from experiments.data.core.dataset import DataSet, Domains
from experiments.training.memory_estimate import estimate_tensor_memory
from experiments.training.plan.disk import checkpoint_bytes
from gans.core.game import Game

# PyTorch's compiler, which its optimizers import though nothing is compiled, and kernels on their first use.
LIBRARIES = 140 * 2**20
# Bytes that the allocator of glibc holds for a byte of tensors at most, among steps that differ in size.
FRAGMENTATION = 1.3
COPIES = 2  # of a checkpoint in memory while it is written
CUDA_CONTEXT = 500 * 2**20  # of CUDA, cuDNN and their work space; not measured here, an allowance


@dataclass(frozen=True)
class ProcessMemory:
    """Bytes that a process takes at most, by what takes them.

    Attributes:
        parts: bytes by name; their sum is the peak.
        on: the device that they are counted on.
    """

    parts: Mapping[str, int]
    on: str

    @property
    def total(self) -> int:
        """The peak in bytes."""
        return sum(self.parts.values())

    @property
    def growth(self) -> int:
        """The peak without what the process has before it builds the experiment."""
        return self.total - self.parts.get("python", 0)


def resident_memory() -> int:
    """Bytes of main memory that this process holds now; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:  # not Linux
        return 0
    import resource

    return pages * resource.getpagesize()


def estimate_process_memory(
    settings: Settings,
    game: Game,
    plan: BatchSchedule,
    data: DataSet | Domains | None,
    python: int,
) -> ProcessMemory:
    """Estimates the memory of a run's process, or of its part of a shared batch.

    Args:
        game, plan: built without memory.
        data: None leaves it out.
        python: bytes of the process before it builds the experiment.

    Raises UnknownMemoryError for components that ask for values.
    """
    device = torch.device(settings.device)
    tensors = estimate_tensor_memory(settings, game, plan)
    held = 0 if data is None else _bytes_of_data(settings, data, device)
    if device.type != "cpu":
        parts = {"tensors": tensors, "data": held, "context": CUDA_CONTEXT}
        return ProcessMemory(parts, settings.device)
    checkpoint = checkpoint_bytes(settings, game)
    with_gaps = max(round(FRAGMENTATION * tensors), tensors + COPIES * checkpoint)
    parts = {"python": python, "libraries": LIBRARIES, "tensors": tensors}
    parts |= {"allocator and checkpoints": with_gaps - tensors, "data": held}
    return ProcessMemory(parts, settings.device)


def _bytes_of_data(settings: Settings, data: DataSet | Domains, device: torch.device) -> int:
    """Bytes of samples that are held on the device, or of batches that are read ahead."""
    total = 0
    for each in (data.a, data.b) if isinstance(data, Domains) else (data,):
        where = device_for_data(each, device)
        if where is None:
            values = (BATCHES_AHEAD + 1) * settings.batch_size * prod(each.sample_shape)
            total += values * value_bytes(each.units)
        elif where.type == device.type:
            total += data_bytes(each)
    return total
