"""A diffusion model of many steps becomes a generator of one, with an adversary (in the way of ADD and DMD2).

    python examples/distillation_adversary.py OUT.png [--seed S]

trains a small diffusion model on the 25 modes of `grid25`, and three generators that make a point from noise
in one step: by the squared distance to what the teacher makes of the same noise; by an adversary alone; by
both. It prints how many modes each covers, and which share of its points lies at a mode, and draws them.

What the teacher makes of noise jumps from mode to mode; a network that follows it by a squared distance draws
bridges where it jumps. An adversary alone goes to some modes more than to others. Together more points lie at
modes, and at more of them.

Teacher: EDM's preconditioning, noise levels and Heun's sampler (Karras et al. 2022, arXiv:2206.00364). The
critic sees the noise beside the point, so that it judges pairs: the teacher's are real.
"""

import argparse
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

import gans
from metrics.modes import Modes

DEVIATION = 8**0.5  # of grid25 along each axis
SIGMAS = (0.01, 20.0)  # noise levels
DRAWN = 5000
SIGMA = 0.05  # of grid25's modes
# Generators of one step: weights of the squared distance and of the adversarial loss.
STUDENTS = (("distance", 1.0, 0.0), ("adversary", 0.0, 1.0), ("both", 1.0, 0.1))


def chain(inputs: int, outputs: int, width: int, hidden: int = 3) -> nn.Sequential:
    """Fully connected layers."""
    layers: list[nn.Module] = [nn.Linear(inputs, width), nn.SiLU()]
    for _ in range(hidden - 1):
        layers += [nn.Linear(width, width), nn.SiLU()]
    return nn.Sequential(*layers, nn.Linear(width, outputs))


def with_waves(points: Tensor) -> Tensor:
    """Points `(N, 2)` beside waves of them, of periods 16 to 2, `(N, 18)`: so networks find sharp modes."""
    angles = torch.cat([points * (math.pi / 8 * 2**octave) for octave in range(4)], dim=1)
    return torch.cat([points / DEVIATION, angles.sin(), angles.cos()], dim=1)


class Denoiser(nn.Module):
    """EDM's denoiser: noisy points `(N, 2)` with their noise level `(N, 1)` → points (equation 7)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.network = chain(18 + 3, 2, width)

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        whole = (sigma**2 + DEVIATION**2).sqrt()
        level = sigma.log() / 4
        told = torch.cat([with_waves(x * DEVIATION / whole), level, level.sin(), level.cos()], dim=1)
        return x * (DEVIATION / whole) ** 2 + self.network(told) * sigma * DEVIATION / whole


def train_teacher(points: Tensor, steps: int, width: int, batch: int) -> Denoiser:
    """Trains the diffusion model by denoising (equation 8)."""
    denoiser = Denoiser(width)
    optimizer = torch.optim.Adam(denoiser.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        x = points[torch.randint(len(points), (batch,))]
        sigma = (torch.randn(batch, 1) * 1.6 - 0.8).exp().clamp(*SIGMAS)
        weight = (sigma**2 + DEVIATION**2) / (sigma * DEVIATION) ** 2
        loss = (weight * (denoiser(x + sigma * torch.randn_like(x), sigma) - x).square()).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return denoiser


@torch.no_grad()
def sample_teacher(denoiser: Denoiser, z: Tensor, steps: int = 18) -> Tensor:
    """Makes points of noise `z ~ N(0, 1)` `(N, 2)`: Heun's method along the flow (algorithm 1)."""
    low, high = (sigma ** (1 / 7) for sigma in SIGMAS)
    sigmas = [*((high + (low - high) * index / (steps - 1)) ** 7 for index in range(steps)), 0.0]
    x = z * sigmas[0]
    for now, after in pairwise(sigmas):
        slope = (x - denoiser(x, torch.full((len(x), 1), now))) / now
        moved = x + (after - now) * slope
        if after > 0:
            second = (moved - denoiser(moved, torch.full((len(x), 1), after))) / after
            moved = x + (after - now) * (slope + second) / 2
        x = moved
    return x


class OneStepGenerator(nn.Module):
    """A generator of one step: noise `(N, 2)` → points `(N, 2)`."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = chain(18, 2, width)

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(with_waves(4 * z))


class PairCritic(nn.Module):
    """A critic of points `(N, 2)` beside the noise that they are made of."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = chain(18 + 2, 1, width)

    def forward(self, points: Tensor, noise: Tensor) -> Tensor:
        return self.layers(torch.cat([with_waves(points), noise], dim=1))


def distil(
    pairs: tuple[Tensor, Tensor], steps: int, width: int, batch: int, distance: float, weight: float
) -> nn.Module:
    """Trains a generator of one step.

    Args:
        pairs: noise and the teacher's points, `(N, 2)` each.
        distance: weight of the squared distance to the teacher's points.
        weight: of the adversarial loss, which begins after a quarter of the steps; 0 for no adversary.
    """
    generator = OneStepGenerator(width)
    optimizer = torch.optim.Adam(generator.parameters(), lr=2e-3, betas=(0.5, 0.99))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    adversary = gans.Adversary(
        *(PairCritic(width), "r1"),
        **{"penalty_weight": 0.05, "penalty_every": 4, "lr_critic": 2e-3, "betas": (0.5, 0.99)},
        start=steps // 4 if distance else 0,
        weight=weight,
    )
    for _ in range(steps):
        rows = torch.randint(len(pairs[0]), (batch,))
        noise, real = (each[rows] for each in pairs)
        if weight:
            with torch.no_grad():
                fake = generator(noise)
            adversary.critic_step((real, noise), fake)
        fake = generator(noise)
        loss = distance * (fake - real).square().mean()
        if weight:
            loss = loss + adversary.generator_loss(fake, (real, noise))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return generator


def modes_of(points: Tensor, sigma: float = SIGMA) -> Mapping[str, float]:
    """Counts the modes that points cover, and the share of points that lie at one."""
    metric = Modes(gans.load_plugin("data", "grid25").centres, sigma)
    metric.update(points)
    return metric.compute()


def compare(
    steps: int,
    teacher_steps: int,
    *,
    seed: int = 0,
    width: int = 128,
    batch: int = 256,
    sigma: float = SIGMA,
    students: Sequence[tuple[str, float, float]] = STUDENTS,
) -> dict[str, Tensor]:
    """Trains the teacher and three generators; returns points of all of them."""
    torch.manual_seed(seed)
    centres = gans.load_plugin("data", "grid25").centres.repeat(400, 1)
    teacher = train_teacher(centres + sigma * torch.randn_like(centres), teacher_steps, width, 2 * batch)
    z = torch.randn(40 * batch, 2)
    pairs, fresh = (z, sample_teacher(teacher, z)), torch.randn(DRAWN, 2)
    found = {"teacher": sample_teacher(teacher, fresh)}
    for name, distance, weight in students:
        torch.manual_seed(seed + 1)
        generator = distil(pairs, steps, width, batch, distance, weight)
        with torch.no_grad():
            found[name] = generator(fresh)
    return found


def draw(found: Mapping[str, Tensor], side: int = 240) -> Image.Image:
    """Draws points of several sets side by side, in the square from −5 to 5."""
    sheets = []
    for points in found.values():
        places = ((points + 5) / 10 * (side - 1)).round().long().clamp(0, side - 1)
        counts = torch.zeros(side, side).index_put_(
            (places[:, 1], places[:, 0]), torch.ones(len(points)), True
        )
        sheet = 255 - (counts.clamp_max(4) / 4 * 255).byte()
        sheet[:, -1] = 160
        sheets.append(sheet)
    return Image.fromarray(torch.cat(sheets, dim=1).numpy())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    found = compare(given.steps, 2 * given.steps, seed=given.seed)
    for name, points in found.items():
        scores = modes_of(points)
        print(f"{name:10} {scores['covered']:.0f} of 25 modes, {scores['high_quality']:.1%} of points at one")
    draw(found).save(given.out)


if __name__ == "__main__":
    main()
