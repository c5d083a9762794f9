"""What an adversary is made of: losses, penalties, regularizers, augmentations, and critics by name."""

from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import gans
from experiments.config.adversary import FURTHER_CRITICS
from experiments.core import registry
from tests.adversary.loops import points, small_critic
from tests.conftest import FROM_NOISE


def test_every_loss_takes_every_penalty() -> None:
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
