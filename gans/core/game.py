"""The contract of games: a paper's training algorithm as `round(loader)`, one step of all players.

A game owns the order of the updates and nothing of time.
"""

from abc import ABC, abstractmethod
from typing import ClassVar, Protocol

from torch import nn

from gans.core.clock import Clock
from gans.core.networks import Batch
from gans.core.player import Player, Scores


class BatchLoader(Protocol):
    """A loader of batches of real samples, which also keeps the training clock."""

    @property
    def clock(self) -> Clock:
        """The time before the next batch is loaded."""

    def next_batch(self) -> Batch:
        """Loads the next batch, and advances the clock."""


class Game(nn.Module, ABC):
    """A training algorithm with its players; its `state_dict` holds all that the next step depends on.

    Attributes:
        running_means: buffers of the game that belong to trained networks, and go with their weights where
            another run begins from them.
    """

    running_means: ClassVar[tuple[str, ...]] = ()

    @property
    @abstractmethod
    def generator_network(self) -> nn.Module:
        """The generator, whose EMA is kept, sampled and exported."""

    @property
    @abstractmethod
    def critic_network(self) -> nn.Module:
        """The critic: samples → logits `(N,)`, or `(N, …)` with one for each patch."""

    @property
    def players(self) -> list[Player]:
        """The players of the game, and of games within it."""
        return [module for module in self.modules() if isinstance(module, Player)]

    @property
    @abstractmethod
    def batches_per_round(self) -> int:
        """Number of batches of real samples that one step loads."""

    def check_parts(self, batch_size: int, process_size: int, pass_size: int) -> None:
        """Checks that a batch may be shared out to processes and passes. Raises ValueError otherwise.

        Args:
            batch_size: samples in a batch.
            process_size: samples of it that one process has.
            pass_size: samples that are computed at once.
        """

    @abstractmethod
    def round(self, loader: BatchLoader) -> Scores:
        """Trains for one step: updates every player in the paper's order. Returns its scalars by name."""
