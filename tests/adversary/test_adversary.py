"""`gans.Adversary` in a loop of somebody's own: weights, start, resume, precision and moves."""

import copy
import io
import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import gans
from experiments.core import registry
from tests.adversary.loops import Autoencoder, images_of, points, small_critic, train_autoencoder
from tests.fake_accelerator import fake_accelerator

NUMBERS = {"optimizer": "sgd", "lr_critic": 0.1}


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


@pytest.mark.parametrize("optimizer", registry.names("optimizer"))
def test_a_state_may_be_loaded_again(optimizer: str) -> None:
    """Training changes no tensor of it: from each load the same weights follow."""
    last = torch.ones(1, 1, 1, 1, requires_grad=True)
    more = {"critic_ema_kimg": 0.01, "lecam": 0.3, "augment": "ada", "weight": "adaptive"}

    def train(adversary: gans.Adversary) -> None:
        for step in range(3):
            torch.manual_seed(step)
            fake = last * images_of(step)
            adversary.generator_loss(fake, reconstruction=(2 * fake).mean(), last_layer=last)
            adversary.critic_step(images_of(9 + step), fake.detach())
            adversary.follow()

    torch.manual_seed(0)
    adversary = gans.Adversary(small_critic(), "bce", optimizer=optimizer, **more)
    train(adversary)
    state = copy.deepcopy(adversary.state_dict())
    before, ends = copy.deepcopy(state), []
    for _ in range(2):
        adversary.load_state_dict(state)
        train(adversary)
        ends.append(copy.deepcopy(adversary.state_dict()))
        assert states_are_equal(state, before)
    assert states_are_equal(*ends) and not states_are_equal(ends[0], state)


def states_are_equal(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(states_are_equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return all(itertools.starmap(states_are_equal, zip(one, other, strict=True)))
    return torch.equal(one, other) if isinstance(one, Tensor) else one == other


@pytest.mark.parametrize("points_of", ["real", "fake", "interpolates", "dragan"])
def test_images_in_channels_last_are_the_same_images(points_of: str) -> None:
    found = []
    for layout in (torch.contiguous_format, torch.channels_last):
        torch.manual_seed(0)
        last = nn.Conv2d(1, 1, 3, padding=1).to(memory_format=layout)
        adversary = gans.Adversary(
            "patch", "hinge", image_size=16, channels=1, width=4, penalty=points_of, weight="adaptive"
        ).to(memory_format=layout)
        real, x = (torch.randn(2, 1, 16, 16).to(memory_format=layout) for _ in range(2))
        fake = last(x)
        loss = adversary.generator_loss(
            fake, reconstruction=(real - fake).abs().mean(), last_layer=last.weight
        )
        scores = adversary.critic_step(real, fake.detach())
        found.append(torch.stack([loss.detach(), adversary.weight_now, *scores.values()]))
    torch.testing.assert_close(*found, rtol=1e-5, atol=1e-6)


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
