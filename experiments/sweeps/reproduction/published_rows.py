"""Published rows as data: what a paper reports, under which protocol, and the settings that repeat it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from experiments.core.named_values import SettingValues

HERE = Path(__file__).parent
Goal = Literal["equal", "at least", "at most"]


@dataclass(frozen=True)
class PublishedRow:
    """Published number, with the settings and the protocol that repeat it.

    Attributes:
        paper: where the number is published.
        target: the number; spread: the ± beside it, 0 where there is none.
        goal: whether the number is to be equalled, or to be reached from above ("at least") or below ("at
            most").
        flags: the settings of `gans run`, by name.
        metric: the metric that is evaluated; number: the one of its numbers that is compared.
        samples: largest number of samples on each side.
        extractor: the feature extractor of the metric; None for the usual one of the data.
        seeds: number of runs that the mean is over.
        search: number of settings that the paper tried for this number; it reports the best.
        departures: what differs from the paper here, so that no result of this row repeats it.
        remarks: what differs without being part of the protocol, or is not known.
        needs_gpu: whether this length is out of reach without a GPU.
    """

    paper: str
    target: float
    flags: SettingValues
    metric: str
    number: str
    samples: int
    spread: float = 0.0
    goal: Goal = "equal"
    extractor: str | None = None
    seeds: int = 1
    search: int = 1
    departures: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    needs_gpu: bool = False

    @property
    def target_in_words(self) -> str:
        """Target in words, such as "6.3 ± 0.5" or "at least 8"."""
        spread = f" ± {self.spread:g}" if self.spread else ""
        return f"{self.goal} {self.target:g}{spread}".removeprefix("equal ")


def _pacgan(data: str, target: float, spread: float) -> PublishedRow:
    """Row of PacGAN's table 1: modes that a plain GAN covers in the plane."""
    plugins = tuple(str(HERE / name) for name in ("modes_touched.py", "pacgan_mlp.py"))
    return PublishedRow(
        paper="Lin et al. 2018, arXiv:1712.04086, table 1 (GAN): mean and standard error of 10 trials",
        target=target,
        spread=spread,
        flags={"arch": "pacgan-mlp", "loss": "bce", "data": data, "preset": "paper", "plugin": plugins},
        metric="modes-touched",
        number="covered",
        samples=2500,
        seeds=10,
        remarks=(
            "networks, optimizer, length and count are those of the authors' code; their players move at "
            "once, ours in turn",
        ),
    )


def _full_coverage(data: str, loss: str, paper: str, modes: int, kimg: float) -> PublishedRow:
    """Row of a paper's claim that no mode of a mixture in the plane is lost."""
    return PublishedRow(
        paper=f"{paper}: no table; the claim is that no mode is lost",
        target=modes,
        goal="at least",
        flags={"arch": "mlp", "loss": loss, "data": data, "preset": "laptop", "kimg": kimg},
        metric="modes",
        number="covered",
        samples=10_000,
        seeds=3,
        remarks=("the paper names no network for this; a mode is covered by more than 20 of 10,000 samples",),
    )


def _lucic(loss: str, target: float, spread: float) -> PublishedRow:
    """Row of Lucic et al. 2018, table 2: FID on Fashion-MNIST."""
    return PublishedRow(
        paper="Lucic et al. 2018, arXiv:1711.10337, table 2 (Fashion-MNIST)",
        target=target,
        spread=spread,
        flags={"arch": "dcgan", "loss": loss, "data": "fashion-mnist", "preset": "paper", "kimg": 1200.0},
        metric="fid",
        number="value",
        samples=10_000,
        extractor="inception",
        seeds=3,
        search=100,
        departures=("the networks are dcgan's, not InfoGAN's", "real images of the training set"),
        needs_gpu=True,
    )


def _stacked(
    arch: str, loss: str, target: float, number: str = "covered", goal: Goal = "equal"
) -> PublishedRow:
    """Row of R3GAN's table on Stacked-MNIST: modes covered, or their KL divergence."""
    return PublishedRow(
        paper="Huang et al. 2024, arXiv:2501.05441, table of Stacked-MNIST",
        target=target,
        goal=goal,
        flags={"arch": arch, "loss": loss, "data": "stacked:mnist", "preset": "paper"},
        metric="stacked-mnist",
        number=number,
        samples=26_000,
        extractor="classifier:mnist",
        departures=("networks, length and classifier are this laboratory's",),
        needs_gpu=True,
    )


def _cifar10(
    paper: str, arch: str, loss: str, metric: str, target: float, samples: int, *departures: str, **more: Any
) -> PublishedRow:
    """Row of a score on CIFAR-10."""
    flags = {"arch": arch, "loss": loss, "data": "cifar10", "preset": "paper", "steps": 100_000}
    return PublishedRow(
        paper=paper,
        target=target,
        flags=flags,
        metric=metric,
        number="value",
        samples=samples,
        extractor="inception",
        departures=departures,
        needs_gpu=True,
        **more,
    )


_GULRAJANI = "Gulrajani et al. 2017, arXiv:1704.00028"
_HUANG = "Huang et al. 2024, arXiv:2501.05441"
_STUDIOGAN = "StudioGAN's README, CIFAR10, an early version (DCGAN 50.281, LSGAN 67.229)"
_OTHERS = ("the networks are this laboratory's", "real images of the training set", "the last generator")

ROWS = {
    "pacgan-ring8-gan": _pacgan("ring8", 6.3, 0.5),
    "pacgan-grid25-gan": _pacgan("grid25", 17.3, 0.8),
    "ring8-wgan-gp": _full_coverage("ring8", "wgan-gp", _GULRAJANI, 8, 5000.0),
    "grid25-wgan-gp": _full_coverage("grid25", "wgan-gp", _GULRAJANI, 25, 12_000.0),
    "ring8-r3gan": _full_coverage("ring8", "r3gan", _HUANG, 8, 5000.0),
    "grid25-r3gan": _full_coverage("grid25", "r3gan", _HUANG, 25, 5000.0),
    "fashion-mnist-mm": _lucic("bce-saturating", 29.6, 1.6),
    "fashion-mnist-ns": _lucic("bce", 26.5, 1.6),
    "fashion-mnist-lsgan": _lucic("lsgan", 30.7, 2.2),
    "fashion-mnist-wgan": _lucic("wgan", 21.5, 1.6),
    "fashion-mnist-wgan-gp": _lucic("wgan-gp", 24.5, 2.1),
    "fashion-mnist-dragan": _lucic("dragan", 27.7, 1.2),
    "stacked-mnist-dcgan": _stacked("dcgan", "bce", 99),
    "stacked-mnist-wgan-gp": _stacked("dcgan", "wgan-gp", 959),
    "stacked-mnist-r3gan": _stacked("r3gan", "r3gan", 1000, goal="at least"),
    "stacked-mnist-r3gan-kl": _stacked("r3gan", "r3gan", 0.029, "kl", "at most"),
    "cifar10-wgan-gp": _cifar10(
        f"{_GULRAJANI}, table 3: Inception Score, unsupervised, ResNet",
        *("resnet", "wgan-gp", "inception-score", 7.86, 50_000),
        "the network is this laboratory's resnet, at its own width and learning rate",
        spread=0.07,
    ),
    "cifar10-dcgan": _cifar10(_STUDIOGAN, "dcgan", "bce", "fid", 50.281, 10_000, *_OTHERS),
    "cifar10-lsgan": _cifar10(_STUDIOGAN, "dcgan", "lsgan", "fid", 67.229, 10_000, *_OTHERS),
}
