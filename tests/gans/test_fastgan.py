"""FastGAN: excitation, the critic's reconstruction of real images, and its perceptual form."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss
from torch.optim import SGD

from gans.core.architecture import Blueprint
from gans.core.clock import Clock
from gans.core.networks import Batch
from gans.core.objective import LossSpec
from gans.fastgan import Critic, Excitation, FastGame, FastGANOptions, Generator, architecture, quarter_of
from gans.layers.perceptual import FILE, PerceptualDistance
from losses.adversarial.hinge import Hinge

pytestmark = pytest.mark.usefixtures("seeded")


def blueprint_of(side: int) -> Blueprint:
    """The blueprint of small networks."""
    return Blueprint((3, side, side), z_dim=8, width=2)


def game_of(options: FastGANOptions, side: int = 32) -> FastGame:
    """A game of small networks, whose steps change nothing."""
    generator, critic = (build(blueprint_of(side)) for build in (architecture.generator, architecture.critic))

    def resting(parameters: object) -> SGD:
        return SGD(parameters, lr=0.0)  # type: ignore[arg-type]

    return FastGame(generator, critic, LossSpec(Hinge(), resting, resting, options=options))


def test_channels_are_scaled_by_gates_between_zero_and_one() -> None:
    small, large = torch.randn(2, 3, 8, 8), torch.randn(2, 4, 7, 7)
    scales = Excitation(3, 4, (4, 4), pooled=2)(large, small) / large
    assert torch.allclose(scales, scales[:, :, :1, :1].expand_as(scales), atol=1e-5)
    assert (scales > 0).all()
    assert (scales < 1).all()


@pytest.mark.parametrize(("side", "pairs"), [(32, 1), (64, 1), (128, 2), (256, 3)])
def test_maps_excite_those_sixteen_times_as_large(side: int, pairs: int) -> None:
    generator = Generator(blueprint_of(side))
    assert len(generator.excitations) == pairs
    sizes: list[tuple[int, int]] = []
    for excitation in generator.excitations:
        excitation.register_forward_hook(
            lambda _, inputs, __: sizes.append((inputs[0].shape[2], inputs[1].shape[2]))
        )
    generator(torch.randn(2, 8))
    assert sizes == [(min(side, 64 << i), 4 << i) for i in range(pairs)]


def test_the_quarters_make_up_the_whole() -> None:
    x = torch.arange(2 * 3 * 6 * 8.0).view(2, 3, 6, 8)
    parts = [quarter_of(x, torch.full((2, 1, 1, 1), number)) for number in range(4)]
    whole = torch.cat([torch.cat(parts[:2], dim=3), torch.cat(parts[2:], dim=3)], dim=2)
    assert torch.equal(whole, x)
    mixed = quarter_of(x, torch.tensor([1, 2]).view(2, 1, 1, 1))
    assert torch.equal(mixed, torch.stack([x[0, :, :3, 4:], x[1, :, 3:, :4]]))


class Echo(nn.Module):
    """A decoder that returns the images it is given."""

    def __init__(self, images: Tensor) -> None:
        super().__init__()
        self.images = images

    def forward(self, maps: Tensor) -> Tensor:
        return self.images


def test_decoders_are_held_against_the_image_and_a_quarter_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    critic, images = Critic(blueprint_of(32)), torch.rand(4, 3, 32, 32) * 2 - 1
    critic.decode_whole = Echo(images)
    numbers = torch.tensor([0, 1, 2, 3])
    monkeypatch.setattr(torch, "randint", lambda *_, **__: numbers)
    halves = [images[i, :, 16 * (i // 2) :, 16 * (i % 2) :][:, :16, :16] for i in range(4)]
    critic.decode_quarter = Echo(torch.stack(halves))
    _, differences = critic.judge_and_reconstruct(images, l1_loss)
    assert torch.equal(differences, torch.zeros(2))


def test_only_real_images_are_reconstructed() -> None:
    """The generated ones are an all-zero gradient to the decoders."""
    game = game_of(FastGANOptions(reconstruction_weight=3.0))
    real = Batch(torch.rand(4, 3, 32, 32) * 2 - 1)
    game.critic_network.requires_grad_(True)
    torch.manual_seed(1)
    losses = game.critic_loss(Clock(0, 0, 0.0), real)
    decoders = [*game.critic_network.decode_whole.parameters()]
    adversarial, reconstruction = losses.terms["adversarial"], losses.terms["reconstruction"]
    unused = torch.autograd.grad(adversarial, decoders, retain_graph=True, allow_unused=True)
    assert all(each is None for each in unused)
    assert any(each.abs().sum() > 0 for each in torch.autograd.grad(reconstruction, decoders))
    game.generator_network.generate = lambda like: torch.zeros_like(like.samples)  # type: ignore[method-assign]
    torch.manual_seed(1)
    game.options = FastGANOptions(reconstruction_weight=1.0)
    again = game.critic_loss(Clock(0, 0, 0.0), real).terms["reconstruction"]
    assert 0 < again < reconstruction


def test_the_critic_judges_overlapping_parts() -> None:
    critic = Critic(blueprint_of(64)).eval()
    images = torch.randn(1, 3, 64, 64).requires_grad_()
    logits = critic(images)
    assert logits.shape == (1, 5, 5)
    (gradient,) = torch.autograd.grad(logits[0, 0, 0], images)
    seen = gradient.abs().sum(dim=(0, 1)) > 0
    assert seen[0, 0]
    assert not seen[-1, -1]  # a corner's logit does not see the other corner


@pytest.fixture
def vgg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of torchvision's weights with a random VGG16."""
    from torchvision.models import vgg16

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    network = vgg16(weights=None)
    torch.save(network.state_dict(), tmp_path / "checkpoints" / FILE)
    return tmp_path


@pytest.mark.usefixtures("vgg")
@pytest.mark.long
def test_the_perceptual_distance_is_that_of_all_five_stages() -> None:
    from torchvision.models import vgg16

    distance = PerceptualDistance()
    a, b = (torch.rand(2, 3, 32, 32) * 2 - 1 for _ in range(2))
    assert distance(a, a) == 0
    network = vgg16(weights=None)
    network.load_state_dict(torch.load(Path(torch.hub.get_dir()) / "checkpoints" / FILE, weights_only=True))
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    maps = [((x + 1) / 2 - mean.view(3, 1, 1)) / deviation.view(3, 1, 1) for x in (a, b)]
    expected, stages = torch.zeros(()), 0
    for layer in network.features:
        if isinstance(layer, nn.MaxPool2d):
            units = [x / x.square().sum(dim=1, keepdim=True).sqrt() for x in maps]
            expected, stages = expected + (units[0] - units[1]).square().sum(dim=1).mean(), stages + 1
        maps = [layer(x) for x in maps]
    assert stages == 5
    assert torch.allclose(distance(a, b), expected.detach(), rtol=1e-4)
    assert torch.allclose(
        distance(a[:, :1], b[:, :1]), distance(*(x[:, :1].repeat(1, 3, 1, 1) for x in (a, b)))
    )


@pytest.mark.long
@pytest.mark.usefixtures("vgg")
def test_perceptual_reconstruction_trains_the_critic_alone() -> None:
    game = game_of(FastGANOptions(reconstruction="perceptual"))
    game.critic_network.requires_grad_(True)
    losses = game.critic_loss(Clock(0, 0, 0.0), Batch(torch.rand(2, 3, 32, 32)))
    losses.terms["reconstruction"].backward()
    assert not any("stage" in key or "difference" in key for key in game.state_dict())


def test_missing_weights_are_named_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(ValueError, match=r"take --set arch\.reconstruction=plain"):
        game_of(FastGANOptions(reconstruction="perceptual"))
