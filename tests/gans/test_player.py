"""Players move alone, and a game's state is whole."""

import copy
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from experiments.core import registry
from gans.core.architecture import Architecture, Blueprint
from gans.core.clock import Clock, Rates, RateSchedule
from gans.core.duel import Duel
from gans.core.networks import Batch, LatentNetwork
from gans.core.objective import LossSpec
from gans.core.optimizer import can_fuse
from gans.core.player import Losses, Player
from losses.adversarial.bce import BinaryCrossEntropy
from losses.adversarial.wgan import Wasserstein
from losses.core.gradient_penalty import GradientPenalty
from losses.core.schedule import ScheduledValue, linear
from losses.penalties.interpolates import Interpolates
from losses.penalty_norms.one import OneCentred
from losses.regularizers.weight_clip import WeightClip
from losses.schedules.linear import Linear

ADAM = partial(torch.optim.Adam, lr=1e-2, betas=(0.0, 0.9))
SGD = partial(torch.optim.SGD, lr=0.1)
PENALTY = GradientPenalty(Interpolates(), OneCentred(), 10.0)
SPECS: dict[str, Callable[[], LossSpec]] = {
    "bce": lambda: LossSpec(BinaryCrossEntropy(), ADAM, ADAM),
    "wgan-gp": lambda: LossSpec(Wasserstein(), ADAM, ADAM, n_critic=2, penalties=[PENALTY]),
    "wgan": lambda: LossSpec(Wasserstein(), ADAM, ADAM, n_critic=3, regularizers=[WeightClip(0.05)]),
}


class BatchLoader:
    """Batches that are a function of their number."""

    def __init__(
        self, shape: tuple[int, ...] = (3, 8, 8), batch_size: int = 4, dtype: torch.dtype = torch.float32
    ):
        self.shape, self.batch_size, self.dtype = shape, batch_size, dtype
        self.seen = 0

    @property
    def clock(self) -> Clock:
        return Clock(self.seen, self.seen // self.batch_size, self.seen / 1000)

    def next_batch(self) -> Batch:
        generator = torch.Generator().manual_seed(self.seen)
        self.seen += self.batch_size
        batch = torch.rand(self.batch_size, *self.shape, generator=generator, dtype=self.dtype)
        return Batch(batch * 2 - 1)


def make_duel(arch: str = "dcgan", spec: str = "wgan-gp", seed: int = 0) -> Duel:
    torch.manual_seed(seed)
    architecture: Architecture = registry.load("architecture", arch)
    blueprint = Blueprint((3, 8, 8), z_dim=4, width=4)
    return Duel(architecture.generator(blueprint), architecture.critic(blueprint), SPECS[spec]())


def test_one_step_of_gradient_descent() -> None:
    """The terms are summed into one loss and stepped once [4]; what is only logged does not count."""
    network = nn.Linear(1, 1, bias=False).double()
    player = Player("critic", network, SGD)
    before = network.weight.item()

    def objective(clock: Clock, x: Tensor) -> Losses:
        y = network(x)
        return Losses(
            {"adversarial": y.mean(), "gradient_penalty": y.square().mean()}, {"real": 100 * y.mean()}
        )

    scores = player.minimise(objective, Clock(), torch.tensor([[2.0]], dtype=torch.float64))
    assert network.weight.item() == pytest.approx(before - 0.1 * (2 + 8 * before), rel=1e-12)
    assert {name: round(v.item(), 9) for name, v in scores.items()} == {
        "critic/adversarial": round(2 * before, 9),
        "critic/gradient_penalty": round(4 * before**2, 9),
        "critic/real": round(200 * before, 9),
    }
    assert not any(score.requires_grad for score in scores.values())


@pytest.mark.parametrize("size", [1.0, 1e25, 1e-25])
def test_the_norm_of_the_gradient_is_over_all_weights(size: float) -> None:
    """Of the last update's whole gradient; weights that the objective leaves out have none."""
    network = nn.ModuleDict({"one": nn.Linear(1, 2), "idle": nn.Linear(3, 3)})
    player = Player("critic", network, SGD)
    assert player.gradient_norm().item() == 0.0
    x = torch.tensor([[3.0]])
    player.minimise(lambda clock: Losses({"loss": size * network["one"](x).sum()}), Clock())
    assert player.gradient_norm().item() == pytest.approx(size * (2 * 3**2 + 2 * 1**2) ** 0.5)


@pytest.mark.parametrize("spec", SPECS)
def test_only_the_mover_asks_for_gradients(spec: str) -> None:
    """[20] The critic is frozen in the generator's step, the generator without a graph in the critic's."""
    duel = make_duel(spec=spec)
    generator, critic = duel.generator_network, duel.critic_network
    generator_graphs, critic_asks = [], []
    generator.register_forward_hook(
        lambda module, inputs, output: generator_graphs.append(output.requires_grad)
    )
    critic.register_forward_hook(
        lambda module, inputs, output: critic_asks.append(next(module.parameters()).requires_grad)
    )
    duel.round(BatchLoader())
    assert generator_graphs == [False] * duel.n_critic + [True]
    calls = 3 if spec == "wgan-gp" else 2
    assert critic_asks == [True] * (duel.n_critic * calls) + [False]
    assert not any(p.requires_grad for p in duel.parameters()), "at rest everyone is frozen"


def test_the_generators_step_leaves_nothing_in_the_critic() -> None:
    """[20] Neither weights nor accumulated gradients."""
    duel, loader = make_duel(), BatchLoader()
    duel.round(loader)
    weights = [p.detach().clone() for p in duel.critic_network.parameters()]
    gradients = [p.grad.clone() for p in duel.critic_network.parameters() if p.grad is not None]
    duel.generator.minimise(duel.generator_loss, loader.clock, loader.next_batch())
    after = [p.grad for p in duel.critic_network.parameters() if p.grad is not None]
    assert all(torch.equal(a, b) for a, b in zip(weights, duel.critic_network.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(gradients, after, strict=True))


def test_each_critic_update_has_fresh_reals_and_fakes() -> None:
    duel, loader, reals = make_duel(), BatchLoader(), []
    critic_loss = duel.critic_loss
    duel.critic_loss = lambda clock, real: (reals.append(real), critic_loss(clock, real))[1]  # type: ignore
    duel.round(loader)
    assert loader.clock.batch_index == duel.n_critic == duel.batches_per_round == 2
    assert not torch.equal(reals[0].samples, reals[1].samples)


def test_clipping_follows_every_critic_step() -> None:
    """[10] The generator never meets unclipped weights, nor does any further critic update."""
    duel = make_duel(spec="wgan")
    largest = []
    duel.critic_network.register_forward_hook(
        lambda module, inputs, output: largest.append(max(p.abs().max().item() for p in module.parameters()))
    )
    duel.round(BatchLoader())
    first_update, later = largest[:2], largest[2:]
    assert max(first_update) > 0.05, "before the first update the weights are as they were born"
    assert len(later) == 5
    assert max(later) <= 0.05 + 1e-7


class _Affine(LatentNetwork):
    """`G(z) = z + b`, for a duel that can be worked out by hand."""

    def __init__(self) -> None:
        super().__init__(z_dim=2)
        self.bias = nn.Parameter(torch.tensor([5.0, 0.0], dtype=torch.float64))

    @property
    def first_layers(self) -> tuple[Tensor, ...]:
        return (torch.eye(2),)

    def forward(self, z: Tensor) -> Tensor:
        return z + self.bias


class _Slope(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor([3.0, 4.0], dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.slope


def test_a_round_worked_out_by_hand() -> None:
    """wgan-gp with a linear critic a: ∂/∂a = E x̃ − E x + 2λ(1 − 1/‖a‖) a; then ∂/∂b = −a, with the new a."""
    generator, critic = _Affine(), _Slope()
    duel = Duel(generator, critic, LossSpec(Wasserstein(), SGD, SGD, n_critic=1, penalties=[PENALTY]))
    loader = BatchLoader((2,), 8, torch.float64)
    real = BatchLoader((2,), 8, torch.float64).next_batch().samples
    torch.manual_seed(1)
    scores = duel.round(loader)
    torch.manual_seed(1)
    z = torch.randn(8, 2, dtype=torch.float64)
    old = torch.tensor([3.0, 4.0], dtype=torch.float64)
    start = torch.tensor([5.0, 0.0], dtype=torch.float64)
    new = old - 0.1 * ((z + start).mean(0) - real.mean(0) + 20 * (1 - 1 / 5) * old)
    torch.testing.assert_close(critic.slope.detach(), new, rtol=1e-12, atol=0)
    torch.testing.assert_close(generator.bias.detach(), start + 0.1 * new, rtol=1e-12, atol=0)
    assert scores["critic/gradient_norm"].item() == pytest.approx(5.0)
    assert scores["critic/gradient_penalty"].item() == pytest.approx(10 * 16.0)


def test_the_generators_rate_follows_the_clock() -> None:
    """Half the rate, half the step; and the full rate is not forgotten."""
    network = nn.Linear(1, 1, bias=False).double()
    schedule = RateSchedule(linear, decay_from=0.5, warmup_images=100)
    player = Player("generator", network, SGD, rates=Rates(schedule))
    clocks = [Clock(50, 1, 0.1), Clock(200, 4, 0.4), Clock(375, 8, 0.75), Clock(450, 9, 0.9)]
    steps = []
    for clock in clocks:
        before = network.weight.item()
        player.minimise(lambda clock: Losses({"loss": network.weight.sum()}), clock)
        steps.append(before - network.weight.item())
    assert steps == pytest.approx([0.05, 0.1, 0.05, 0.02], rel=1e-12)


def test_learning_rates_come_from_the_config_not_from_the_checkpoint() -> None:
    saved = Player("critic", nn.Linear(2, 1), partial(torch.optim.Adam, lr=1e-3))
    saved.minimise(lambda clock: Losses({"loss": saved.network.weight.sum()}), Clock())
    loaded = Player("critic", nn.Linear(2, 1), partial(torch.optim.Adam, lr=5e-4))
    loaded.load_state_dict(saved.state_dict())
    assert loaded.optimizer.param_groups[0]["lr"] == 5e-4
    assert torch.equal(
        loaded.optimizer.state_dict()["state"][0]["exp_avg"],
        saved.optimizer.state_dict()["state"][0]["exp_avg"],
    )


@pytest.mark.parametrize("power", [1.0, 0.8])
def test_the_second_beta_follows_its_schedule_before_each_step(power: float) -> None:
    """To the power of the slow-down, as the rate is a multiple of it; the first beta stays."""
    network = nn.Linear(1, 1)
    adam = partial(torch.optim.Adam, lr=1e-2, betas=(0.5, 0.999))
    rates = Rates(RateSchedule(linear), beta2=ScheduledValue(0.9, 0.99, Linear()))
    player = Player("critic", network, adam, rates=rates)
    player.slow_down(power)
    used = []
    player.optimizer.register_step_pre_hook(
        lambda optimizer, *given: used.append(
            (optimizer.param_groups[0]["lr"], *optimizer.param_groups[0]["betas"])
        )
    )
    for progress in (0.0, 0.5, 0.75):
        player.minimise(lambda clock: Losses({"loss": network.weight.sum()}), Clock(progress=progress))
    expected = [(1.0, 0.9), (0.5, 0.945), (0.25, 0.9675)]
    for found, (share, beta2) in zip(used, expected, strict=True):
        assert found == pytest.approx((1e-2 * power * share, 0.5**power, beta2**power), rel=1e-12)


def test_slowing_down_twice_multiplies_the_powers() -> None:
    network = nn.Linear(1, 1)
    rates = Rates(beta2=ScheduledValue(0.9, 0.9, Linear()))
    player = Player("critic", network, partial(torch.optim.Adam, lr=1e-2, betas=(0.5, 0.9)), rates=rates)
    for power in (0.5, 0.8):
        player.slow_down(power)
    player.minimise(lambda clock: Losses({"loss": network.weight.sum()}), Clock())
    (group,) = player.optimizer.param_groups
    assert group["betas"] == pytest.approx((0.5**0.4, 0.9**0.4), rel=1e-12)
    assert group["lr"] == pytest.approx(4e-3, rel=1e-12)


def test_moments_of_another_memory_layout_are_those_of_their_weights(seeded: None) -> None:
    """Fused optimizers go through memory, not through indices."""
    weights = []
    for layout in (torch.channels_last, torch.contiguous_format):
        torch.manual_seed(0)
        layer = nn.Conv2d(3, 5, 3).to(memory_format=torch.channels_last)
        player = Player("critic", layer, partial(torch.optim.Adam, lr=0.01, fused=True))
        objective = lambda clock, x, layer=layer: Losses({"own": layer(x).square().mean()})  # noqa: E731
        for _ in range(2):
            player.minimise(objective, Clock(), torch.randn(2, 3, 4, 4))
            moments = player.get_extra_state()["moments"]
            copies = {
                index: {name: x.clone(memory_format=layout) if x.dim() == 4 else x for name, x in own.items()}
                for index, own in moments.items()
            }
            player.set_extra_state({"moments": copies})
        weights.append(layer.weight.detach())
    torch.testing.assert_close(*weights, rtol=0, atol=0)


MAKERS = {
    "adam": partial(torch.optim.Adam, lr=0.01, fused=True),
    "amsgrad": partial(torch.optim.AdamW, lr=0.01, amsgrad=True),
    "rmsprop": partial(torch.optim.RMSprop, lr=0.01),
    "sgd": partial(torch.optim.SGD, lr=0.01),
    "momentum": partial(torch.optim.SGD, lr=0.01, momentum=0.9),
}


@pytest.mark.parametrize("to", MAKERS)
@pytest.mark.parametrize("of", MAKERS)
def test_moments_go_to_the_optimizer_that_has_them(of: str, to: str) -> None:
    players = [Player("critic", nn.Linear(2, 1), MAKERS[name]) for name in (of, to)]
    samples = torch.ones(3, 2)
    for player in players:
        player.minimise(lambda clock, player=player: Losses({"x": player.network(samples).mean()}), Clock())
    state = copy.deepcopy(players[0].get_extra_state())
    # The moments of amsgrad are Adam's and one more; SGD has none, as an optimizer before its first step.
    if of in (to, "sgd") or (of, to) == ("amsgrad", "adam"):
        players[1].set_extra_state(state)
    else:
        before = copy.deepcopy(players[1].get_extra_state())
        with pytest.raises(ValueError, match="moments of another optimizer"):
            players[1].set_extra_state(state)
        assert str(players[1].get_extra_state()) == str(before)


def test_weights_with_gaps_in_memory_are_not_fused() -> None:
    whole = torch.randn(4, 4)
    assert can_fuse([nn.Parameter(whole), nn.Parameter(whole.t())])
    assert not can_fuse([nn.Parameter(whole[:, :2])])
    assert not can_fuse([nn.Parameter(torch.empty(2, device="meta"))])
