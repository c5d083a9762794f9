"""Random seeds and generators as functions of (seed, purpose): nothing is stored, all can be repeated."""

from hashlib import blake2b

import torch


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


def generator_for(*parts: int | str) -> torch.Generator:
    """Makes a CPU random generator seeded from the parts, for draws that must not depend on the device."""
    return torch.Generator().manual_seed(derive_seed(*parts))
