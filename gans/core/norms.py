"""Normalization layers by name, for critics."""

from collections.abc import Callable

from torch import nn

# Layer norm over (C, H, W) is a group norm with one group, which needs no fixed size.
NORMS: dict[str, Callable[[int], nn.Module]] = {
    "none": lambda channels: nn.Identity(),
    "batch": lambda channels: nn.BatchNorm2d(channels),
    "layer": lambda channels: nn.GroupNorm(num_groups=1, num_channels=channels),
    "instance": lambda channels: nn.InstanceNorm2d(channels, affine=True),
}
FLAT_NORMS: dict[str, Callable[[int], nn.Module]] = {
    "none": lambda units: nn.Identity(),
    "batch": lambda units: nn.BatchNorm1d(units),
    "layer": lambda units: nn.LayerNorm(units),
}


def norm(name: str, channels: int) -> nn.Module:
    """Normalization of feature maps `(N, C, H, W)`."""
    return NORMS[name](channels)


def flat_norm(name: str, units: int) -> nn.Module:
    """Normalization of vectors `(N, units)`. Raises ValueError where the name needs feature maps."""
    if name not in FLAT_NORMS:
        raise ValueError(f"{name} norm needs feature maps; for vectors there are: {', '.join(FLAT_NORMS)}")
    return FLAT_NORMS[name](units)
