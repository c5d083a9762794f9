"""Norms normalize what they say: layers' outputs, or weights."""

import copy
import io
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from experiments.core import registry
from gans.core.clock import Clock
from gans.core.player import Losses, Player
from gans.layers.norms import dropout
from gans.norms.spectral import SpectralNorm
from tests.gans.translating import norm_of

OVER = {"batch": (0, 2, 3), "layer": (1, 2, 3), "instance": (2, 3)}
FLAT_OVER = {"batch": (0,), "layer": (1,)}


@pytest.mark.parametrize("name", OVER)
def test_norms_of_feature_maps(name: str) -> None:
    x = 3 * torch.randn(16, 4, 5, 5, dtype=torch.float64) + torch.arange(4.0).view(1, 4, 1, 1)
    (layer,) = norm_of(name).of_maps(4)
    check_standardized(layer.double()(x), OVER[name])


@pytest.mark.parametrize("name", FLAT_OVER)
def test_norms_of_vectors(name: str) -> None:
    x = 3 * torch.randn(64, 6, dtype=torch.float64) + torch.arange(6.0)
    (layer,) = norm_of(name).of_vectors(6)
    check_standardized(layer.double()(x), FLAT_OVER[name])


def check_standardized(y: Tensor, over: tuple[int, ...]) -> None:
    assert y.mean(over).abs().max() < 1e-12
    assert (y.var(over, unbiased=False) - 1).abs().max() < 1e-3


def test_what_stands_between_no_layers() -> None:
    for name in ("none", "spectral"):
        assert norm_of(name).of_maps(4) == norm_of(name).of_vectors(4) == []
    assert dropout(0.0) == []
    with pytest.raises(ValueError, match="instance norm needs feature maps"):
        norm_of("instance").of_vectors(4)


def normalized_critic(name: str) -> tuple[nn.Sequential, nn.Sequential]:
    """Layers with this norm between them, in float64; before and after its change of weights."""
    torch.manual_seed(0)
    norm = norm_of(name)
    layers = [nn.Conv2d(3, 8, 3), *norm.of_maps(8), nn.Tanh(), nn.Conv2d(8, 1, 6), nn.Flatten(0)]
    before = nn.Sequential(*layers).double()
    after = copy.deepcopy(before)
    norm.normalize_weights(after)
    return before, after


@pytest.mark.parametrize("name", registry.names("norm"))
def test_a_norm_keeps_shapes_in_one_layer_at_most(name: str) -> None:
    maps, vectors = torch.randn(4, 6, 5, 5), torch.randn(4, 6)
    layers = norm_of(name).of_maps(6)
    assert len(layers) <= 1 and nn.Sequential(*layers)(maps).shape == maps.shape
    try:
        layers = norm_of(name).of_vectors(6)
    except ValueError:
        return
    assert len(layers) <= 1 and nn.Sequential(*layers)(vectors).shape == vectors.shape


@pytest.mark.parametrize("name", registry.names("norm"))
def test_a_norm_says_whether_it_mixes_samples(name: str) -> None:
    """Where it does not, a sample's logit is the same in any batch, as per-sample penalties need."""
    _, critic = normalized_critic(name)
    critic(torch.randn(4, 3, 8, 8, dtype=torch.float64))  # a norm of weights moves while it trains
    critic = critic.eval() if norm_of(name).normalizes_weights else critic
    x = torch.randn(4, 3, 8, 8, dtype=torch.float64)
    difference = (critic(x)[2:3] - critic(x[2:3])).abs().item()
    assert (difference > 1e-6) == norm_of(name).mixes_samples
    assert difference > 1e-6 or difference < 1e-12


@pytest.mark.parametrize("name", registry.names("norm"))
def test_a_norm_says_whether_it_normalizes_weights(name: str) -> None:
    """Where it does, a weight that is three times as large computes the same."""
    before, after = normalized_critic(name)
    x = torch.randn(4, 3, 8, 8, dtype=torch.float64)
    assert torch.equal(before(x), after(x)) == (not norm_of(name).normalizes_weights)
    if norm_of(name).normalizes_weights:
        found = after.eval()(x)
        with torch.no_grad():
            for key, parameter in after.named_parameters():
                parameter.mul_(1 if key.endswith("bias") else 3)
        torch.testing.assert_close(after(x), found, rtol=1e-12, atol=1e-12)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 4, 2, 1), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(8 * 16, 1), nn.Flatten(0)]
    critic = nn.Sequential(*layers).double()
    for parameter in critic.parameters():
        parameter.data.mul_(7.0)
    SpectralNorm().normalize_weights(critic)
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
