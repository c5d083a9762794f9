"""Tiny runs: a generator whose latents are moved, one with a mapping network, and every translator."""

import shutil
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import cli
from experiments.core.settings import Settings
from experiments.inference.latent_space import LatentSpace, space_of
from gans.core.networks import StyledNetwork
from tests.experiments.inference.helpers import ARCHITECTURES

# Steps so large that samples differ by what one sees: a generator begins as grey paper.
TINY = (
    "--arch dcgan --loss bce --data shapes --image-size 8 --width 2 --z-dim 5 --batch-size 4 --steps 20 "
    "--lr-generator 0.1 --ema-kimg 0 --track local"
)
# Steps so large that one sees what the networks do: at first they make grey paper.
TINY_TRANSLATOR = (
    "--image-size 16 --width 2 --batch-size 2 --steps 3 --lr-generator 0.05 --ema-kimg 0 --device cpu "
    "--track local"
)


class Styled(StyledNetwork):
    """`w = A z + b`, of very unequal spread, and images `tanh(B w)` of one channel and 4×4 pixels."""

    def __init__(self) -> None:
        super().__init__(z_dim=6)
        random = torch.Generator().manual_seed(0)
        self.w_dim = 3
        self.spread = torch.tensor([5.0, 1.0, 0.1])
        # Orthonormal rows: the spread of w is that of the factors, along the rows of `turn`.
        rows = torch.linalg.qr(torch.randn(self.z_dim, self.w_dim, generator=random)).Q.T
        self.turn = torch.linalg.qr(torch.randn(self.w_dim, self.w_dim, generator=random)).Q
        self.matrix = self.turn.T @ (self.spread[:, None] * rows)
        self.shift = torch.tensor([1.0, -2.0, 3.0])
        self.mean = self.shift
        self.paint = nn.Linear(self.w_dim, 16)

    @property
    def styles(self) -> int:
        return 1

    def forward(self, z: Tensor) -> Tensor:
        return self.synthesize(self.map(z))

    @property
    def first_layers(self) -> tuple[Tensor, ...]:
        return (self.paint.weight,)

    def map(self, z: Tensor) -> Tensor:
        return z @ self.matrix.T + self.shift

    def synthesize(self, w: Tensor) -> Tensor:
        return self.paint(w).tanh().view(-1, 1, 4, 4)


@pytest.fixture
def styled() -> LatentSpace:
    """The space w of a generator with a mapping network."""
    torch.manual_seed(0)
    network = Styled().eval().requires_grad_(False)
    settings = Settings(arch="styled", z_dim=6, image_size=(4, 4), channels=1)
    return space_of(network, settings, "styled", torch.device("cpu"))


@pytest.fixture(scope="session")
def _trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("latents") / "run"
    cli.main(["run", *TINY.split(), "--out", str(folder)])
    return folder


@pytest.fixture
def trained(workplace: Path, _trained: Path) -> Path:
    """A finished run on shapes of 8×8 pixels with latents of five numbers, in the folder `run`."""
    shutil.copytree(_trained, workplace / "run")
    return Path("run")


@pytest.fixture(scope="session")
def _translators(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("translators")
    flags = [*TINY_TRANSLATOR.split(), "--out"]
    for name in ARCHITECTURES:
        cli.main(["run", "--arch", name, *flags, str(folder / name)])
    cli.main(["run", "--arch", "cyclegan", "--channels", "1", *flags, str(folder / "grey")])
    return folder


@pytest.fixture
def runs(workplace: Path, _translators: Path) -> Path:
    """In the current folder a tiny run of each architecture, by its name, and `grey`, a cyclegan."""
    shutil.copytree(_translators, workplace, dirs_exist_ok=True)
    return workplace
