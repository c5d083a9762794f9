"""Mixed precision (`--precision bf16`): networks multiply in bfloat16, all else is float32."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchmarks.precision import compare, gradients
from benchmarks.processes import Case, tensors_of, tiny
from experiments.config.resolve import resolve
from experiments.core import registry
from experiments.core.errors import UsageError
from experiments.core.stop_signal import StopSignal
from experiments.training.experiment import Experiment, build
from experiments.training.memory_estimate import estimate_memory
from experiments.training.steps import train_steps
from gans.core.clock import Clock
from gans.core.player import Losses, Player
from losses.core.gradient_penalty import GradientPenalty
from losses.core.precision import full_precision, in_full_precision, mixed_precision
from losses.penalties.interpolates import Interpolates
from losses.penalty_norms.one import OneCentred

BF16 = torch.bfloat16
# Norms over few pixels enlarge every rounding (docs/training.md).
LEAST_COSINE = {"cyclegan": 0.85, "stargan": 0.85, "stylegan": 0.95}


def experiment_of(arch: str, **changed: Any) -> Experiment:
    case: Case = {**tiny(arch), "device": "cpu", "precision": "bf16", **changed}
    return build(resolve(case))


@pytest.mark.parametrize("arch", registry.names("architecture"))
def test_every_architecture_trains_on_gradients_near_those_of_float32(arch: str) -> None:
    """All that stays is float32; of networks alone something is in bfloat16."""
    experiment = experiment_of(arch)
    exact, mixed = gradients(experiment, None), gradients(experiment, BF16)
    for player, gradient in exact.items():
        cosine, norm = compare(mixed[player], gradient)
        assert LEAST_COSINE.get(arch, 0.98) < cosine < 1 - 1e-9, player  # and not the same: bf16 was there
        assert norm == pytest.approx(1, abs=0.2 if arch in LEAST_COSINE else 0.1), player
    for player in experiment.players:
        player.product_type = BF16
    scores: list[dict[str, Tensor]] = []
    train_steps(experiment, 0, [lambda progress, found: scores.append(dict(found))], StopSignal())
    for name, value in tensors_of({"state": experiment.state_dict(), "scores": scores}):
        assert not value.is_floating_point() or value.dtype == torch.float32, name
        assert value.isfinite().all(), name


def test_objectives_see_float32_alone() -> None:
    """The critic's logits, and the images of the generator, are cast before anything is computed of them."""
    network = nn.ModuleDict({"a": nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2)), "b": nn.Linear(2, 2)})
    seen: list[Tensor] = []
    network["a"][0].register_forward_hook(lambda layer, inputs, output: seen.append(output))
    player = Player("player", network, lambda weights: torch.optim.SGD(weights, lr=0.1))
    player.product_type = BF16

    def objective(clock: Clock, x: Tensor) -> Losses:
        outputs = network["a"](x), network["b"](network["a"](x)), x @ x.T
        seen.extend(outputs)
        return Losses({"loss": sum(each.sum() for each in outputs)})  # type: ignore[dict-item]

    player.minimise(objective, Clock(), torch.randn(3, 4))
    assert [each.dtype for each in seen] == [BF16, BF16, *[torch.float32] * 3]
    assert network["a"][0](torch.randn(3, 4)).dtype == torch.float32  # at rest there is no autocast


def test_changed_weights_are_seen_at_once() -> None:
    """Autocast can keep casts of weights, which an optimizer's step within the context leaves behind."""
    layer, x = nn.Linear(3, 1, bias=False), torch.ones(1, 3)
    with mixed_precision(BF16):
        before = layer(x)
        with torch.no_grad():
            layer.weight.add_(1.0)
        assert (layer(x) - before).item() == pytest.approx(3.0, abs=0.05)


def test_weights_whose_gradient_was_not_asked_for_have_one_later() -> None:
    """Autocast can keep casts that were made without a graph."""
    layer, x = nn.Linear(3, 1, bias=False), torch.ones(1, 3)
    with mixed_precision(BF16):
        with torch.no_grad():
            layer(x)
        layer(x).sum().backward()
    assert layer.weight.grad is not None and torch.equal(layer.weight.grad, x)


@pytest.mark.parametrize("is_chain", [True, False])
def test_penalties_are_those_of_float32_to_the_bit(is_chain: bool, seeded: None) -> None:
    """A linear critic has the penalty λ (‖w‖ − 1)²; in bfloat16 it is off by 1e-3."""
    layer = nn.Linear(5, 1, bias=False)
    critic = nn.Sequential(layer, nn.Flatten(0)) if is_chain else Flattened(layer)
    real, fake = torch.randn(2, 4, 5)
    penalty = GradientPenalty(Interpolates(), OneCentred(), weight=10.0)
    torch.manual_seed(1)
    expected = penalty(critic, real, fake)
    with mixed_precision(BF16):
        torch.manual_seed(1)
        found = penalty(critic, real, fake)
    assert torch.equal(found.value, expected.value) and found.value.dtype == torch.float32
    closed = 10 * (layer.weight.double().norm() - 1) ** 2
    torch.testing.assert_close(found.value.double(), closed, rtol=1e-5, atol=0)


class Flattened(nn.Module):
    """A layer as a critic that is no chain."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x).flatten()


class Blend(nn.Module):
    """A layer that knows nothing of autocast: it blends what it multiplied with what it did not."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.scale = nn.Linear(3, 3), nn.Parameter(torch.ones(3))

    def forward(self, x: Tensor) -> Tensor:
        y = self.layer(x)
        return torch.addcmul(torch.lerp(x, y, 0.5), y, self.scale) + x.lerp(y, self.scale)


def test_layers_that_mix_types_compute() -> None:
    layer, x = Blend(), torch.randn(2, 3)
    expected = layer(x)
    with mixed_precision(BF16):
        found = layer(x)
        (gradient,) = torch.autograd.grad(found.sum(), layer.scale, create_graph=True)
    torch.testing.assert_close(found, expected, rtol=0.02, atol=0.02)
    assert gradient.isfinite().all() and gradient.dtype == torch.float32


class SampleProducts(nn.Module):
    """A statistic over a batch, in full precision."""

    @in_full_precision
    def forward(self, x: Tensor) -> Tensor:
        return x @ x.T


def test_parts_in_full_precision_are_exact_within_a_network() -> None:
    x, layer = torch.randn(4, 3), nn.Linear(3, 2)
    expected = layer(x)
    with mixed_precision(BF16):
        assert torch.equal(nn.Sequential(nn.Identity(), SampleProducts())(x), x @ x.T)
        assert not torch.equal(layer(x), expected)
        with full_precision(x.device):
            assert torch.equal(layer(x), expected)
        assert not torch.equal(layer(x), expected)


@pytest.mark.parametrize(("norm", "micro"), [("spectral", None), ("none", 4)])
def test_micro_batches_and_norms_of_weights(norm: str, micro: int | None) -> None:
    """Spectral norm is computed in float32; passes add up to the whole batch, but for rounding."""
    experiment = experiment_of("r3gan", loss="hinge", critic_norm=norm, micro_batch_size=micro)
    whole = experiment_of("r3gan", loss="hinge", critic_norm=norm)
    for player, gradient in gradients(whole, None).items():
        assert compare(gradients(experiment, BF16)[player], gradient)[0] > 0.99


def test_interrupted_runs_end_with_the_same_bits() -> None:
    """All that the next step depends on is float32 and in the checkpoint."""
    case = {"steps": 4, "penalty_every": 2}
    whole, first, second = (experiment_of("stylegan2", **case) for _ in range(3))
    train_steps(whole, 0, [], StopSignal())
    batch = whole.spec.settings.batch_size * whole.game.batches_per_round
    assert train_steps(first, 0, [], StopSignal(), until_kimg=2 * batch / 1000) == 2
    second.load_state_dict(first.state_dict())
    train_steps(second, 2, [], StopSignal())
    found, expected = (dict(tensors_of(each.state_dict())) for each in (second, whole))
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


@pytest.mark.parametrize("arch", ["stylegan2", "cyclegan"])
def test_recomputed_activations_have_the_same_bits(arch: str) -> None:
    kept, again = experiment_of(arch), experiment_of(arch, activation_checkpointing=True)
    for experiment in (kept, again):
        train_steps(experiment, 0, [], StopSignal())
    found, expected = (dict(tensors_of(each.state_dict())) for each in (again, kept))
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


@pytest.mark.parametrize("recomputes", [False, True])
def test_estimates_know_that_activations_are_smaller(recomputes: bool) -> None:
    case = {**tiny("r3gan", batch_size=64), "device": "cpu", "activation_checkpointing": recomputes}
    single, mixed = (estimate_memory(resolve({**case, "precision": each})) for each in ("fp32", "bf16"))
    assert 0.4 * single < mixed < single


class Interrupted(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise KeyboardInterrupt


def test_an_interrupted_pass_leaves_no_autocast() -> None:
    with pytest.raises(KeyboardInterrupt), mixed_precision(torch.bfloat16):
        nn.Sequential(Interrupted())(torch.randn(2))
    assert not torch.is_autocast_enabled("cpu")


class TwoHeads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> dict[str, list[Tensor]]:
        return {"features": [self.layer(x)]}


def test_whatever_a_network_returns_is_float32() -> None:
    with mixed_precision(torch.bfloat16):
        (features,) = TwoHeads()(torch.randn(4, 3))["features"]
    assert features.dtype == torch.float32
    assert torch.equal(features, features.bfloat16().float()), "its products are not in bfloat16"


def test_fp16_is_refused_with_its_reason() -> None:
    with pytest.raises(UsageError, match=r"'fp16' is not offered: .* small gradient penalties; take bf16"):
        resolve({"precision": "fp16"})
