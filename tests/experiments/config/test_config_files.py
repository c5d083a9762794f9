"""Config files of runs, resolved again: as they are, with flags that change them, and of older versions."""

import json
from dataclasses import replace
from typing import Any

import pytest

from experiments.config.files import check_same_recipe, differences
from experiments.config.resolve import resolve
from experiments.core.errors import UsageError
from experiments.core.settings import read_setting


def _again(name: str, value: Any) -> Any:
    return value if "." in name else read_setting(name, value)


def test_a_saved_config_resolves_to_itself() -> None:
    for flags in (
        {"arch": "dcgan", "loss": "wgan-gp"},
        {"arch": "mlp", "loss": "wgan", "data": "ring8", "steps": 9},
        {"arch": "dcgan", "loss": "r3gan", "ttur": 2.0, "lr_schedule": "linear", "augment": (("flip", 0.5),)},
        {"arch": "dcgan", "loss": "bce", "image_size": (16, 8), "regularizers": (("label-smoothing", 0.9),)},
    ):
        saved = json.loads(json.dumps(resolve(flags).to_json()))
        again = resolve(
            {}, {name: _again(name, entry["value"]) for name, entry in saved.items()}, "config.json"
        )
        assert again.settings == resolve(flags).settings


def test_a_runs_config_is_not_mixed_with_another_loss() -> None:
    """The resolved "no penalty" of bce would silently win over wgan-gp's recipe."""
    whole = resolve({"arch": "dcgan", "loss": "bce"}).settings.to_dict()
    check_same_recipe(whole, {"loss": "bce", "width": 3})
    check_same_recipe({"loss": "bce", "width": 24}, {"loss": "wgan-gp"})
    with pytest.raises(UsageError, match="--loss wgan-gp with the config of a bce run"):
        check_same_recipe(whole, {"loss": "wgan-gp"})


@pytest.mark.parametrize(
    ("of", "flags", "expected"),
    [
        ({"loss": "bce"}, {"optimizer": "rmsprop"}, {"optimizer.betas": None}),
        ({"loss": "bce"}, {"ttur": 2.0}, {"lr_critic": 4e-4}),
        ({"ttur": 2.0}, {"lr_generator": 1e-3}, {"lr_critic": 2e-3}),
        ({"ttur": 2.0}, {"lr_critic": 5e-4}, {"ttur": None, "lr_critic": 5e-4}),
        (
            {"lr_schedule": "linear", "lr_decay_from": 0.5},
            {"lr_schedule": "constant"},
            {"lr_decay_from": None},
        ),
        ({"loss": "wgan-gp"}, {"penalty": ()}, {"penalty_norm": None, "penalty_weight": None}),
        ({"loss": "bce"}, {"penalty": ("real",)}, {"critic_norm": "none", "penalty_norm": "one"}),
        ({"loss": "wgan-gp", "critic_norm": "layer"}, {"penalty": ("real",)}, {"critic_norm": "layer"}),
    ],
)
def test_flags_change_the_config_of_a_run(
    of: dict[str, Any], flags: dict[str, Any], expected: dict[str, Any]
) -> None:
    """It holds every value, also those that its user never gave: they give way, and are no mistake."""
    before = resolve({"arch": "dcgan", "preset": "paper", **of}).settings.to_dict()
    after = resolve(flags, before, "config.json").settings.to_dict()
    assert {name: after.get(name) for name in expected} == expected
    assert resolve({}, after, "config.json").settings.to_dict() == after


def test_a_config_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(UsageError, match="one by one"):
        resolve({}, {"arch": "dcgan", "penalty": ("real",), "critic_norm": "batch"}, "mine.json")


def test_a_config_of_an_older_version_lacks_settings_that_had_no_effect_then() -> None:
    settings = resolve({"arch": "dcgan"}).settings
    later = ("augment", "skip_bad", "ema.ramp_up")
    older = {name: value for name, value in settings.to_dict().items() if name not in later}
    assert differences(older, settings) == []
    assert differences(older, replace(settings, skip_bad=True)) == ["skip_bad: False → True"]
