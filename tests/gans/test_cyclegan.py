"""CycleGAN's objective worked out apart from its code, and the networks of its paper."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from gans.core.architecture import Blueprint
from gans.core.translation import ResidualBlock
from gans.cyclegan import CycleGANOptions, Generators
from losses.adversarial.bce import BinaryCrossEntropy
from losses.adversarial.relativistic import Relativistic
from tests.conftest import ARCHITECTURES
from tests.gans.translating import BatchLoader, game_of, moved, networks_of, norm_of


def squares(logits: Tensor, label: float) -> Tensor:
    return ((logits - label) ** 2).mean()


def test_one_round_by_hand() -> None:
    """Adversarial + 10 · cycle + 5 · identity, F ∘ G against x and G ∘ F against y, where only the critics'
    squares are halved; then each critic, on the fakes that the generators made before they moved."""
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
    judged = (judged + squares(critics.b(b), 1) + squares(critics.b(to_b(a).detach()), 0)) / 2
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


def test_sizes_of_the_paper() -> None:
    """Those of the authors' code, 11.378 and 2.765 million."""
    architecture = ARCHITECTURES["cyclegan"]
    blueprint = Blueprint((3, 256, 256), 0, 64, critic_norm=norm_of(architecture.critic_norm))
    with torch.device("meta"):
        generator, critic = architecture.generator(blueprint), architecture.critic(blueprint)
    assert isinstance(generator, Generators)
    for network in (generator.to_a, generator.to_b):
        assert count(network) == 11_378_179
    assert count(critic.a) == count(critic.b) == 2_764_737


@pytest.mark.parametrize("upsampling", ["transposed", "resize"])
@pytest.mark.parametrize("padding", ["zeros", "reflect"])
@pytest.mark.parametrize("norm", ["plain-instance", "instance", "batch"])
def test_forms_of_the_generators(upsampling: str, padding: str, norm: str) -> None:
    """An even image stays even where all borders are reflected and pixels are repeated. (A plain norm leaves
    nothing of it but rounding.)"""
    options = CycleGANOptions(upsampling=upsampling, strided_padding=padding, norm=norm, blocks=1)
    generator, _ = networks_of("cyclegan", shape=(3, 12, 8), options=options)
    made = generator.eval().to_a(torch.ones(2, 3, 12, 8, dtype=torch.float64))
    assert made.shape == (2, 3, 12, 8)
    is_even = bool((made - made[:1, :, :1, :1]).abs().max() < 1e-6)
    is_plain = norm == "plain-instance"
    assert is_plain or is_even == (upsampling == "resize" and padding == "reflect")
    biases = [m.bias is not None for m in generator.modules() if isinstance(m, nn.Conv2d)]
    assert biases.count(True) == (len(biases) if is_plain else 2), "what has no shift behind it"
    assert sum(isinstance(m, nn.ConvTranspose2d) for m in generator.to_a.modules()) == (
        2 if upsampling == "transposed" else 0
    )


def test_the_terms_of_b_weigh_as_its_factor_says() -> None:
    """λ_B is a multiple of λ_A in the authors' code, for both terms."""
    found = []
    for factor in (0.0, 1.0, 3.0):
        game = game_of("cyclegan", options=CycleGANOptions(domain_b_factor=factor))
        found.append(game.round(BatchLoader("cyclegan")))
    for term in ("cycle", "identity"):
        none, one, three = (scores[f"generator/{term}"].item() for scores in found)
        assert one > none > 0
        assert three - none == pytest.approx(3 * (one - none), rel=1e-10)


def test_other_forms_are_halved_for_the_critics_alone() -> None:
    """What the authors' `--gan_mode vanilla` does: the form has no factor of its own."""
    game, loader = game_of("cyclegan", BinaryCrossEntropy()), BatchLoader("cyclegan")
    generators, critics = copy.deepcopy(game.generator_network), copy.deepcopy(game.critic_network)
    scores = game.round(loader)
    a, b = loader.loaded[0].condition[0], loader.loaded[0].samples
    fakes = [(critics.a, a, generators.to_a(b)), (critics.b, b, generators.to_b(a))]
    fooling = sum(softplus(-critic(fake)).mean().item() for critic, _, fake in fakes)
    judged = sum(
        (softplus(-critic(x)).mean() + softplus(critic(fake)).mean()).item() for critic, x, fake in fakes
    )
    assert scores["generator/adversarial"].item() == pytest.approx(fooling, rel=1e-10)
    assert scores["critic/adversarial"].item() == pytest.approx(judged / 2, rel=1e-10)


@pytest.mark.parametrize(("side", "blocks"), [(32, 6), (128, 6), (256, 9)])
def test_blocks_by_size(side: int, blocks: int) -> None:
    with torch.device("meta"):
        generator = Generators(Blueprint((1, side, side), 0, 2))
    assert sum(isinstance(module, ResidualBlock) for module in generator.to_a.modules()) == blocks
