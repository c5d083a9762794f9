"""Random seeds and generators as functions of (seed, purpose): nothing is stored, all can be repeated."""

import logging
import os
from hashlib import blake2b

import torch

log = logging.getLogger("gans")
CUBLAS_WORKSPACE = ":4096:8"  # of the two with which cuBLAS is deterministic, the faster one


def derive_seed(*parts: int | str) -> int:
    """Derives a 63-bit seed from its parts, alike on every machine: `derive_seed(0, "order", epoch)`."""
    text = "/".join(str(part) for part in parts)
    name = text.encode("utf-8", "surrogateescape")  # parts may be file names
    return int.from_bytes(blake2b(name, digest_size=8).digest(), "big") >> 1


def seed_all(*parts: int | str) -> None:
    """Seeds torch's global generators, on every device in use, from the parts.

    `torch.manual_seed` would also note a stack trace for accelerators that were never started, which costs
    a small network two hundredths of its step.
    """
    seed = derive_seed(*parts)
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(seed)
    if torch.backends.mps.is_available():
        torch.mps.manual_seed(seed)


def make_deterministic() -> None:
    """Restricts cuDNN to deterministic algorithms; those of the CPU always are."""
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False


def choose_algorithms(device: torch.device, is_deterministic: bool) -> None:
    """Chooses the algorithms of a GPU for this process: deterministic ones, or the fastest.

    Those of the CPU always are deterministic. It comes before the first product of matrices on the GPU. An
    operation that has no deterministic algorithm fails from then on.
    """
    torch.backends.cudnn.deterministic = is_deterministic
    torch.backends.cudnn.benchmark = not is_deterministic
    if device.type != "cuda":
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", CUBLAS_WORKSPACE)
    torch.use_deterministic_algorithms(is_deterministic)
    # No result depends on memory that nobody has written; filling it costs time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    if not is_deterministic:
        log.info("--no-deterministic: the fastest algorithms; the same command will not give the same bits")


def generator_for(*parts: int | str) -> torch.Generator:
    """Makes a CPU random generator seeded from the parts, for draws that must not depend on the device."""
    return torch.Generator().manual_seed(derive_seed(*parts))
