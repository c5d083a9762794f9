"""Order in which settings are resolved, where each says it came from, and combinations that are refused."""

from typing import Any

import pytest

from experiments.config.precedence import SettingsStack
from experiments.config.resolve import RunSpec, resolve
from experiments.core import registry
from experiments.core.errors import UsageError
from experiments.core.options import NAMED, describe_options
from experiments.core.settings import FIELDS
from losses.recipe import Rule
from tests.experiments.config.helpers import settings_of


def test_a_loss_brings_its_norm_where_the_architecture_has_none_to_insist_on() -> None:
    """The architecture's norm < the loss's < a per-sample penalty < the user."""
    assert settings_of(arch="dcgan", loss="hinge")["critic_norm"] == "spectral"
    assert settings_of(arch="dcgan", loss="hinge", penalty=("real",))["critic_norm"] == "none"
    assert settings_of(arch="dcgan", loss="hinge", critic_norm="layer")["critic_norm"] == "layer"


def test_the_critics_rate_as_a_multiple_of_the_generators() -> None:
    found = settings_of(arch="dcgan", ttur=3.0, lr_generator=1e-3)
    assert (found["lr_generator"], found["lr_critic"]) == (1e-3, 3e-3)
    with pytest.raises(UsageError, match="--ttur and --lr-critic"):
        resolve({"arch": "dcgan", "ttur": 3.0, "lr_critic": 1e-3})


def test_strengths_are_added_to_the_losses_own_and_zero_takes_away() -> None:
    def regularizers(loss: str, **strengths: float) -> tuple[tuple[str, float], ...]:
        named = {name.replace("_", "-"): value for name, value in strengths.items()}
        flags = {"arch": "dcgan", "loss": loss, "preset": "paper"}
        return resolve(flags, strengths=named).settings.regularizers

    assert regularizers("wgan") == (("weight-clip", 0.01),)
    assert regularizers("wgan", instance_noise=0.1) == (("instance-noise", 0.1), ("weight-clip", 0.01))
    assert regularizers("wgan", weight_clip=0.1) == (("weight-clip", 0.1),)
    assert regularizers("wgan", weight_clip=0) == ()
    file = {"regularizers": (("label-flip", 0.1),)}
    found = resolve({"arch": "dcgan"}, file, "f.json", {"label-smoothing": 0.9}).settings.regularizers
    assert found == (("label-flip", 0.1), ("label-smoothing", 0.9))


def test_a_strength_is_an_option_as_well() -> None:
    """`--set weight-clip.weight=0.1` is `--weight-clip 0.1`; in a file it is below flags."""
    wgan, weight = {"arch": "dcgan", "loss": "wgan", "preset": "paper"}, {"weight-clip.weight": 0.1}
    assert resolve({**wgan, **weight}).settings.regularizers == (("weight-clip", 0.1),)
    assert resolve({**wgan, "lecam.weight": 0.3}).settings.regularizers == (
        ("lecam", 0.3),
        ("weight-clip", 0.01),
    )
    assert resolve(wgan, {"weight_clip": {"weight": 0.1}}, "f.json").settings.regularizers == (
        ("weight-clip", 0.1),
    )
    both = ({"lecam": {"weight": 0.3}}, {"regularizers": {"drift": 0.1}})
    for one, other in (both, both[::-1]):
        found = resolve({"arch": "dcgan"}, {**one, **other}, "f.json").settings.regularizers
        assert found == (("drift", 0.1), ("lecam", 0.3)), "in any order"
    assert resolve({**wgan, "weight-clip.weight": 0}, weight, "f.json").settings.regularizers == ()
    with pytest.raises(UsageError, match="weight-clip=x: the strength must be a number"):
        resolve({**wgan, "weight-clip.weight": "x"})


def test_later_layers_win_one_by_one() -> None:
    """loss < architecture < preset < data < config file < flag; each is visible where no later one speaks."""
    base = {"arch": "mlp", "loss": "wgan-gp", "data": "ring8"}

    def origin(spec: RunSpec, name: str) -> tuple[Any, str]:
        return spec.settings.to_dict()[name], spec.sources[name]

    assert origin(resolve({**base, "preset": "paper"}), "n_critic") == (5, "loss wgan-gp")
    assert origin(resolve({**base, "preset": "paper"}), "lr_critic") == (1e-3, "architecture mlp")
    assert origin(resolve({"arch": "mlp", "data": "shapes"}), "width") == (
        256,
        "preset laptop of architecture mlp",
    )
    assert (
        origin(resolve({"arch": "dcgan", "loss": "wgan-gp"}), "lr_critic")[1]
        == "preset laptop of loss wgan-gp"
    )
    fashion = resolve({"arch": "dcgan", "data": "fashion-mnist"})
    assert origin(fashion, "image_size") == ((28, 28), "data fashion-mnist")
    file = {"lr_critic": 3e-3, "width": 7}
    both = resolve({**base, "lr_critic": 4e-3}, file, "f.json")
    assert origin(both, "width") == (7, "config f.json")
    assert origin(both, "lr_critic") == (4e-3, "flag")
    assert set(both.sources) == set(both.settings.to_dict()), "every setting and option has a source"
    assert set(FIELDS) < set(both.sources)


@pytest.mark.parametrize(("given", "other"), [("steps", "kimg"), ("kimg", "steps")])
def test_one_length_replaces_the_other(given: str, other: str) -> None:
    found = settings_of(arch="dcgan", **{given: 7})
    assert (found[given], found[other]) == (7, None)
    with pytest.raises(UsageError, match="exclude each other"):
        resolve({"arch": "dcgan", given: 7, other: 7})


def test_a_penalty_turns_batch_norm_off_and_refuses_it() -> None:
    """[1]"""
    assert settings_of(arch="dcgan", loss="bce")["critic_norm"] == "batch"
    assert settings_of(arch="dcgan", loss="wgan-gp")["critic_norm"] == "none"
    assert settings_of(arch="dcgan", loss="bce", penalty=("real",))["critic_norm"] == "none"
    with pytest.raises(UsageError, match="one by one"):
        resolve({"arch": "dcgan", "loss": "wgan-gp", "critic_norm": "batch"})
    assert settings_of(arch="dcgan", loss="wgan-gp", critic_norm="layer")["critic_norm"] == "layer"


@pytest.mark.parametrize(
    "flags",
    [
        {"loss": "bce", "penalty_weight": 3.0},
        {"loss": "wgan", "betas": (0.5, 0.9)},
        {"arch": "mlp", "data": "ring8", "image_size": (32, 32)},
        {"arch": "mlp", "data": "ring8", "augment": (("flip", 0.5),)},
        {"loss": "bce", "penalty_anneal": 0.1},
        {"lr_decay_from": 0.5},
    ],
    ids=str,
)
def test_no_setting_does_nothing(flags: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="has no meaning"):
        resolve({"arch": "dcgan", **flags})


@pytest.mark.parametrize(("size", "pixels"), [((4, 8), 32), (None, 1)])  # None: points
def test_a_rule_follows_from_the_pixels_and_the_batch_of_later_layers(size: Any, pixels: int) -> None:
    stack = SettingsStack()
    stack.put("paper", {"penalty_weight": Rule("pixels / batch", lambda pixels, batch: pixels / batch)})
    stack.put("flag", {"image_size": size, "batch_size": 16})
    stack.apply_rules()
    assert (stack.values["penalty_weight"], stack.sources["penalty_weight"]) == (
        pixels / 16,
        "paper: pixels / batch",
    )


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        (kind, f"{name}.{option}")
        for kind in NAMED
        for name in registry.names(kind)
        for option in describe_options(kind, name).options
    ],
)
def test_no_option_is_taken_for_a_plugin_that_the_run_does_not_have(kind: str, key: str) -> None:
    value = describe_options(kind, key.partition(".")[0]).options[key.partition(".")[2]].default
    owner = "evaluations by it" if kind == "metric" else f"{kind} {key.partition('.')[0]}"
    with pytest.raises(UsageError, match=f"--set {key} has no meaning without {owner}"):
        resolve({"arch": "dcgan", "loss": "bce", "track": "local", key: value})


@pytest.mark.parametrize("name", ["ema_kimg", "critic_ema_kimg", "critic_dropout"])
def test_what_is_off_is_not_scheduled(name: str) -> None:
    flags = {"arch": "dcgan", "schedule": ((name, "linear", 0.1, 0.2),)}
    assert settings_of(**flags, **{name: 0.1})["schedule"] == flags["schedule"]
    with pytest.raises(
        UsageError, match=f"--schedule {name} has no meaning without --{name.replace('_', '-')}"
    ):
        resolve({**flags, name: 0.0})


@pytest.mark.parametrize(
    ("name", "word", "message"),
    [
        ("penalty_norm", "two", "unknown penalty-norm 'two'; there are: one, one-sided, zero"),
        ("optimizer", "adan", "unknown optimizer 'adan'; did you mean adam"),
        ("lr_schedule", "cosin", "unknown schedule 'cosin'; did you mean cosine"),
        ("critic_norm", "spectal", "unknown norm 'spectal'; did you mean spectral"),
        ("minibatch_statistic", "deviance", "unknown batch-statistic 'deviance'; did you mean deviation"),
    ],
)
def test_unknown_components_are_refused(name: str, word: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        resolve({"arch": "progan", name: word})
