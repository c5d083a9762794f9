"""Deals batches of reals in an order that is a function of (seed, epoch), and keeps the clock."""

from pathlib import Path

import torch
from torch import Tensor

from experiments.data import DataSet, Held, hold
from experiments.seeds import generator_for

HELD_SHARE = 0.25  # of the memory that is free, beyond which data is fetched batch by batch


class Dealer:
    """`dealer()` is the next batch: float32 on `device`, images in [−1, 1], points as they are.

    The samples form one endless sequence, epoch after epoch, each in its own permutation; a batch may span
    two epochs. The position in it is `seen`, the number of samples dealt: setting it reaches any step.
    """

    def __init__(self, data: DataSet, batch_size: int, seed: int, device: torch.device) -> None:
        self.data = _held_if_it_fits(data, device)
        self.batch_size = batch_size
        self.seed = seed
        self.device = device
        self.seen = 0
        self._orders: dict[int, Tensor] = {}

    @property
    def turn(self) -> int:
        return self.seen // self.batch_size

    def __call__(self) -> Tensor:
        indices = self._next_indices()
        self.seen += self.batch_size
        return self.prepare(self.data.fetch(indices))

    def prepare(self, samples: Tensor) -> Tensor:
        """From raw samples to what the networks see."""
        samples = samples.to(self.device, non_blocking=True)
        if samples.dtype == torch.uint8:
            samples = samples.to(torch.float32, memory_format=torch.channels_last)
            return samples.div_(127.5).sub_(1.0)
        return samples

    def _next_indices(self) -> Tensor:
        parts, position, missing = [], self.seen, self.batch_size
        while missing:
            epoch, start = divmod(position, len(self.data))
            part = self._order(epoch)[start : start + missing]
            parts.append(part)
            position, missing = position + len(part), missing - len(part)
        return torch.cat(parts) if len(parts) > 1 else parts[0]

    def _order(self, epoch: int) -> Tensor:
        if epoch not in self._orders:
            order = torch.randperm(len(self.data), generator=generator_for(self.seed, "order", epoch))
            self._orders = {epoch: order}
        return self._orders[epoch]


def _held_if_it_fits(data: DataSet, device: torch.device) -> DataSet:
    first = data.fetch(torch.zeros(1, dtype=torch.long))
    size = first.numel() * first.element_size() * len(data)
    if device.type == "cuda":
        on_device = size <= torch.cuda.mem_get_info(device)[0] * HELD_SHARE
    else:
        on_device = device.type == "cpu" and size <= _free_memory() * HELD_SHARE
    if on_device:
        return (
            Held(data.samples.to(device), data.labels, data.classes)
            if isinstance(data, Held)
            else hold(data, device)
        )
    return hold(data, torch.device("cpu")) if size <= _free_memory() * HELD_SHARE else data


def _free_memory() -> int:
    """Bytes of main memory that can be had without swapping."""
    try:
        with Path("/proc/meminfo").open(encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable"))
    except (OSError, StopIteration):  # not Linux
        return 4 * 2**30
