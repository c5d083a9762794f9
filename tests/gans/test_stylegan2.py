"""StyleGAN2's parts against closed forms and slower references, its lazy turns, and its published sizes."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from gans.core.architecture import Blueprint
from gans.core.clock import Clock
from gans.core.lazy_duel import LazyDuel, path_lengths
from gans.core.networks import Batch
from gans.core.objective import LossSpec
from gans.core.styles import repeat_styles
from gans.layers.modulation import ModulatedConvolution
from gans.stylegan2 import Critic, Generator, HalvingConvolution, StyleGAN2Options
from losses.adversarial.bce import BinaryCrossEntropy
from losses.core.gradient_penalty import GradientPenalty
from losses.penalties.real import Real
from losses.penalty_norms.zero import ZeroCentred

SMALL = Blueprint((3, 16, 16), z_dim=6, width=4, options=StyleGAN2Options(style_mixing=0.0))


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


@pytest.mark.parametrize("demodulates", [True, False])
def test_modulation_is_a_weight_of_each_samples_own(demodulates: bool) -> None:
    """Equations 1 and 3, one sample at a time."""
    layer = ModulatedConvolution(6, 5, 4, demodulates=demodulates).double()
    x, w = draw(3, 5, 7, 6), draw(3, 6)
    for index in range(3):
        style = w[index] @ layer.style.weight.T / math.sqrt(6) + 1
        weight = layer.weight * style[None, :, None, None]
        if not demodulates:
            weight = weight / math.sqrt(5 * 9)
        else:
            weight = weight / (weight.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()
        expected = conv2d(x[index : index + 1], weight, padding=1)
        torch.testing.assert_close(layer(x, w)[index : index + 1], expected, rtol=1e-10, atol=1e-10)


def test_demodulated_features_keep_their_deviation_whatever_the_style() -> None:
    layer = ModulatedConvolution(6, 64, 64)
    for strength in (1.0, 100.0):
        with torch.no_grad():
            y = layer(torch.randn(8, 64, 16, 16), strength * torch.randn(8, 6))
        assert y[:, :, 1:-1, 1:-1].std().item() == pytest.approx(1, rel=0.1)


def test_halving_smooths_before_it_skips() -> None:
    layer = HalvingConvolution(2, 3).double()
    x = draw(1, 2, 8, 8)
    taps = torch.tensor([1.0, 3, 3, 1], dtype=torch.float64) / 8
    kernel = torch.outer(taps, taps).expand(2, 1, 4, 4)
    smooth = conv2d(x, kernel, padding=2, groups=2)
    weight = layer.convolution.weight * layer.convolution.scale
    expected = conv2d(smooth, weight)[:, :, ::2, ::2]
    assert expected.shape == (1, 3, 4, 4)
    torch.testing.assert_close(layer(x), expected, rtol=1e-6, atol=1e-6)


class Turned(Generator):
    """Images that are a linear function of w: `A w` for all layers alike."""

    def __init__(self, matrix: Tensor) -> None:
        nn.Module.__init__(self)
        self.matrix = matrix

    @property
    def styles(self) -> int:
        return 3

    @property
    def first_layers(self) -> tuple[Tensor, ...]:
        return (self.matrix,)

    def synthesize(self, w: Tensor) -> Tensor:
        return (repeat_styles(w, 3).sum(dim=1) @ self.matrix.T).view(-1, 1, 4, 4)


def test_path_lengths_of_a_linear_generator() -> None:
    """`|Jᵀ y|` with J = A for each of three layers: the length is that of Aᵀ y, with y of deviation 1/4."""
    matrix = draw(16, 5)
    network = Turned(matrix)
    styles = draw(4000, 3, 5).requires_grad_(True)
    lengths = path_lengths(network, styles)
    assert lengths.shape == (4000,)
    expected = matrix.square().sum() / 16
    assert lengths.square().mean().item() == pytest.approx(expected.item(), rel=0.05)
    turned = Turned(matrix @ torch.linalg.qr(draw(5, 5)).Q)  # only the length counts
    other = path_lengths(turned, styles).square().mean().item()
    assert other == pytest.approx(lengths.square().mean().item(), rel=0.05)


def adam(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=1e-3, betas=(0.0, 0.99))


def game(every: int = 16, n_critic: int = 1, options: StyleGAN2Options | None = None) -> LazyDuel:
    penalty = GradientPenalty(Real(), ZeroCentred(), 0.5, every)
    spec = LossSpec(BinaryCrossEntropy(), adam, adam, n_critic, penalties=[penalty], options=options)
    return LazyDuel(Generator(SMALL), Critic(SMALL), spec)


class BatchLoader:
    def __init__(self) -> None:
        self.seen = 0

    @property
    def clock(self) -> Clock:
        return Clock(self.seen, self.seen // 4, 0.0)

    def next_batch(self) -> Batch:
        self.seen += 4
        return Batch(torch.randn(4, 3, 16, 16))


def test_regularization_takes_turns_of_its_own() -> None:
    duel, loader = game(every=3), BatchLoader()
    scores = [duel.round(loader) for _ in range(8)]
    assert ["critic/gradient_penalty" in s for s in scores] == [True, False, False] * 2 + [True, False]
    assert ["generator/path_length" in s for s in scores] == [True, False, False, False] * 2
    moved = [
        max(int(s["step"]) for s in p.optimizer.state.values())
        for p in (duel.duel.critic, duel.duel.generator)
    ]
    assert moved == [8 + 3, 8 + 2]


def test_optimizers_that_move_more_often_are_slower() -> None:
    """Appendix B: rate and betas to the power k / (k + 1)."""
    duel = game(every=16)
    critic, generator = duel.duel.critic.optimizer, duel.duel.generator.optimizer
    duel.round(BatchLoader())
    assert critic.param_groups[0]["lr"] == pytest.approx(1e-3 * 16 / 17)
    assert critic.param_groups[0]["betas"] == pytest.approx((0.0, 0.99 ** (16 / 17)))
    assert generator.param_groups[0]["lr"] == pytest.approx(1e-3 * 4 / 5)
    eager = game(every=1)
    eager.round(BatchLoader())
    assert eager.duel.critic.optimizer.param_groups[0]["lr"] == 1e-3, "one step for loss and penalty"
    assert not eager.lazy


def test_without_a_weight_no_path_is_measured_and_the_generator_is_as_fast_as_any() -> None:
    duel, loader = game(every=3, options=StyleGAN2Options(path_length_weight=0.0)), BatchLoader()
    scores = [duel.round(loader) for _ in range(5)]
    assert not any("generator/path_length" in each for each in scores)
    optimizer = duel.duel.generator.optimizer
    assert {int(state["step"]) for state in optimizer.state.values()} == {5}, "one step a round"
    assert optimizer.param_groups[0]["lr"] == 1e-3
    assert optimizer.param_groups[0]["betas"] == (0.0, 0.99)
    assert duel.length.item() == 0
    assert duel.duel.critic.optimizer.param_groups[0]["lr"] == pytest.approx(1e-3 * 3 / 4), (
        "the critic's turns stay"
    )


def test_path_lengths_take_the_turns_of_the_options() -> None:
    """Every third round, three times as heavy as they are rare; the generator's rate to 3 / 4."""
    duel, loader = game(options=StyleGAN2Options(path_length_every=3)), BatchLoader()
    scores = [duel.round(loader) for _ in range(7)]
    assert ["generator/path_length" in each for each in scores] == [True, False, False] * 2 + [True]
    assert duel.duel.generator.optimizer.param_groups[0]["lr"] == pytest.approx(1e-3 * 3 / 4)


def test_rarer_penalties_have_the_same_expected_gradient() -> None:
    duel, real = game(every=16), torch.randn(4, 3, 16, 16)
    lazy = duel.penalty_loss(Clock(), Batch(real)).terms["gradient_penalty"]
    (plain,) = game(every=1).duel.objective.penalties
    value = plain(duel.critic_network, real, real).value
    assert lazy.item() / 16 == pytest.approx(value.item(), rel=1e-5)


def test_path_lengths_have_the_same_expected_gradient() -> None:
    """Four times as heavy in every fourth round, on the distance to the running mean."""
    duel = game(options=StyleGAN2Options(style_mixing=0.0)).train()
    duel.generator_network.requires_grad_(True)
    state = torch.get_rng_state()
    terms = duel.path_length_loss(Clock(), Batch(torch.randn(4, 3, 16, 16))).terms
    mean = duel.length.item()
    torch.set_rng_state(state)
    torch.randn(4, 3, 16, 16)
    styles = repeat_styles(duel.synthesis.map(torch.randn(2, 6)), duel.synthesis.styles)
    lengths = path_lengths(duel.synthesis, styles)
    assert mean == pytest.approx(0.01 * lengths.mean().item(), rel=1e-5)
    expected = 2 * (lengths - mean).square().mean() * 4
    assert terms["path_length"].item() == pytest.approx(expected.item(), rel=1e-4)


def test_the_image_is_a_sum_over_sizes() -> None:
    generator = Generator(SMALL).eval()
    with torch.no_grad():
        for layer in generator.to_image:
            layer.bias.zero_(), layer.convolution.weight.zero_()
        assert not generator(torch.randn(2, 6)).any()
        generator.to_image[0].bias.fill_(0.5)
    image = generator(torch.randn(1, 6))[0, 0]
    assert image[4:12, 4:12].sub(0.5).abs().max() < 1e-6 and image[0, 0] < 0.5, "enlarged by a filter"


def test_published_sizes() -> None:
    """Configuration F at 1024×1024, as the authors' code counts (memory): 30,370,060 and 29,012,513."""
    with torch.device("meta"):
        blueprint = Blueprint((3, 1024, 1024), z_dim=512, width=32)
        generator, critic = Generator(blueprint), Critic(blueprint)
    assert sum(p.numel() for p in generator.mapping.parameters()) == 2_101_248
    assert sum(p.numel() for p in generator.parameters()) == 30_370_060
    assert sum(p.numel() for p in critic.parameters()) == 29_012_513
    assert generator.styles == 18
