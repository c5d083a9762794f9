"""Latent space in which a generator's samples are moved: z, or w where it has a mapping network."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from experiments.config.factory import blueprint_of
from experiments.core.device import resolve_device
from experiments.core.errors import UsageError
from experiments.core.seeds import generator_for
from experiments.core.settings import Settings
from experiments.runs.generator import BATCH, from_noise, load_generator, restrict_to_class
from gans.core.networks import LatentNetwork, StyledNetwork
from metrics.path_length import lerp, slerp

SURVEYED = 10_000  # samples of w that tell its distribution, as in GANSpace and StyleGAN2's projector


def latent_from_seed(seed: int, z_dim: int) -> Tensor:
    """Latent z `(z_dim,)` of a seed: the first that `gans sample RUN --seed SEED` draws.

    It is cut from a whole batch, as there: a smaller draw would hold other numbers.
    """
    return torch.randn(BATCH, z_dim, generator=generator_for(seed, "latents"))[0]


class LatentSpace(ABC):
    """Latent space of a generator, whose points are `(N, size)`.

    Attributes:
        letter: "z" or "w".
        name: name of the generator in messages.
        settings: those of its run.
        device: where samples are made; points and samples are on the CPU.
        size: length of a point.
    """

    letter: ClassVar[str]
    size: int

    def __init__(self, name: str, settings: Settings, device: torch.device) -> None:
        self.name, self.settings, self.device = name, settings, device

    @property
    @abstractmethod
    def network(self) -> LatentNetwork:
        """The whole generator, z → samples."""

    @abstractmethod
    def make(self, points: Tensor) -> Tensor:
        """Generates samples from points `(N, size)`, both on `device`; gradients reach the points."""

    @abstractmethod
    def from_noise(self, z: Tensor) -> Tensor:
        """Maps noise z `(N, z_dim)` to points `(N, size)`, both on the CPU."""

    @abstractmethod
    def between(self, begin: Tensor, end: Tensor, t: Tensor) -> Tensor:
        """Interpolates from `begin` to `end`, `(size,)` each, at the shares t `(T,)`: points `(T, size)`."""

    @property
    @abstractmethod
    def centre(self) -> Tensor:
        """Mean of the points that noise is mapped to, `(size,)`."""

    @property
    @abstractmethod
    def covariance(self) -> Tensor:
        """Covariance of the points that noise is mapped to, `(size, size)`."""

    @property
    def deviation(self) -> Tensor:
        """Standard deviation of the points that noise is mapped to, in every dimension, `(size,)`."""
        return self.covariance.diagonal().sqrt()

    def of_seeds(self, seeds: Sequence[int]) -> Tensor:
        """Points of seeds, `(N, size)`."""
        return self.from_noise(torch.stack([latent_from_seed(seed, self.network.z_dim) for seed in seeds]))

    @torch.no_grad()
    def samples(self, points: Tensor) -> Tensor:
        """Generates samples from points `(N, size)`: images in [−1, 1] `(N, C, H, W)`, or `(N, 2)`.

        They are made in whole batches, as `gans sample` makes them: in a batch of another size sums may be
        taken in another order, and samples of equal latents differ in the last bit.
        """
        made = []
        for batch in torch.split(points, BATCH):
            whole = torch.cat([batch, batch[-1:].expand(BATCH - len(batch), -1)])
            made.append(self.make(whole.to(self.device)).float().cpu()[: len(batch)])
        return torch.cat(made)

    @property
    def is_images(self) -> bool:
        """Whether the samples are images, else points in the plane."""
        return blueprint_of(self.settings).is_image

    def require_images(self, tool: str) -> None:
        """Refuses a generator of points in the plane, which a tool cannot show. Raises UsageError."""
        if not self.is_images:
            raise UsageError(
                f"gans {tool} shows samples one by one, and {self.name} makes points in the plane, of which "
                "one says nothing: give a generator of images (gans sample RUN --out FILE.png plots points)"
            )


class NoiseSpace(LatentSpace):
    """Latent space of noise z ~ N(0, 1).

    Interpolation keeps to the sphere near which such points lie (White 2016).
    """

    letter: ClassVar[str] = "z"

    def __init__(self, name: str, network: LatentNetwork, settings: Settings, device: torch.device) -> None:
        super().__init__(name, settings, device)
        self._network, self.size = network.to(device), network.z_dim

    @property
    def network(self) -> LatentNetwork:
        """The whole generator, z → samples."""
        return self._network

    def make(self, points: Tensor) -> Tensor:
        """Generates samples from noise z."""
        return self._network(points)

    def from_noise(self, z: Tensor) -> Tensor:
        """Returns z itself, which is the point."""
        return z

    def between(self, begin: Tensor, end: Tensor, t: Tensor) -> Tensor:
        """Interpolates spherically (slerp) from `begin` to `end` at the shares t."""
        return slerp(begin.double(), end.double(), t.double()[:, None]).float()

    @property
    def centre(self) -> Tensor:
        """Mean of N(0, I), `(size,)`."""
        return torch.zeros(self.size)

    @property
    def covariance(self) -> Tensor:
        """Covariance of N(0, I), `(size, size)`."""
        return torch.eye(self.size)


class StyleSpace(LatentSpace):
    """Latent space of w = mapping(z), where interpolation is linear (StyleGAN, section 4.1)."""

    letter: ClassVar[str] = "w"

    def __init__(self, name: str, network: StyledNetwork, settings: Settings, device: torch.device) -> None:
        super().__init__(name, settings, device)
        self._network, self.size = network.to(device), network.w_dim

    @property
    def network(self) -> LatentNetwork:
        """The whole generator, z → samples."""
        return self._network

    def make(self, points: Tensor) -> Tensor:
        """Generates samples from w, by the synthesis network alone."""
        return self._network.synthesize(points)

    @torch.no_grad()
    def from_noise(self, z: Tensor) -> Tensor:
        """Maps z to w by the mapping network."""
        return self._network.map(z.to(self.device)).float().cpu()

    def between(self, begin: Tensor, end: Tensor, t: Tensor) -> Tensor:
        """Interpolates linearly from `begin` to `end` at the shares t."""
        return lerp(begin.double(), end.double(), t.double()[:, None]).float()

    @cached_property
    def sampled_w(self) -> Tensor:
        """Sample of w by which its distribution is measured, `(10000, size)`."""
        random = generator_for(0, "survey")
        return self.from_noise(torch.randn(SURVEYED, self.network.z_dim, generator=random))

    @property
    def centre(self) -> Tensor:
        """Mean of the surveyed w, `(size,)`."""
        return self.sampled_w.mean(dim=0)

    @cached_property
    def covariance(self) -> Tensor:
        """Covariance of the surveyed w, `(size, size)`."""
        return torch.cov(self.sampled_w.T)


def open_space(path: Path, device: str, label: int | None) -> LatentSpace:
    """Opens the latent space of a run folder, a checkpoint or an exported generator.

    Args:
        label: one class of a conditional generator, which needs one; else None.

    Raises UsageError or RunError as `load_generator` and `restrict_to_class` do, and for a generator that
    does not start from noise.
    """
    network, settings = load_generator(path)
    chosen = restrict_to_class(from_noise(network, str(path)), label, str(path), needed=True)
    return space_of(chosen, settings, str(path), torch.device(resolve_device(device)))


def space_of(network: LatentNetwork, settings: Settings, name: str, device: torch.device) -> LatentSpace:
    """Latent space of a network in evaluation mode: w where it has a mapping network, else z."""
    if isinstance(network, StyledNetwork):
        return StyleSpace(name, network, settings, device)
    return NoiseSpace(name, network, settings, device)
