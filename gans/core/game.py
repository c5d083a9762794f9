"""A game: the paper's algorithm as `round(loader)`. It owns the order of the moves and nothing of time."""

from abc import ABC, abstractmethod
from typing import Protocol

from torch import nn

from gans.core.clock import Clock
from gans.core.networks import Batch
from gans.core.player import Scores


class BatchLoader(Protocol):
    """Hands out the next batch of reals and keeps the clock."""

    @property
    def clock(self) -> Clock: ...

    def next_batch(self) -> Batch: ...


class Game(nn.Module, ABC):
    """Players and the rules between them. Its `state_dict` holds all that the next round depends on."""

    @property
    @abstractmethod
    def generator_network(self) -> nn.Module:
        """The network whose average is kept, sampled and exported."""

    @property
    @abstractmethod
    def critic_network(self) -> nn.Module:
        """The network that judges: samples → logits `(N,)`, or `(N, …)` with one for each patch."""

    @property
    @abstractmethod
    def batches_per_round(self) -> int:
        """Batches of reals that one round takes."""

    @abstractmethod
    def round(self, loader: BatchLoader) -> Scores:
        """One step of training: every player moves in the paper's order. Returns its scalars by name."""
