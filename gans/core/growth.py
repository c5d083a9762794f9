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


class Stage(nn.Module):
    """Growth stage of a network, as a submodule, so that checkpoints and the EMA carry it.

    While the network trains, the game sets it; an EMA, or a network loaded from a file, finds it in the
    buffer, which is copied like any other.

    Args:
        levels: how often the smallest size is doubled.
    """

    reached: Tensor

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.levels = levels
        self.register_buffer("reached", torch.tensor(float(levels)))
        self._now = float(levels)
        self.register_load_state_dict_post_hook(_restore_stage)  # type: ignore[no-untyped-call]

    def set(self, stage: float) -> None:
        """Sets the stage, a number in [0, levels]."""
        self._now = stage
        self.reached.fill_(stage)

    @property
    def now(self) -> float:
        """The present stage, in [0, levels]."""
        # Asking the buffer waits for an accelerator: a step of training must not, and an exporter cannot.
        return self._now if self.training or torch.compiler.is_compiling() else float(self.reached)

    def split(self) -> tuple[int, float]:
        """Splits the stage into the level of its largest images and their fade-in share in (0, 1]."""
        level = math.ceil(self.now)
        return level, 1.0 - (level - self.now)


def _restore_stage(stage: Stage, incompatible: object) -> None:
    """Takes over the stage from a loaded state dict."""
    stage.set(float(stage.reached))


class GrowingGenerator(LatentNetwork):
    """A generator that grows with its stage.

    While it trains, its images have the size of the stage and no bounds; in evaluation mode they are enlarged
    to the full size, each pixel to a square, and clamped to [−1, 1].
    """

    stage: Stage


class GrowingCritic(nn.Module):
    """A critic that grows with its stage.

    While it trains, it takes images of the size of the stage; in evaluation mode, of the full size.
    """

    stage: Stage


class GrowingDuel(WrappedGame):
    """A duel with progressive growing: both networks and the real images follow the stage.

    The critic minimises `L_C(C(x), C(G(z)))` and the penalties of the loss, the generator `L_G(C(G(z)))`.
    While a size fades in with share a, generated images are `(1 − a) ↑G₋(z) + a G₊(z)`, of the image layers
    of both sizes, real ones `(1 − a) ↑↓x + a x`, and the critic's first layers are blended likewise (figure
    2).

    The optimizers begin anew at the start and at the end of each fade-in, as in the authors' code.
    """

    def __init__(self, generator: LatentNetwork, critic: nn.Module, spec: LossSpec) -> None:
        if not isinstance(generator, GrowingGenerator) or not isinstance(critic, GrowingCritic):
            raise TypeError("a growing game needs a growing generator and a growing critic")
        super().__init__(Duel(generator, critic, spec))
        self.stages = (generator.stage, critic.stage)
        self.pace = spec.pace
        self.between = (0, 0)  # the levels below and above the stage, to which the optimizers' moments belong

    def round(self, loader: BatchLoader) -> Scores:
        self.grow(loader.clock)
        level, share = self.stages[0].split()
        return self.duel.round(FadingLoader(loader, self.stages[0].levels - level, share))

    def grow(self, clock: Clock) -> None:
        """Sets both networks to their stage at a time; clears moments that are of other levels."""
        for stage in self.stages:
            stage.set(self.pace.stage(clock, stage.levels))
        between = (math.floor(self.stages[0].now), math.ceil(self.stages[0].now))
        if between != self.between:
            self.between = between
            for player in (self.duel.generator, self.duel.critic):
                player.reset_optimizer()

    def get_extra_state(self) -> dict[str, Any]:
        """The levels that the optimizers' moments belong to."""
        return {"between": self.between}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        self.between = tuple(state["between"])


@dataclass(frozen=True)
class FadingLoader:
    """A loader that shrinks real images to a growth stage, and blends them while a new size fades in.

    Attributes:
        loader: loads real images of the full size.
        halvings: how often they are halved.
        share: fade-in share of the present level; the rest is the level before, enlarged.
    """

    loader: BatchLoader
    halvings: int
    share: float

    @property
    def clock(self) -> Clock:
        """The time before the next batch is loaded."""
        return self.loader.clock

    def next_batch(self) -> Batch:
        """Loads the next batch, at the size of the growth stage."""
        batch = self.loader.next_batch()
        return batch._replace(samples=blend_with_smaller(shrink(batch.samples, self.halvings), self.share))


def shrink(images: Tensor, halvings: int) -> Tensor:
    """Shrinks images: the mean of every square of 2^halvings pixels a side."""
    return avg_pool2d(images, 2**halvings) if halvings else images


def enlarge(images: Tensor, doublings: int = 1) -> Tensor:
    """Enlarges images by nearest neighbours: every pixel becomes a square of 2^doublings pixels a side."""
    return interpolate(images, scale_factor=float(2**doublings)) if doublings else images


def to_full_size(images: Tensor, doublings: int) -> Tensor:
    """Enlarges images to the full size and clamps them to [−1, 1].

    Papers whose last layer is linear clamp the images that they show.
    """
    return enlarge(images, doublings).clamp(-1, 1)


def blend_with_smaller(images: Tensor, share: float) -> Tensor:
    """Blends images with their enlarged half-size versions: `share` of the images, the rest of these."""
    return images if share == 1 else torch.lerp(enlarge(shrink(images, 1)), images, share)


def cross_fade(old: Callable[[], Tensor], new: Tensor, share: float) -> Tensor:
    """Interpolates from the old path's output to the new one's; the old runs only while `share` < 1."""
    return new if share == 1 else torch.lerp(old(), new, share)
