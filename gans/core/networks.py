"""Networks: what a game asks of its generator and its critic."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

Condition = tuple[Tensor, ...]


class Batch(NamedTuple):
    """Real samples, and what both players are told of each.

    Attributes:
        samples: `(N, …)`.
        condition: further arguments of both networks, `(N, …)` each: none; the labels, int64 `(N,)`;
            attributes, float32 `(N, D)`; or the images that the samples are translations of.
    """

    samples: Tensor
    condition: Condition = ()


def conditioned(network: nn.Module, condition: Condition) -> Callable[[Tensor], Tensor]:
    """The network as a function of samples alone."""
    return partial(_call_conditioned, network, condition) if condition else network


def _call_conditioned(network: nn.Module, condition: Condition, samples: Tensor) -> Tensor:
    answer: Tensor = network(samples, *condition)
    return answer


class GeneratorNetwork(nn.Module, ABC):
    """A network that makes samples.

    Attributes:
        passes: how often its step in its game makes as many samples as one `generate`: what memory it needs.
    """

    passes: ClassVar[int] = 1

    @abstractmethod
    def generate(self, like: Batch) -> Tensor:
        """As many fresh samples as the batch has, of the same condition."""


class LatentNetwork(GeneratorNetwork):
    """A generator that starts from noise: `(N, z_dim)` → samples; with classes, `(N, z_dim)` and labels
    `(N,)` → samples of these classes.

    Args:
        z_dim: length of the latent vector.
        classes: how many; 0 for a generator that is told no labels.

    Attributes:
        shares: of each class in the data, float32 `(classes,)`, by which labels are drawn that nobody names.
    """

    shares: Tensor

    def __init__(self, z_dim: int, classes: int = 0) -> None:
        super().__init__()
        self.z_dim = z_dim
        self.classes = classes
        if classes:
            self.register_buffer("shares", torch.full((classes,), 1 / classes))

    def generate(self, like: Batch) -> Tensor:
        """From `z ~ N(0, 1)`."""
        samples = like.samples
        z = torch.randn(len(samples), self.z_dim, device=samples.device, dtype=samples.dtype)
        made: Tensor = self(z, *like.condition)
        return made

    @property
    @abstractmethod
    def first_layers(self) -> tuple[Tensor, ...]:
        """The weights that the latent meets first, each `(out, z_dim)`: they decide in which directions
        samples change most (SeFa, Shen & Zhou 2021)."""


class StyledNetwork(LatentNetwork):
    """A generator in two parts, with a space of latents between them that is less entangled than that of
    the noise (StyleGAN, Karras et al. 2019, section 2). Its first layers are those that w meets,
    `(out, w_dim)` each.

    Attributes:
        w_dim: length of the latent vector between the two.
        mean: of w over latents, `(w_dim,)`: what truncation draws towards.
    """

    w_dim: int
    mean: Tensor

    @property
    @abstractmethod
    def styles(self) -> int:
        """Layers that take w, from the coarsest to the finest."""

    @abstractmethod
    def map(self, z: Tensor, *label: Tensor) -> Tensor:
        """The mapping network: `(N, z_dim)` and, with classes, labels `(N,)` → w `(N, w_dim)`."""

    @abstractmethod
    def synthesize(self, w: Tensor) -> Tensor:
        """The synthesis network: w `(N, w_dim)`, or `(N, styles, w_dim)` with one for every layer, →
        samples."""
