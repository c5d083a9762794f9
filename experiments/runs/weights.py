"""Networks built for weights that a file holds, whatever its settings claim."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor, nn

from experiments.config.factory import build_network
from experiments.core import registry
from experiments.core.named_values import StateDict
from experiments.core.settings import Settings
from experiments.runs.checkpoint import rename_keys

Role = Literal["generator", "critic"]
SPARE_NUMBERS = 2**20  # of buffers and the like, which older weights may lack


class _TooLargeError(Exception):
    """Signal that a network has more weights than the file."""


def build_with_weights(settings: Settings, player: Role, weights: StateDict) -> nn.Module:
    """Builds a network from settings and loads `weights` into it; evaluation mode, without gradients.

    Settings may claim a network of any size: it is built without memory first, and its weights are counted.

    Raises ValueError for weights that are not of this network, UsageError for settings that none can have.
    """
    try:
        named = rename_keys(weights, registry.load("architecture", settings.arch).renamed_keys)
        count = sum(weight.numel() for weight in named.values() if isinstance(weight, Tensor))
        build_without_weights(settings, player, count)
        network = build_network(settings, player)
        network.load_state_dict(named)
    except (ValueError, RuntimeError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"its weights are not those of a {settings.arch} {player}") from error
    return network.eval().requires_grad_(False)


def build_without_weights(settings: Settings, player: Role, count: int) -> nn.Module:
    """Builds a network without memory, on the meta device, for about so many weights.

    Raises ValueError for a network that has more, UsageError for settings that none can have.
    """
    try:
        with torch.device("meta"), _no_more_weights(count + SPARE_NUMBERS):
            return build_network(settings, player)
    except (RuntimeError, OverflowError, _TooLargeError) as error:
        raise ValueError(f"a {settings.arch} {player} of these settings has other weights") from error


@contextmanager
def _no_more_weights(most: int) -> Iterator[None]:
    """Refuses networks with more weights than `most` that are built on the meta device within."""
    left = most

    def count(module: nn.Module, name: str, weight: Tensor | None) -> None:
        nonlocal left
        if weight is not None and weight.is_meta:
            left -= weight.numel()
            if left < 0:
                raise _TooLargeError

    with (
        nn.modules.module.register_module_parameter_registration_hook(count),
        nn.modules.module.register_module_buffer_registration_hook(count),
    ):
        yield
