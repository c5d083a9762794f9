"""What an adversary refuses, each in a line in the words of its call."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import gans
from tests.adversary.loops import points

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
    ],
)
def test_generator_losses_that_lack_something(call: Callable[..., Any], line: str) -> None:
    adversary = gans.Adversary(nn.Linear(2, 1), "relativistic", weight="adaptive")
    with pytest.raises(ValueError, match=line):
        call(adversary, GOOD.clone().requires_grad_(True))


def test_samples_of_inference_mode_are_refused_with_what_to_do() -> None:
    adversary = gans.Adversary(nn.Linear(2, 1), "bce")
    with torch.inference_mode():
        made = nn.Linear(2, 2)(GOOD)
        with pytest.raises(ValueError, match="real: gradients are asked for where"):
            adversary.critic_step(GOOD, GOOD)
    with pytest.raises(ValueError, match=r"use torch.no_grad instead, or give fake.clone\(\) after it"):
        adversary.critic_step(GOOD, made)
    adversary.critic_step(GOOD, made.clone())


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
