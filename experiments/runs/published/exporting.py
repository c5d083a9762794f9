"""Export of networks under the names of their authors' code."""

import json
from collections.abc import Mapping

from torch import Tensor, nn

from experiments.core import registry
from experiments.core.errors import UsageError
from experiments.core.settings import FIELDS, Settings, flag
from experiments.runs.export import METADATA_KEY, NETWORK_KEY, PUBLISHED_KEY, describe_network
from experiments.runs.published.files import split_networks
from experiments.runs.published.sides import sides_for
from experiments.runs.revisions import has_earlier_layers
from experiments.runs.weights import Role
from gans.core.published_format import COUNTED, PublishedFormat, Recognized


def published_content(networks: Mapping[Role, nn.Module], settings: Settings, name: str, run: str) -> bytes:
    """Makes the content of a safetensors file with the published names of a generator, and of its critic.

    Names of one published network are as they are in its authors' files; of several, as the two directions of
    CycleGAN, they begin with that of the network. The metadata are those of other exports: what the names and
    shapes do not tell is read from there.

    Args:
        networks: the generator, with or without the critic.
        name: of the format.
        run: where they come from, for errors.

    Raises UsageError for networks of another architecture, and for what their authors' code cannot have.
    """
    from safetensors.torch import save

    form: PublishedFormat = registry.load("published-format", name)
    if settings.arch != form.architecture:
        raise UsageError(f"--format {name} is that of {form.architecture}, and {run} is {settings.arch}")
    try:
        sides = sides_for(form, settings)
        tensors: dict[str, Tensor] = {}
        for role, network in networks.items():
            tensors |= _published_tensors(form, role, network, sides)
        if has_earlier_layers(settings):  # under the same names
            raise ValueError(f"it has the layers of an earlier revision of {settings.arch}")
        found = split_networks(tensors, name)
        recognized = form.recognize(found)
        if recognized is None:
            raise ValueError(f"{form.what} has no such sizes of layers ({', '.join(map(str, sides))} pixels)")
        _check_settings(recognized, settings)
    except ValueError as error:
        raise UsageError(f"--format {name}: {run} is no published network: {error}") from error
    described = {PUBLISHED_KEY: name}
    for role in networks:
        described = {**describe_network(settings, role), **described}
    if len(found) == 1:
        tensors = dict(found[0].tensors)
        described[NETWORK_KEY] = found[0].name
    return save(
        {key: tensors[key] for key in sorted(tensors)}, metadata={METADATA_KEY: json.dumps(described)}
    )


def _check_settings(recognized: Recognized, settings: Settings) -> None:
    """Checks that networks are read as they were built. Raises ValueError for a setting that is not."""
    for name in FIELDS.keys() & recognized.settings.keys() - {*COUNTED}:
        own, found = getattr(settings, name), recognized.settings[name]
        if own is not None and own != found:
            raise ValueError(f"it has {flag(name)} {own}, and published files of such tensors have {found}")


def _published_tensors(
    form: PublishedFormat, role: Role, network: nn.Module, sides: list[int]
) -> dict[str, Tensor]:
    """The tensors of a network by their published names, which begin with that of the network."""
    table = form.table(role)
    found = table.to_published(network, sides)
    found |= table.constants_beside(found, network, sides)
    start = f"{form.names[role]}." if form.names else ""
    return {f"{start}{name}": tensor for name, tensor in found.items()}
