"""Directions of largest change: of weights and of w, against what linear algebra knows of them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.config.factory import build_networks
from experiments.core.errors import UsageError
from experiments.core.settings import Settings
from experiments.inference.latent_directions import Directions, direction_sheet, find_pca, find_sefa
from experiments.inference.latent_space import LatentSpace, open_space, space_of
from gans.core.networks import LatentNetwork
from tests.conftest import FROM_NOISE
from tests.experiments.inference.test_latent_moves import places, sampled

Gans = Callable[..., Any]


def of_architecture(arch: str) -> tuple[LatentNetwork, LatentSpace]:
    settings = Settings(arch=arch, z_dim=6, width=8, image_size=(8, 8), channels=1, critic_norm="none")
    network = build_networks(settings)[0].eval().requires_grad_(False)
    return network, space_of(network, settings, arch, torch.device("cpu"))


@pytest.mark.parametrize("arch", FROM_NOISE)
def test_they_are_the_singular_vectors_of_the_first_layer(arch: str) -> None:
    network, space = of_architecture(arch)
    weight = torch.cat(network.first_layers).double()
    assert weight.shape[1] == space.size
    found = find_sefa(space, 4)
    _, values, vectors = torch.linalg.svd(weight)
    assert torch.allclose(found.strengths, values[:4], rtol=1e-9)
    same = (found.vectors.double() * vectors[:4]).sum(dim=1).abs()
    assert torch.allclose(same, torch.ones(4, dtype=torch.float64), atol=1e-5)
    assert (found.vectors.amax(dim=1) == found.vectors.abs().amax(dim=1)).all(), "the sign is settled"


@pytest.mark.parametrize("arch", FROM_NOISE)
def test_the_first_layers_are_all_that_the_latent_meets(arch: str) -> None:
    """A shift that they cannot see changes no sample: without them, nothing of the latent is left."""
    network, space = of_architecture(arch)
    point = torch.randn(1, space.size).expand(5, -1)
    moved = point + torch.randn(5, space.size)
    assert not torch.equal(space.samples(moved), space.samples(point))
    for weight in network.first_layers:
        weight.zero_()
    assert torch.equal(space.samples(moved), space.samples(point))


def test_pca_finds_the_axes_of_w(styled: LatentSpace) -> None:
    """w = turnᵀ diag(5, 1, 0.1) ε: its components are the rows of `turn`, with these deviations."""
    found = find_pca(styled, 3)
    turn: Any = styled.network.turn
    assert torch.allclose((found.vectors @ turn.T).abs(), torch.eye(3), atol=0.02)
    assert found.strengths.tolist() == pytest.approx([5, 1, 0.1], rel=0.03)
    assert torch.equal(found.strides, found.strengths.float())


def test_strides_are_deviations(styled: LatentSpace) -> None:
    """In z every direction has deviation 1; in w they share the variance of the mapping, 25 + 1 + 0.01."""
    _, plain = of_architecture("mlp")
    assert torch.allclose(find_sefa(plain, 3).strides, torch.ones(3), atol=1e-6)
    found = find_sefa(styled, 3)
    assert found.strides.square().sum().item() == pytest.approx(26.01, rel=0.05)
    along = styled.sampled_w @ found.vectors.T  # type: ignore[attr-defined]
    assert torch.allclose(found.strides, along.std(dim=0), rtol=1e-3)


def test_noise_has_no_principal_components() -> None:
    with pytest.raises(UsageError, match=r"--method pca: mlp has no mapping network.*--method sefa"):
        find_pca(of_architecture("mlp")[1], 1)


def test_the_picture_has_the_sample_in_the_middle(gans: Gans, trained: Path) -> None:
    outcome = gans("directions run -k 2 --seed 3 --steps 5 --out rows.png")
    assert (outcome.status, outcome.out) == (0, "rows.png\n"), outcome.err
    assert places(Image.open("rows.png"), sampled(gans, 3)) == 2


def test_rows_go_from_minus_to_plus(trained: Path) -> None:
    space = open_space(trained, "cpu", None)
    vector = torch.eye(5)[1:2]
    found = Directions(vector, torch.ones(1), torch.ones(1), "singular_values")
    values = torch.tensor([-2.0, 0.0, 2.0])
    picture = np.asarray(direction_sheet(space, 3, found, values))
    expected = space.samples(space.of_seeds([3]) + values[:, None] * vector)
    pixels = expected.add(1).mul(127.5).round().byte()
    for place, image in enumerate(pixels):
        shown = image.permute(1, 2, 0).numpy().repeat(8, axis=0).repeat(8, axis=1)
        left = picture.shape[1] - 8 - (3 - place) * 68 + 4
        assert np.array_equal(picture[-8 - 64 : -8, left : left + 64], shown)


def test_json_is_one_object(gans: Gans, trained: Path) -> None:
    outcome = gans("directions run -k 3 --json")
    assert outcome.status == 0, outcome.err
    found = json.loads(outcome.out)
    assert (found["method"], found["space"], found["out"]) == ("sefa", "z", None)
    values = found["singular_values"]
    assert len(values) == 3 and values == sorted(values, reverse=True) and values[2] > 0
    outcome = gans("directions run -k 3 --json --out rows.png")
    assert json.loads(outcome.out) == {**found, "out": "rows.png"}
    assert Path("rows.png").is_file()


def test_points_have_directions_without_a_picture(gans: Gans, finished: Path, refused: Any) -> None:
    outcome = gans("directions run -k 2 --json")
    assert len(json.loads(outcome.out)["singular_values"]) == 2
    refused(2, ("run makes points",), "directions run -k 2 --json --out x.png")
    assert not Path("x.png").exists()


@pytest.mark.parametrize(
    ("line", "mentions"),
    [
        ("directions run", ("--out FILE.png", "--json")),
        ("directions run -k 6 --out x.png", ("-k 6", "1 to 5")),
        ("directions run -k 0 --out x.png", ("-k", "0")),
        ("directions run -k many --out x.png", ("-k", "many")),
        ("directions run --method pac --out x.png", ("--method", "pac", "pca")),
        ("directions run --method pca --out x.png", ("--method pca", "mapping", "--method sefa")),
        ("directions run --out x.gif", ("x.gif", "FILE.png")),
        ("directions nowhere --json", ("nowhere",)),
    ],
    ids=str,
)
def test_what_has_no_meaning(line: str, mentions: tuple[str, ...], refused: Any, trained: Path) -> None:
    refused(2, mentions, line)
    assert not list(Path().glob("x.*"))
