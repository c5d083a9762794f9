"""`--critic-augment` is read, completed by the preset's rules, or refused with a remedy."""

from typing import Any

import pytest

from experiments.config.factory import build_networks, loss_spec_of
from experiments.config.resolve import RunSpec, resolve
from experiments.core.errors import UsageError
from gans.core.critic_view import CriticView


def spec_of(**flags: Any) -> RunSpec:
    return resolve({"device": "cpu", "arch": "dcgan", "steps": 4, **flags})


def view_of(**flags: Any) -> CriticView | None:
    settings = spec_of(width=4, **flags).settings
    return loss_spec_of(settings, build_networks(settings)[0]).critic_view


def test_probabilities() -> None:
    assert view_of() is None and view_of(critic_augment="none") is None
    adaptive, fixed = view_of(critic_augment="ada"), view_of(critic_augment="ada:0.25")
    scheduled = view_of(critic_augment="ada", schedule="ada=linear:0:0.5", loss="wgan-gp")
    always = view_of(critic_augment="diffaugment", **{"diffaugment.policy": "cutout"})
    assert adaptive and adaptive.adaptive and adaptive.threshold == 0.0 and adaptive.probability == 0.0
    assert fixed and fixed.adaptive is None and fixed.probability == 0.25
    assert scheduled and scheduled.probability == 0.0 and not scheduled.adaptive
    assert always and always.probability == 1.0


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"critic_augment": "ada:1.5"}, "'1.5' is not a number at least 0 and at most 1"),
        ({"critic_augment": "ada:-0.1"}, "'-0.1' is not a number at least 0"),
        ({"critic_augment": "ada:"}, "'' is not a number"),
        ({"critic_augment": "adda"}, "unknown critic-augmentation 'adda'; did you mean ada?"),
        ({"critic_augment": "diffaugment:0.5"}, "diffaugment takes no probability; give diffaugment alone"),
        (
            {"critic_augment": "ada", "arch": "mlp", "data": "ring8"},
            r"--critic-augment has no meaning for points \(ring8\)",
        ),
        (
            {"critic_augment": "ada", "loss": "wgan-gp"},
            "say nothing with the loss wgan-gp; give a fixed one, such as --critic-augment ada:0.2",
        ),
        ({"critic_augment": "ada", "loss": "relativistic"}, "say nothing with the loss relativistic"),
        ({"ada.target": 0.5}, "--set ada.target has no meaning without critic-augmentation ada"),
        (
            {"critic_augment": "ada:0.2", "ada.target": 0.5},
            "--set ada.target has no meaning where the probability of ada is given",
        ),
        (
            {"critic_augment": "ada", "schedule": "ada=linear:0:0.5", "ada.kimg": 5.0},
            "--set ada.kimg has no meaning where the probability of ada is given",
        ),
        (
            {"critic_augment": "ada:0.2", "schedule": "ada=linear:0:1"},
            "--schedule ada and --critic-augment ada:0.2 exclude each other; take --critic-augment ada",
        ),
        (
            {"critic_augment": "ada", "schedule": "ada=linear:0:2"},
            "--schedule ada: '2.0' is not a number at least 0 and at most 1",
        ),
        ({"schedule": "ada=linear:0:1"}, "--schedule ada: nothing of that name moves in this run"),
    ],
)
def test_refusals(flags: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        spec_of(**flags)


@pytest.mark.parametrize(("arch", "side"), [("dcgan", 16), ("progan", 4)])
def test_bands_need_large_images_at_every_size(arch: str, side: int) -> None:
    flags = {"critic_augment": "ada:0.5", "ada.transforms": "bgc,imgfilter", "image_size": 16}
    with pytest.raises(UsageError, match=f"reflects 21 pixels, and the critic sees images of {side}"):
        view_of(**flags, arch=arch)


@pytest.mark.parametrize("augmentation", ["ada:0.2", "none"])
def test_a_flag_wins_over_the_schedule_of_a_config(augmentation: str) -> None:
    recorded = spec_of(critic_augment="ada", schedule="ada=linear:0:0.5,penalty_weight=linear:2:1", loss="r1")
    file = recorded.settings.to_dict()
    settings = resolve({"critic_augment": augmentation}, file, "config.json").settings
    assert settings.critic_augment == augmentation
    assert [key for key, *_ in settings.schedule] == ["penalty_weight"]
    assert resolve({}, file, "config.json").settings.schedule == recorded.settings.schedule


def test_kimg_by_preset() -> None:
    """500 as published; 100 in fine-tuning; a fifth of a laptop's run, and 500 batches at least."""
    laptop = {"critic_augment": "ada", "steps": None, "batch_size": 16, "preset": "laptop"}
    long, short = spec_of(**laptop, kimg=200.0), spec_of(**laptop, kimg=1.0)
    assert long.settings.options["ada.kimg"] == pytest.approx(40.0)
    assert short.settings.options["ada.kimg"] == pytest.approx(8.0)
    assert long.sources["ada.kimg"] == "preset laptop: 20% of the run"
    by_steps = spec_of(**{**laptop, "steps": 10_000, "n_critic": 2})
    assert by_steps.settings.options["ada.kimg"] == pytest.approx(64.0)
    paper = spec_of(critic_augment="ada", preset="paper")
    assert paper.settings.options["ada.kimg"] == 500 and paper.sources["ada.kimg"] == "default of ada"
    asked = spec_of(**laptop, kimg=200.0, **{"ada.kimg": 7.0})
    assert asked.settings.options["ada.kimg"] == 7.0 and asked.sources["ada.kimg"] == "flag"
    again = resolve({}, long.settings.to_dict(), "config.json")
    assert again.settings.options["ada.kimg"] == pytest.approx(40.0)


def test_a_term_may_start_later() -> None:
    spec = resolve(
        {"device": "cpu", "arch": "dcgan", "kimg": 80.0, "batch_size": 8}, strengths={"lecam": 0.3}
    )
    assert spec.settings.options["lecam.start"] == 200


@pytest.mark.parametrize(
    ("preset", "p"), [("cifar10", 0.55), ("ffhq64", 0.3), ("ffhq256", 0.3), ("imagenet32", 0.5)]
)
def test_r3gans_presets(preset: str, p: float) -> None:
    """Their authors' pipe: p rises over the burn-in; colours have a half of it; cutout is among them."""
    flags = {"arch": "r3gan", "preset": preset, "data": "shapes", "device": "cpu"}
    settings = resolve(flags).settings
    assert settings.critic_augment == f"ada:{p}"
    assert ("ada", "cosine", 0.0, p) in settings.schedule
    assert settings.options["ada.colour_share"] == 0.5
    assert settings.options["ada.transforms"] == ("bgc", "cutout")
    without = resolve({**flags, "critic_augment": "none"}).settings
    assert "ada" not in {key for key, *_ in without.schedule}
    fixed = resolve({**flags, "critic_augment": "ada:0.1"}).settings
    assert "ada" not in {key for key, *_ in fixed.schedule} and fixed.critic_augment == "ada:0.1"


def test_paper_leaves_it_out() -> None:
    settings = resolve({"arch": "r3gan", "preset": "paper", "data": "shapes", "device": "cpu"}).settings
    assert settings.critic_augment == "none"
