"""Loops of somebody's own around an adversary, small enough to be compared number by number."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

import gans

ROWS = 8


def points(*numbers: float) -> Tensor:
    """Points in the plane, each with a number as both coordinates, `(N, 2)`."""
    return torch.tensor(numbers).view(-1, 1).expand(-1, 2).contiguous()


class Autoencoder(nn.Module):
    """Images `(N, 1, 8, 8)` through 4 numbers and back."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Sequential(nn.Flatten(), nn.Linear(64, 4))
        self.decode = nn.Sequential(nn.Linear(4, 32), nn.ReLU())
        self.last = nn.Linear(32, 64)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.last(self.decode(self.encode(x))).tanh().view_as(x)
        return found


def small_critic(norm: Callable[[int], nn.Module] = nn.GroupNorm) -> nn.Module:
    """A critic of patches of images with one channel, `(N, 1, 8, 8)` → `(N, 1, 4, 4)`."""
    middle = nn.GroupNorm(2, 8) if norm is nn.GroupNorm else norm(8)
    return nn.Sequential(
        nn.Conv2d(1, 8, 4, stride=2, padding=1), middle, nn.LeakyReLU(0.2), nn.Conv2d(8, 1, 3, padding=1)
    )


def images_of(step: int, rows: int = ROWS) -> Tensor:
    """The images of a step, in [−1, 1]: smooth ones with an edge."""
    torch.manual_seed(1000 + step)
    base = torch.rand(rows, 1, 8, 1) * 2 - 1
    return (base * torch.linspace(-1, 1, 8).view(1, 1, 1, 8)).tanh()


def train_autoencoder(
    network: nn.Module, adversary: gans.Adversary, steps: range, part: tuple[int, int] = (0, 1), **given: Any
) -> list[float]:
    """Trains an autoencoder with an adversary; returns its losses.

    Args:
        part: rank and number of the processes that share every batch.
        given: further arguments of the generator's loss, made from the reconstruction loss.
    """
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
    losses = []
    for step in steps:
        x = images_of(step)[part[0] :: part[1]]
        torch.manual_seed(step)
        y = network(x)
        reconstruction = (y - x).abs().mean()
        arguments = {name: make(reconstruction) for name, make in given.items()}
        loss = reconstruction + adversary.generator_loss(y, x, **arguments)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        adversary.critic_step(x, y.detach())
        adversary.follow()
        losses.append(loss.item())
    return losses


def train_shared(out: Path, steps: int = 9) -> None:
    """Trains in as many processes as the environment says; the first saves what came out, in float64.

    The critic has batch norm, ADA that moves, LeCam, an adaptive weight and other weights in each process.
    """
    rank, count = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    torch.set_default_dtype(torch.float64)
    try:
        if count > 1:
            dist.init_process_group("gloo")
        torch.manual_seed(rank)
        network = Autoencoder()
        adversary = gans.Adversary(
            small_critic(nn.BatchNorm2d),
            loss="hinge",
            augment="ada",
            weight="adaptive:0.5",
            lecam=0.3,
            critic_ema_kimg=0.05,
            **{"ada.kimg": 0.05, "ada.interval": 2, "lecam.start": 1, "ada.target": -0.9},
        )
        wrapped = DistributedDataParallel(network) if count > 1 else network
        last = network.last.weight
        train_autoencoder(
            wrapped,
            adversary,
            range(steps),
            (rank, count),
            reconstruction=lambda x: x,
            last_layer=lambda _: last,
        )
        if rank == 0:
            torch.save({"network": network.state_dict(), "adversary": adversary.state_dict()}, out)
        if count > 1:
            dist.barrier()
            dist.destroy_process_group()
    finally:
        torch.set_default_dtype(torch.float32)
