"""StarGAN's objectives worked out apart from its code, and the networks of its paper."""

import copy
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gans import stargan
from gans.core.architecture import Blueprint
from gans.core.attributes import NO_YES, AttributeGroup
from gans.core.translation import ResidualBlock
from gans.norms.layer import LayerNorm
from gans.stargan import StarGANOptions, attribute_loss, shuffle_rows
from losses.adversarial.relativistic import Relativistic
from losses.adversarial.wgan import Wasserstein
from losses.core.gradient_penalty import GradientPenalty
from losses.core.input_gradient import plain_type
from losses.penalties.interpolates import Interpolates
from losses.penalty_norms.one import OneCentred
from tests.conftest import ARCHITECTURES
from tests.gans.translating import GROUPS, BatchLoader, batch_of, game_of, images, moved, networks_of, rows_of

FIVE = tuple(AttributeGroup(name, NO_YES) for name in ("black", "blond", "brown", "male", "young"))


def by_hand(logits: Tensor, rows: Tensor) -> float:
    """The classification loss of GROUPS, number by number: one of three hues, and filled or not."""
    total = 0.0
    for said, truth in zip(logits.tolist(), rows.tolist(), strict=True):
        total -= math.log(math.exp(said[truth[:3].index(1)]) / sum(math.exp(each) for each in said[:3]))
        filled = 1 / (1 + math.exp(-said[3]))
        total -= math.log(filled if truth[3] else 1 - filled)
    return total / len(logits)


def test_the_loss_of_attributes() -> None:
    """Softmax over the values of a group, sigmoid for a binary one; summed over groups, mean over images."""
    logits, rows = 3 * images(7, 1, (4,)), rows_of(7, 2)
    assert attribute_loss(GROUPS, logits, rows).item() == pytest.approx(by_hand(logits, rows), rel=1e-12)
    both = attribute_loss(FIVE, 3 * images(6, 1, (5,)), torch.ones(6, 5, dtype=torch.float64))
    expected = (1 + (-3 * images(6, 1, (5,))).exp()).log().sum(dim=1).mean()
    assert both.item() == pytest.approx(expected.item(), rel=1e-12)


def test_attributes_asked_for_are_those_of_other_images() -> None:
    """Whole rows: combinations that there are, each as often as in the batch."""
    torch.manual_seed(0)
    rows = torch.cat([torch.eye(9), torch.arange(9.0)[:, None]], dim=1)
    found = [shuffle_rows(rows) for _ in range(20)]
    for asked in found:
        assert sorted(asked[:, -1].tolist()) == list(range(9))
        assert torch.equal(asked[:, :9].argmax(dim=1), asked[:, -1].long())
    assert len({tuple(asked[:, -1].tolist()) for asked in found}) == 20


@pytest.fixture
def turned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every image is asked for the attributes of the one before it."""
    monkeypatch.setattr(stargan, "shuffle_rows", lambda rows: rows.roll(1, dims=0))


@pytest.mark.usefixtures("turned")
def test_the_critics_turn_by_hand() -> None:
    """What is real; and the attributes of reals, as they are. Fakes are not classified."""
    game, loader = game_of("stargan", Wasserstein(), n_critic=1), BatchLoader("stargan", 4)
    generator, critic = copy.deepcopy(game.generator_network), copy.deepcopy(game.critic_network)
    critic.requires_grad_(True)
    scores = game.round(loader)
    x, (rows,) = loader.loaded[0]
    fake = generator(x, rows.roll(1, dims=0)).detach()
    judged = critic(fake).mean() - critic(x).mean()
    logits = critic.classify(x)
    classified = attribute_loss(GROUPS, logits, rows)
    assert classified.item() == pytest.approx(by_hand(logits, rows), rel=1e-12)
    assert scores["critic/adversarial"].item() == pytest.approx(judged.item(), rel=1e-10)
    assert scores["critic/classification"].item() == pytest.approx(classified.item(), rel=1e-10)
    assert scores["critic/real"].item() == pytest.approx(critic(x).mean().item(), rel=1e-10)
    moved(game, "critic", critic, judged + classified)


@pytest.mark.usefixtures("turned")
@pytest.mark.parametrize("form", [Wasserstein(), Relativistic()], ids=lambda form: form.recipe.form)
def test_the_generators_turn_by_hand(form: Any) -> None:
    """To look real; to have the attributes asked for; and, asked for the old ones, to find back (× 10)."""
    game, loader = game_of("stargan", form, n_critic=2), BatchLoader("stargan", 4)
    generator = copy.deepcopy(game.generator_network).requires_grad_(True)
    scores = game.round(loader)
    critic = game.critic_network  # as it is after its turns
    x, (rows,) = loader.loaded[-1]
    assert len(loader.loaded) == 2 == game.batches_per_round
    asked = rows.roll(1, dims=0)
    fake = generator(x, asked)
    fooling = -critic(fake).mean()
    if form.relativistic:
        fooling = (1 + (critic(x) - critic(fake)).exp()).log().mean()
    terms = {
        "adversarial": fooling,
        "classification": attribute_loss(GROUPS, critic.classify(fake), asked),
        "reconstruction": 10 * (generator(fake, rows) - x).abs().mean(),
    }
    assert {name for name in scores if name.startswith("generator/")} == {
        f"generator/{name}" for name in terms
    }
    for name, value in terms.items():
        assert scores[f"generator/{name}"].item() == pytest.approx(value.item(), rel=1e-9), name
    assert (generator(fake, rows) - generator(fake, asked)).abs().max() > 1e-3, "which it is asked for counts"
    moved(game, "generator", generator, sum(terms.values(), torch.zeros(())))


def test_weights_are_those_of_the_options() -> None:
    scores = []
    for weight in (1.0, 3.0):
        game = game_of("stargan", options=StarGANOptions(weight, 2 * weight))
        torch.manual_seed(0)
        clock, batch, asked = BatchLoader("stargan").clock, batch_of("stargan", 4), rows_of(4, 7)
        scores.append(game.generator_loss(clock, batch, asked).terms)
        scores[-1] |= {"critic": game.critic_loss(clock, batch, asked).terms["classification"]}
    for name in ("classification", "reconstruction", "critic"):
        assert scores[1][name].item() == pytest.approx(3 * scores[0][name].item(), rel=1e-12)


@pytest.mark.parametrize("redraws", [False, True])
def test_the_generator_is_asked_for_what_the_critic_saw(
    redraws: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The authors' code draws targets once for a batch; an option draws others for the generator's step."""
    options = StarGANOptions(redraws_targets=redraws)
    game, loader = game_of("stargan", Wasserstein(), n_critic=2, options=options), BatchLoader("stargan", 4)
    drawn: list[Tensor] = []
    monkeypatch.setattr(stargan, "shuffle_rows", lambda rows: drawn.append(shuffle_rows(rows)) or drawn[-1])
    asked: list[Tensor] = []
    game.generator_network.register_forward_pre_hook(lambda module, inputs: asked.append(inputs[1]))
    torch.manual_seed(0)
    game.round(loader)
    assert len(drawn) == 2 + redraws
    critics, (generators, back) = asked[:2], asked[2:]
    assert all(seen is each for seen, each in zip(critics, drawn, strict=False))
    assert generators is drawn[-1], "the critic's, on the same batch, or others"
    assert torch.equal(back, loader.loaded[-1].condition[0])


def test_the_penalty_is_on_what_is_real_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the gradient of the sum of all patches' logits. The head that classifies has no part in it: neither
    its value nor its weights move by it."""
    penalty = GradientPenalty(Interpolates(), OneCentred(), 10.0)
    game, batch = game_of("stargan", Wasserstein(), penalties=[penalty]), batch_of("stargan", 4)
    critic = game.critic_network
    monkeypatch.setattr(Interpolates, "choose", lambda self, real, fake: (real + fake).detach() / 2)
    critic.requires_grad_(True)
    losses = game.critic_loss(BatchLoader("stargan").clock, batch, batch.condition[0].roll(1, dims=0))
    fake = game.generator_network(batch.samples, batch.condition[0].roll(1, dims=0)).detach()
    points = ((batch.samples + fake) / 2).requires_grad_()
    (slope,) = torch.autograd.grad(critic(points).sum(), points)
    expected = 10 * (slope.flatten(1).norm(dim=1) - 1).square().mean()
    found = losses.terms["gradient_penalty"]
    assert found.item() == pytest.approx(expected.item(), rel=1e-9)
    found.backward()
    assert all(parameter.grad is None for parameter in critic.attributes.parameters())
    assert critic.patches[0].weight.grad is not None


def test_both_heads_share_the_features() -> None:
    _, critic = networks_of("stargan")
    x = images(3, 0)
    assert critic(x).shape == (3, 2, 2)
    assert critic.classify(x).shape == (3, 4)
    with torch.no_grad():
        for parameter in critic.features.parameters():
            parameter.zero_()
    assert critic(x).abs().max() == critic.classify(x).abs().max() == 0


def test_attributes_are_planes_beside_the_colours() -> None:
    """Every number of a row on a plane of its own, whatever the size of the image."""
    generator, _ = networks_of("stargan")
    seen: list[Tensor] = []
    generator.layers.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    x, rows = images(2, 0, (3, 12, 8)), rows_of(2, 0)
    generator(x, rows)
    assert torch.equal(seen[0][:, :3], x)
    assert all(torch.equal(seen[0][:, 3:, i, j], rows) for i in range(12) for j in range(8))


@pytest.mark.parametrize("group", [slice(0, 3), slice(3, 4)], ids=["hue", "filled"])
@pytest.mark.parametrize("form", ["published", "small-images"])
def test_attributes_reach_the_whole_image(form: str, group: slice) -> None:
    """A plane that is the same everywhere is a constant behind the first convolution, and an instance norm
    there takes constants away, but for what borders of zeros leave of them."""
    options = StarGANOptions(form=form)
    generator, _ = networks_of("stargan", shape=(3, 32, 32), width=4, options=options)
    x, rows = images(2, 0, (3, 32, 32)), torch.tensor([[1.0, 0, 0, 0], [0, 1, 0, 1]], dtype=torch.float64)
    others = rows.clone()
    others[:, group] = others.flip(0)[:, group]
    change = (generator(x, rows) - generator(x, others)).abs().amax(dim=1)
    assert change.flatten(1).amax(dim=1).min() > 0.01
    assert (change > 1e-4).double().mean() > 0.9, "not the border alone"


def test_a_picture_shows_each_change() -> None:
    generator, _ = networks_of("stargan")
    batch = batch_of("stargan", 3)
    rows = batch.condition[0]
    columns = generator.columns(batch)
    names = ["hue=red", "hue=green", "hue=blue", "filled=0", "filled=1"]
    assert list(columns) == ["input", "the same", *names]
    green = torch.cat([torch.tensor([[0.0, 1.0, 0.0]]).expand(3, -1), rows[:, 3:]], dim=1)
    assert torch.equal(columns["hue=green"], generator(batch.samples, green.double()))
    assert torch.equal(
        columns["filled=1"], generator(batch.samples, torch.cat([rows[:, :3], rows[:, :1] * 0 + 1], 1))
    )


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_sizes_of_the_paper() -> None:
    """128 pixels, five attributes: the authors', 8.43 and 44.76 million. The form for small images has
    kernels of 3×3 where it halves and doubles, not 4×4; no norm behind the first layer, which has a bias; and
    a bias in the last."""
    blueprint = Blueprint((3, 128, 128), 0, 64, attributes=FIVE)
    small = replace(blueprint, options=StarGANOptions(form="small-images"))
    with torch.device("meta"):
        generator = ARCHITECTURES["stargan"].generator(blueprint)
        other = ARCHITECTURES["stargan"].generator(small)
        critic: Any = ARCHITECTURES["stargan"].critic(blueprint)
    assert count(generator) == 8_430_528
    assert count(other) == 8_430_528 - 2 * (64 * 128 + 128 * 256) * (16 - 9) - 64 + 3
    assert count(critic) == 44_762_048
    assert [m.out_channels for m in critic.features if isinstance(m, nn.Conv2d)] == [
        2**i for i in range(6, 12)
    ]


@pytest.mark.parametrize(("side", "halvings", "left"), [(8, 2, 2), (48, 4, 3), (128, 6, 2), (256, 6, 4)])
def test_halvings_and_blocks_by_size(side: int, halvings: int, left: int) -> None:
    """Six of each, as published, whatever the size; fewer halvings where nothing would be left."""
    blueprint = Blueprint((1, side, 2 * side), 0, 1, attributes=FIVE)
    with torch.device("meta"):
        generator = ARCHITECTURES["stargan"].generator(blueprint)
        critic: Any = ARCHITECTURES["stargan"].critic(blueprint)
        x = torch.empty(2, 1, side, 2 * side)
        assert critic(x).shape == (2, left, 2 * left)
        assert critic.classify(x).shape == (2, 5)
    assert sum(isinstance(module, nn.Conv2d) for module in critic.features) == halvings
    assert sum(isinstance(module, ResidualBlock) for module in generator.modules()) == 6


@pytest.mark.parametrize(("asked", "left"), [(1, 8), (3, 2), (4, 1)])
def test_halvings_that_are_asked_for(asked: int, left: int) -> None:
    """As the authors' d_repeat_num; the head that classifies covers what is left."""
    plan = Blueprint((3, 16, 32), 0, 1, attributes=FIVE, options=StarGANOptions(critic_layers=asked))
    critic: Any = ARCHITECTURES["stargan"].critic(plan)
    assert critic(torch.zeros(2, 3, 16, 32)).shape == (2, left, 2 * left)
    assert critic.attributes[0].kernel_size == (left, 2 * left)
    with pytest.raises(ValueError, match=r"critic_layers=5 halves 16 pixels to none; take 4"):
        ARCHITECTURES["stargan"].critic(replace(plan, options=StarGANOptions(critic_layers=5)))


@pytest.mark.parametrize("width", [1, 3])
def test_all_layers_but_the_first_are_normalized(width: int) -> None:
    """However wide: as wide as the image has channels, too."""
    blueprint = Blueprint((width, 16, 16), 0, width, critic_norm=LayerNorm(), attributes=FIVE)
    critic: Any = ARCHITECTURES["stargan"].critic(blueprint)
    kinds = [plain_type(module) for module in critic.features]
    assert kinds == [nn.Conv2d, nn.LeakyReLU, *[nn.Conv2d, nn.GroupNorm, nn.LeakyReLU] * 2]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("form", ["published", "small-images"])
def test_an_image_of_one_colour_has_slopes_too(form: str, seed: int) -> None:
    """Of maps that are the same everywhere every norm multiplies the slope by 1 / √ε = 316, and there are
    nineteen: in single precision the product would be infinite, and the weights not numbers."""
    torch.manual_seed(seed)
    options = StarGANOptions(form=form)
    generator, _ = networks_of("stargan", shape=(3, 8, 8), width=2, options=options)
    generator.float()
    x, rows = torch.full((2, 3, 8, 8), -0.8), torch.tensor([[1.0, 0, 0, 0], [0, 1, 0, 1]])
    generator(x, rows).mean().backward()
    sizes = [parameter.grad.abs().max() for parameter in generator.parameters() if parameter.grad is not None]
    assert max(sizes) < 1e6
