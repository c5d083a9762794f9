"""Defaults of the papers: of every loss, of architectures, and weights that follow from size and batch."""

from typing import Any

import pytest

from experiments.config.resolve import resolve
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


@pytest.mark.parametrize(
    ("side", "weight"), [((32, 32), 0.05), ((28, 28), 0.05), ((64, 64), 1.0), ((16, 64), 1.0)]
)
def test_r3gans_weight_depends_on_the_size(side: tuple[int, int], weight: float) -> None:
    """γ 0.05 at 32 px, 1 at 64; by the longer side."""
    found = settings_of(arch="dcgan", loss="r3gan", image_size=side, preset="paper")
    assert found["penalty_weight"] == weight
    assert settings_of(arch="mlp", loss="r3gan", data="ring8")["penalty_weight"] == 1.0, "points have no size"


@pytest.mark.parametrize(
    ("flags", "weight"),
    [
        ({}, 0.4096),
        ({"image_size": (128, 128), "batch_size": 16}, 0.2048),
        ({"image_size": (128, 64)}, 0.0512),
        ({"batch_size": 64}, 0.2048),
    ],
    ids=str,
)
def test_stylegan2s_weight_follows_from_pixels_and_batch(flags: dict[str, Any], weight: float) -> None:
    """γ = 0.0002 · pixels / batch, of whatever size and batch the run has in the end."""
    base = {"arch": "stylegan2", "preset": "paper"}
    spec = resolve({**base, **flags})
    assert spec.settings.penalty_weight == pytest.approx(weight)
    assert spec.sources["penalty_weight"] == "architecture stylegan2: 0.0002 · pixels / batch"
    assert resolve(base, flags, "f.json").settings.penalty_weight == pytest.approx(weight)
    given = resolve({**base, **flags, "penalty_weight": 7.0})
    assert (given.settings.penalty_weight, given.sources["penalty_weight"]) == (7.0, "flag")
    own = spec.settings.to_dict()
    again = resolve({"batch_size": 4, "image_size": (64, 64)}, own, "config.json").settings
    assert again.penalty_weight == spec.settings.penalty_weight, "a run's own config stays"
    assert resolve({**base, **flags, "penalty": ()}).settings.penalty_weight is None
    laptop = resolve({**flags, "arch": "stylegan2", "preset": "laptop"}).settings
    assert laptop.penalty_weight == 0.2


def test_dcgans_own_defaults() -> None:
    found = settings_of(arch="dcgan", preset="paper")
    assert (found["loss"], found["z_dim"], found["critic_norm"], found["image_size"]) == (
        "bce",
        100,
        "batch",
        (64, 64),
    )


def test_points_with_a_one_centred_penalty() -> None:
    found = settings_of(arch="mlp", loss="wgan-gp", data="ring8", preset="paper")
    assert (found["penalty_weight"], found["lr_critic"], found["optimizer.betas"]) == (0.1, 1e-3, (0.0, 0.9))
    assert found["image_size"] is None
