"""`gans.Adversary` in a loop of somebody's own: weights, start, resume, precision, and what it refuses."""

import copy
import io
import math
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import gans
from experiments.config.adversary import FURTHER_CRITICS
from experiments.core import registry
from tests.adversary.loops import Autoencoder, images_of, small_critic, train_autoencoder
from tests.conftest import FROM_NOISE
from tests.fake_accelerator import fake_accelerator

NUMBERS = {"optimizer": "sgd", "lr_critic": 0.1}


def points(*rows: float) -> Tensor:
    return torch.tensor(rows).view(-1, 1).expand(-1, 2).contiguous()


def states_equal(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_the_adaptive_weight_by_hand() -> None:
    """`y = w x`, `L_rec = 3 mean y`, hinge against `C(y) = 2 y`: gradients 3 m and −2 m for `m = mean x`."""
    critic = nn.Linear(1, 1, bias=False).double()
    with torch.no_grad():
        critic.weight.fill_(2.0)
    x, w = torch.tensor([[0.5], [1.0]], dtype=torch.float64), torch.tensor(0.7, dtype=torch.float64)
    for factor, expected in ((1.0, 1.5), (0.8, 1.2), (0.0, 0.0)):
        adversary = gans.Adversary(critic.requires_grad_(True), "hinge", weight=f"adaptive:{factor}")
        last = w.clone().requires_grad_(True)
        y = last * x
        loss = adversary.generator_loss(y, x, reconstruction=3 * y.mean(), last_layer=last)
        lam = 3 * 0.75 / (2 * 0.75 + 1e-6) * factor
        assert adversary.weight_now.item() == pytest.approx(lam, rel=1e-12)
        assert lam == pytest.approx(expected, abs=1e-5)
        assert loss.item() == pytest.approx(lam * (-2 * 0.7 * 0.75), rel=1e-12)
        (gradient,) = torch.autograd.grad(loss, last)
        assert gradient.item() == pytest.approx(-lam * 1.5, rel=1e-12), "the weight itself has no gradient"
        with torch.no_grad():
            shown = adversary.generator_loss(y, x, reconstruction=3 * y.mean(), last_layer=last)
        assert shown.item() == pytest.approx(loss.item(), rel=1e-12), "in validation it stays what it was"


def test_the_adaptive_weight_is_at_most_ten_thousand() -> None:
    critic = nn.Linear(1, 1).double()
    torch.nn.init.zeros_(critic.weight)
    adversary = gans.Adversary(critic, "hinge", weight="adaptive")
    last = torch.ones((), dtype=torch.float64, requires_grad=True)
    y = last * torch.ones(2, 1, dtype=torch.float64)
    adversary.generator_loss(y, reconstruction=y.mean(), last_layer=last)
    assert adversary.weight_now.item() == 1e4


def test_vqgans_loop_as_published() -> None:
    """Against its rule written down: generator first, both losses times 0 before `disc_start`."""
    start, steps = 2, 5
    torch.manual_seed(0)
    network, critic = Autoencoder().double(), small_critic().double()
    twin, judge = copy.deepcopy(network), copy.deepcopy(critic)
    adversary = gans.Adversary(critic, "hinge", weight="adaptive:0.8", start=start, **NUMBERS)
    last = network.last.weight
    torch.set_default_dtype(torch.float64)
    try:
        train_autoencoder(
            network, adversary, range(steps), reconstruction=lambda x: x, last_layer=lambda _: last
        )
        pictures = [images_of(step) for step in range(steps)]
    finally:
        torch.set_default_dtype(torch.float32)
    ours = torch.optim.SGD(twin.parameters(), lr=0.05)
    theirs = torch.optim.SGD(judge.parameters(), lr=NUMBERS["lr_critic"])
    for step, x in enumerate(pictures):
        share = float(step >= start)
        y = twin(x)
        reconstruction, adversarial = (y - x).abs().mean(), -judge(y).mean()
        slopes = [
            torch.autograd.grad(loss, twin.last.weight, retain_graph=True)[0].norm()
            for loss in (reconstruction, adversarial)
        ]
        weight = (slopes[0] / (slopes[1] + 1e-6)).clamp(0, 1e4).detach() * 0.8
        ours.zero_grad()
        (reconstruction + share * weight * adversarial).backward()
        ours.step()
        theirs.zero_grad()
        (share * ((1 - judge(x)).relu().mean() + (1 + judge(y.detach())).relu().mean())).backward()
        theirs.step()
    trained, expected = ([*a.parameters(), *b.parameters()] for a, b in ((network, critic), (twin, judge)))
    for a, b in zip(trained, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)
    assert adversary.generator_losses == adversary.batch_index == steps


def test_the_start() -> None:
    """The term is 0 with a gradient of 0, and the critic rests, or is trained where that is asked for."""
    for critic_start, rests in ((None, True), (0, False)):
        critic = nn.Linear(2, 1)
        before = copy.deepcopy(critic)
        adversary = gans.Adversary(critic, "bce", start=2, critic_start=critic_start, **NUMBERS)
        values = []
        for _ in range(3):
            fake = points(-1.0, 0.5).requires_grad_(True)
            with torch.no_grad():  # validation counts for nothing
                assert (adversary.generator_loss(fake).item() == 0) == (adversary.generator_losses < 2)
            loss = adversary.generator_loss(fake)
            loss.backward()
            values.append((loss.item(), fake.grad.abs().sum().item()))
            scores = adversary.critic_step(points(1.0, 2.0), fake.detach())
            if adversary.batch_index <= 2:
                assert states_equal(critic, before) == rests and bool(scores) != rests
        assert values[:2] == [(0.0, 0.0)] * 2 and min(map(abs, values[2])) > 0
        assert not states_equal(critic, before)


def test_an_adaptive_weight_is_resumed() -> None:
    """Validation after a resume has the weight of before; a weight that is a number is a setting."""
    real, last = points(1.0, 2.0), torch.tensor(0.5, requires_grad=True)
    more = {"reconstruction": (last * real).mean(), "last_layer": last}
    adversary = gans.Adversary(nn.Linear(2, 1), "hinge", weight="adaptive:0.8")
    adversary.generator_loss(last * real, **more)
    found, state = adversary.weight_now.item(), adversary.state_dict()
    assert found not in (0.0, pytest.approx(0.8))
    resumed = gans.Adversary(nn.Linear(2, 1), "hinge", weight="adaptive:0.8")
    resumed.load_state_dict(state)
    with torch.no_grad():
        values = [each.generator_loss(last * real, **more) for each in (adversary, resumed)]
    assert resumed.weight_now.item() == found and torch.equal(*values)
    fixed = gans.Adversary(nn.Linear(2, 1), "hinge", weight=0.3)
    fixed.load_state_dict(state)
    assert fixed.weight_now.item() == pytest.approx(0.3)
    del state["_extra_state"]["weight_now"]  # as in older states
    older = gans.Adversary(nn.Linear(2, 1), "hinge", weight="adaptive:0.8")
    older.load_state_dict(state)
    assert older.weight_now.item() == pytest.approx(0.8)


def test_a_critic_step_before_the_backward_pass_is_refused() -> None:
    """The generator's gradient would go through other weights than its loss."""
    adversary = gans.Adversary(nn.Sequential(nn.Linear(2, 4), nn.SiLU(), nn.Linear(4, 1)), "bce")
    fake = points(1.0, 2.0).requires_grad_(True)
    loss = adversary.generator_loss(fake)
    adversary.critic_step(points(1.0, 2.0), fake.detach())
    with pytest.raises(RuntimeError, match="before the backward pass"):
        loss.backward()


def test_nobody_elses_gradient_is_touched() -> None:
    """The critic has no gradients after its step, and gets none by the generator's loss."""
    critic, network = nn.Linear(2, 1), nn.Linear(2, 2)
    adversary = gans.Adversary(critic, "bce")
    fake = network(points(1.0, 2.0))
    adversary.generator_loss(fake).backward()
    held = network.weight.grad.clone()
    adversary.critic_step(points(1.0, 2.0), fake.detach())
    assert torch.equal(network.weight.grad, held)
    assert all(each.grad is None for each in critic.parameters())


def test_resume_is_exact() -> None:
    """State through a file that may hold no code, into a new adversary: EMA, ADA, LeCam, clock, moments."""

    def begin() -> tuple[nn.Module, gans.Adversary, nn.Module]:
        torch.manual_seed(3)
        network = Autoencoder()
        options = {"ada.kimg": 0.05, "ada.interval": 2, "lecam.start": 1, "ada.target": -0.9}
        adversary = gans.Adversary(
            small_critic(), "bce", augment="ada", lecam=0.3, start=3, kimg=0.1, lr_schedule="linear",
            critic_ema_kimg=0.02, penalty="real", penalty_norm="zero", penalty_every=3, **options,
        )  # fmt: skip
        return network, adversary, adversary.ema_of(network, 0.02)

    network, adversary, average = begin()
    train_autoencoder(network, adversary, range(6))
    file = io.BytesIO()
    torch.save([network.state_dict(), adversary.state_dict()], file)
    file.seek(0)
    whole = train_autoencoder(network, adversary, range(6, 11))
    assert adversary.augment_probability > 0
    again, resumed, other = begin()
    for module, state in zip((again, resumed), torch.load(file, weights_only=True), strict=True):
        module.load_state_dict(state)
    assert train_autoencoder(again, resumed, range(6, 11)) == whole
    for one, two in ((network, again), (adversary.critic_network, resumed.critic_network), (average, other)):
        assert states_equal(one, two)
    assert states_equal(adversary.critic_ema, resumed.critic_ema)
    assert resumed.augment_probability == adversary.augment_probability
    assert resumed.clock == adversary.clock and resumed.seen == 88


@pytest.mark.parametrize("loss", ["r3gan", "wgan-gp", "bce"])
def test_under_autocast_only_networks_multiply_in_bfloat16(loss: str) -> None:
    """Gradients are near those of float32, and losses, penalties and weights are float32."""
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Conv2d(1, 16, 3, 2, 1), nn.SiLU(), nn.Conv2d(16, 16, 3, 2, 1), nn.SiLU())
    critic.extend([nn.Flatten(), nn.Linear(64, 1)])
    seen: list[torch.dtype] = []
    critic[0].register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    real, fake = images_of(0), images_of(1) * 0.3
    found = []
    for precise in (True, False):
        own = copy.deepcopy(critic)
        start = [each.detach().clone() for each in own.parameters()]
        adversary = gans.Adversary(own, loss, **NUMBERS)
        seen.clear()
        with torch.autocast("cpu", torch.bfloat16, enabled=not precise):
            made = (fake if precise else fake.bfloat16().float()).clone().requires_grad_(True)
            value = adversary.generator_loss(made if precise else made.bfloat16(), real)
            value.backward()
            scores = adversary.critic_step(real, made.detach())
        assert {torch.float32} == {each.dtype for each in (value, *scores.values(), *own.parameters())}
        assert (torch.bfloat16 in seen) is not precise
        steps = torch.cat([(a - b).flatten() for a, b in zip(own.parameters(), start, strict=True)])
        found.append((steps, made.grad.flatten(), scores))
    (exact, at_fake, scores), (rounded, near_fake, near) = found
    assert (exact - rounded).norm() < 0.06 * exact.norm()
    assert (at_fake - near_fake).norm() < 0.06 * at_fake.norm()
    assert all(
        near[name].item() == pytest.approx(value.item(), rel=0.02, abs=0.01) for name, value in scores.items()
    )


def test_under_float16_a_critic_computes_in_float32() -> None:
    """Its own step has no loss scaling."""
    real, fake = points(1.0, 2.0), points(-1.0, 0.5)
    found = []
    for enabled in (True, False):
        torch.manual_seed(0)
        adversary = gans.Adversary(nn.Linear(2, 1), "bce", **NUMBERS)
        with torch.autocast("cpu", torch.float16, enabled=enabled):
            adversary.critic_step(real, fake.half() if enabled else fake)
        found.append(adversary.critic_network)
    assert states_equal(*found)


def test_losses_and_penalties_are_accepted_or_refused_in_one_line() -> None:
    real, fake = points(1.0, 2.0, 0.0), points(-1.0, 0.5, 0.3)
    accepted = 0
    for loss, penalty in product(registry.loss_names(), ["none", *registry.names("penalty")]):
        critic = nn.Sequential(nn.Linear(2, 8), nn.SiLU(), nn.Linear(8, 1))
        scores = gans.Adversary(critic, loss, penalty=penalty).critic_step(real, fake)
        assert all(value.isfinite() for value in scores.values())
        assert ("critic/gradient_penalty" in scores) == (penalty != "none"), (loss, penalty)
        accepted += 1
    assert accepted >= 60


def test_regularizers_and_augmentations_are_accepted_or_refused_in_one_line() -> None:
    found = {"refused": set[tuple[str, str]](), "accepted": set[tuple[str, str]]()}
    strengths = {"weight-clip": 0.1, "label-flip": 0.1, "label-smoothing": 0.9}
    extras: list[dict[str, Any]] = [
        {name.replace("-", "_"): strengths.get(name, 0.5)} for name in registry.names("regularizer")
    ]
    extras += [{"augment": name} for name in registry.names("critic-augmentation")]
    images = torch.rand(2, 3, 16, 16) * 2 - 1
    for loss, extra in product(["bce", "hinge", "wgan", "relativistic"], extras):
        (key, value), critic = *extra.items(), nn.Sequential(nn.Flatten(), nn.Linear(768, 1))
        word = value if key == "augment" else key
        try:
            adversary = gans.Adversary(critic, loss, **extra)
        except gans.UsageError as error:
            assert "\n" not in str(error) and word in str(error).replace("-", "_")
            found["refused"].add((loss, word))
            continue
        scores = adversary.critic_step(images, -images)
        assert all(value.isfinite() for value in scores.values())
        found["accepted"].add((loss, word))
    assert {("wgan", "label_smoothing"), ("relativistic", "ada"), ("wgan", "apa")} <= found["refused"]
    assert {("bce", "label_smoothing"), ("hinge", "ada"), ("wgan", "weight_clip")} <= found["accepted"]
    gans.Adversary(small_critic(), "r3gan", augment="ada:0.2")


@pytest.mark.parametrize("name", [*FROM_NOISE, *FURTHER_CRITICS, "pix2pix"])
def test_critics_by_name(name: str) -> None:
    torch.manual_seed(0)
    size = {"image_size": 32, "channels": 3, "width": 8}
    adversary = gans.Adversary(name, "r3gan" if name != "pix2pix" else "hinge", **size)
    images = torch.rand(4, 3, 32, 32) * 2 - 1
    pair = (images, images.flip(3)) if name == "pix2pix" else images
    scores = adversary.critic_step(pair, images * 0.2)
    assert all(value.isfinite() for value in scores.values())
    assert adversary.settings.optimizer == "adam" and adversary.settings.penalty_weight in (0.05, None)
    loss = adversary.generator_loss(images.mul(0.2).requires_grad_(True), pair)
    assert loss.requires_grad


def test_labels_and_partners_reach_the_critic() -> None:
    asked: list[tuple[Tensor, ...]] = []

    class Told(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 3)

        def forward(self, x: Tensor, label: Tensor) -> Tensor:
            asked.append((x, label))
            return self.layer(x).gather(1, label[:, None])

    labels, others = torch.tensor([0, 2]), torch.tensor([1, 1])
    real, fake = points(1.0, 2.0), points(-1.0, 0.5)
    gans.Adversary(Told(), "bce").critic_step((real, labels), (fake, others))
    assert [label.tolist() for _, label in asked] == [[1, 1], [0, 2]]
    asked.clear()
    adversary = gans.Adversary(Told(), "r3gan")
    adversary.critic_step((real, labels), fake)
    assert {tuple(label.tolist()) for _, label in asked} == {(0, 2)}
    with pytest.raises(ValueError, match="other conditions, but the loss compares them"):
        adversary.critic_step((real, labels), (fake, others))
    with pytest.raises(ValueError, match="other conditions, but the loss compares them"):
        adversary.generator_loss((fake, others), (real, labels))
    adversary.generator_loss((fake, labels), (real, labels))
    gans.Adversary(Told(), "bce").generator_loss((fake, others), (real, labels))
    labelled = gans.Adversary("mlp", "wgan-gp", classes=3, width=8)
    labelled.critic_step((real, labels), fake)


def test_adversaries_move_between_devices_and_modes() -> None:
    """EMAs stay in evaluation mode, and their buffers are found again."""
    adversary = gans.Adversary(small_critic(nn.BatchNorm2d), "hinge", critic_ema_kimg=0.001)
    adversary.to(torch.float64).train()
    assert not adversary.critic_ema.training and adversary.critic_network.training
    torch.manual_seed(0)
    adversary.critic_step(images_of(0).double(), images_of(1).double())
    adversary.follow()
    norms = [network[1].running_mean for network in (adversary.critic_network, adversary.critic_ema)]
    assert torch.equal(*norms) and norms[1].abs().sum() > 0


def test_moments_move_with_their_weights() -> None:
    """Of Adam, loaded before the move, as Lightning does; and between types."""
    adversary = gans.Adversary(nn.Linear(2, 1), "bce")
    adversary.critic_step(points(1.0, 2.0), points(-1.0, 0.5))
    resumed = gans.Adversary(nn.Linear(2, 1), "bce")
    resumed.load_state_dict(adversary.state_dict())
    before = copy.deepcopy(resumed.critic.optimizer.state_dict()["state"])
    resumed.double()
    for index, moments in resumed.critic.optimizer.state_dict()["state"].items():
        assert moments["exp_avg"].dtype == moments["exp_avg_sq"].dtype == torch.float64
        assert all(
            torch.equal(moments[name], value.to(moments[name])) for name, value in before[index].items()
        )
    resumed.critic_step(points(1.0, 2.0).double(), points(-1.0, 0.5).double())


def test_moments_move_to_an_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps after a load and a move are those on the CPU."""
    real, fake = points(1.0, 2.0), points(-1.0, 0.5)
    adversary = gans.Adversary(nn.Linear(2, 1), "bce")
    adversary.critic_step(real, fake)
    resumed = gans.Adversary(nn.Linear(2, 1), "bce")
    resumed.load_state_dict(copy.deepcopy(adversary.state_dict()))
    adversary.critic_step(real, fake)
    with fake_accelerator(monkeypatch):
        resumed.to("cuda")
        resumed.critic_step(real.to("cuda"), fake.to("cuda"))
        ends = [each.detach().cpu() for each in resumed.critic_network.parameters()]
    for end, expected in zip(ends, adversary.critic_network.parameters(), strict=True):
        torch.testing.assert_close(end, expected, rtol=1e-6, atol=1e-7)


def test_arguments_of_other_libraries_are_taken() -> None:
    """NumPy's numbers and arrays, tensors and a Path are what plain values are."""
    other = {
        "lr_critic": np.float32(0.5),
        "steps": np.int64(100),
        "start": np.int64(3),
        "penalty": np.array(["real"]),
    }
    other |= {"critic_ema_kimg": np.float64(1), "image_size": np.int64(8), "weight": torch.tensor(0.5)}
    plain = {"lr_critic": 0.5, "steps": 100, "start": 3, "penalty": "real", "critic_ema_kimg": 1.0}
    plain |= {"image_size": 8, "weight": 0.5}
    one, two = (
        gans.Adversary(nn.Linear(2, 1), loss, lr_schedule="linear", **numbers)
        for loss, numbers in ((Path("bce"), other), ("bce", plain))
    )
    assert one.settings == two.settings and (one.start, one.weight) == (two.start, two.weight)


def pictures(*shape: int, high: float = 1.0) -> Tensor:
    return torch.linspace(-1 if high == 1 else 0, high, 2 * math.prod(shape)).view(2, *shape)


NAMED: list[tuple[str, Any, Any, str]] = [
    ("patch", pictures(1, 16, 16), pictures(1, 16, 16), r"takes \(N, 3, H, W\); build it with channels=1"),
    ("patch", pictures(16, 16, 3), pictures(16, 16, 3), r"call permute\(0, 3, 1, 2\)"),
    (
        "patch",
        pictures(3, 16, 16, high=255.0),
        pictures(3, 16, 16),
        r"real: give float images .* not from 0 to 255: x",
    ),
    ("patch", pictures(3, 16, 16), pictures(3, 16, 16, high=255.0), "fake: give float images"),
    ("patch", (pictures(3, 16, 16), torch.zeros(2)), pictures(3, 16, 16), "is told nothing of its samples"),
    ("dcgan", pictures(3, 32, 32), pictures(3, 32, 32), "resize them, or build it with image_size=32"),
    ("pix2pix", pictures(3, 16, 16), pictures(3, 16, 16), r"two tensors; give a tuple \(output, input\)"),
    ("pix2pix", (pictures(3, 16, 16), pictures(1, 16, 16)), pictures(3, 16, 16), "real: input has shape"),
    ("dcgan:3", pictures(3, 16, 16), pictures(3, 16, 16), r"give a tuple \(images, labels\)"),
    ("dcgan:3", (pictures(3, 16, 16), torch.tensor([0, 3])), pictures(3, 16, 16), "give labels from 0 to 2"),
]


@pytest.mark.parametrize(("critic", "real", "fake", "line"), NAMED, ids=[line for *_, line in NAMED])
def test_a_critic_by_name_says_what_it_takes(critic: str, real: Any, fake: Any, line: str) -> None:
    name, _, classes = critic.partition(":")
    adversary = gans.Adversary(name, "hinge", image_size=16, channels=3, width=4, classes=int(classes or 0))
    with pytest.raises(ValueError, match=line) as caught:
        adversary.critic_step(real, fake)
    assert "\n" not in str(caught.value) and adversary.batch_index == 0
    if not isinstance(real, tuple) and "255" not in line:
        with pytest.raises(ValueError, match=line):
            adversary.generator_loss(fake)


def test_patches_are_of_images_of_any_size_and_numbers_near_one_pass() -> None:
    """Only the first batch is looked at, and a critic of somebody's own may have another range."""
    adversary = gans.Adversary("patch", "hinge", image_size=32, channels=3, width=4)
    adversary.critic_step(torch.full((2, 3, 16, 16), 9.0), -torch.full((2, 3, 16, 16), 9.0))
    adversary.critic_step(pictures(3, 24, 40), pictures(3, 24, 40, high=255.0))
    gans.Adversary(small_critic(), "hinge").critic_step(*[pictures(1, 8, 8, high=4096.0)] * 2)
    with pytest.raises(ValueError, match="real: give float images"):
        gans.Adversary(small_critic(), "hinge", augment="ada").critic_step(
            *[pictures(1, 8, 8, high=255.0)] * 2
        )


GOOD = points(1.0, 2.0)
WRONG: list[tuple[Any, Any, str]] = [
    (GOOD, points(1.0), "must be alike: samples 2 and 1"),
    (GOOD, torch.zeros(2, 3), r"samples of shape \(2,\) and \(3,\)"),
    (GOOD, GOOD.double(), "samples of type float32 and float64"),
    (GOOD, GOOD.to("meta"), "samples on device cpu and meta"),
    (GOOD.double(), GOOD.double(), "weights are float32 and the samples float64"),
    (GOOD.long(), GOOD, "real is int64; give floats"),
    (GOOD, GOOD.clone().requires_grad_(True), r"fake carries a gradient.*give fake.detach\(\)"),
    (torch.zeros(0, 2), torch.zeros(0, 2), "1 sample or more"),
    (torch.zeros(2), torch.zeros(2), "has shape"),
    ((GOOD, torch.zeros(3)), GOOD, "real: 2 samples with a condition of shape"),
    (GOOD, (GOOD, torch.zeros(2)), "conditions 0 and 1"),
    (GOOD, (GOOD, 3), "fake: give a tensor, or a tuple"),
    (GOOD.to("meta"), GOOD.to("meta"), r"call adversary.to\('meta'\)"),
]


@pytest.mark.parametrize(("real", "fake", "line"), WRONG, ids=[line for _, _, line in WRONG])
def test_samples_that_do_not_fit_are_refused(real: Any, fake: Any, line: str) -> None:
    adversary = gans.Adversary(nn.Linear(2, 1), "bce")
    with pytest.raises(ValueError, match=line) as caught:
        adversary.critic_step(real, fake)
    assert "\n" not in str(caught.value)
    assert adversary.batch_index == 0, "a refused step is none"


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (
            lambda a, y: a.generator_loss(y, y, reconstruction=y.sum(), last_layer=nn.Linear(2, 2)),
            r"last_layer is a module, Linear; give its \.weight",
        ),
        (
            lambda a, y: a.generator_loss(y, y, reconstruction=y.sum(), last_layer=nn.Sequential()),
            "last_layer is a module, Sequential; give the weight of the last layer in it",
        ),
        (
            lambda a, y: a.generator_loss(y, y, reconstruction=0.5, last_layer=y),
            "reconstruction: give the loss, a tensor of one number, not float",
        ),
        (
            lambda a, y: a.generator_loss(y, y, reconstruction=y, last_layer=y),
            r"not Tensor of shape \(2, 2\)",
        ),
        (lambda a, y: a.generator_loss(y), "compares with real samples"),
        (lambda a, y: a.generator_loss(y, y), "an adaptive weight needs"),
        (
            lambda a, y: a.generator_loss(y, y, reconstruction=y.sum(), last_layer=torch.ones(1)),
            "reconstruction",
        ),
        (
            lambda a, y: a.generator_loss(
                y, y.detach(), reconstruction=y.sum(), last_layer=torch.ones(1, requires_grad=True)
            ),
            "does not depend on last_layer",
        ),
    ],
)
def test_generator_losses_that_lack_something(call: Callable[..., Any], line: str) -> None:
    adversary = gans.Adversary(nn.Linear(2, 1), "relativistic", weight="adaptive")
    with pytest.raises(ValueError, match=line):
        call(adversary, GOOD.clone().requires_grad_(True))


class Wordy(nn.Module):
    """A critic that returns one number for a whole batch."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x).mean()


def test_critics_without_logits_are_refused() -> None:
    with pytest.raises(ValueError, match=r"returns \(\), and not logits \(N, …\) of 2 samples"):
        gans.Adversary(Wordy(), "bce").critic_step(GOOD, GOOD)
    with pytest.raises(ValueError, match="augmentation changes images"):
        gans.Adversary(nn.Linear(2, 1), "bce", augment="diffaugment").critic_step(GOOD, GOOD)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"loss": "bcee"}, "unknown loss 'bcee'; did you mean bce"),
        ({"penalty": "rael"}, "unknown penalty 'rael'; did you mean real"),
        ({"augment": "adaa"}, "unknown critic-augmentation 'adaa'; did you mean ada"),
        ({"loss": "wgan", "augment": "ada"}, "give a fixed one, such as augment='ada:0.2'"),
        ({"augment": "ada", "penalty": "real", "start": 10}, "augment='ada': its probability"),
        ({"loss": "bce", "penalty_weight": 1.0}, "penalty_weight has no meaning without a gradient penalty"),
        ({"loss": "bce", "penalty_weight": 1.0}, "; add penalty=…"),
        ({"loss": "bce", "augment": "ada:0.2", "ada.target": 0.5}, "ada.target has no meaning"),
        ({"loss": "bce", "lecam": 0.3, "schedule": "drift=cosine:1:0", "kimg": 1}, "schedule drift: nothing"),
        (
            {"loss": "bce", "lr_decay_from": 0.5},
            "lr_decay_from has no meaning for constant rates; add lr_sch",
        ),
        ({"critic": "dcgann"}, "unknown critic 'dcgann'; did you mean dcgan"),
        ({"critic": "cyclegan"}, "unknown critic 'cyclegan'"),
        ({"critic": "dcgan"}, "give image_size"),
        ({"critic": "patch", "image_size": 32, "channels": 1, "classes": 3}, "takes no labels"),
        ({"critic": 3}, "give a module or a name, not int"),
        ({"critic": nn.DataParallel(nn.Linear(2, 1))}, "give critic.module"),
        ({"critic": nn.Linear(2, 1).requires_grad_(False)}, "no parameter asks for a gradient"),
        ({"critic": nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))}, "the critic has batch norm"),
        ({"n_critic": 5}, "n_critic has no meaning for an adversary"),
        ({"width": 5}, "width has no meaning for a critic that is built already"),
        ({"learning_rate": 5}, "unknown setting 'learning_rate'; did you mean lr_critic?"),
        ({"lr": 5}, "unknown setting 'lr'; did you mean lr_critic?"),
        ({"aug": "ada"}, "unknown setting 'aug'; did you mean augment?"),
        ({"loss": None}, "loss: None is no name; give one"),
        ({"loss": 3}, "loss: '3' is not a name"),
        ({"loss": gans.loss("bce")}, "loss: an object BinaryCrossEntropy is no value"),
        ({"loss": "vanilla"}, "unknown loss 'vanilla'; did you mean bce?"),
        ({"loss": "minimax"}, "did you mean bce-saturating or bce?"),
        ({"penalty": "gp"}, "unknown penalty 'gp'; did you mean interpolates?"),
        ({"penalty": "r2"}, "unknown penalty 'r2'; did you mean fake with penalty_norm='zero'?"),
        ({"critic": "patchgan"}, "unknown critic 'patchgan'; did you mean patch?"),
        ({"lr_critic": -1}, "lr_critic"),
        ({"lr_schedule": "cosine"}, "lr_schedule needs the length"),
        ({"kimg": 1, "steps": 1}, "exclude each other"),
        ({"start": -1}, "start: -1 is not a number of steps"),
        ({"critic_start": 0.5}, "critic_start: 0.5"),
        ({"weight": "adaptiv"}, "weight: 'adaptiv' is no weight"),
        ({"weight": "adaptive:-1"}, "is no weight"),
        ({"weight": -1.0}, "is no weight"),
        ({"lecam": "much"}, "lecam: 'much' is not a number"),
        ({"lecam": -1.0}, "lecam"),
        ({"loss": "bce", "penalty_norm": "one"}, "penalty"),
        ({"loss": "wgan", "label_smoothing": 0.9}, "label-smoothing has no meaning for wgan"),
        ({"ada.target": 0.5}, "ada"),
    ],
)
def test_what_cannot_be_built_is_refused_in_one_line(arguments: dict[str, Any], line: str) -> None:
    arguments = {"critic": nn.Linear(2, 1), **arguments}
    with pytest.raises(gans.UsageError) as caught:
        gans.Adversary(**arguments)
    assert line in str(caught.value) and "\n" not in str(caught.value)
    assert "--" not in str(caught.value)  # which is no word of a call
