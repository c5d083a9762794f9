"""The contracts of networks: batches with their conditions, generators, and latent spaces."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from losses.core.batch_parts import draw_rows

Condition = tuple[Tensor, ...]


class Batch(NamedTuple):
    """A batch of real samples with their condition.

    Attributes:
        samples: `(N, …)`.
        condition: further arguments of both networks, `(N, …)` each: none; the labels, int64 `(N,)`;
            attributes, float32 `(N, D)`; or the images that the samples are translations of.
    """

    samples: Tensor
    condition: Condition = ()


def conditioned(network: nn.Module, condition: Condition) -> Callable[[Tensor], Tensor]:
    """Binds a condition to a network: the result is a function of samples alone."""
    return partial(_call_conditioned, network, condition) if condition else network


def _call_conditioned(network: nn.Module, condition: Condition, samples: Tensor) -> Tensor:
    """Calls a network with samples and their condition."""
    answer: Tensor = network(samples, *condition)
    return answer


def draw_latents(rows: int, z_dim: int, like: Tensor) -> Tensor:
    """Draws latents `z ~ N(0, 1)` for as many samples, `(rows, z_dim)`, on the device of another tensor."""
    return draw_rows(lambda n: torch.randn(n, z_dim, device=like.device, dtype=like.dtype), rows)


class GeneratorNetwork(nn.Module, ABC):
    """A generator: a network that makes samples under the condition of a batch.

    Attributes:
        passes: calls of the size of one `generate` in its training step, to estimate memory.
        clamps: whether images are cut to [−1, 1] in evaluation mode, where the last layer has no bounds.
    """

    passes: ClassVar[int] = 1
    clamps: bool = True

    def bound(self, images: Tensor) -> Tensor:
        """Cuts images to [−1, 1] in evaluation mode, unless `clamps` is off."""
        return images.clamp(-1, 1) if self.clamps and not self.training else images

    @abstractmethod
    def generate(self, like: Batch) -> Tensor:
        """Generates as many fresh samples as the batch has, under its condition."""


class LatentNetwork(GeneratorNetwork):
    """A generator that starts from noise: `(N, z_dim)` → samples.

    With classes it is class-conditional: `(N, z_dim)` and labels `(N,)` → samples of these classes.

    Args:
        z_dim: length of the latent vector.
        classes: how many; 0 for an unconditional generator.

    Attributes:
        shares: share of each class in the data, float32 `(classes,)`, by which labels are drawn that nobody
            names.
    """

    shares: Tensor

    def __init__(self, z_dim: int, classes: int = 0) -> None:
        super().__init__()
        self.z_dim = z_dim
        self.classes = classes
        if classes:
            self.register_buffer("shares", torch.full((classes,), 1 / classes))

    def generate(self, like: Batch) -> Tensor:
        """Generates as many samples as the batch has, under its condition, from `z ~ N(0, 1)`."""
        samples = like.samples
        made: Tensor = self(draw_latents(len(samples), self.z_dim, samples), *like.condition)
        return made

    @property
    @abstractmethod
    def first_layers(self) -> tuple[Tensor, ...]:
        """Weights of the layers that take the latent, each `(out, z_dim)`.

        They decide in which directions samples change most (SeFa, Shen & Zhou 2021).
        """


class StyledNetwork(LatentNetwork):
    """A style-based generator: a mapping network z → w, and a synthesis network w → samples.

    The space of w is less entangled than that of the noise (StyleGAN, Karras et al. 2019, section 2). Its
    first layers are those that take w, `(out, w_dim)` each.

    Attributes:
        w_dim: length of the intermediate latent vector w.
        mean: mean of w over latents, `(w_dim,)`, towards which truncation draws.
        mapping: the mapping network.
    """

    w_dim: int
    mean: Tensor
    mapping: nn.Module

    @property
    @abstractmethod
    def styles(self) -> int:
        """Number of layers that take w, from the coarsest to the finest."""

    @abstractmethod
    def map(self, z: Tensor, *label: Tensor) -> Tensor:
        """Maps z `(N, z_dim)` and, with classes, labels `(N,)` to w `(N, w_dim)`."""

    @abstractmethod
    def synthesize(self, w: Tensor) -> Tensor:
        """Synthesizes samples from w `(N, w_dim)`, or `(N, styles, w_dim)` with one for every layer."""
