"""The contract of formats of published weights: from a file's networks to settings and tensors."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from torch import Tensor

from gans.core.published_names import NameTable

# The generator is its EMA; beside it, files may hold the generator as it trains.
PublishedRole = Literal["generator", "training_generator", "critic"]


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
        settings: settings by name and options by key, as flags bring them, by which the networks are built.
        networks: the networks by their role; there is a generator.
    """

    settings: Mapping[str, Any]
    networks: Mapping[PublishedRole, PublishedNetwork]


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
    """

    architecture: str
    what: str
    generator: NameTable
    critic: NameTable
    recognize: Callable[[Sequence[PublishedNetwork]], Recognized | None]

    def table(self, role: PublishedRole) -> NameTable:
        """The names of the tensors of a network."""
        return self.critic if role == "critic" else self.generator
