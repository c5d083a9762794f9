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
from gans.core.contest import Rules
from gans.core.duel import AroundDuel, Duel
from gans.core.game import Batch, Deal, LatentNetwork
from gans.core.player import Scores


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


class GrowingDuel(AroundDuel):
    """A duel whose players grow, and whose reals fade with them. At a new size the optimizers begin anew."""

    def __init__(self, generator: LatentNetwork, critic: nn.Module, rules: Rules) -> None:
        if not isinstance(generator, GrowingGenerator) or not isinstance(critic, GrowingCritic):
            raise TypeError("a growing game needs a growing generator and a growing critic")
        super().__init__(Duel(generator, critic, rules))
        self.stages = (generator.stage, critic.stage)
        self.pace = rules.pace
        self.level = 0

    def round(self, deal: Deal) -> Scores:
        for stage in self.stages:
            stage.set(self.pace.stage(deal.clock, stage.levels))
        level, share = self.stages[0].split()
        if level != self.level:
            self.level = level
            for player in (self.duel.generator, self.duel.critic):
                player.forget()
        return self.duel.round(FadedDeal(deal, self.stages[0].levels - level, share))

    def get_extra_state(self) -> dict[str, Any]:
        """Which level the optimizers know."""
        return {"level": self.level}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        self.level = state["level"]


@dataclass(frozen=True)
class FadedDeal:
    """Reals as the players see them at a stage.

    Attributes:
        deal: reals of the full size.
        halvings: how often they are halved.
        share: of the present level; the rest is the level before, enlarged.
    """

    deal: Deal
    halvings: int
    share: float

    @property
    def clock(self) -> Clock:
        return self.deal.clock

    def __call__(self) -> Batch:
        batch = self.deal()
        return batch._replace(samples=faded(shrunk(batch.samples, self.halvings), self.share))


def shrunk(images: Tensor, halvings: int) -> Tensor:
    """The means of squares of 2^halvings pixels a side."""
    return avg_pool2d(images, 2**halvings) if halvings else images


def enlarged(images: Tensor, doublings: int = 1) -> Tensor:
    """Every pixel as a square of 2^doublings pixels a side."""
    return interpolate(images, scale_factor=float(2**doublings)) if doublings else images


def shown(images: Tensor, doublings: int) -> Tensor:
    """At the full size, and cut to [−1, 1]: papers whose last layer is linear cut what they show."""
    return enlarged(images, doublings).clamp(-1, 1)


def faded(images: Tensor, share: float) -> Tensor:
    """`(1 − share)` of what is left of the images one level below, enlarged, and `share` of themselves."""
    return images if share == 1 else torch.lerp(enlarged(shrunk(images, 1)), images, share)


def fade(old: Callable[[], Tensor], new: Tensor, share: float) -> Tensor:
    """The old path, as long as it has any share, and the new one."""
    return new if share == 1 else torch.lerp(old(), new, share)
