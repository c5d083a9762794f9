"""Randomness as a function of (seed, what for): nothing is stored, everything can be reached again."""

from hashlib import blake2b

import torch


def derive_seed(*parts: int | str) -> int:
    """A 63-bit seed from its parts, the same on every machine: `derive_seed(0, "order", epoch)`."""
    text = "/".join(str(part) for part in parts)
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def seed_all(*parts: int | str) -> None:
    """Seeds torch's global generators, on every device, from the parts."""
    torch.manual_seed(derive_seed(*parts))


def generator_for(*parts: int | str) -> torch.Generator:
    """A CPU generator of its own, for draws that must not depend on the device."""
    return torch.Generator().manual_seed(derive_seed(*parts))
