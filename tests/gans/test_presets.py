"""Published configurations by name: `--preset NAME` gives the values of the papers and of their code."""

import re
from math import ceil
from typing import Any, NamedTuple

import pytest

from experiments.config.resolve import resolve
from experiments.core.errors import UsageError
from experiments.training.memory_estimate import describe_plan
from gans.core.architecture import USUAL_PRESETS
from gans.core.clock import Clock
from gans.core.growth_pace import GrowthPace, StageRate
from tests.conftest import ARCHITECTURES
from tests.gans import published_sizes as sizes


class Row(NamedTuple):
    """A row of a published table, with the size of both networks where it is known."""

    arch: str
    preset: str
    flags: dict[str, Any]
    parameters: tuple[int, int] | None
    expected: dict[str, str]


def row(arch: str, preset: str, parameters: Any, /, *flags: int, **expected: str) -> Row:
    size = {"image_size": (flags[0], flags[0])} if flags else {}
    return Row(arch, preset, size, parameters, expected)


def stylegan2(
    batch: int, rate: str, gamma: str, ema: str, ramp: str, group: int, layers: int
) -> dict[str, str]:
    found = {"batch_size": str(batch), "lr_generator": rate, "lr_critic": rate, "penalty_weight": gamma}
    found |= {"ema_kimg": ema, "ema.ramp_up": ramp, "minibatch_statistic.group_size": str(group)}
    return found | {"arch.mapping_layers": str(layers), "penalty_every": "16", "optimizer.betas": "0,0.99"}


F = 30_370_060, 29_012_513  # as NVlabs' code prints them
MANY, NONE = "25000", "–"
TABLE = [
    # stylegan2-ada-pytorch: batch, rate, γ, EMA and its ramp-up, group, mapping layers.
    row("stylegan2", "paper", F, 1024, kimg=MANY, **stylegan2(32, "0.002", "10", "10", NONE, 4, 8)),
    row(
        "stylegan2",
        "paper",
        sizes.stylegan2(32768, 64, 8),
        64,
        **stylegan2(32, "0.0025", "0.0256", "10", NONE, 4, 8),
    ),
    row("stylegan2", "stylegan2", F, kimg=MANY, **stylegan2(32, "0.002", "10", "10", NONE, 4, 8)),
    row(
        "stylegan2",
        "paper256",
        sizes.stylegan2(16384, 256, 8),
        kimg=MANY,
        **stylegan2(64, "0.0025", "1", "20", NONE, 8, 8),
    ),
    row(
        "stylegan2",
        "paper512",
        sizes.stylegan2(32768, 512, 8),
        kimg=MANY,
        **stylegan2(64, "0.0025", "0.5", "20", NONE, 8, 8),
    ),
    row("stylegan2", "paper1024", F, kimg=MANY, **stylegan2(32, "0.002", "2", "10", NONE, 4, 8)),
    row(
        "stylegan2",
        "cifar",
        sizes.stylegan2(32768, 32, 2, skips=False),
        image_size="32x32",
        kimg="100000",
        **stylegan2(64, "0.0025", "0.01", "500", "0.05", 32, 2),
        **{"arch.style_mixing": "0", "arch.path_length_weight": "0", "arch.critic_skips": "none"},
    ),
    *(
        row(
            "stylegan2",
            "ada-auto",
            sizes.stylegan2(base, side, 2),
            side,
            kimg=MANY,
            **stylegan2(batch, rate, gamma, ema, "0.05", 4, 2),
        )
        for side, base, batch, rate, gamma, ema in (
            (128, 16384, 32, "0.0025", "0.1024", "10"),
            (256, 16384, 16, "0.0025", "0.8192", "5"),
            (512, 32768, 8, "0.0025", "6.5536", "2.5"),
            (1024, 32768, 4, "0.002", "52.4288", "1.25"),
        )
    ),
    row(
        "progan",
        "paper",
        (23_079_115, 23_087_249),
        1024,
        batch_size="16",
        lr_generator="0.001",
        lr_critic="0.001",
        **{"arch.stage_batch_sizes": "256:14,512:6,1024:3", "minibatch_statistic.group_size": "16"},
    ),
    row(
        "progan",
        "celeba-hq",
        sizes.progan(16384, 1024),
        kimg="19000",
        augment="flip=0.5",
        penalty_weight="10",
        **{"arch.stage_batch_sizes": "256:14,512:6,1024:3", "arch.fade_kimg": "800"},
    ),
    row("progan", "lsun", sizes.progan(16384, 256), kimg="20000", **{"arch.stage_batch_sizes": NONE}),
    row(
        "progan",
        "v2-1gpu",
        sizes.progan(16384, 1024),
        kimg="12000",
        batch_size="4",
        **{"arch.stage_batch_sizes": "4:128,8:128,16:128,32:64,64:32,128:16,256:8,512:4"},
        **{"arch.stage_rate_factors": "1024:1.5", "arch.stable_kimg": "600"},
    ),
    row(
        "progan",
        "v2-8gpus",
        sizes.progan(16384, 1024),
        batch_size="32",
        **{"arch.stage_batch_sizes": "4:512,8:256,16:128,32:64,64:32"},
        **{"arch.stage_rate_factors": "128:1.5,256:2,512:3,1024:3"},
    ),
    row(
        "stylegan",
        "ffhq",
        sizes.stylegan(16384, 1024),
        batch_size="32",
        kimg=MANY,
        penalty_weight="10",
        lr_generator="0.001",
        **{"arch.stage_batch_sizes": "8:256,16:128,32:64,64:32"},
        **{"arch.stage_rate_factors": "128:1.5,256:2,512:3,1024:3"},
    ),
    row(
        "stylegan",
        "paper",
        sizes.stylegan(16384, 128),
        128,
        batch_size="32",
        **{"arch.stage_batch_sizes": "8:256,16:128,32:64,64:32", "arch.stage_rate_factors": "128:1.5"},
    ),
    row(
        "stylegan",
        "1gpu",
        sizes.stylegan(16384, 1024),
        batch_size="4",
        **{"arch.stage_batch_sizes": "8:128,16:128,32:64,64:32,128:16,256:8,512:4"},
    ),
    *(
        row(
            "r3gan",
            preset,
            sizes.r3gan(width, halves, scales, group, classes),
            batch_size=batch,
            penalty_weight=gamma,
            penalty_anneal="0.1",
            ema_kimg=ema,
            schedule_kimg=burn_in,
            kimg=kimg,
            z_dim="64",
            lr_schedule="constant",
            schedule=f"beta2=cosine:0.9:0.99,ema_kimg=cosine:0:{ema},"
            "lr_critic=cosine:0.0002:5e-05,lr_generator=cosine:0.0002:5e-05",
        )
        for preset, width, halves, scales, group, classes, batch, gamma, ema, burn_in, kimg in (
            ("cifar10", 768, 0, 4, 16, 6, "512", "0.05", "5000", "20000", "250000"),
            ("ffhq64", 768, 1, 5, 16, 0, "256", "2", "500", "20000", "100000"),
            ("ffhq256", 768, 3, 7, 16, 0, "256", "150", "500", "20000", "200000"),
            ("imagenet32", 1536, 0, 4, 32, 6, "4096", "0.5", "50000", "200000", "1e+06"),
            ("imagenet64", 1536, 0, 5, 32, 6, "4096", "1", "50000", "200000", "1e+06"),
        )
    ),
    *(
        row(
            arch,
            preset,
            None,
            batch_size="1",
            image_size="256x256",
            kimg=kimg,
            lr_generator="0.0002",
            augment="crop=0.1171875,flip=0.5",
            **{"crop.border": "enlarge", "optimizer.betas": "0.5,0.999"},
        )
        for arch, preset, kimg in (
            ("cyclegan", "paper", "270"),
            ("cyclegan", "horse2zebra", "266.8"),
            ("cyclegan", "maps", "219.2"),
            ("pix2pix", "paper", "80"),
            ("pix2pix", "facades", "80"),
            ("pix2pix", "maps", "219.2"),
            ("pix2pix", "cityscapes", "595"),
        )
    ),
]


@pytest.mark.parametrize("published", TABLE, ids=lambda row: f"{row.arch}-{row.preset}-{row.flags}")
def test_dry_run_shows_the_published_values(published: Row) -> None:
    """The embedded shapes have 6 classes, where the papers' labelled data have 10 and 1000."""
    arch, preset, flags, parameters, expected = published
    plan = describe_plan(resolve({"arch": arch, "preset": preset, "device": "cpu", **flags}))
    found = {line.split()[0]: line.split()[1] for line in plan.splitlines() if line.strip()}
    assert {name: found[name] for name in expected} == expected
    if parameters is not None:
        assert (found["generator"], found["critic"]) == tuple(f"{number:,}" for number in parameters)


def test_every_preset_is_in_the_table() -> None:
    named = {(name, preset) for name, each in ARCHITECTURES.items() for preset in each.presets}
    named -= {("r3gan", "paper")}  # in tests/gans/test_default_settings.py
    assert named == {(each.arch, each.preset) for each in TABLE}


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_presets_are_described_and_others_refused(arch: str) -> None:
    known = ARCHITECTURES[arch].describe_presets()
    assert known.keys() >= USUAL_PRESETS.keys() and all(known.values())
    with pytest.raises(UsageError, match=re.escape(f"--preset papre: architecture {arch} has ")) as error:
        resolve({"arch": arch, "preset": "papre"})
    assert str(error.value).endswith(", ".join(known))
    with pytest.raises(UsageError, match=r"config f.json: preset papre"):
        resolve({"arch": arch}, {"preset": "papre"}, "f.json")


def test_sources_say_which_row_the_weight_is_from() -> None:
    def source(**flags: Any) -> str:
        return resolve({"arch": "stylegan2", "preset": "paper", **flags}).sources["penalty_weight"]

    assert source(image_size=(1024, 1024)) == "architecture stylegan2: config F of table 1 at 1024 pixels"
    for size in ((512, 512), (1024, 512)):
        assert source(image_size=size) == "architecture stylegan2: 0.0002 · pixels / batch"
    assert source(image_size=(1024, 1024), penalty_weight=2.0) == "flag"


def test_presets_rules_follow_flags() -> None:
    """γ, the EMA and the group follow a batch that a flag sets."""
    spec = resolve({"arch": "stylegan2", "preset": "ada-auto", "image_size": (64, 64), "batch_size": 2})
    settings = spec.settings
    assert settings.penalty_weight == pytest.approx(0.0002 * 64**2 / 2)
    assert settings.ema_kimg == pytest.approx(10 * 2 / 32)
    assert settings.options["minibatch_statistic.group_size"] == 2
    assert settings.width == 256
    assert spec.sources["minibatch_statistic.group_size"].endswith(": the batch size, at most 4")


@pytest.mark.parametrize(
    ("flags", "moving"),
    [
        ({}, {"beta2", "ema_kimg", "lr_critic", "lr_generator"}),
        ({"lr_generator": 1e-4}, {"beta2", "ema_kimg", "lr_critic"}),
        ({"betas": (0.0, 0.9), "ema_kimg": 3.0}, {"lr_critic", "lr_generator"}),
        ({"ema_kimg": 0.0, "optimizer": "rmsprop"}, {"lr_critic", "lr_generator"}),
        ({"ttur": 2.0}, {"beta2", "ema_kimg", "lr_generator"}),
    ],
    ids=lambda value: "" if isinstance(value, set) else str(value),
)
def test_a_number_that_is_set_wins_over_a_presets_schedule(flags: dict[str, Any], moving: set[str]) -> None:
    base = {"arch": "r3gan", "preset": "ffhq64"}
    for given, file in ((flags, {}), ({}, flags)):
        settings = resolve({**base, **given}, file, "f.json").settings
        assert {key for key, *_ in settings.schedule} == moving
        assert settings.schedule_kimg == 20_000.0
    own = resolve(base).settings.to_dict()
    assert resolve({}, own, "config.json").settings.schedule == resolve(base).settings.schedule


def test_stylegans_rates_beside_wassersteins_loss_are_at_most_doubled() -> None:
    for preset in ("paper", "ffhq"):
        flags = {"arch": "stylegan", "preset": preset, "loss": "wgan-gp", "image_size": (1024, 1024)}
        found = dict(resolve(flags).settings.options["arch.stage_rate_factors"])
        assert found == {128: 1.5, 256: 2.0, 512: 2.0, 1024: 2.0}
    assert resolve({**flags, "preset": "laptop"}).settings.options["arch.stage_rate_factors"] == ()


def test_rates_follow_the_size_from_the_start_of_its_fade() -> None:
    pace = GrowthPace(fade_images=10, stable_images=20)  # 0 until 20, 1 from 30 on, 2 from 60 on
    rate = StageRate(lambda clock: 0.5, pace, (1.0, 1.5, 3.0))
    found = {seen: rate(Clock(seen)) for seen in (0, 20, 21, 30, 50, 51, 99)}
    assert found == {0: 0.5, 20: 0.5, 21: 0.75, 30: 0.75, 50: 0.75, 51: 1.5, 99: 1.5}
    assert [ceil(pace.stage(Clock(seen), 2)) for seen in found] == [0, 0, 1, 1, 1, 2, 2]
