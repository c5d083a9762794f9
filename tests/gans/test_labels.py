"""What both players are told of a sample reaches them, and means what it says."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from experiments.config.resolve import resolve
from experiments.core import registry
from experiments.core.stop_signal import StopSignal
from experiments.data.ring8 import Ring8
from experiments.training.experiment import build
from experiments.training.steps import train_steps
from gans.core.architecture import Architecture, Blueprint
from gans.core.clock import Clock
from gans.core.duel import Duel
from gans.core.networks import Batch, LatentNetwork, StyledNetwork
from gans.core.objective import LossSpec
from gans.core.one_class import fix_label
from gans.core.styles import StyleGAN2Mapping
from gans.layers.labels import ConditionalBatchNorm, EqualizedEmbedding, ProjectionCritic, WithLabel
from gans.norms.spectral import SpectralNorm
from losses.adversarial.bce import BinaryCrossEntropy
from losses.adversarial.relativistic import Relativistic
from losses.core.gradient_penalty import GradientPenalty
from losses.penalties.interpolates import Interpolates
from losses.penalty_norms.one import OneCentred
from tests.conftest import long_but

CLASSES = 3
LABELS = torch.tensor([0, 1, 2, 0, 1, 2])
PLAYERS = [
    (name, kind)
    for name in registry.names("architecture")
    for kind in registry.load("architecture", name).data
    if registry.load("architecture", name).takes_labels
]


def test_the_issues_architectures_take_labels() -> None:
    assert {name for name, _ in PLAYERS} >= {"mlp", "dcgan", "resnet", "stylegan2", "r3gan"}


def networks_of(name: str, kind: str) -> tuple[LatentNetwork, nn.Module, Blueprint]:
    """With weights that are not those of the beginning, at which some parts stand still."""
    torch.manual_seed(0)
    architecture: Architecture = registry.load("architecture", name)
    shape = (3, 16, 16) if kind == "images" else (2,)
    blueprint = Blueprint(shape, z_dim=5, width=4, classes=CLASSES)
    generator, critic = architecture.generator(blueprint), architecture.critic(blueprint)
    with torch.no_grad():
        for parameter in [*generator.parameters(), *critic.parameters()]:
            parameter.add_(0.1 * torch.randn_like(parameter))
    return generator, critic, blueprint


@pytest.mark.parametrize(("name", "kind"), PLAYERS)
def test_labels_reach_both_players_and_every_part_of_them(name: str, kind: str) -> None:
    generator, critic, blueprint = networks_of(name, kind)
    z = torch.randn(6, 5)
    samples = generator(z, LABELS)
    assert samples.shape == (6, *blueprint.sample_shape)
    critic(samples, LABELS).square().sum().backward()
    for network in (generator, critic):
        parts = list(network.modules())
        tables = [part.weight.grad for part in parts if isinstance(part, nn.Embedding | EqualizedEmbedding)]
        tables += [part.embed.weight.grad.T for part in parts if isinstance(part, StyleGAN2Mapping)]
        assert tables
        assert all(table.any(dim=1).all() for table in tables)
    generator.eval(), critic.eval()
    with torch.no_grad():
        for network, inputs in ((generator, z), (critic, samples.detach())):
            told = network(inputs, LABELS)
            assert not torch.allclose(network(inputs, LABELS.roll(1)), told, atol=1e-6)


@pytest.mark.parametrize(("name", "kind"), PLAYERS)
def test_a_generator_of_one_class_is_the_generator_told_that_class(name: str, kind: str) -> None:
    generator, _, _ = networks_of(name, kind)
    generator.eval()
    single, z = fix_label(generator, 2), torch.randn(4, 5)
    torch.testing.assert_close(single(z), generator(z, torch.full((4,), 2)))
    assert isinstance(single, StyledNetwork) == isinstance(generator, StyledNetwork)
    assert [w.shape for w in single.first_layers] == [w.shape for w in generator.first_layers]
    if not isinstance(generator, StyledNetwork):
        assert all(weight.shape[1] == 5 for weight in single.first_layers), "not the label's part"


def test_a_projection_critic_is_the_formula() -> None:
    """Miyato & Koyama 2018, equation 3, with one-hot vectors."""
    features, logit = nn.Linear(7, 4), nn.Linear(4, 1)
    vectors = nn.Embedding(CLASSES, 4)
    critic = ProjectionCritic(features, logit, vectors).double()
    x = torch.randn(6, 7, dtype=torch.float64)
    phi = x @ features.weight.T + features.bias
    y = one_hot(LABELS, CLASSES).double()
    expected = torch.einsum("nk,kd,nd->n", y, vectors.weight, phi) + (phi @ logit.weight[0] + logit.bias[0])
    torch.testing.assert_close(critic(x, LABELS), expected)


def test_conditional_batch_norm_is_batch_norm_with_the_classes_own_scale_and_shift() -> None:
    """Statistics are those of the whole batch, not of the class."""
    norm = ConditionalBatchNorm(4, CLASSES).double()
    x = 3 * torch.randn(6, 4, 5, 5, dtype=torch.float64) + 1
    plain = nn.functional.batch_norm(x, None, None, training=True)
    torch.testing.assert_close(norm(x, LABELS), plain)  # at first all classes are alike
    nn.init.normal_(norm.scale.weight)
    nn.init.normal_(norm.shift.weight)
    found = norm(x, LABELS)
    for index, label in enumerate(LABELS.tolist()):
        scale, shift = norm.scale.weight[label], norm.shift.weight[label]
        torch.testing.assert_close(found[index], plain[index] * scale[:, None, None] + shift[:, None, None])


def test_labels_stand_behind_the_vector() -> None:
    part = WithLabel(4, CLASSES)
    x = torch.randn(6, 4)
    assert part.total == 8 and part.vectors is not None
    assert torch.equal(part(x, LABELS), torch.cat([x, part.vectors.weight[LABELS]], dim=1))
    assert WithLabel(4, 0).total == 4 and WithLabel(4, 0)(x) is x


def test_equalized_vectors_have_one_size_in_memory_and_another_in_use() -> None:
    torch.manual_seed(0)
    vectors = EqualizedEmbedding(50, 400)
    assert vectors.weight.std().item() == pytest.approx(1.0, abs=0.02)
    assert vectors(torch.arange(50)).norm(dim=1).mean().item() == pytest.approx(1.0, abs=0.02)


def test_spectral_norm_divides_the_vectors_of_labels_too() -> None:
    """Otherwise the label's part of the critic would have no bound."""
    critic = registry.load("architecture", "resnet").critic(
        Blueprint((3, 16, 16), z_dim=5, width=4, classes=CLASSES)
    )
    SpectralNorm().normalize_weights(critic)
    with torch.no_grad():
        for _ in range(50):
            critic(torch.randn(6, 3, 16, 16), LABELS)  # each call in training mode is a step of iteration
        assert torch.linalg.matrix_norm(critic.vectors.weight, 2).item() == pytest.approx(1.0, abs=1e-3)


class _Recorder(nn.Module):
    """Passes on what it is asked, and notes the labels that came with it."""

    def __init__(self, answer: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.answer, self.told = answer, []

    def forward(self, x: Tensor, *label: Tensor) -> Tensor:
        self.told.append(label)
        return self.weight * self.answer(x)


class _RecordedGenerator(LatentNetwork):
    def __init__(self) -> None:
        super().__init__(2, CLASSES)
        self.inner = _Recorder(lambda z: z)

    @property
    def first_layers(self) -> tuple[Tensor, ...]:
        return ()

    def forward(self, z: Tensor, *label: Tensor) -> Tensor:
        return self.inner(z, *label)


class _Loader:
    clock = Clock()

    def next_batch(self) -> Batch:
        return Batch(torch.randn(6, 2), (LABELS,))


@pytest.mark.parametrize("form", [BinaryCrossEntropy, Relativistic])
def test_reals_fakes_and_penalized_points_are_seen_with_the_labels_of_the_reals(form: type) -> None:
    generator, critic = _RecordedGenerator(), _Recorder(lambda x: x.square().sum(dim=1))
    sgd = lambda parameters: torch.optim.SGD(parameters, lr=0.1)  # noqa: E731
    penalty = GradientPenalty(Interpolates(), OneCentred(), 10.0)
    Duel(generator, critic, LossSpec(form(), sgd, sgd, penalties=[penalty])).round(_Loader())
    told = generator.inner.told + critic.told
    assert len(critic.told) == 4 + (form is Relativistic), "reals, fakes, points, and the generator's turn"
    assert all(len(label) == 1 and torch.equal(label[0], LABELS) for label in told)


@pytest.mark.parametrize("loss", long_but({"bce"}, ["bce", "wgan-gp"]))
def test_a_label_learned_is_the_mode_that_it_names(loss: str) -> None:
    """Labels that are given to other samples than their own, or lost on the way, would be seen here."""
    flags = {"arch": "mlp", "loss": loss, "data": "ring8", "conditional": True, "device": "cpu", "seed": 0}
    sizes = {"width": 32, "batch_size": 128, "n_critic": 1, "lr_generator": 2e-3, "lr_critic": 2e-3}
    experiment = build(resolve({**flags, **sizes, "steps": 400}))
    train_steps(experiment, 0, [], StopSignal())
    labels = torch.arange(8).repeat(100)
    points = experiment.ema.average(torch.randn(800, 2), labels)
    nearest = torch.cdist(points, Ring8.centres).argmin(dim=1)
    assert (nearest == labels).float().mean() > 0.95
