"""Labels: how generators and critics are told the class of a sample. Each is nothing without classes."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding


class WithLabel(nn.Module):
    """Vectors, and behind them a learned vector of the label (Mirza & Osindero 2014, figure 1).

    Args:
        length: of the vectors, and of those of the labels.
        classes: how many; 0 passes the vectors on as they are.

    Attributes:
        total: length of what comes out.
    """

    def __init__(self, length: int, classes: int) -> None:
        super().__init__()
        self.total = length * (2 if classes else 1)
        self.vectors = nn.Embedding(classes, length) if classes else None
        if self.vectors is not None:
            # Of length 1 at first, as one-hot vectors are. As long as latents, they drown them: dcgan then
            # makes the same picture of a class from every latent.
            nn.init.normal_(self.vectors.weight, 0.0, length**-0.5)

    def forward(self, x: Tensor, *label: Tensor) -> Tensor:
        """`(N, length)` and labels `(N,)` → `(N, total)`."""
        return x if self.vectors is None else torch.cat([x, *map(self.vectors, label)], dim=1)


class TakesLabel(nn.Module):
    """A layer that is told the labels, where there are any: `layer(x, *label)`."""


class Chain(nn.Sequential, TakesLabel):
    """A chain of layers, some of which are told the labels."""

    def forward(self, x: Tensor, *label: Tensor) -> Tensor:
        for layer in self:
            x = layer(x, *label) if isinstance(layer, TakesLabel) else layer(x)
        return x


class ConditionalBatchNorm(TakesLabel):
    """Batch norm with a scale and a shift for every class (Dumoulin et al. 2017, section 2.2, eq. 5)."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.scale = nn.Embedding(classes, channels)
        self.shift = nn.Embedding(classes, channels)
        nn.init.ones_(self.scale.weight)
        nn.init.zeros_(self.shift.weight)

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        """`(N, channels, H, W)` and labels `(N,)` → the same shape."""
        scale, shift = (vectors(label)[:, :, None, None] for vectors in (self.scale, self.shift))
        return torch.addcmul(shift, self.norm(x), scale)


def batch_norm(channels: int, classes: int) -> nn.Module:
    """Batch norm of feature maps, with classes a conditional one."""
    return ConditionalBatchNorm(channels, classes) if classes else nn.BatchNorm2d(channels)


class EqualizedEmbedding(nn.Module):
    """Vectors ~ N(0, 1) of the labels, scaled by 1 / √length when used: see gans/core/equalized.py."""

    def __init__(self, classes: int, length: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(classes, length))

    def forward(self, label: Tensor) -> Tensor:
        return embedding(label, self.weight) / math.sqrt(self.weight.shape[1])


class ProjectionCritic(nn.Module):
    """`C(x, y) = logit(φ(x)) + vector(y) · φ(x)` (Miyato & Koyama 2018, eq. 3).

    Args:
        features: φ, samples → `(N, D)`.
        logit: `(N, D)` → `(N, 1)`.
        vectors: labels `(N,)` → `(N, D)`.
    """

    def __init__(self, features: nn.Module, logit: nn.Module, vectors: nn.Module) -> None:
        super().__init__()
        self.features, self.logit, self.vectors = features, logit, vectors

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        features = self.features(x)
        return self.logit(features).flatten() + (features * self.vectors(label)).sum(dim=1)


def critic_from_layers(features: list[nn.Module], logit: nn.Module, vectors: nn.Module | None) -> nn.Module:
    """A critic from a chain of layers that ends with features `(N, D)` and a layer `(N, D)` → `(N, 1)`: one
    longer chain, or with vectors of labels a projection critic."""
    if vectors is None:
        return nn.Sequential(*features, logit, nn.Flatten(start_dim=0))
    return ProjectionCritic(nn.Sequential(*features), logit, vectors)
