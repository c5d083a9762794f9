"""A game: the paper's algorithm as `round(deal)`. It owns the order of the moves and nothing of time."""

from abc import ABC, abstractmethod
from typing import Protocol

from torch import Tensor, nn

from gans.core.clock import Clock
from gans.core.player import Scores


class Deal(Protocol):
    """Hands out the next batch of reals and keeps the clock."""

    @property
    def clock(self) -> Clock: ...

    def __call__(self) -> Tensor: ...


class LatentNetwork(nn.Module):
    """A generator that starts from noise: `(N, z_dim)` → samples.

    Attributes:
        z_dim: length of the latent vector.
    """

    z_dim: int


class Game(nn.Module, ABC):
    """Players and the rules between them. Its `state_dict` holds all that the next round depends on."""

    @property
    @abstractmethod
    def generator_network(self) -> nn.Module:
        """The network whose average is kept, sampled and exported: `(N, z_dim)` → samples."""

    @property
    @abstractmethod
    def critic_network(self) -> nn.Module:
        """The network that judges: samples → logits `(N,)`."""

    @property
    @abstractmethod
    def deals_per_round(self) -> int:
        """Batches of reals that one round takes."""

    @abstractmethod
    def round(self, deal: Deal) -> Scores:
        """One step of training: every player moves in the paper's order. Returns its scalars by name."""
