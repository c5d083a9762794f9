"""Default settings of every architecture: those of its paper, and those of the laptop preset."""

from typing import Any

import pytest

from experiments.config.resolve import resolve
from tests.conftest import ARCHITECTURES
from tests.experiments.config.helpers import settings_of

NAMES = ("image_size", "batch_size", "kimg", "z_dim", "width", "n_critic", "lr_generator", "ema_kimg")
Row = tuple[Any, ...]
# A row holds the settings above, and then those that an architecture has beyond them.
PAPERS: dict[str, tuple[Row, dict[str, Any]]] = {
    "dcgan": ((64, 128, 5000.0, 100, 128, 1, 2e-4, 10.0), {"critic_norm": "batch"}),
    # SNGAN: 50,000 updates of the generator, each after 5 batches of 64.
    "resnet": ((32, 64, 16_000.0, 128, 128, 5, 2e-4, 10.0), {"critic_norm": "spectral"}),
    "progan": (
        (256, 16, 12_000.0, 512, 64, 1, 1e-3, 10.0),
        {"arch.fade_kimg": 600.0, "arch.stable_kimg": 600.0, "regularizers": (("drift", 0.001),)}
        | {"optimizer.betas": (0.0, 0.99), "penalty_weight": 10.0},
    ),
    # The authors' code, for eight GPUs.
    "stylegan": (
        (256, 32, 25_000.0, 512, 64, 1, 1e-3, 10.0),
        {"arch.fade_kimg": 600.0, "arch.stable_kimg": 600.0, "regularizers": ()}
        | {"optimizer.betas": (0.0, 0.99), "penalty_weight": 10.0, "penalty_every": 1},
    ),
    "stylegan2": (
        (256, 32, 25_000.0, 512, 128, 1, 2.5e-3, 10.0),
        {"optimizer.betas": (0.0, 0.99), "penalty_every": 16, "regularizers": ()},
    ),
    # Table 9 of the paper, CIFAR-10.
    "r3gan": (
        (32, 512, 250_000.0, 64, 768, 1, 2e-4, 5000.0),
        {"optimizer.betas": (0.0, 0.99), "penalty_weight": 0.05, "penalty_anneal": 0.1}
        | {"lr_schedule": "constant"},
    ),
    "cyclegan": (
        (256, 1, 266.8, None, 64, 1, 2e-4, 0.0),
        {"lr_schedule": "linear", "lr_decay_from": 0.5, "critic_norm": "plain-instance"},
    ),
    # 400 facades for 200 epochs.
    "pix2pix": (
        (256, 1, 80.0, None, 64, 1, 2e-4, 0.0),
        {"lr_schedule": "constant", "critic_norm": "batch", "arch.norm": "batch"},
    ),
    # 200,000 iterations of 16 images.
    "stargan": (
        (128, 16, 3200.0, None, 64, 5, 1e-4, 0.0),
        {"lr_schedule": "linear", "lr_decay_from": 0.5, "penalty_weight": 10.0},
    ),
    "swap": ((64, 64, 6400.0, None, 64, 1, 5e-5, 0.0), {"critic_norm": "instance"}),
}
# The smallest that shows the idea: the figures and minutes in docs/ are those of these settings.
LAPTOP: dict[str, tuple[Row, dict[str, Any]]] = {
    "dcgan": ((32, 16, 200.0, 64, 24, 1, 2e-4, 10.0), {}),
    "resnet": ((32, 16, 200.0, 64, 32, 5, 1e-3, 10.0), {}),
    "progan": ((32, 16, 80.0, 64, 16, 1, 1e-3, 10.0), {"arch.fade_kimg": None, "arch.stable_kimg": None}),
    "stylegan": (
        (32, 16, 140.0, 64, 16, 1, 2.5e-3, 10.0),
        {"arch.fade_kimg": None, "arch.stable_kimg": None, "penalty_weight": 1.0},
    ),
    "stylegan2": ((32, 16, 64.0, 64, 16, 1, 2.5e-3, 10.0), {"penalty_weight": 0.2, "penalty_every": 16}),
    "r3gan": ((32, 8, 24.0, 64, 16, 1, 2e-3, 10.0), {"penalty_weight": 1.0, "lr_schedule": "cosine"}),
    "cyclegan": ((32, 4, 16.0, None, 16, 1, 1e-3, 0.0), {}),
    "pix2pix": (
        (32, 8, 40.0, None, 16, 1, 1e-3, 0.0),
        {"critic_norm": "instance", "arch.norm": "instance"},
    ),
    "stargan": (
        (32, 8, 40.0, None, 16, 1, 1e-3, 0.0),
        {"arch.classification_weight": 0.5, "arch.reconstruction_weight": 12.5, "penalty_weight": 2.5}
        | {"arch.form": "small-images"},
    ),
    "swap": ((32, 16, 120.0, None, 16, 1, 5e-4, 0.0), {}),
}


# What an architecture is for: its task, its loss and data, whether it takes labels, and the critic's parts.
IMAGES = ("images",)
RECORDS: dict[str, Row] = {
    "mlp": ("noise", ("images", "points"), "bce", "ring8", True, "none", None),
    "dcgan": ("noise", IMAGES, "bce", "shapes", True, "batch", None),
    "resnet": ("noise", IMAGES, "hinge", "shapes", True, "none", None),
    "progan": ("noise", IMAGES, "wgan-gp", "shapes", True, "none", "deviation"),
    "stylegan": ("noise", IMAGES, "r1", "shapes", True, "none", "deviation"),
    "stylegan2": ("noise", IMAGES, "r1", "shapes", True, "none", "deviation"),
    "r3gan": ("noise", IMAGES, "r3gan", "shapes", True, "none", None),
    "cyclegan": ("domains", IMAGES, "lsgan", "shapes-styles", False, "plain-instance", None),
    "pix2pix": ("pairs", IMAGES, "bce", "shapes-paired", False, "batch", None),
    "stargan": ("attributes", IMAGES, "wgan-gp", "shapes-attributes", False, "none", None),
    "swap": ("domains", IMAGES, "lsgan", "shapes-styles", False, "instance", None),
}


REVISIONS = {
    **dict.fromkeys(("progan", "stylegan", "stylegan2"), 2),
    **dict.fromkeys(("cyclegan", "pix2pix", "stargan"), 2),
}


@pytest.mark.parametrize("arch", RECORDS)
def test_what_an_architecture_is_for(arch: str) -> None:
    """And of which revision its weights are; files of earlier versions say nothing of one."""
    found = ARCHITECTURES[arch]
    names = ("task", "data", "default_loss", "default_data", "takes_labels", "critic_norm")
    assert tuple(getattr(found, name) for name in (*names, "minibatch_statistic")) == RECORDS[arch]
    assert found.revision == REVISIONS.get(arch, 1)


def check(found: dict[str, Any], row: Row, others: dict[str, Any]) -> None:
    side, *rest = row
    expected = dict(zip(NAMES, ((side, side), *rest), strict=True)) | others
    assert {name: found[name] for name in expected} == expected
    assert found["lr_critic"] == found["lr_generator"]


@pytest.mark.parametrize("arch", PAPERS)
def test_settings_of_the_papers(arch: str) -> None:
    check(settings_of(arch=arch, preset="paper"), *PAPERS[arch])


@pytest.mark.parametrize("arch", LAPTOP)
def test_settings_of_the_laptop_preset(arch: str) -> None:
    """What a paper has beyond size, length and rate stays, but for what is named here."""
    _, beyond = PAPERS[arch]
    row, others = LAPTOP[arch]
    check(settings_of(arch=arch, preset="laptop"), row, beyond | others)


@pytest.mark.parametrize("loss", ["wgan-gp", "wgan-lp", "r1", "bce"])
@pytest.mark.parametrize("arch", ["progan", "stylegan"])
def test_wasserstein_critics_of_growing_networks_are_kept_from_drifting(arch: str, loss: str) -> None:
    """Karras et al. 2018, appendix A.1; with other losses there is nothing that drifts."""
    drifts = loss.startswith("wgan")
    found = settings_of(arch=arch, loss=loss, preset="paper")["regularizers"]
    assert found == ((("drift", 0.001),) if drifts else ())


@pytest.mark.parametrize(
    ("side", "batch", "kimg", "ema", "width"),
    [(32, 512, 250_000.0, 5000.0, 128), (64, 256, 100_000.0, 500.0, 64), (256, 256, 200_000.0, 500.0, 64)],
)
def test_settings_that_follow_the_size(side: int, batch: int, kimg: float, ema: float, width: int) -> None:
    """R3GAN's table 9; the residual networks are those of WGAN-GP up to 32 pixels, of SNGAN above."""
    found = settings_of(arch="r3gan", preset="paper", image_size=(side, side))
    assert (found["batch_size"], found["kimg"], found["ema_kimg"]) == (batch, kimg, ema)
    assert settings_of(arch="resnet", preset="paper", image_size=(side, side))["width"] == width


@pytest.mark.parametrize(
    ("data", "preset", "row"),
    [
        ("shapes", "paper", ((32, 32), 64, 5000.0, 100, 512)),
        ("shapes", "laptop", ((32, 32), 64, 300.0, 100, 256)),
        ("ring8", "paper", (None, 256, 5000.0, 2, 128)),
        ("ring8", "laptop", (None, 256, 5000.0, 2, 128)),
    ],
)
def test_mlps_settings_of_images_and_of_points(data: str, preset: str, row: Row) -> None:
    found = settings_of(arch="mlp", data=data, preset=preset)
    assert tuple(found[name] for name in NAMES[:5]) == row


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
