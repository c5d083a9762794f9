"""StyleGAN2's networks and loss phases against the numbers of the official ones."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gans.core.architecture import Blueprint
from gans.core.clock import Clock
from gans.core.ema import EmaOptions, ExponentialMovingAverage
from gans.core.lazy_duel import LazyDuel
from gans.core.networks import Batch
from gans.core.objective import LossSpec
from gans.core.styles import set_noise_mode, truncate_styles
from gans.published.stylegan2 import CRITIC, GENERATOR
from gans.stylegan2 import Critic, Generator, StyleGAN2Options
from losses.adversarial.bce import BinaryCrossEntropy
from losses.core.gradient_penalty import GradientPenalty
from losses.penalties.real import Real
from losses.penalty_norms.zero import ZeroCentred
from tests.gans.published.numbers import Numbers, assert_close, assert_gradients, files, load, read, sides

SKIPS = {"resnet": "residual", "orig": "none"}


def blueprint(config: dict[str, Any], **options: Any) -> Blueprint:
    side = config["resolution"]
    return Blueprint(
        (3, side, side),
        z_dim=config.get("z_dim", 4),
        width=config["channel_base"] // side,
        classes=config.get("c_dim", 0),
        options=StyleGAN2Options(widest=config["channel_max"], style_mixing=0.0, **options),
    )


def generator_of(numbers: Numbers, start: str = "weights/") -> Generator:
    config = numbers.config
    network = Generator(blueprint(config, mapping_layers=config["mapping_layers"]))
    load(network, GENERATOR, config["resolution"], numbers.group(start))
    set_noise_mode(network, "const")
    return network


def critic_of(numbers: Numbers, start: str = "weights/") -> Critic:
    config = numbers.config
    skips = SKIPS[config.get("architecture", "resnet")]
    network = Critic(blueprint(config, critic_skips=skips))
    load(network, CRITIC, config["resolution"], numbers.group(start))
    return network


def labels_of(numbers: Numbers, name: str = "inputs/labels") -> tuple[Tensor, ...]:
    return (numbers[name].long(),) if name in numbers.tensors else ()


@pytest.mark.parametrize("name", files("stylegan2_generator"))
def test_generator(name: str) -> None:
    numbers = read(name)
    config, network = numbers.config, generator_of(numbers)
    z, labels = numbers["inputs/z"].requires_grad_(True), labels_of(numbers)
    w = network.map(z, *labels)
    assert_close(w, numbers["outputs/w"], "w")
    styles = w[:, None].repeat(1, network.styles, 1)
    styles.retain_grad()
    image = network.synthesize(styles)
    assert_close(image, numbers["outputs/image"], "image")
    (image * numbers["inputs/cotangent"]).sum().backward()
    assert_close(styles.grad, numbers["gradients/input/ws"], "gradient of w of each layer")
    assert_close(z.grad, numbers["gradients/input/z"], "gradient of z")
    assert_gradients(network, GENERATOR, config["resolution"], numbers)
    with torch.no_grad():
        truncated = truncate_styles(network, w, config["truncation_psi"])
        assert_close(network.synthesize(truncated), numbers["outputs/image_truncated"], "truncated image")
        cut = truncate_styles(network, w, config["truncation_psi"], config["truncation_cutoff"])
        assert_close(cut, numbers["outputs/ws_truncated_cutoff"], "styles truncated up to the cutoff")
        set_noise_mode(network, "none")
        expected = numbers["outputs/image_no_noise_first"]
        assert_close(network.synthesize(w[: len(expected)]), expected, "image without noise")
        network.eval()
        assert_close(network(z, *labels)[: len(expected)], expected.clamp(-1, 1), "cut image")
        network.clamps = False
        assert_close(network(z, *labels)[: len(expected)], expected, "image that is not cut")


@pytest.mark.parametrize("name", files("stylegan2_discriminator"))
def test_critic(name: str) -> None:
    numbers = read(name)
    network, labels = critic_of(numbers), labels_of(numbers)
    for count in numbers.config["batches"]:
        images = numbers["inputs/images"][:count].clone().requires_grad_(True)
        logits = network(images, *(each[:count] for each in labels))
        assert_close(logits, numbers[f"outputs/logits_{count}"], f"logits of {count}")
    (logits * numbers["inputs/cotangent"][:count]).sum().backward()
    assert_close(images.grad, numbers[f"gradients/input/images_{count}"], "gradient of the images")
    assert_gradients(network, CRITIC, numbers.config["resolution"], numbers)


def adam(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=1e-3, betas=(0.0, 0.99))


def duel_of(generator: Generator, critic: nn.Module, gamma: float, options: StyleGAN2Options) -> LazyDuel:
    penalty = GradientPenalty(Real(), ZeroCentred(), gamma, every=16)
    spec = LossSpec(BinaryCrossEntropy(), adam, adam, penalties=[penalty], options=options)
    generator.options = options
    return LazyDuel(generator, critic, spec).double()


class Draws:
    """Random numbers of a phase: latents, the layer where styles change, noise on paths, labels."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.latents: list[Tensor] = []
        self.like: list[Tensor] = []
        self.cutoffs: list[int] = []
        self.monkeypatch = monkeypatch

    def begin(self) -> None:
        """Answers from now on with what was handed in."""
        self.monkeypatch.setattr(torch, "randn", lambda *_, **__: self.latents.pop(0))
        self.monkeypatch.setattr(torch, "randn_like", lambda _: self.like.pop(0))
        self.monkeypatch.setattr(torch, "rand", lambda *_: torch.tensor(0.0 if self._is_mixed() else 1.0))
        self.monkeypatch.setattr(torch, "randint", lambda *_: torch.tensor(self.cutoffs.pop(0)))

    def _is_mixed(self) -> bool:
        """Whether the next batch is mixed; a cutoff of 0 stands for one that is not."""
        if self.cutoffs[0] == 0:
            return bool(self.cutoffs.pop(0))
        return True


@pytest.fixture
def draws(monkeypatch: pytest.MonkeyPatch) -> Draws:
    return Draws(monkeypatch)


@pytest.mark.parametrize(
    "phase", ["d_main", "d_r1", "g_main", "g_path", "g_path_later", "g_main_mixed", "g_path_mixed"]
)
@pytest.mark.parametrize("name", files("stylegan2_losses"))
def test_phase(name: str, phase: str, draws: Draws) -> None:
    """Each phase from the same weights: loss, running means, gradients of all parameters."""
    numbers = read(name)
    config = numbers.config
    generator, critic = generator_of(read(config["weights_G"])), critic_of(read(config["weights_D"]))
    options = StyleGAN2Options(
        style_mixing=0.9 if phase.endswith("mixed") else 0.0,
        path_length_weight=config["pl_weight"],
        path_length_decay=config["pl_decay"],
        path_length_batch_shrink=config["pl_batch_shrink"],
    )
    duel = duel_of(generator, critic, config["r1_gamma"], options).train()
    duel.draw_condition = lambda real: labels_of(numbers)  # type: ignore[method-assign]
    if phase in ("g_path_later", "g_path_mixed"):
        duel.length.fill_(config["path_mean_before"])
    half = config["batch"] // config["pl_batch_shrink"]
    on_path = phase.startswith("g_path")
    draws.latents = [numbers["inputs/z"][:half] if on_path else numbers["inputs/z"]]
    draws.cutoffs = [config["mixing_cutoff"]]
    draws.like = [numbers["inputs/path_noise"]] if on_path else []
    if phase.endswith("mixed"):
        draws.like.insert(0, numbers["inputs/z_mixed"][:half] if on_path else numbers["inputs/z_mixed"])
    real = Batch(numbers["inputs/real"], labels_of(numbers, "inputs/real_labels"))
    objectives = {"d_main": duel.critic_loss, "d_r1": duel.penalty_loss, "g_main": duel.generator_loss}
    objective = objectives.get(phase.removesuffix("_mixed"), duel.path_length_loss)
    every = 4 if on_path else 16 if phase == "d_r1" else 1
    player, table = (duel.duel.generator, GENERATOR) if phase[0] == "g" else (duel.duel.critic, CRITIC)
    player.network.requires_grad_(True)
    draws.begin()
    terms, logged = objective(Clock(), real)
    loss = sum(terms.values()) / every
    loss.backward()
    assert_close(loss.detach(), numbers[f"outputs/{phase}/loss"], "loss")
    if on_path:
        assert_close(logged["path"], numbers[f"outputs/{phase}/path_mean_after"], "mean of path lengths")
    if phase == "d_main":
        for side in ("real", "fake"):
            expected = numbers[f"outputs/d_main/logits_{side}"].mean()
            assert_close(logged[side].detach(), expected, f"{side} logits")
    if f"outputs/{phase}/w_average_after" in numbers.tensors:
        assert_close(generator.mean, numbers[f"outputs/{phase}/w_average_after"], "mean of w")
    resolution = config["G"]["resolution"]
    assert_gradients(player.network, table, resolution, numbers, f"{phase}/")
    assert not (draws.latents and phase != "d_r1") and not draws.like, "drew less than the official code"


class Rounds:
    """A loader of the rounds' batches, the same for all phases of a round."""

    def __init__(self, real: Tensor) -> None:
        self.real, self.index = real, 0

    @property
    def clock(self) -> Clock:
        return Clock(self.index * self.real.shape[1], self.index, 0.0)

    def next_batch(self) -> Batch:
        self.index += 1
        return Batch(self.real[self.index - 1])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", files("stylegan2_rounds"))
def test_rounds_of_training(name: str, dtype: torch.dtype, draws: Draws) -> None:
    """Losses, running means, the EMA and all weights, through twenty rounds of the game."""
    numbers = read(name)
    config = numbers.config
    tolerance = 1e-9 if dtype == torch.float64 else 1e-5
    generator, critic = generator_of(numbers, "weights/G/"), critic_of(numbers, "weights/D/")
    options = StyleGAN2Options(
        style_mixing=config["style_mixing_prob"],
        path_length_weight=config["pl_weight"],
        path_length_decay=config["pl_decay"],
        path_length_batch_shrink=config["pl_batch_shrink"],
        path_length_every=config["G_reg_interval"],
    )
    generator.options = options

    def optimizer(parameters: Any) -> torch.optim.Optimizer:
        return torch.optim.Adam(parameters, config["lr"], config["betas"], config["adam_eps"])

    penalty = GradientPenalty(Real(), ZeroCentred(), config["r1_gamma"], config["D_reg_interval"])
    spec = LossSpec(BinaryCrossEntropy(), optimizer, optimizer, penalties=[penalty], options=options)
    duel = LazyDuel(generator.to(dtype), critic.to(dtype), spec).to(dtype).train()
    ema = ExponentialMovingAverage(generator, config["ema_kimg"], EmaOptions(config["ema_rampup"]))
    loader = Rounds(numbers["inputs/real"].to(dtype) / 128)
    draws.begin()
    for index in range(config["rounds"]):
        turn = index // config["G_reg_interval"]
        phases = {"g_main": index, "g_path": turn, "d_main": index}
        if index % config["G_reg_interval"]:
            del phases["g_path"]
        for phase, at in phases.items():
            hand_in(draws, numbers, phase, at, dtype)
        scores = duel.round(loader)
        assert not draws.latents and not draws.like
        expected = {"generator/adversarial": numbers["outputs/g_main/loss"][index]}
        expected["critic/adversarial"] = numbers["outputs/d_main/loss"][index]
        if "generator/path_length" in scores:
            expected["generator/path_length"] = (
                numbers["outputs/g_path/loss"][turn] * config["G_reg_interval"]
            )
            expected["generator/path"] = numbers["outputs/g_path/path_mean_after"][turn]
        if "critic/gradient_penalty" in scores:
            r1 = numbers["outputs/d_r1/loss"][index // config["D_reg_interval"]]
            expected["critic/gradient_penalty"] = r1 * config["D_reg_interval"]
        for score, value in expected.items():
            assert_close(scores[score].double(), value, f"{score} of round {index}", tolerance)
        average = numbers["outputs/w_average_after"][index]
        assert_close(generator.mean.double(), average, f"mean of w after round {index}", tolerance)
        ema.follow(loader.clock.seen, config["batch"])
        if (after := index + 1) in config["weights_after_rounds"]:
            networks = {"G": generator, "D": critic, "G_ema": ema.average}
            for player, network in networks.items():
                table = CRITIC if player == "D" else GENERATOR
                found = table.to_published(network, sides(config["resolution"]))
                for parameter, value in numbers.group(f"outputs/after_{after:02}/{player}/").items():
                    what = f"{player}'s {parameter} after round {index}"
                    assert_close(found[parameter].double(), value, what, tolerance)


def hand_in(draws: Draws, numbers: Numbers, phase: str, at: int, dtype: torch.dtype) -> None:
    """Hands in what a phase draws: latents, the cutoff and other latents of a mixed batch, noise on paths."""
    layers = numbers.config["num_ws"]
    draws.latents.append(numbers[f"inputs/{phase}/z"][at].to(dtype))
    cutoff = int(numbers.tensors.get(f"inputs/{phase}/cutoff", {at: layers})[at])
    is_mixed = cutoff < layers
    draws.cutoffs.append(cutoff if is_mixed else 0)
    if is_mixed:
        draws.like.append(numbers[f"inputs/{phase}/z_mixed"][at].to(dtype))
    if phase == "g_path":
        draws.like.append(numbers["inputs/g_path/noise"][at].to(dtype))


@pytest.mark.parametrize("ramp", ["ramp", "no_ramp"])
def test_average(ramp: str) -> None:
    """Twenty averages of one number."""
    numbers = read("stylegan2_ema")
    config, weights = numbers.config, numbers["inputs/weight"]
    network = nn.Linear(1, 1, bias=False).double()
    with torch.no_grad():
        network.weight.fill_(weights[0])
        options = EmaOptions(config["ema_rampup"] if ramp == "ramp" else None)
        ema = ExponentialMovingAverage(network, config["ema_kimg"], options)
        for step in range(config["steps"]):
            network.weight.fill_(weights[step + 1])
            ema.follow((step + 1) * config["batch_size"], config["batch_size"])
            expected = numbers[f"outputs/{ramp}/average"][step]
            assert_close(ema.average.weight.view(()), expected, f"average {step}", 1e-14)
