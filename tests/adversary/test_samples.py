"""Samples and arguments as others have them: what an adversary takes, and what its critic says it takes."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import gans
from tests.adversary.loops import small_critic


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
