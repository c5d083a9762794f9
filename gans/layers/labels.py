"""Class conditioning of both networks by embeddings of labels; without classes, every part does nothing."""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from gans.layers.deterministic import LabelEmbedding, look_up
from gans.layers.equalized import EqualizedLinear
from losses.core.precision import in_full_precision


class WithLabel(nn.Module):
    """Appends a learned embedding of the label to vectors (Mirza & Osindero 2014, figure 1).

    Args:
        length: of the vectors, and of the embeddings.
        classes: how many; 0 passes the vectors on as they are.

    Attributes:
        total: length of the result.
    """

    def __init__(self, length: int, classes: int) -> None:
        super().__init__()
        self.total = length * (2 if classes else 1)
        self.vectors = LabelEmbedding(classes, length) if classes else None
        if self.vectors is not None:
            # Of length 1 at first, as one-hot vectors are. As long as latents, they drown them: dcgan then
            # makes the same picture of a class from every latent.
            nn.init.normal_(self.vectors.weight, 0.0, length**-0.5)

    def forward(self, x: Tensor, *label: Tensor) -> Tensor:
        """Appends embeddings of the labels `(N,)` to `(N, length)`: `(N, total)`."""
        return x if self.vectors is None else torch.cat([x, *map(self.vectors, label)], dim=1)


class TakesLabel(nn.Module):
    """Base of layers that take class labels, where there are any: `layer(x, *label)`."""


class Chain(nn.Sequential, TakesLabel):
    """A sequence of layers that hands class labels to those that take them."""

    def forward(self, x: Tensor, *label: Tensor) -> Tensor:
        for layer in self:
            x = layer(x, *label) if isinstance(layer, TakesLabel) else layer(x)
        return x


class ConditionalBatchNorm(TakesLabel):
    """Conditional batch norm: a scale and a shift for every class (Dumoulin et al. 2017, 2.2, eq. 5)."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.scale = LabelEmbedding(classes, channels)
        self.shift = LabelEmbedding(classes, channels)
        nn.init.ones_(self.scale.weight)
        nn.init.zeros_(self.shift.weight)

    @in_full_precision
    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        """Normalizes `(N, channels, H, W)` with the scales and shifts of labels `(N,)`."""
        scale, shift = (vectors(label)[:, :, None, None] for vectors in (self.scale, self.shift))
        return torch.addcmul(shift, self.norm(x), scale)


def batch_norm(channels: int, classes: int) -> nn.Module:
    """Batch norm for feature maps, conditional where there are classes."""
    return ConditionalBatchNorm(channels, classes) if classes else nn.BatchNorm2d(channels)


class EqualizedEmbedding(nn.Module):
    """Embedding of labels with equalized learning rate: vectors ~ N(0, 1), scaled by 1 / √length.

    See gans/layers/equalized.py.
    """

    def __init__(self, classes: int, length: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(classes, length))

    def forward(self, label: Tensor) -> Tensor:
        return look_up(label, self.weight) / math.sqrt(self.weight.shape[1])


class LabelLinear(EqualizedLinear):
    """Linear layer of one-hot labels with equalized learning rate, `(N, classes)` → `(N, length)`."""


def class_axis(module: nn.Module) -> int | None:
    """The axis of a module's weight that counts classes; None for modules that are no embedding of labels."""
    if isinstance(module, nn.Embedding | EqualizedEmbedding):
        return 0
    return 1 if isinstance(module, LabelLinear) else None


class LabelledChain(nn.Module, ABC):
    """Base of critics that add labels to the chain of layers that their architecture has without classes."""

    @property
    @abstractmethod
    def chain(self) -> list[nn.Module]:
        """The layers of that chain, in its order."""


class ProjectionCritic(LabelledChain):
    """Projection critic `C(x, y) = logit(φ(x)) + vector(y) · φ(x)` (Miyato & Koyama 2018, eq. 3).

    Args:
        features: φ, samples → `(N, D)`.
        logit: `(N, D)` → `(N, 1)`.
        vectors: labels `(N,)` → `(N, D)`.
    """

    def __init__(self, features: nn.Module, logit: nn.Module, vectors: nn.Module) -> None:
        super().__init__()
        self.features, self.logit, self.vectors = features, logit, vectors

    @property
    def chain(self) -> list[nn.Module]:
        return [*self.features.children(), self.logit]

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        features = self.features(x)
        return self.logit(features).flatten() + (features * self.vectors(label)).sum(dim=1)


def critic_from_layers(features: list[nn.Module], logit: nn.Module, vectors: nn.Module | None) -> nn.Module:
    """Builds a critic from layers that end with features `(N, D)`, and a logit layer `(N, D)` → `(N, 1)`.

    It is one longer chain, or with vectors of labels a projection critic.
    """
    if vectors is None:
        return nn.Sequential(*features, logit, nn.Flatten(start_dim=0))
    return ProjectionCritic(nn.Sequential(*features), logit, vectors)
