"""CycleGAN's, pix2pix's and StarGAN's networks and losses against the numbers of the official ones."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gans.core.architecture import Blueprint
from gans.core.attributes import NO_YES, AttributeGroup
from gans.core.clock import Clock
from gans.core.networks import Batch, GeneratorNetwork
from gans.core.objective import LossSpec
from gans.core.player import Losses
from gans.core.published_names import NameTable
from gans.core.translation import PatchCritic
from gans.core.two_way import DomainCritics
from gans.cyclegan import CycleGame, CycleGANOptions, Generators
from gans.pix2pix import PairedDuel, Pix2PixOptions, UNet
from gans.published import cyclegan, pix2pix, stargan
from gans.stargan import Critic, Generator, LogitSum, StarGame, StarGANOptions
from losses.adversarial.bce import BinaryCrossEntropy
from losses.adversarial.lsgan import LeastSquares
from losses.adversarial.wgan import Wasserstein
from losses.core.gradient_penalty import GradientPenalty, squared_gradient_norm
from losses.penalties.interpolates import Interpolates
from losses.penalty_norms.one import OneCentred
from tests.gans.published.numbers import Numbers, assert_close, assert_gradients, files, load, read
from tests.gans.translating import SGD, norm_of

NORMS = {"batch": "batch", "instance": "plain-instance"}  # in the authors' code, and here


def blueprint(config: dict[str, Any], width: str, channels: int = 3, **others: Any) -> Blueprint:
    side = config["resolution"]
    return Blueprint((channels, side, side), z_dim=0, width=config[width], **others)


def assert_slopes(
    network: nn.Module, table: NameTable, numbers: Numbers, image: Tensor, made: Tensor
) -> None:
    """Compares gradients of the input and of all parameters."""
    (made * numbers["inputs/cotangent"]).sum().backward()
    assert_close(image.grad, numbers["gradients/input/images"], "gradient of the images")
    assert_gradients(network, table, 0, numbers)


def assert_both_ways(network: nn.Module, table: NameTable, numbers: Numbers) -> None:
    """Compares our network under published names with the file: the same names, with the same numbers."""
    written, weights = table.to_published(network, []), numbers.group("weights/")
    tracked = {name for name in written if name.endswith("num_batches_tracked")}
    assert set(written) - tracked == set(weights)
    unused = {name for name in weights if name.endswith(tuple(table.beside_norms))}
    assert all(torch.equal(written[name], weights[name]) for name in set(weights) - unused)


def one_direction(config: dict[str, Any], **options: Any) -> nn.Module:
    options = {"blocks": config["n_blocks"], "norm": NORMS[config["norm"]]} | options
    plan = blueprint(config, "ngf", config["input_nc"], options=CycleGANOptions(**options))
    return Generators(plan).to_b


@pytest.mark.parametrize("name", files("cyclegan_generator"))
def test_cyclegan_generator(name: str) -> None:
    numbers = read(name)
    network = load(one_direction(numbers.config), cyclegan.GENERATOR, 0, numbers.group("weights/"))
    images = numbers["inputs/images"].requires_grad_(True)
    made = network(images)
    assert_close(made, numbers["outputs/image"], "image")
    assert_slopes(network, cyclegan.GENERATOR, numbers, images, made)
    assert_both_ways(network, cyclegan.GENERATOR, numbers)


@pytest.mark.parametrize("name", files("patchgan"))
def test_patch_critic(name: str) -> None:
    numbers = read(name)
    config = numbers.config
    options = Pix2PixOptions(patch_layers=config["n_layers"])
    plan = blueprint(config, "ndf", critic_norm=norm_of(NORMS[config["norm"]]), options=options)
    network = load(
        PatchCritic(plan, config["input_nc"]), cyclegan.CRITIC, 0, numbers.group("weights/")
    ).eval()
    images = numbers["inputs/images"].requires_grad_(True)
    logits = network(images)[:, None]
    assert_close(logits, numbers["outputs/logits"], "logits")
    assert_slopes(network, cyclegan.CRITIC, numbers, images, logits)
    assert_both_ways(network, cyclegan.CRITIC, numbers)
    if config["norm"] == "batch":
        expected = numbers["outputs/logits_batch_statistics"]
        assert_close(network.train()(images)[:, None], expected, "logits with statistics of the batch")


@pytest.mark.parametrize("name", files("pix2pix_unet"))
def test_u_net(name: str) -> None:
    numbers = read(name)
    config = numbers.config

    def network_of(statistics: str) -> nn.Module:
        options = Pix2PixOptions(
            norm=NORMS[config["norm"]],
            norm_statistics=statistics,
            halvings=config["num_downs"],
            noisy_layers=0,
        )
        network = UNet(blueprint(config, "ngf", config["input_nc"], options=options))
        return load(network, pix2pix.GENERATOR, 0, numbers.group("weights/")).eval()

    network, images = network_of("running"), numbers["inputs/images"].requires_grad_(True)
    made = network(images)
    assert_close(made, numbers["outputs/image"], "image")
    assert_slopes(network, pix2pix.GENERATOR, numbers, images, made)
    assert_both_ways(network, pix2pix.GENERATOR, numbers)
    if config["norm"] == "batch":
        expected = numbers["outputs/image_batch_statistics"]
        assert_close(network.train()(images), expected, "image with statistics of the batch")
        if len(images) == 1:
            assert_close(network_of("image")(images), expected, "image with statistics of its own")


class Answers(nn.Module):
    """A network that gives a tensor of a file for each tensor that it is called with."""

    def __init__(self, *answers: tuple[Tensor, Tensor]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))  # an optimizer wants one
        self.answers = answers

    def forward(self, x: Tensor, *others: Tensor) -> Tensor:
        return next(answer for known, answer in self.answers if known is x)


class Maker(GeneratorNetwork):
    """A generator that always makes the same images."""

    def __init__(self, images: Tensor) -> None:
        super().__init__()
        self.weight, self.images = nn.Parameter(torch.zeros(())), images

    def generate(self, like: Batch) -> Tensor:
        return self.images


def assert_terms(losses: Losses, expected: dict[str, Tensor]) -> Tensor:
    """Compares all terms of a loss; returns their sum."""
    assert set(losses.terms) == set(expected)
    for name, value in expected.items():
        assert_close(losses.terms[name].detach(), value, name)
    return torch.stack([*losses.terms.values()]).sum()


@pytest.mark.parametrize("name", files("cyclegan_pix2pix_objectives"))
def test_cyclegan_objectives(name: str) -> None:
    """Adversarial terms without a half for the generators and with one for the critics; λ of 10 and 5."""
    numbers = read(name)
    config, given = numbers.config, numbers.group("inputs/")
    weights = {
        "cycle_weight": config["lambda_A"],
        "identity_weight": config["lambda_A"] * config["lambda_identity"],
        "domain_b_factor": config["lambda_B"] / config["lambda_A"],
    }
    logits = {each: given[each].requires_grad_(True) for each in given if each.startswith("logits")}
    a, b, fake_a, fake_b = given["real_A"], given["real_B"], torch.zeros(1), torch.zeros(1)
    plan = Blueprint((3, 8, 8), z_dim=0, width=1)
    generators, critics = Generators(plan), DomainCritics(plan)
    rebuilt_a, rebuilt_b = given["reconstructed_A"], given["reconstructed_B"]
    generators.to_a = Answers((b, fake_a), (fake_b, rebuilt_a), (a, given["identity_B"]))
    generators.to_b = Answers((a, fake_b), (fake_a, rebuilt_b), (b, given["identity_A"]))
    critics.a = Answers((a, logits["logits_real_A"]), (fake_a, logits["logits_fake_A"]))
    critics.b = Answers((b, logits["logits_real_B"]), (fake_b, logits["logits_fake_B"]))
    game = CycleGame(
        generators, critics, LossSpec(LeastSquares(), SGD, SGD, options=CycleGANOptions(**weights))
    )
    outputs = numbers.group("outputs/lsgan/")
    expected = {
        "adversarial": outputs["g_A"] + outputs["g_B"],
        "cycle": outputs["cycle_A"] + outputs["cycle_B"],
        "identity": outputs["identity_A"] + outputs["identity_B"],
    }
    total = assert_terms(game.generator_loss(Clock(), (a, b), []), expected)
    assert_close(total.detach(), outputs["g_total"], "all terms of the generators")
    judged = assert_terms(
        game.critic_loss(Clock(), (a, b), (fake_a, fake_b)),
        {"adversarial": outputs["d_on_A"] + outputs["d_on_B"]},
    )
    for player, loss in (("g", total), ("d", judged)):
        slopes = numbers.group(f"gradients/input/lsgan/{player}/")
        found = torch.autograd.grad(loss, [logits[each] for each in slopes], retain_graph=True)
        for each, slope in zip(slopes, found, strict=True):
            assert_close(slope, slopes[each], f"{player}: gradient of {each}")


def test_cyclegan_weighs_its_terms_as_published() -> None:
    """Equations 3 and section 5.2: 1, 10 and 5."""
    usual = CycleGANOptions()
    weights = (usual.adversarial_weight, usual.cycle_weight, usual.identity_weight, usual.domain_b_factor)
    assert weights == (1.0, 10.0, 5.0, 1.0)


@pytest.mark.parametrize("name", files("cyclegan_pix2pix_objectives"))
def test_pix2pix_objectives(name: str) -> None:
    """Half of the sum for the critic, and λ times the distance for the generator."""
    numbers = read(name)
    given, outputs = numbers.group("inputs/"), numbers.group("outputs/pix2pix/")
    target, made = given["real_A"], given["reconstructed_A"]
    critic = Answers((target, given["logits_real_A"]), (made, given["logits_fake_A"]))
    options = Pix2PixOptions(l1_weight=numbers.config["lambda_L1"])
    game = PairedDuel(Maker(made), critic, LossSpec(BinaryCrossEntropy(), SGD, SGD, options=options))
    real = Batch(target, (given["real_B"],))
    assert_terms(game.critic_loss(Clock(), real), {"adversarial": outputs["d"]})
    expected = {"adversarial": outputs["g_adversarial"], "l1": outputs["g_l1"]}
    assert_terms(game.generator_loss(Clock(), real), expected)


def groups_of(config: dict[str, Any]) -> tuple[AttributeGroup, ...]:
    """As many binary attributes as the file has."""
    return tuple(AttributeGroup(f"attribute-{index}", NO_YES) for index in range(config["c_dim"]))


@pytest.mark.parametrize("name", files("stargan_generator"))
def test_stargan_generator(name: str) -> None:
    numbers = read(name)
    config = numbers.config
    options = StarGANOptions(blocks=config["repeat_num"])
    network = Generator(blueprint(config, "conv_dim", attributes=groups_of(config), options=options))
    load(network, stargan.GENERATOR, 0, numbers.group("weights/"))
    images = numbers["inputs/images"].requires_grad_(True)
    made = network(images, numbers["inputs/attributes"])
    assert_close(made, numbers["outputs/image"], "image")
    assert_slopes(network, stargan.GENERATOR, numbers, images, made)
    assert_both_ways(network, stargan.GENERATOR, numbers)
    assert torch.equal(network.eval()(images, numbers["inputs/attributes"]), made), "never running statistics"


@pytest.mark.parametrize("name", files("stargan_discriminator_losses"))
def test_stargan_critic_and_losses(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = read(name)
    config, given, outputs = numbers.config, numbers.group("inputs/"), numbers.group("outputs/")
    images, rows, fakes = given["images"], given["attributes"], given["fakes"]
    options = StarGANOptions(config["lambda_cls"], critic_layers=config["repeat_num"])
    plan = blueprint(config, "conv_dim", attributes=groups_of(config), options=options)
    critic = load(Critic(plan), stargan.CRITIC, 0, numbers.group("weights/"))
    assert isinstance(critic, Critic)
    assert_both_ways(critic, stargan.CRITIC, numbers)
    generator = Generator(plan)
    monkeypatch.setattr(generator, "forward", lambda images, rows: fakes)
    penalty = GradientPenalty(Interpolates(), OneCentred(), config["lambda_gp"])
    spec = LossSpec(Wasserstein(), SGD, SGD, penalties=[penalty], options=options)
    game = StarGame(generator, critic, spec)
    assert_close(critic(images)[:, None], outputs["patches"], "patches")
    assert_close(critic(fakes)[:, None], outputs["patches_fake"], "patches of fakes")
    assert_close(critic.classify(images), outputs["attribute_logits"], "attributes")
    points = given["alpha"] * images + (1 - given["alpha"]) * fakes
    slopes = squared_gradient_norm(LogitSum(critic), points).sqrt()
    assert_close(slopes, outputs["interpolate_slopes"], "slopes at interpolates")
    monkeypatch.setattr(torch, "rand", lambda *_, **__: given["alpha"])
    critic.requires_grad_(True)
    losses = game.critic_loss(Clock(), Batch(images, (rows,)), rows)
    expected = {
        "adversarial": outputs["adversarial"],
        "classification": config["lambda_cls"] * outputs["attribute_loss"],
        "gradient_penalty": config["lambda_gp"] * outputs["gradient_penalty"],
    }
    total = assert_terms(losses, expected)
    assert_close(total.detach(), outputs["loss"], "loss")
    assert_close(losses.logged["gradient_norm"], outputs["interpolate_slopes"].mean(), "logged slope")
    total.backward()
    assert_gradients(critic, stargan.CRITIC, 0, numbers)
    terms = game.generator_loss(Clock(), Batch(images, (rows,)), rows).terms
    assert_close(terms["adversarial"], outputs["g_adversarial_on_fakes"], "the generator's adversarial term")
    classified = config["lambda_cls"] * outputs["g_attribute_loss_on_fakes"]
    assert_close(terms["classification"], classified, "the generator's classification term")
    assert critic.attributes[0].out_channels == config["c_dim"]


def test_what_has_no_published_form_is_not_written() -> None:
    """Other padding or layers would be other networks under the same names."""
    plans = {
        "arch.upsampling=transposed": CycleGANOptions(upsampling="resize"),
        "arch.strided_padding=zeros": CycleGANOptions(strided_padding="reflect"),
        "plain instance norm, or batch norm": CycleGANOptions(norm="instance"),
    }
    for remedy, options in plans.items():
        network = Generators(Blueprint((3, 8, 8), z_dim=0, width=1, options=options)).to_a
        with pytest.raises(ValueError, match=remedy):
            cyclegan.GENERATOR.to_published(network, [])
    small = Generator(
        Blueprint(
            (3, 8, 8), 0, 1, attributes=groups_of({"c_dim": 2}), options=StarGANOptions(form="small-images")
        )
    )
    with pytest.raises(ValueError, match=r"arch\.form=published"):
        stargan.GENERATOR.to_published(small, [])


def test_old_files_statistics_beside_instance_norms_are_left_out() -> None:
    """PyTorch before 0.4 wrote them, and no version uses them; other names that are too many are refused."""
    network = Generators(Blueprint((3, 8, 8), z_dim=0, width=2)).to_a
    weights = cyclegan.GENERATOR.to_published(network, [])
    old = weights | {"model.2.running_mean": torch.ones(2), "model.2.num_batches_tracked": torch.tensor(3)}
    found = cyclegan.GENERATOR.to_ours(network, [], old)
    assert all(torch.equal(found[key], value) for key, value in network.state_dict().items())
    with pytest.raises(ValueError, match=r"model\.2\.weight is not part"):
        cyclegan.GENERATOR.to_ours(network, [], weights | {"model.2.weight": torch.ones(2)})
