"""GPUs of this machine, which the local runs of a sweep share out among them."""

import os
from collections.abc import Sequence

from experiments.core.errors import UsageError

VISIBLE = "CUDA_VISIBLE_DEVICES"  # environment variable by which a process sees some GPUs alone


def visible_gpus() -> list[str]:
    """Lists the GPUs that this process may use, in the words of CUDA_VISIBLE_DEVICES: indices or UUIDs.

    Where that variable is set, these are its own words.
    """
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    words = os.environ.get(VISIBLE)
    names = list(map(str, range(count))) if words is None else words.split(",")
    return [name.strip() for name in names[:count]]


def check_processes(device: str, processes: int) -> None:
    """Checks that several processes may train a run on this device. Raises UsageError for a single one."""
    if processes > 1 and device not in ("cuda", "cpu"):
        raise UsageError(
            f"--devices-per-run {processes} on --device {device}, which is one device; take --device cuda, "
            "or leave it out"
        )


def gpus_to_share(device: str, processes: int = 1) -> list[str]:
    """Lists the GPUs that runs with this `--device` are shared out to; none for a CPU and one GPU by name.

    Args:
        processes: number of processes of each run, of which each takes a GPU of its own.

    Raises UsageError for more than there are GPUs.
    """
    gpus = visible_gpus() if device == "cuda" else []
    if device == "cuda" and len(gpus) < processes:
        raise UsageError(
            f"--devices-per-run {processes} is more than the {len(gpus)} GPUs here; take fewer, or "
            "--device cpu"
        )
    return gpus


class GpuPool:
    """Pool of GPUs: each run takes the least busy ones, and gives them back at its end.

    Args:
        gpus: their names for CUDA_VISIBLE_DEVICES; none where runs see what this process sees.
    """

    def __init__(self, gpus: Sequence[str]) -> None:
        self.load = dict.fromkeys(gpus, 0)

    def take(self, count: int) -> list[str]:
        """Takes different GPUs for a run, those with the fewest runs, and of equal ones the first."""
        taken = sorted(self.load, key=lambda name: self.load[name])[:count]
        for name in taken:
            self.load[name] += 1
        return taken

    def give_back(self, gpus: Sequence[str]) -> None:
        """Gives back the GPUs of a run that has ended."""
        for name in gpus:
            self.load[name] -= 1
