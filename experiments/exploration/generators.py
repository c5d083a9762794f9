"""Generators that are open for exploration: loaded once, and kept as far as memory allows."""

import copy
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import RLock

import torch
from torch import nn

from experiments.config.factory import blueprint_of
from experiments.core.settings import Settings
from experiments.data.core.sources import known_class_names
from experiments.inference.latent_directions import FINDERS, Directions
from experiments.inference.latent_space import LatentSpace, StyleSpace, space_of
from experiments.runs.checkpoint import hash_path
from experiments.runs.folder import RunFolder
from experiments.runs.generator import load, restrict_to_class
from gans.core.networks import LatentNetwork, StyledNetwork
from gans.core.styles import Noise, set_noise_mode
from gans.core.translation import AttributeTranslator, DomainTranslator

MOST_BYTES = 2**30  # of all weights that are kept, but for those of one generator
MOST_VARIANTS = 32  # of a generator: classes that were looked at
DIRECTIONS = 6  # that are found, for a slider each


class OpenGenerator:
    """A loaded generator with its variants: restricted to a class, and with noise or without.

    Variants share their weights and are never changed, so that threads may use them at the same time.

    Attributes:
        path: from which it was loaded.
        settings: of its run.
        network: as it was loaded, on the device.
    """

    def __init__(self, path: Path, device: torch.device) -> None:
        loaded = load(path)
        self.path, self.settings, self.device = path, loaded.settings, device
        self.network: nn.Module = loaded.generator.to(device)
        self._lock = RLock()
        self._spaces: OrderedDict[tuple[int, bool], LatentSpace] = OrderedDict()
        self._directions: dict[int, Directions] = {}

    @property
    def size_bytes(self) -> int:
        """Memory of all weights, in bytes."""
        return sum(each.numel() * each.element_size() for each in self.network.state_dict().values())

    @property
    def abilities(self) -> "Abilities":
        """The abilities of the generator."""
        return Abilities.of(self.network, self.settings)

    def named_abilities(self) -> "Abilities":
        """The abilities with the names of the classes, for which the data of the run are looked at."""
        found = self.abilities
        return replace(found, class_names=_class_names(found.classes, self.settings))

    def space(self, label: int, has_noise: bool) -> LatentSpace:
        """Latent space of a class, of a network with noise or without. Raises UsageError for a translator."""
        network, name = self.network, str(self.path)
        assert isinstance(network, LatentNetwork)
        label = min(label, network.classes - 1) if network.classes else 0
        key = label, has_noise or not self.abilities.has_noise
        with self._lock:
            if key not in self._spaces:
                own = network if key[1] else _without_noise(network)
                chosen = restrict_to_class(own, label if network.classes else None, name)
                self._spaces[key] = space_of(chosen, self.settings, name, self.device)
            self._spaces.move_to_end(key)
            while len(self._spaces) > MOST_VARIANTS:
                self._spaces.popitem(last=False)
            return self._spaces[key]

    def directions(self, label: int) -> Directions:
        """Directions in which samples of a class change most: by GANSpace where there is w, or SeFa."""
        with self._lock:
            space = self.space(label, True)
            found = self._directions.get(label)
            if found is None:
                method = "pca" if isinstance(space, StyleSpace) else "sefa"
                found = FINDERS[method](space, min(DIRECTIONS, space.size))
                self._directions[label] = found
            return found


@dataclass(frozen=True)
class Abilities:
    """Abilities of a generator: all that it can be asked for.

    Attributes:
        task: "noise" for images of latents, "points" for points in the plane, "translation" for images.
        z_dim, classes: of its latents and labels; 0 for none.
        class_names: "class 0" and so on where the data of the run are gone; empty where nobody looked.
        styles: number of layers that take w; 0 without styles.
        has_noise: whether there is noise in its layers.
    """

    task: str
    z_dim: int = 0
    classes: int = 0
    styles: int = 0
    has_noise: bool = False
    class_names: tuple[str, ...] = ()

    @classmethod
    def of(cls, network: nn.Module, settings: Settings) -> "Abilities":
        """Finds what a network can be asked for."""
        if isinstance(network, DomainTranslator | AttributeTranslator):
            return cls("translation")
        assert isinstance(network, LatentNetwork)
        return cls(
            "noise" if blueprint_of(settings).is_image else "points",
            network.z_dim,
            network.classes,
            network.styles if isinstance(network, StyledNetwork) else 0,
            any(isinstance(part, Noise) for part in network.modules()),
        )


@dataclass
class GeneratorPool:
    """Loads generators and keeps those that were used last; a file that has changed is loaded anew.

    Attributes:
        device: where they compute.
        opened: called with every path that is loaded.
        lock: held while a generator is loaded, as first weights draw from the global random generator;
            to be held by what seeds that one, too.
    """

    device: torch.device
    opened: Callable[[Path], None] = lambda path: None
    lock: RLock = field(default_factory=RLock)
    _kept: OrderedDict[tuple[Path, int], OpenGenerator] = field(default_factory=OrderedDict)

    def open(self, path: Path) -> OpenGenerator:
        """Opens the generator of a run folder, a checkpoint or an exported file.

        Raises UsageError or RunError as `load` does.
        """
        key = path, _version(path)
        with self.lock:
            if key not in self._kept:
                self.opened(path)
                self._kept[key] = OpenGenerator(path, self.device)
            self._kept.move_to_end(key)
            while len(self._kept) > 1 and sum(each.size_bytes for each in self._kept.values()) > MOST_BYTES:
                self._kept.popitem(last=False)
            return self._kept[key]


def _version(path: Path) -> int:
    """A number that changes when the file of a generator is written anew; 0 where there is none."""
    folder, files = RunFolder(path), [path]
    if path.is_dir():
        files = [folder.generator_file, hash_path(folder.generator_file), *folder.checkpoints().paths()[-1:]]
    return max((file.stat().st_mtime_ns for file in files if file.is_file()), default=0)


def _class_names(count: int, settings: Settings) -> tuple[str, ...]:
    """Names of the classes that a run was trained on, or their numbers where its data do not tell them."""
    names = known_class_names(settings.data, settings.to_dict()) if count else ()
    return names if len(names) == count else tuple(f"class {label}" for label in range(count))


def _without_noise(network: LatentNetwork) -> LatentNetwork:
    """A network of the same weights, without the noise in its layers."""
    shared = {id(each): each for each in (*network.parameters(), *network.buffers())}
    other = copy.deepcopy(network, memo=dict(shared))
    set_noise_mode(other, "none")
    return other
