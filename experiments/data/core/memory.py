"""Memory that data may take."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from experiments.core.processes import processes_here

SHARE = 0.25  # of what is free, which leaves the rest to networks and to everyone else
FREE_ELSEWHERE = 4 * 2**30  # assumed where the system does not say


def memory_for_data(device: torch.device) -> int:
    """Number of bytes that samples may take on the device, a share of its free memory."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0] * SHARE)
    return int(free_memory() * SHARE) if device.type == "cpu" else 0


def free_memory() -> int:
    """Number of bytes of main memory that are free without swapping, for each process of this machine."""
    processes = processes_here()
    try:
        with Path("/proc/meminfo").open(encoding="ascii") as file:
            kib = next(int(line.split()[1]) for line in file if line.startswith("MemAvailable"))
            return kib * 1024 // processes
    except (OSError, StopIteration):  # not Linux
        return FREE_ELSEWHERE // processes


class Allowance:
    """Allowance that threads share: each waits until what it takes is there."""

    def __init__(self, whole: int) -> None:
        self._left, self._whole, self._changed = whole, whole, threading.Condition()

    @contextmanager
    def taken(self, count: int) -> Iterator[None]:
        """Takes a count, or the whole where that is less, from the allowance within."""
        count = min(count, self._whole)
        with self._changed:
            self._changed.wait_for(lambda: self._left >= count)
            self._left -= count
        try:
            yield
        finally:
            with self._changed:
                self._left += count
                self._changed.notify_all()
