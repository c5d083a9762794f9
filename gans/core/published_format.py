"""The contract of formats of published weights: from a file's networks to settings and tensors."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from torch import Tensor

from gans.core.published_names import NameTable

# The generator is its EMA; beside it, files may hold the generator as it trains.
PublishedRole = Literal["generator", "training_generator", "critic"]
COUNTED = ("classes", "attributes")  # settings of which networks tell the number
AVERAGE = "G_ema"  # the name of the EMA in files that hold the generator as well


@dataclass(frozen=True)
class PublishedNetwork:
    """A network of a published file: its tensors, and what the file says of how it was built.

    Attributes:
        name: its name in the file, such as G_ema, or the name of the file without its ending.
        tensors: by their published names.
        class_name: the class that it had; empty where the file does not say.
        values: what else its modules held (numbers, words, lists of them), by the module's path and the name;
            of what its constructor was given, by `_init_kwargs` and the name.
    """

    name: str
    tensors: Mapping[str, Tensor]
    class_name: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)

    def value(self, *paths: str, default: Any = None) -> Any:
        """The first of these values that the file has."""
        return next((self.values[path] for path in paths if path in self.values), default)


class Recognized(NamedTuple):
    """Networks that a format has recognized.

    Attributes:
        settings: settings by name and options by key, as flags bring them, by which the networks are built;
            of `classes` and `attributes` the number.
        networks: the networks by their role; there is a generator.
        defaults: further settings, which the user may choose otherwise.
    """

    settings: Mapping[str, Any]
    networks: Mapping[PublishedRole, PublishedNetwork]
    defaults: Mapping[str, Any] = MappingProxyType({})


def assign_roles(
    generators: Sequence[PublishedNetwork], critics: Sequence[PublishedNetwork], kind: str
) -> dict[PublishedRole, PublishedNetwork]:
    """Assigns the roles of generators, which are one, or G and its EMA G_ema, and of at most one critic.

    Raises ValueError for other numbers of them; `kind` is what they are of, for errors.
    """
    if not generators:
        raise ValueError(f"{critics[0].name} is a critic of {kind}, without its generator")
    named = {each.name: each for each in generators}
    if len(generators) > 1 and not (named.keys() == {AVERAGE, "G"} and len(generators) == 2):
        raise ValueError(f"{', '.join(named)} are {len(generators)} generators; give one, or G and G_ema")
    if len(critics) > 1:
        raise ValueError(f"{', '.join(each.name for each in critics)} are {len(critics)} critics; give one")
    found: dict[PublishedRole, PublishedNetwork] = {"generator": named.get(AVERAGE, generators[0])}
    if len(generators) > 1:
        found["training_generator"] = named["G"]
    return found | ({"critic": critics[0]} if critics else {})


def tensor_of(network: PublishedNetwork, name: str, dimensions: int) -> Tensor:
    """A tensor of a network with so many dimensions. Raises ValueError where there is none."""
    tensor = network.tensors.get(name)
    if tensor is None or tensor.dim() != dimensions or not tensor.numel():
        what = "is missing" if tensor is None else f"has the shape {tuple(tensor.shape)}"
        raise ValueError(f"{name} of {network.name} {what}")
    return tensor


@dataclass(frozen=True)
class PublishedFormat:
    """A format plug-in: whose networks are published in it, under which names, and how they are recognized.

    `recognize` is given all networks of the files. It returns None for networks of another kind, and raises
    ValueError, with a clause that says what the file holds, for those of its kind that cannot be built here.
    Names and shapes are checked afterwards, by the tables.

    Attributes:
        architecture: the architecture that its networks are of.
        what: the networks and their files, in words, for errors.
        generator: names of the generator's tensors.
        critic: names of the critic's tensors.
        module_classes: full names of the classes of modules in its snapshots, beside those that NVlabs' code
            pickles in its own way. None of them is imported.
        names: names of the networks, which begin those of their tensors where a file has several. Empty where
            the tables have them.
        has_sides: whether tables count by the sides of images, which then must be square.
    """

    architecture: str
    what: str
    generator: NameTable
    critic: NameTable
    recognize: Callable[[Sequence[PublishedNetwork]], Recognized | None]
    module_classes: frozenset[str] = frozenset()
    names: Mapping[PublishedRole, str] = field(default_factory=lambda: {"generator": AVERAGE, "critic": "D"})
    has_sides: bool = True

    def table(self, role: PublishedRole) -> NameTable:
        """The names of the tensors of a network."""
        return self.critic if role == "critic" else self.generator
