"""A critic of patches sharpens an autoencoder, in a loop of one's own (VQGAN's recipe, Esser et al. 2021).

    python examples/autoencoder_adversary.py OUT.png [--steps N] [--seed S]

trains a small autoencoder on Fashion-MNIST twice, by the mean squared error alone and with an adversary
beside it, whose weight is adaptive. It prints how much of the fine detail of held-out pictures each keeps,
and draws them: the pictures, without, with.

An error in pixels is smallest for the mean of all that a picture may be, which is blurred: fine waves are
missing. A critic of patches sees that at once, and does not need to know the picture.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor, nn

import gans
from experiments.data.core.sources import data_access_from, open_source
from metrics.core.spectra import ChannelStatistics

SHOWN, ENLARGED = 10, 3
FINE = 8  # cycles a side from which waves are fine, of 14 that a picture of 28 pixels has


class Autoencoder(nn.Module):
    """Pictures `(N, 1, 28, 28)` in [−1, 1] through `code` numbers and back."""

    def __init__(self, code: int, width: int) -> None:
        super().__init__()
        self.encode = nn.Sequential(
            *(nn.Conv2d(1, width, 4, 2, 1), nn.LeakyReLU(0.2)),
            *(nn.Conv2d(width, 2 * width, 4, 2, 1), nn.BatchNorm2d(2 * width), nn.LeakyReLU(0.2)),
            *(nn.Flatten(), nn.Linear(2 * width * 49, code)),
        )
        self.decode = nn.Sequential(
            *(nn.Linear(code, 2 * width * 49), nn.Unflatten(1, (2 * width, 7, 7))),
            *(nn.BatchNorm2d(2 * width), nn.ReLU()),
            *(nn.ConvTranspose2d(2 * width, width, 4, 2, 1), nn.BatchNorm2d(width), nn.ReLU()),
            nn.Upsample(scale_factor=2),
        )
        self.last = nn.Conv2d(width, 1, 5, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.decode(self.encode(x))).tanh()


class Detail(NamedTuple):
    """Fine detail of pictures beside that of the real ones.

    Attributes:
        fine_power: power of fine waves as a share of the real pictures', 1 for as much.
        gradient_energy: mean squared difference of neighbouring pixels, likewise.
        error: mean squared error in pixels.
    """

    fine_power: float
    gradient_energy: float
    error: float


def fine_power(pictures: Tensor) -> float:
    """Mean power of waves of `FINE` cycles a side and more."""
    statistics = ChannelStatistics("detail")
    statistics.update(pictures)
    return float(statistics.spectra()[0, FINE - 1 :].sum())


def gradient_energy(pictures: Tensor) -> float:
    """Mean squared difference of neighbouring pixels."""
    return sum(float(pictures.diff(dim=dim).square().mean()) for dim in (2, 3))


def detail_of(pictures: Tensor, real: Tensor) -> Detail:
    """Measures fine detail beside that of the real pictures."""
    shares = (measure(pictures) / measure(real) for measure in (fine_power, gradient_energy))
    return Detail(*shares, float((pictures - real).square().mean()))


def load(*most: int) -> list[Tensor]:
    """Loads so many training and held-out pictures, `(N, 1, 28, 28)` in [−1, 1]."""
    source = open_source("fashion-mnist", data_access_from({}))
    sets = (source.open((28, 28), 1, "auto"), source.open_held_out((28, 28), 1, "auto"))
    return [data.fetch(torch.arange(n)).float() / 127.5 - 1 for data, n in zip(sets, most, strict=True)]


def train(
    pictures: Tensor, with_adversary: bool, steps: int, seed: int = 0, width: int = 16, batch: int = 32
) -> Autoencoder:
    """Trains an autoencoder; its adversary begins after a fifth of the steps."""
    torch.manual_seed(seed)
    network = Autoencoder(code=16, width=width)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, betas=(0.5, 0.99))
    adversary = gans.Adversary(
        *("patch", "hinge"),
        **{"image_size": 28, "channels": 1, "width": width},
        weight="adaptive:0.8",
        start=steps // 5,
        lr_critic=1e-3,
    )
    for _ in range(steps):
        x = pictures[torch.randint(len(pictures), (batch,))]
        y = network(x)
        loss = reconstruction = (y - x).square().mean()
        if with_adversary:
            loss = reconstruction + adversary.generator_loss(
                y, x, reconstruction=reconstruction, last_layer=network.last.weight
            )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if with_adversary:
            adversary.critic_step(x, y.detach())
    return network.eval()


def draw(rows: list[Tensor]) -> Image.Image:
    """Draws rows of pictures beneath each other."""
    sheet = torch.cat([torch.cat(list(row[:SHOWN, 0]), dim=1) for row in rows])
    grey = ((sheet + 1) * 127.5).round().clamp(0, 255).byte().numpy()
    return Image.fromarray(grey).resize((grey.shape[1] * ENLARGED, grey.shape[0] * ENLARGED), Image.NEAREST)


def compare(
    train_set: Tensor, held_out: Tensor, steps: int, **settings: int
) -> tuple[list[Detail], list[Tensor]]:
    """Trains without and with an adversary; returns the details and the pictures of both."""
    details, rows = [], [held_out]
    for with_adversary in (False, True):
        network = train(train_set, with_adversary, steps, **settings)
        with torch.no_grad():
            rows.append(torch.cat([network(part) for part in held_out.split(500)]))
        details.append(detail_of(rows[-1], held_out))
    return details, rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    train_set, held_out = load(60_000, 2_000)
    details, rows = compare(train_set, held_out, given.steps, seed=given.seed)
    for name, found in zip(("without", "with"), details, strict=True):
        print(
            f"{name:8} fine waves {found.fine_power:.0%}, gradients {found.gradient_energy:.0%} of the real "
            f"pictures' energy; squared error {found.error:.4f}"
        )
    draw(rows).save(given.out)


if __name__ == "__main__":
    main()
