"""Settings are resolved in one order, and say where they came from."""

from dataclasses import replace
from typing import Any

import pytest

from experiments.config.files import check_same_recipe, differences
from experiments.config.resolve import RunSpec, resolve
from experiments.core import registry
from experiments.core.errors import UsageError
from experiments.core.settings import FIELDS, read_setting

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


def settings_of(**flags: Any) -> dict[str, Any]:
    return resolve(flags).settings.to_dict()


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


def _again(name: str, value: Any) -> Any:
    return value if "." in name else read_setting(name, value)


def test_a_saved_config_resolves_to_itself() -> None:
    for flags in (
        {"arch": "dcgan", "loss": "wgan-gp"},
        {"arch": "mlp", "loss": "wgan", "data": "ring8", "steps": 9},
        {"arch": "dcgan", "loss": "r3gan", "ttur": 2.0, "lr_schedule": "linear", "augment": (("flip", 0.5),)},
        {"arch": "dcgan", "loss": "bce", "image_size": (16, 8), "regularizers": (("label-smoothing", 0.9),)},
    ):
        import json

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
    ("name", "words", "value"),
    [
        ("image_size", "32", (32, 32)),
        ("image_size", "48x64", (48, 64)),
        ("betas", "0,0.9", (0.0, 0.9)),
        ("penalty", "real,fake", ("real", "fake")),
        (
            "regularizers",
            "weight-clip=0.01,instance-noise=1",
            (("instance-noise", 1.0), ("weight-clip", 0.01)),
        ),
        ("kimg", "1e2", 100.0),
    ],
)
def test_words_are_read(name: str, words: str, value: Any) -> None:
    assert read_setting(name, words) == value
    assert (
        [type(part) for part in value] == [type(p) for p in read_setting(name, words)]
        if isinstance(value, tuple)
        else True
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("image_size", "0"), ("image_size", "8x"), ("image_size", "1x2x3"), ("image_size", "-8"),
        ("betas", "0.5"), ("betas", "0.5,1.0"), ("betas", "a,b"), ("batch_size", "2.5"), ("seed", "-1"),
        ("lr_critic", "0"), ("lr_critic", "nan"), ("lr_critic", "inf"), ("lr_critic", "1e9"),
        ("channels", "2"), ("regularizers", "weight-clip"), ("kimg", "0"),
    ],
)  # fmt: skip
def test_impossible_words_are_refused(name: str, words: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_setting(name, words)


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
