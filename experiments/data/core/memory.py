"""Memory that data may take."""

from pathlib import Path

import torch

SHARE = 0.25  # of what is free, which leaves the rest to networks and to everyone else
FREE_ELSEWHERE = 4 * 2**30  # assumed where the system does not say


def memory_for_data(device: torch.device) -> int:
    """Number of bytes that samples may take on the device, a share of its free memory."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0] * SHARE)
    return int(free_memory() * SHARE) if device.type == "cpu" else 0


def free_memory() -> int:
    """Number of bytes of main memory that are free without swapping."""
    try:
        with Path("/proc/meminfo").open(encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable"))
    except (OSError, StopIteration):  # not Linux
        return FREE_ELSEWHERE
