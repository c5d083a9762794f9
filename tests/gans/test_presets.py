"""Published configurations by name: `--preset NAME` gives the values of the papers and of their code."""

import re
from math import ceil
from typing import Any, NoReturn

import pytest

from experiments.config.resolve import resolve
from experiments.core.errors import UsageError
from experiments.training.memory_estimate import UnknownMemoryError
from experiments.training.plan import plan
from experiments.training.plan.report import describe_dry_run
from gans.core.architecture import USUAL_PRESETS
from gans.core.clock import Clock
from gans.core.growth_pace import GrowthPace, StageRate
from tests.conftest import ARCHITECTURES
from tests.gans.published_presets import TABLE, Row


@pytest.mark.usefixtures("all_shapes")  # batches may be larger than the sets of tests
@pytest.mark.parametrize("published", TABLE, ids=lambda row: f"{row.arch}-{row.preset}-{row.flags}")
def test_dry_run_shows_the_published_values(published: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded shapes have 6 classes, where the papers' labelled data have 10 and 1000."""

    def leave_out(*_: object) -> NoReturn:
        raise UnknownMemoryError("not counted here, where it takes most of the time")

    monkeypatch.setattr(plan, "estimate_process_memory", leave_out)
    arch, preset, flags, parameters, expected = published
    shown = describe_dry_run(resolve({"arch": arch, "preset": preset, "device": "cpu", **flags}))
    found = {line.split()[0]: line.split()[1] for line in shown.splitlines() if line.strip()}
    assert {name: found[name] for name in expected} == expected
    if parameters is not None:
        assert (found["generator"], found["critic"]) == tuple(f"{number:,}" for number in parameters)


def test_every_preset_is_in_the_table() -> None:
    named = {(name, preset) for name, each in ARCHITECTURES.items() for preset in each.presets}
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


@pytest.mark.parametrize(
    ("preset", "owners"),
    [("paper256", "stylegan2"), ("imagenet64", "r3gan"), ("maps", "cyclegan or pix2pix")],
)
def test_presets_of_other_architectures_name_them(preset: str, owners: str) -> None:
    with pytest.raises(UsageError, match=rf"dcgan has auto, paper, laptop; it belongs to --arch {owners}$"):
        resolve({"preset": preset})


def test_sources_say_which_row_the_weight_is_from() -> None:
    def source(arch: str, size: int | tuple[int, int], **flags: Any) -> str:
        size = (size, size) if isinstance(size, int) else size
        spec = resolve({"arch": arch, "preset": "paper", "image_size": size, **flags})
        return spec.sources["penalty_weight"]

    assert source("stylegan2", 1024) == "architecture stylegan2: config F of table 1 at 1024 pixels"
    for size in (512, (1024, 512)):
        assert source("stylegan2", size) == "architecture stylegan2: 0.0002 · pixels / batch"
    rows = {32: "CIFAR-10", 64: "FFHQ at 64 pixels", 128: "FFHQ at 256 pixels", 256: "FFHQ at 256 pixels"}
    for side, row in rows.items():
        assert source("r3gan", side) == f"preset paper of architecture r3gan: {row} of table 9"
    assert source("r3gan", 64, penalty_weight=2.0) == "flag"


@pytest.mark.parametrize("asked", [None, 1, 3, 48])
@pytest.mark.parametrize("side", [16, 32, 100, 128, 256, 512, 1024, 2048, 8192])
def test_ada_auto_follows_size_and_batch(side: int, asked: int | None) -> None:
    """The rules of StyleGAN2-ADA's code for one GPU, whoever sets the batch."""
    flags = {} if asked is None else {"batch_size": asked}
    spec = resolve({"arch": "stylegan2", "preset": "ada-auto", "image_size": (side, side), **flags})
    found = spec.settings
    batch = asked or {16: 32, 32: 32, 100: 32, 128: 32, 256: 16, 512: 8, 1024: 4, 2048: 2, 8192: 1}[side]
    assert found.batch_size == batch
    assert found.penalty_weight == pytest.approx(0.0002 * side**2 / batch)
    assert found.ema_kimg == pytest.approx(batch / 3.2)
    assert found.options["minibatch_statistic.group_size"] == min(batch, 4)
    assert found.lr_generator == found.lr_critic == (0.002 if side > 1000 else 0.0025)
    base = 16384 if side < 512 else 32768
    assert found.width == min(base // side, 512)
    assert spec.sources["minibatch_statistic.group_size"].endswith(": the batch size, at most 4")


@pytest.mark.parametrize(
    ("flags", "moving"),
    [
        ({}, {"beta2", "ema_kimg", "lr_critic", "lr_generator"}),
        ({"lr_generator": 1e-4}, {"beta2", "ema_kimg", "lr_critic"}),
        ({"betas": (0.0, 0.9), "ema_kimg": 3.0}, {"lr_critic", "lr_generator"}),
        ({"ema_kimg": 0.0, "optimizer": "rmsprop"}, {"lr_critic", "lr_generator"}),
        ({"ttur": 2.0}, {"beta2", "ema_kimg", "lr_generator"}),
        ({"lr_schedule": "linear"}, {"beta2", "ema_kimg"}),
    ],
    ids=lambda value: "" if isinstance(value, set) else str(value),
)
def test_a_number_that_is_set_wins_over_a_presets_schedule(flags: dict[str, Any], moving: set[str]) -> None:
    base = {"arch": "r3gan", "preset": "ffhq64"}
    for given, file in ((flags, {}), ({}, flags)):
        settings = resolve({**base, **given}, file, "f.json").settings
        assert {key for key, *_ in settings.schedule} == moving | {"ada"}
        assert settings.schedule_kimg == 20_000.0
    own = resolve(base).settings.to_dict()
    assert resolve({}, own, "config.json").settings.schedule == resolve(base).settings.schedule


def test_runs_made_before_a_preset_had_a_value_do_not_take_it() -> None:
    """R3GAN's paper preset had neither burn-in nor an EMA without ramp-up."""
    spec = resolve({"arch": "r3gan", "preset": "paper"})
    new = {"schedule", "schedule_kimg", "schedule_steps", "ema.ramp_up"}
    old = {name: value for name, value in spec.settings.to_dict().items() if name not in new}
    own = resolve({}, {**old, "lr_schedule": "cosine"}, "config.json").settings
    assert (own.schedule, own.schedule_kimg, own.lr_schedule) == ((), None, "cosine")
    assert own.options["ema.ramp_up"] == 0.05


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
