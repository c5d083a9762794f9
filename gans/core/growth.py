"""Progressive growing: networks that begin small, and the game that lets them grow (Karras et al. 2018).

How far they have grown is one number, the stage: 0 is the smallest size, 1.25 is a quarter of the way from
size 1 to size 2. It is a function of the images shown.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from gans.core.clock import Clock
from gans.core.duel import Duel, WrappedGame
from gans.core.game import BatchLoader
from gans.core.networks import Batch, LatentNetwork
from gans.core.objective import LossSpec
from gans.core.player import Scores
from losses.core.options import option


@dataclass(frozen=True)
class GrowthOptions:
    """Options of networks that grow; where both lengths are None, 60 % of the run are growth."""

    fade_kimg: float | None = option(None, "Length of the fade-in of a new size, in kimg.", above=0.0)
    stable_kimg: float | None = option(None, "Time at each size after its fade-in, in kimg.", above=0.0)
    stage_batch_sizes: tuple[tuple[int, int], ...] = option(
        (), "Batch sizes by the longer side of the images, SIDE:N,…; at others --batch-size.", at_least=1
    )


class Stage(nn.Module):
    """How far a network has grown: a part of both players' networks, and of their state.

    While the network trains, the game says it; an average, and what is loaded from a file, finds it in the
    buffer that is copied like any other.

    Args:
        levels: how often the smallest size is doubled.
    """

    reached: Tensor

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.levels = levels
        self.register_buffer("reached", torch.tensor(float(levels)))
        self._now = float(levels)
        self.register_load_state_dict_post_hook(_read_back)  # type: ignore[no-untyped-call]

    def set(self, stage: float) -> None:
        self._now = stage
        self.reached.fill_(stage)

    @property
    def now(self) -> float:
        # Asking the buffer waits for an accelerator: a step of training must not, and an exporter cannot.
        return self._now if self.training or torch.compiler.is_compiling() else float(self.reached)

    def split(self) -> tuple[int, float]:
        """The level that is played at, and the share in (0, 1] to which it has come in."""
        level = math.ceil(self.now)
        return level, 1.0 - (level - self.now)


def _read_back(stage: Stage, incompatible: object) -> None:
    stage.set(float(stage.reached))


class GrowingGenerator(LatentNetwork):
    """A generator with a stage. While it trains, its images have the size of the stage and no bounds; in
    evaluation mode they are enlarged to the full size, each pixel to a square, and cut to [−1, 1]."""

    stage: Stage


class GrowingCritic(nn.Module):
    """A critic with a stage. While it trains, it takes images of the stage's size; in evaluation mode of the
    full size."""

    stage: Stage


class GrowingDuel(WrappedGame):
    """A duel whose players grow, and whose reals fade with them. At a new size the optimizers begin anew."""

    def __init__(self, generator: LatentNetwork, critic: nn.Module, spec: LossSpec) -> None:
        if not isinstance(generator, GrowingGenerator) or not isinstance(critic, GrowingCritic):
            raise TypeError("a growing game needs a growing generator and a growing critic")
        super().__init__(Duel(generator, critic, spec))
        self.stages = (generator.stage, critic.stage)
        self.pace = spec.pace
        self.level = 0

    def round(self, loader: BatchLoader) -> Scores:
        for stage in self.stages:
            stage.set(self.pace.stage(loader.clock, stage.levels))
        level, share = self.stages[0].split()
        if level != self.level:
            self.level = level
            for player in (self.duel.generator, self.duel.critic):
                player.reset_optimizer()
        return self.duel.round(FadedLoader(loader, self.stages[0].levels - level, share))

    def get_extra_state(self) -> dict[str, Any]:
        """Which level the optimizers know."""
        return {"level": self.level}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        self.level = state["level"]


@dataclass(frozen=True)
class FadedLoader:
    """Reals as the players see them at a stage.

    Attributes:
        loader: reals of the full size.
        halvings: how often they are halved.
        share: of the present level; the rest is the level before, enlarged.
    """

    loader: BatchLoader
    halvings: int
    share: float

    @property
    def clock(self) -> Clock:
        return self.loader.clock

    def next_batch(self) -> Batch:
        batch = self.loader.next_batch()
        return batch._replace(samples=blend_with_smaller(shrink(batch.samples, self.halvings), self.share))


def shrink(images: Tensor, halvings: int) -> Tensor:
    """The means of squares of 2^halvings pixels a side."""
    return avg_pool2d(images, 2**halvings) if halvings else images


def enlarge(images: Tensor, doublings: int = 1) -> Tensor:
    """Every pixel as a square of 2^doublings pixels a side."""
    return interpolate(images, scale_factor=float(2**doublings)) if doublings else images


def to_full_size(images: Tensor, doublings: int) -> Tensor:
    """At the full size, and cut to [−1, 1]: papers whose last layer is linear cut what they show."""
    return enlarge(images, doublings).clamp(-1, 1)


def blend_with_smaller(images: Tensor, share: float) -> Tensor:
    """`(1 − share)` of what is left of the images one level below, enlarged, and `share` of themselves."""
    return images if share == 1 else torch.lerp(enlarge(shrink(images, 1)), images, share)


def cross_fade(old: Callable[[], Tensor], new: Tensor, share: float) -> Tensor:
    """The old path, as long as it has any share, and the new one."""
    return new if share == 1 else torch.lerp(old(), new, share)
