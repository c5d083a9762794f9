"""Projection of an image: search for the latent whose sample is nearest to it."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from experiments.core.errors import UsageError
from experiments.core.images import from_uint8, to_uint8
from experiments.core.labelled_sheets import SheetRow, draw_sheet
from experiments.core.paths import require_path
from experiments.core.seeds import generator_for
from experiments.core.units import PixelUnits
from experiments.data.core.array_pictures import read_network_array, resize_array
from experiments.data.core.conversion import resize
from experiments.data.core.dataset import Fit
from experiments.data.core.decoding import REMEDY, UnreadableError, read_image
from experiments.data.folder import FolderStore
from experiments.inference.latent_space import LatentSpace
from gans.core.clock import Clock, Rates, RateSchedule
from gans.core.player import Losses, Player
from losses.core.schedule import cosine

CANDIDATES = 256  # random latents, of which the nearest start the search
SCOUTS, FINALISTS = 8, 2  # starts that are followed at first, and to the end
SCOUTING = 0.25  # share of the steps that all scouts take
RATE = 0.2  # learning rate of Adam, in standard deviations of the latents
WARMUP = 0.05  # share of the steps in which the rate rises
PULL = 0.1  # weight of the prior at the start; it falls to 0 in the middle of the search
REFINEMENTS = 10  # steps of Gauss and Newton at the end
DIFFERENCE = 0.01  # step of the finite differences, in standard deviations of the latents
LARGEST_SLOPES = 2**27  # largest Jacobian that is refined with, in numbers, for lack of memory
LEAST_ERROR = 1e-12  # below it float32 cannot tell images apart


@dataclass(frozen=True)
class Projection:
    """Result of a projection: a latent, its sample, and the distance to the image.

    Attributes:
        point: the latent, `(size,)`.
        sample: its image in [−1, 1], `(C, H, W)`.
        error: the mean squared error between it and the image asked for.
    """

    point: Tensor
    sample: Tensor
    error: float

    @property
    def psnr(self) -> float:
        """Peak signal-to-noise ratio in dB, for pixels whose range is 2."""
        return 10 * math.log10(4 / max(self.error, LEAST_ERROR))


class LatentParameters(nn.Module):
    """Parameters of S latents that are searched for, in standard deviations from the mean of the latents.

    In this unit one learning rate fits every generator.
    """

    centre: Tensor
    deviation: Tensor

    def __init__(self, space: LatentSpace, points: Tensor) -> None:
        super().__init__()
        self.register_buffer("centre", space.centre)
        self.register_buffer("deviation", space.deviation.clamp(min=1e-8))
        self.shifts = nn.Parameter((points - self.centre) / self.deviation)

    def forward(self) -> Tensor:
        """Points of the latents, `(S, size)`."""
        return self.centre + self.shifts * self.deviation


def read_target(
    path: Path, size: tuple[int, int], channels: int, fit: Fit = "crop", units: PixelUnits | None = None
) -> Tensor:
    """Reads an image file as uint8 `(C, H, W)`, brought to `size` as `--fit` does.

    It may be of any size and kind. With units it is an array of numbers, and becomes float32 in [0, 255].
    Raises UsageError for what is no image.
    """
    require_path(path, "an image file")
    try:
        if units is not None:
            values = read_network_array(FolderStore(path.parent), path.name, channels, units)
            return from_network_array(resize_array(values, size, fit))
        _, image = read_image(FolderStore(path.parent), path.name, channels)
    except UnreadableError as error:
        raise UsageError(str(error).removesuffix(REMEDY)) from error
    pixels = np.array(resize(image, size, fit))
    return torch.from_numpy(pixels).view(*size, channels).permute(2, 0, 1).contiguous()


def from_network_array(values: NDArray[Any]) -> Tensor:
    """Converts an array in [−1, 1] to float32 in [0, 255], not rounded."""
    return torch.from_numpy(values.copy()).add(1).mul(127.5).clamp(0, 255)


def project(
    space: LatentSpace, target: Tensor, steps: int, seed: int, advance: Callable[[int], None]
) -> Projection:
    """Projects an image: searches for the latent whose sample is nearest to `target`.

    The target is `(C, H, W)` in [0, 255], uint8 or not rounded.

    It descends by Adam on the latents (Lipton & Tripathi 2017; Karras et al. 2020, appendix D), from
    the nearest of random samples, and ends with least squares. `advance` is called after every step.
    """
    image = from_uint8(target)
    points = space.from_noise(
        torch.randn(CANDIDATES, space.network.z_dim, generator=generator_for(seed, "projection"))
    )
    scouting = int(SCOUTING * steps)
    for count, first, end in ((SCOUTS, 0, scouting), (FINALISTS, scouting, steps)):
        nearest = squared_errors(space, points, image).topk(min(count, len(points)), largest=False).indices
        points = descend(space, points[nearest], image, (first, end, steps), advance)
    points = torch.stack([refine(space, point, image) for point in points])
    found = squared_errors(space, points, image)
    best = points[found.argmin()]
    return Projection(best, space.samples(best[None])[0], found.min().item())


def squared_errors(space: LatentSpace, points: Tensor, image: Tensor) -> Tensor:
    """Mean squared errors between the samples of points and an image in [−1, 1], `(N,)`."""
    return (space.samples(points) - image).square().flatten(1).mean(dim=1)


def descend(
    space: LatentSpace,
    points: Tensor,
    image: Tensor,
    span: tuple[int, int, int],
    advance: Callable[[int], None],
) -> Tensor:
    """Moves points towards those whose samples are nearest to the image, by some steps of Adam.

    Args:
        points: `(S, size)`.
        span: the first step, the one after the last, and the number of steps of the whole search.
        advance: called after every step.
    """
    first, end, total = span
    standing = LatentParameters(space, points).to(space.device)
    rates = RateSchedule(cosine, decay_from=SCOUTING, warmup_images=WARMUP * total)
    player = Player("latent", standing, _adam, rates=Rates(rates))
    goal = image.to(space.device)

    def objective(clock: Clock) -> Losses:
        # Every searcher goes its own way: a sum, because a mean would slow down the many.
        pixels = (space.make(standing()) - goal).square().flatten(1).mean(dim=1).sum()
        # The density is highest at the centre, but noise is found on a sphere: mean square 1. The pull ends
        # before the search, or an image that the generator can make would not be met.
        off = (standing.shifts.square().mean(dim=1) - 1).square().sum()
        pull = PULL * max(0.0, 1 - 2 * clock.progress) ** 2
        return Losses({"pixels": pixels, "prior": pull * off})

    for step in range(first, end):
        player.minimise(objective, Clock(step + 1, step, step / total))
        advance(1)
    with torch.no_grad():
        return standing().cpu()


def refine(space: LatentSpace, point: Tensor, image: Tensor) -> Tensor:
    """Refines a point `(size,)` by damped least squares (Levenberg 1944; Marquardt 1963).

    It converges where Adam circles around the solution. No step makes the error larger.
    """
    if image.numel() * space.size > LARGEST_SLOPES:
        return point
    unit, damping = space.deviation.clamp(min=1e-8), 1e-3
    residual = (space.samples(point[None])[0] - image).flatten().double()
    for _ in range(REFINEMENTS):
        shifts = torch.diag(DIFFERENCE * unit)
        ahead, behind = space.samples(point + shifts), space.samples(point - shifts)
        slopes = ((ahead - behind) / (2 * DIFFERENCE)).flatten(1).double()  # (size, pixels)
        square = slopes @ slopes.T
        for _ in range(REFINEMENTS):  # until the step is short enough to be a step down
            damped = square + damping * square.diagonal().mean().clamp(min=1e-12) * torch.eye(space.size)
            step = torch.linalg.solve(damped, slopes @ residual).float() * unit
            nearer = (space.samples((point - step)[None])[0] - image).flatten().double()
            if nearer.square().sum() < residual.square().sum():
                point, residual, damping = point - step, nearer, damping / 10
                break
            damping *= 10
        else:
            break
    return point


def projection_sheet(target: Tensor, found: Projection) -> Image.Image:
    """Draws the image, and beside it the nearest sample."""
    images = torch.stack([target.float().round().to(torch.uint8), to_uint8(found.sample)])
    return draw_sheet([SheetRow(f"{found.psnr:.1f} dB", images, ("image", "sample"))])


def _adam(parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """Adam of the search."""
    return torch.optim.Adam(parameters, lr=RATE, betas=(0.9, 0.99))
