"""Norms normalize what they say: layers' outputs, or weights."""

import copy
import io
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from gans.core.clock import Clock
from gans.core.player import Losses, Player
from gans.layers.norms import FLAT_NORMS, NORMS, dropout, flat_norm, norm, spectral_norm

OVER = {"batch": (0, 2, 3), "layer": (1, 2, 3), "instance": (2, 3)}
FLAT_OVER = {"batch": (0,), "layer": (1,)}


@pytest.mark.parametrize("name", NORMS)
def test_norms_of_feature_maps(name: str) -> None:
    x = 3 * torch.randn(16, 4, 5, 5, dtype=torch.float64) + torch.arange(4.0).view(1, 4, 1, 1)
    (layer,) = norm(name, 4)
    check_standardized(layer.double()(x), OVER[name])


@pytest.mark.parametrize("name", FLAT_NORMS)
def test_norms_of_vectors(name: str) -> None:
    x = 3 * torch.randn(64, 6, dtype=torch.float64) + torch.arange(6.0)
    (layer,) = flat_norm(name, 6)
    check_standardized(layer.double()(x), FLAT_OVER[name])


def check_standardized(y: Tensor, over: tuple[int, ...]) -> None:
    assert y.mean(over).abs().max() < 1e-12
    assert (y.var(over, unbiased=False) - 1).abs().max() < 1e-3


def test_what_stands_between_no_layers() -> None:
    for name in ("none", "spectral"):
        assert norm(name, 4) == flat_norm(name, 4) == []
    assert dropout(0.0) == []
    with pytest.raises(ValueError, match="instance norm needs feature maps"):
        flat_norm("instance", 4)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 4, 2, 1), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(8 * 16, 1), nn.Flatten(0)]
    critic = nn.Sequential(*layers).double()
    for parameter in critic.parameters():
        parameter.data.mul_(7.0)
    spectral_norm(critic)
    return critic


def largest_singular_values(critic: nn.Sequential) -> list[float]:
    weights = [m.weight for m in critic.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    return [torch.linalg.matrix_norm(w.flatten(1), ord=2).item() for w in weights]


def test_spectral_norm_makes_the_largest_singular_value_one() -> None:
    """Of the weight as a matrix of one row for each output channel (Miyato et al. 2018, section 2.1)."""
    critic = network()
    for _ in range(200):
        critic(torch.randn(2, 3, 8, 8, dtype=torch.float64))
    assert largest_singular_values(critic.eval()) == pytest.approx([1.0, 1.0], rel=1e-6)


def test_spectral_norm_takes_one_power_iteration_in_an_update() -> None:
    """However often the critic looks, all its looks in one update are through the same weights."""
    critic = network()
    player = Player("critic", critic, partial(torch.optim.SGD, lr=0.0))
    vector = dict(critic.named_buffers())["0.parametrizations.weight.0._u"]
    seen: list[Tensor] = []

    def objective(clock: Clock, x: Tensor) -> Losses:
        for _ in range(3):
            critic(x)
            seen.append(vector.clone())
        return Losses({"loss": critic(x).mean()})

    x = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    player.minimise(objective, Clock(), x)
    player.minimise(objective, Clock(), x)
    assert torch.equal(seen[0], seen[2])
    assert torch.equal(seen[3], seen[5])
    assert not torch.equal(seen[0], seen[3])


def test_spectral_norm_travels_in_the_state() -> None:
    """The singular vectors are buffers: a copy through a file judges alike, and goes on alike."""
    critic, x = network(), torch.randn(2, 3, 8, 8, dtype=torch.float64)
    for _ in range(3):
        critic(x)
    file = io.BytesIO()
    torch.save(critic.state_dict(), file)
    other = copy.deepcopy(network())
    other.load_state_dict(torch.load(io.BytesIO(file.getvalue()), weights_only=True))
    assert torch.equal(critic(x), other(x))
    assert torch.equal(critic(x), other(x))


def test_the_gradient_goes_through_the_norm() -> None:
    """`∂/∂W (W/σ)` has no component along W: the norm is free of the weight's scale."""
    critic = network()
    for _ in range(100):
        critic(torch.randn(2, 3, 8, 8, dtype=torch.float64))
    critic.eval()(torch.randn(2, 3, 8, 8, dtype=torch.float64)).sum().backward()
    original = critic[3].parametrizations.weight.original  # type: ignore[union-attr]
    assert abs((original.grad * original).sum().item()) < 1e-6 * original.grad.norm() * original.norm()  # type: ignore
