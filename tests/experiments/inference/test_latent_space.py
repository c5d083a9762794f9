"""Which latent a seed stands for, and which way leads from one to another."""

import pytest
import torch

from experiments.core.settings import Settings
from experiments.inference.latent_space import BATCH, LatentSpace, StyleSpace, latent_from_seed, space_of
from experiments.runs.generator import generate
from gans.core.networks import LatentNetwork


class Identity(LatentNetwork):
    """`G(z) = z`: points in the plane."""

    def __init__(self) -> None:
        super().__init__(z_dim=2)

    first_layers = (torch.eye(2),)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return z


PLANE = space_of(Identity(), Settings(z_dim=2), "identity", torch.device("cpu"))


@pytest.mark.parametrize("seed", [0, 3, 2**64])
def test_a_seed_is_the_first_latent_of_its_samples(seed: int) -> None:
    first = generate(Identity(), 5, seed, "cpu")[0]
    assert torch.equal(latent_from_seed(seed, 2), first)
    assert not torch.equal(latent_from_seed(seed + 1, 2), first)


def test_noise_is_interpolated_on_the_sphere() -> None:
    """Half way between two unit vectors at right angles lies a unit vector, not one of length √½."""
    begin, end = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    middle = PLANE.between(begin, end, torch.tensor([0.5]))
    assert torch.allclose(middle, torch.full((1, 2), 0.5**0.5))


def test_a_mapping_network_makes_w_the_space(styled: LatentSpace) -> None:
    assert isinstance(styled, StyleSpace)
    assert (styled.letter, styled.size) == ("w", 3)
    points = styled.of_seeds([3, 4])
    z = torch.stack([latent_from_seed(3, 6), latent_from_seed(4, 6)])
    assert torch.allclose(points, styled.network.map(z))  # type: ignore[operator]
    assert torch.allclose(styled.samples(points), styled.network(z))
    middle = styled.between(*points, torch.tensor([0.5]))
    assert torch.allclose(middle[0], points.mean(dim=0)), "on a line"


def test_the_survey_knows_where_w_lies(styled: LatentSpace) -> None:
    """`w = A z + b` has mean b and variances diag(A Aᵀ)."""
    matrix = styled.network.matrix
    assert torch.allclose(styled.centre, torch.tensor([1.0, -2.0, 3.0]), atol=0.2)
    expected = (matrix @ matrix.T).diagonal().sqrt()
    assert torch.allclose(styled.deviation, expected, rtol=0.05)


def test_samples_do_not_depend_on_their_neighbours() -> None:
    """As many as a batch, fewer and more: each point has its own sample, in order."""
    for count in (1, BATCH, BATCH + 1):
        points = torch.randn(count, 2)
        assert torch.equal(PLANE.samples(points), points)
