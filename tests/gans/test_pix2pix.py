"""pix2pix's objective worked out apart from its code, and the U-Net of its paper."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from gans import pix2pix
from gans.core.architecture import Blueprint
from gans.pix2pix import Pix2PixOptions, UNet
from losses.adversarial.bce import BinaryCrossEntropy
from losses.core.gradient_penalty import GradientPenalty
from losses.penalties.real import Real
from losses.penalty_norms.zero import ZeroCentred
from tests.conftest import ARCHITECTURES
from tests.gans.translating import BatchLoader, batch_of, game_of, images, moved, networks_of, norm_of


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """No noise; the list grows by one for every layer that would drop features."""
    calls: list[int] = []

    def keep(x: Tensor, probability: float) -> Tensor:
        assert probability == 0.5
        calls.append(len(x))
        return x

    monkeypatch.setattr(pix2pix, "drop_features", keep)
    return calls


def entropy(logits: Tensor, label: float) -> Tensor:
    return binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def test_one_round_by_hand(silent: list[int]) -> None:
    """The critic sees input and output (equation 1), n_critic times on fresh pairs, and pays half (section
    3.3); then the generator pays 100 times the mean distance from the target (equations 3 and 4)."""
    game, loader = game_of("pix2pix", BinaryCrossEntropy(), n_critic=2), BatchLoader("pix2pix")
    generator, critic = copy.deepcopy(game.generator_network), copy.deepcopy(game.critic_network)
    for network in (generator, critic):
        network.requires_grad_(True)
    scores = game.round(loader)
    assert len(loader.loaded) == 2 == game.batches_per_round
    for batch in loader.loaded:
        (a,), b = batch.condition, batch.samples
        # `chain` sees what lies side by side: the output (or the target), and then the input.
        judged = entropy(critic.chain(torch.cat([b, a], dim=1)), 1)
        judged = (judged + entropy(critic.chain(torch.cat([generator(a).detach(), a], dim=1)), 0)) / 2
        parameters = list(critic.parameters())
        slopes = torch.autograd.grad(judged, parameters)
        with torch.no_grad():
            for parameter, slope in zip(parameters, slopes, strict=True):
                parameter -= 0.1 * slope
    assert scores["critic/adversarial"].item() == pytest.approx(judged.item(), rel=1e-10)
    for new, old in zip(game.critic_network.parameters(), critic.parameters(), strict=True):
        torch.testing.assert_close(new, old, rtol=1e-9, atol=1e-12)
    fooling = entropy(critic.chain(torch.cat([generator(a), a], dim=1)), 1)
    distance = 100 * (generator(a) - b).abs().mean()
    assert scores["generator/adversarial"].item() == pytest.approx(fooling.item(), rel=1e-10)
    assert scores["generator/l1"].item() == pytest.approx(distance.item(), rel=1e-10)
    moved(game, "generator", generator, fooling + distance)


def test_noise_stays_on_and_is_what_the_seed_says() -> None:
    generator, _ = networks_of("pix2pix")
    generator.eval()
    x = images(2, 0)
    assert not torch.equal(generator(x), generator(x))
    found = []
    for _ in range(2):
        torch.manual_seed(5)
        found.append(generator(x))
    assert torch.equal(*found)


@pytest.mark.parametrize(
    ("size", "halvings", "noisy"),
    [
        ((256, 256), 8, 3), ((512, 256), 8, 3), ((128, 128), 7, 2), ((64, 64), 6, 1), ((32, 32), 5, 1),
        ((48, 48), 4, 1), ((16, 16), 4, 1), ((8, 8), 3, 1), ((28, 28), 2, 1), ((12, 20), 2, 1),
    ],
)  # fmt: skip
@pytest.mark.parametrize("channels", [1, 3])
def test_halvings(size: tuple[int, int], halvings: int, noisy: int, channels: int, silent: list[int]) -> None:
    """Until nothing is left to halve, eight times at most; as many doublings drop features as the authors'
    code has halvings beyond five, and one at least."""
    generator = UNet(Blueprint((channels, *size), 0, 1))
    assert (len(generator.down), len(generator.up) + 1) == (halvings, halvings)
    assert generator.multiple == 2**halvings
    made = generator(images(1, 0, (channels, *size)).float())
    assert made.shape == (1, channels, *size)
    assert len(silent) == noisy


@pytest.mark.parametrize(
    ("side", "options", "layers"),
    [
        (256, {}, [1, 2, 3]),
        (128, {}, [1, 2]),
        (32, {}, [1]),
        (256, {"noisy_layers": 5}, [1, 2, 3, 4, 5]),
        (256, {"first_noisy_layer": 0, "noisy_layers": 3}, [0, 1, 2]),
        (16, {"first_noisy_layer": 0, "noisy_layers": 3}, [0, 1]),
        (64, {"noisy_layers": 0}, []),
        (8, {"first_noisy_layer": 9}, [1]),
    ],
)
def test_layers_that_drop_features(side: int, options: dict[str, int], layers: list[int]) -> None:
    """Not the innermost, as in the authors' code; in earlier versions that was the first of three."""
    with torch.device("meta"):
        network = UNet(Blueprint((3, side, side), 0, 1, options=Pix2PixOptions(**options)))
    assert list(network.noisy) == layers


@pytest.mark.parametrize("side", [32, 48])
def test_fewer_halvings_can_be_asked_for_but_not_more(side: int, silent: list[int]) -> None:
    network = UNet(Blueprint((3, side, side), 0, 1, options=Pix2PixOptions(halvings=3)))
    assert (len(network.down), network.multiple) == (3, 8)
    assert network(images(2, 0, (3, side, side)).float()).shape == (2, 3, side, side)
    with pytest.raises(ValueError, match=f"{side}x{side}.*halved . times, not 7.*multiples of 128"):
        UNet(Blueprint((3, side, side), 0, 1, options=Pix2PixOptions(halvings=7)))


def test_used_with_the_statistics_of_each_image_trained_with_those_of_the_batch(silent: list[int]) -> None:
    """Section 3.4: the statistics of the test batch, which is one image; or running ones, if asked for."""
    x = images(3, 0, (3, 16, 16))
    found = {}
    for statistics in ("image", "running"):
        generator, _ = networks_of(
            "pix2pix", shape=(3, 16, 16), options=Pix2PixOptions(norm_statistics=statistics)
        )
        trained = generator(x)
        found[statistics] = generator.eval()(x)
        torch.testing.assert_close(generator(x[1:2]), found[statistics][1:2])
        assert not torch.allclose(found[statistics], trained, atol=1e-4)
        if statistics == "image":
            torch.testing.assert_close(generator.train()(x[1:2]), found[statistics][1:2])
    assert not torch.allclose(found["image"], found["running"], atol=1e-4)


def test_every_size_of_features_is_handed_across(silent: list[int]) -> None:
    """From layer i of the encoder to layer n − i of the decoder (section 3.2.1): cut off from the innermost
    layers up to there, the image still depends on what comes in."""
    generator, _ = networks_of("pix2pix", shape=(3, 16, 16))
    handed: list[Tensor] = []
    for layer in (*generator.up, generator.last):
        layer.register_forward_hook(lambda module, inputs, output: handed.append(inputs[0]))
    kept: list[Tensor] = []
    for layer in generator.down:
        layer.register_forward_hook(lambda module, inputs, output: kept.append(output))
    generator(images(2, 0, (3, 16, 16)))
    assert torch.equal(handed[0], kept[-1])
    for seen, output in zip(handed[1:], kept[-2::-1], strict=True):
        assert seen.shape[1] == 2 * output.shape[1]
        assert torch.equal(seen[:, output.shape[1] :], output)


def test_no_norm_where_a_pixel_may_be_alone() -> None:
    """The first layer of the encoder and the last, which at 256 pixels leaves a single one."""
    generator = UNet(Blueprint((3, 32, 32), 0, 2))
    normed = [any(isinstance(m, nn.BatchNorm2d) for m in layer) for layer in generator.down]
    assert normed == [False, True, True, True, False]
    assert all(any(isinstance(m, nn.BatchNorm2d) for m in layer) for layer in generator.up)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in generator.last)


def test_the_image_itself_is_bent_by_no_activation() -> None:
    """Leaky ReLUs stand before every convolution of the encoder but the first."""
    generator = UNet(Blueprint((3, 32, 32), 0, 2))
    assert [isinstance(layer[0], nn.LeakyReLU) for layer in generator.down] == [False, True, True, True, True]
    assert all(isinstance(layer[0], nn.ReLU) for layer in (*generator.up, generator.last))


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_sizes_of_the_paper() -> None:
    """Those of the authors' code, 54.414 and 2.769 million."""
    architecture = ARCHITECTURES["pix2pix"]
    blueprint = Blueprint((3, 256, 256), 0, 64, critic_norm=norm_of(architecture.critic_norm))
    with torch.device("meta"):
        generator, critic = architecture.generator(blueprint), architecture.critic(blueprint)
    assert count(generator) == 54_413_955
    assert count(critic) == 2_768_705
    widths = [m.out_channels for m in generator.modules() if isinstance(m, nn.Conv2d)]
    assert widths == [64, 128, 256, 512, 512, 512, 512, 512]


def test_the_penalty_is_at_the_output_alone(silent: list[int]) -> None:
    """What is told is no point: the gradient is with respect to the image that is judged."""
    game = game_of("pix2pix", penalties=[GradientPenalty(Real(), ZeroCentred(), 2.0)])
    critic: Any = copy.deepcopy(game.critic_network)
    batch = batch_of("pix2pix", 3)
    terms = game.duel.critic_loss(BatchLoader("pix2pix").clock, batch).terms
    points = batch.samples.clone().requires_grad_()
    judged = critic(points, *batch.condition).flatten(1).mean(dim=1).sum()
    (slope,) = torch.autograd.grad(judged, points)
    expected = slope.flatten(1).square().sum(dim=1).mean()  # γ / 2 = 1
    assert terms["gradient_penalty"].item() == pytest.approx(expected.item(), rel=1e-9)
