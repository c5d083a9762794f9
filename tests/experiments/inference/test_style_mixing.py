"""Style mixing and truncation: whose styles stand where, and what has none."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.core.errors import UsageError
from experiments.core.settings import Settings
from experiments.inference.latent_space import LatentSpace, space_of
from experiments.inference.style_mixing import mix_styles
from gans.core.architecture import Blueprint
from gans.core.styles import truncate_styles
from gans.stylegan2 import Generator

TINY = "--image-size 16 --width 2 --z-dim 5 --batch-size 4 --steps 2 --track local"


@pytest.fixture
def space() -> LatentSpace:
    torch.manual_seed(0)
    network = Generator(Blueprint((3, 16, 16), z_dim=5, width=3)).eval().requires_grad_(False)
    return space_of(network, Settings(image_size=(16, 16), channels=3), "styled", torch.device("cpu"))


def test_a_mixture_has_coarse_styles_of_its_row_and_fine_ones_of_its_column(space: LatentSpace) -> None:
    network: Any = space.network
    made = mix_styles(space, [1, 2], [3, 4, 5], crossover=4)
    assert made.shape == (2, 3, 3, 16, 16)
    row, column = space.of_seeds([2]), space.of_seeds([5])
    styles = torch.cat([row.expand(4, -1), column.expand(2, -1)])[None]
    torch.testing.assert_close(made[1, 2], network.synthesize(styles)[0])
    own = mix_styles(space, [7], [7], None)[0]
    torch.testing.assert_close(own, space.samples(space.of_seeds([7])))


def test_truncation_draws_towards_the_mean(space: LatentSpace) -> None:
    network: Any = space.network
    network.mean.copy_(torch.randn(5))
    w = torch.randn(3, 5)
    assert torch.equal(truncate_styles(network, w, 1.0), w[:, None].expand(-1, network.styles, -1))
    torch.testing.assert_close(truncate_styles(network, w, 0.0), network.mean.expand(3, network.styles, -1))
    half = truncate_styles(network, w, 0.5, cutoff=2)
    torch.testing.assert_close(half[:, 1], (w + network.mean) / 2)
    assert torch.equal(half[:, 2], w)


def test_the_commands(gans: Callable[..., Any], refused: Any, workplace: Path) -> None:
    assert gans(f"run --arch stylegan2 {TINY} --out run").status == 0
    assert gans("mix run --rows 2 --cols 3 --out mixed.png").status == 0
    assert Image.open("mixed.png").size[0] > 4 * 64
    for flags, name in (("", "whole"), ("--truncation 1", "one"), ("--truncation 0", "none")):
        assert gans(f"sample run -n 3 {flags} --out {name}.npy").status == 0
    whole, one, none = (np.load(f"{name}.npy").astype(int) for name in ("whole", "one", "none"))
    assert abs(whole - one).max() <= 1
    assert (none == none[:1]).all(), "all are the mean sample"
    refused(2, ("--cutoff", "--truncation"), "sample run --cutoff 2 --out x.npy")
    refused(2, ("--cutoff 99", "6 styles"), "sample run --truncation 0.5 --cutoff 99 --out x.npy")
    refused(2, ("--crossover 6", "6 styles"), "mix run --crossover 6 --out x.png")
    assert not Path("x.npy").exists() and not Path("x.png").exists()


def test_what_has_no_styles(refused: Any, trained: Path) -> None:
    refused(2, ("dcgan", "styles"), f"mix {trained} --out x.png")
    refused(2, ("--truncation", "styles"), f"sample {trained} --truncation 0.7 --out x.npy")
    refused(
        2,
        ("--style-mixing has no meaning", "dcgan"),
        "run --arch dcgan --image-size 8 --style-mixing 0.5 --steps 1 --out r",
    )


def test_a_crossover_beyond_the_styles(space: LatentSpace) -> None:
    with pytest.raises(UsageError, match="--crossover 6: the generator has 6 styles"):
        mix_styles(space, [1], [2], 6)
