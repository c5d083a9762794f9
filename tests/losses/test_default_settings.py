"""Default settings of every loss: those of its paper, and what the laptop preset changes of them."""

from typing import Any

import pytest

from experiments.core import registry
from tests.experiments.config.helpers import settings_of

# The papers' defaults at --preset paper, for an architecture that leaves them to the loss.
# No row names what it leaves to the architecture: dcgan's critic has batch norm, unless a penalty holds it.
ADAM_OF_DCGAN = {
    "optimizer": "adam",
    "lr_generator": 2e-4,
    "lr_critic": 2e-4,
    "optimizer.betas": (0.5, 0.999),
}
PLAIN = {
    "n_critic": 1, **ADAM_OF_DCGAN, "penalty": (), "penalty_weight": None, "regularizers": (),
    "critic_norm": "batch",
}  # fmt: skip
HELD = {"penalty_every": 1, "penalty_anneal": 1.0, "regularizers": (), "critic_norm": "none"}
WASSERSTEIN = {
    "n_critic": 5, "optimizer": "adam", "lr_generator": 1e-4, "lr_critic": 1e-4,
    "optimizer.betas": (0.0, 0.9), "penalty": ("interpolates",), "penalty_weight": 10.0, **HELD,
}  # fmt: skip
PAPER_LOSSES: dict[str, dict[str, Any]] = {
    "bce": PLAIN,
    "bce-saturating": PLAIN,
    "lsgan": PLAIN,
    "wgan": PLAIN
    | {
        "n_critic": 5,
        "optimizer": "rmsprop",
        "lr_generator": 5e-5,
        "lr_critic": 5e-5,
        "optimizer.betas": None,
    }
    | {"regularizers": (("weight-clip", 0.01),)},
    "wgan-gp": WASSERSTEIN | {"penalty_norm": "one"},
    "wgan-lp": WASSERSTEIN | {"penalty_norm": "one-sided"},
    "dragan": PLAIN | HELD | {"penalty": ("dragan",), "penalty_norm": "one", "penalty_weight": 10.0},
    "hinge": PLAIN | {"n_critic": 5, "optimizer.betas": (0.0, 0.9), "critic_norm": "spectral"},
    "r1": PLAIN
    | HELD
    | {"optimizer.betas": (0.0, 0.99), "penalty": ("real",), "penalty_norm": "zero", "penalty_weight": 10.0},
    "relativistic": PLAIN | {"optimizer.betas": (0.0, 0.99)},
    "r3gan": PLAIN
    | HELD
    | {"optimizer.betas": (0.0, 0.99), "penalty": ("real", "fake"), "penalty_norm": "zero"}
    | {"penalty_weight": 1.0, "penalty_anneal": 0.1},
}
FORMS = {
    "wgan-gp": "wgan", "wgan-lp": "wgan", "dragan": "bce", "r1": "bce", "r3gan": "relativistic",
}  # fmt: skip


def test_every_loss_of_the_papers_is_here() -> None:
    assert set(registry.loss_names()) == set(PAPER_LOSSES)


@pytest.mark.parametrize("loss", PAPER_LOSSES)
def test_a_loss_is_its_form(loss: str) -> None:
    assert registry.load_recipe(loss).form == FORMS.get(loss, loss)


@pytest.mark.parametrize("loss", PAPER_LOSSES)
def test_the_papers_defaults(loss: str) -> None:
    found = settings_of(arch="dcgan", loss=loss, preset="paper")
    assert {name: found.get(name) for name in PAPER_LOSSES[loss]} == PAPER_LOSSES[loss]


# Smaller networks learn faster; nothing but rates, and the bound that goes with fewer channels, is another.
LAPTOP_LOSSES: dict[str, dict[str, Any]] = {
    "wgan": {"lr_generator": 5e-4, "lr_critic": 5e-4, "regularizers": (("weight-clip", 0.05),)},
    "wgan-gp": {"lr_generator": 1e-3, "lr_critic": 1e-3},
    "wgan-lp": {"lr_generator": 1e-3, "lr_critic": 1e-3},
    "hinge": {"lr_generator": 1e-3, "lr_critic": 1e-3},
}


@pytest.mark.parametrize("loss", PAPER_LOSSES)
def test_the_laptop_preset_changes_rates_only(loss: str) -> None:
    found = settings_of(arch="dcgan", loss=loss, preset="laptop", image_size=(64, 64))
    expected = PAPER_LOSSES[loss] | LAPTOP_LOSSES.get(loss, {})
    assert {name: found.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("side", "weight"), [((32, 32), 0.05), ((28, 28), 0.05), ((64, 64), 1.0), ((16, 64), 1.0)]
)
def test_r3gans_weight_depends_on_the_size(side: tuple[int, int], weight: float) -> None:
    """γ 0.05 at 32 px, 1 at 64; by the longer side."""
    found = settings_of(arch="dcgan", loss="r3gan", image_size=side, preset="paper")
    assert found["penalty_weight"] == weight
    assert settings_of(arch="mlp", loss="r3gan", data="ring8")["penalty_weight"] == 1.0, "points have no size"
