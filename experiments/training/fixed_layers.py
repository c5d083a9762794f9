"""Layers of a run that stay fixed (`--freeze-critic`, `--freeze-mapping`)."""

from torch import nn

from experiments.core.errors import usage_errors
from experiments.core.settings import Settings
from experiments.runs.weights import Role
from gans.core.fixed_layers import mapping_parameters, nearest_layers


def fixed_parameters(settings: Settings, role: Role, network: nn.Module) -> dict[str, nn.Parameter]:
    """Finds the parameters of a network that are to stay fixed, by name.

    Raises UsageError for more layers than there are, and for a generator without a mapping network.
    """
    found: list[nn.Parameter] = []
    if role == "critic" and settings.freeze_critic:
        with usage_errors(f"--freeze-critic {settings.freeze_critic}"):
            found = nearest_layers(network, settings.freeze_critic)
    if role == "generator" and settings.freeze_mapping:
        with usage_errors(f"--freeze-mapping with --arch {settings.arch}"):
            found = mapping_parameters(network)
    fixed = set(map(id, found))
    return {name: each for name, each in network.named_parameters() if id(each) in fixed}


def fix_layers(settings: Settings, generator: nn.Module, critic: nn.Module) -> None:
    """Fixes layers as the settings ask: players train no parameters that ask for no gradient.

    Raises UsageError where `fixed_parameters` does.
    """
    for parameter in fixed_parameters(settings, "generator", generator).values():
        parameter.requires_grad_(False)
    for parameter in fixed_parameters(settings, "critic", critic).values():
        parameter.requires_grad_(False)
