"""CycleGAN's objective worked out apart from its code, and the networks of its paper."""

import copy

import pytest
import torch
from torch import Tensor, nn

from gans.core.architecture import Blueprint
from gans.core.translation import ResidualBlock
from gans.cyclegan import CycleGANOptions, Generators
from losses.adversarial.relativistic import Relativistic
from tests.conftest import ARCHITECTURES
from tests.gans.translating import BatchLoader, game_of, moved, norm_of


def squares(logits: Tensor, label: float) -> Tensor:
    return ((logits - label) ** 2).mean() / 2


def test_one_round_by_hand() -> None:
    """Adversarial + 10 · cycle + 5 · identity, F ∘ G against x and G ∘ F against y; then each critic, on the
    fakes that the generators made before they moved."""
    game, loader = game_of("cyclegan"), BatchLoader("cyclegan")
    generators, critics = copy.deepcopy(game.generator_network), copy.deepcopy(game.critic_network)
    for network in (generators, critics):
        network.requires_grad_(True)
    scores = game.round(loader)
    a, b = loader.loaded[0].condition[0], loader.loaded[0].samples
    to_b, to_a = generators.to_b, generators.to_a
    terms = {
        "adversarial": squares(critics.b(to_b(a)), 1) + squares(critics.a(to_a(b)), 1),
        "cycle": 10 * ((to_a(to_b(a)) - a).abs().mean() + (to_b(to_a(b)) - b).abs().mean()),
        "identity": 5 * ((to_b(b) - b).abs().mean() + (to_a(a) - a).abs().mean()),
    }
    judged = squares(critics.a(a), 1) + squares(critics.a(to_a(b).detach()), 0)
    judged = judged + squares(critics.b(b), 1) + squares(critics.b(to_b(a).detach()), 0)
    for name, value in terms.items():
        assert scores[f"generator/{name}"].item() == pytest.approx(value.item(), rel=1e-10), name
    assert scores["critic/adversarial"].item() == pytest.approx(judged.item(), rel=1e-10)
    real = (critics.a(a).mean() + critics.b(b).mean()) / 2
    assert scores["critic/real"].item() == pytest.approx(real.item(), rel=1e-10)
    moved(game, "generator", generators, sum(terms.values(), torch.zeros(())))
    moved(game, "critic", critics, judged)


def test_without_identity_nothing_is_computed_for_it() -> None:
    game = game_of("cyclegan", options=CycleGANOptions(identity_weight=0.0))
    calls: list[object] = []
    game.generator_network.to_b.register_forward_hook(lambda *call: calls.append(call))
    scores = game.round(BatchLoader("cyclegan"))
    assert "generator/identity" not in scores
    assert len(calls) == 2


def test_relativistic_generators_are_compared_with_their_own_domain() -> None:
    game, loader = game_of("cyclegan", Relativistic()), BatchLoader("cyclegan")
    generators, critics = copy.deepcopy(game.generator_network), copy.deepcopy(game.critic_network)
    scores = game.round(loader)
    a, b = loader.loaded[0].condition[0], loader.loaded[0].samples
    pairs = [(critics.a(a), critics.a(generators.to_a(b))), (critics.b(b), critics.b(generators.to_b(a)))]
    expected = sum((1 + (real - fake).exp()).log().mean().item() for real, fake in pairs)
    assert scores["generator/adversarial"].item() == pytest.approx(expected, rel=1e-10)


def test_each_critic_has_a_pool_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty images each; that of A holds fakes of A. What is shown comes out of it."""
    game, loader = game_of("cyclegan"), BatchLoader("cyclegan")
    assert [pool.images.shape for pool in game.pools] == [(50, 3, 8, 8)] * 2
    before = copy.deepcopy(game.generator_network)
    game.round(loader)
    a, b = loader.loaded[0].condition[0], loader.loaded[0].samples
    torch.testing.assert_close(game.pools[0].images[:2], before.to_a(b))
    torch.testing.assert_close(game.pools[1].images[:2], before.to_b(a))
    kept = [pool.images.clone() for pool in game.pools]
    monkeypatch.setattr("torch.rand", lambda size: torch.zeros(size))  # always exchanged
    for pool in game.pools:
        pool.filled = 50
    shown = game.replay_fakes((torch.ones(2, 3, 8, 8), -torch.ones(2, 3, 8, 8)))
    for pool, old, given, value in zip(game.pools, kept, shown, (1, -1), strict=True):
        assert all((old == image).flatten(1).all(dim=1).any() for image in given), "from before"
        assert (pool.images == value).flatten(1).all(dim=1).sum() in (1, 2), "the new are kept"


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


# Channels that are normalized: of the three layers that come before the blocks, of two in each block, and of
# the two after.
NORMED = 64 + 128 + 256 + 2 * 9 * 256 + 128 + 64


def test_sizes_of_the_paper() -> None:
    """The authors' code has 11.378 and 2.765 million. Theirs has a bias in every layer and norms without
    scale and shift; the biases before norms, which do nothing there, are scales and shifts here. Transposed
    3×3 convolutions and those of repeated pixels have as many weights."""
    architecture = ARCHITECTURES["cyclegan"]
    blueprint = Blueprint((3, 256, 256), 0, 64, critic_norm=norm_of(architecture.critic_norm))
    with torch.device("meta"):
        generator, critic = architecture.generator(blueprint), architecture.critic(blueprint)
    assert isinstance(generator, Generators)
    for network in (generator.to_a, generator.to_b):
        assert count(network) == 11_378_179 + NORMED
    assert count(critic.a) == count(critic.b) == 2_764_737 + 128 + 256 + 512


@pytest.mark.parametrize(("side", "blocks"), [(32, 6), (128, 6), (256, 9)])
def test_blocks_by_size(side: int, blocks: int) -> None:
    with torch.device("meta"):
        generator = Generators(Blueprint((1, side, side), 0, 2))
    assert sum(isinstance(module, ResidualBlock) for module in generator.to_a.modules()) == blocks
