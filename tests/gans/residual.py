"""Helpers of the tests of residual networks: signals in float64, exact comparison, convolutions."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn


def draw(*shape: int) -> Tensor:
    """Normal noise in float64."""
    return torch.randn(*shape, dtype=torch.float64)


def close(actual: Tensor, expected: Tensor) -> None:
    """Equal to the rounding of float64."""
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)


def convolutions(network: nn.Module) -> Iterator[nn.Conv2d]:
    """The convolutions of a network, in order."""
    return (m for m in network.modules() if isinstance(m, nn.Conv2d))
