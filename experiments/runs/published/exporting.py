"""Export of a generator under the names of its authors' code."""

import json

from torch import nn

from experiments.core import registry
from experiments.core.errors import UsageError
from experiments.core.settings import Settings
from experiments.runs.export import METADATA_KEY, PUBLISHED_KEY, describe_network
from experiments.runs.published.sides import image_sides
from experiments.runs.revisions import has_earlier_layers
from gans.core.published_format import PublishedFormat, PublishedNetwork

NAME = "G_ema"


def published_content(network: nn.Module, settings: Settings, name: str, run: str) -> bytes:
    """Makes the content of a safetensors file with the published names of a generator.

    Its metadata are those of other exports: what the names and shapes do not tell is read from there.

    Args:
        name: of the format.
        run: where the generator comes from, for errors.

    Raises UsageError for a generator of another architecture, and for one that its authors' code cannot have.
    """
    from safetensors.torch import save

    form: PublishedFormat = registry.load("published-format", name)
    if settings.arch != form.architecture:
        raise UsageError(f"--format {name} is that of {form.architecture}, and {run} is {settings.arch}")
    try:
        if has_earlier_layers(settings):
            raise ValueError(f"it has the layers of an earlier revision of {settings.arch}")
        sides = image_sides(settings)
        tensors = form.generator.to_published(network, sides)
        tensors |= form.generator.constants_beside(tensors, network, sides)
        if form.recognize([PublishedNetwork(NAME, tensors)]) is None:
            raise ValueError(f"{form.what} has no such sizes of layers ({', '.join(map(str, sides))} pixels)")
    except ValueError as error:
        raise UsageError(f"--format {name}: {run} is no published network: {error}") from error
    described = json.dumps({**describe_network(settings, "generator"), PUBLISHED_KEY: name})
    return save({name: tensors[name] for name in sorted(tensors)}, metadata={METADATA_KEY: described})
