"""Batches of another size at each image size: what is loaded when, how long a run is, what is refused."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from experiments.config.factory import build_networks, growth_of_generator
from experiments.config.resolve import resolve
from experiments.core import registry
from experiments.core.errors import UsageError
from experiments.core.settings import read_setting
from experiments.core.stop_signal import StopSignal
from experiments.data.core.loader import Loader
from experiments.training.callbacks import Progress
from experiments.training.experiment import Experiment, build
from experiments.training.memory_estimate import estimate
from experiments.training.plan.report import describe_dry_run
from experiments.training.steps import train_steps
from gans.core.clock import Clock
from gans.core.ema import ExponentialMovingAverage
from gans.core.growth import GrowingGenerator
from gans.core.networks import Batch
from gans.core.player import Scores
from tests.conftest import ARCHITECTURES, DATA, long_but

TINY = {"arch": "progan", "image_size": (16, 16), "width": 2, "z_dim": 3, "batch_size": 4, "device": "cpu"}
SIZES = {"stage_batch_sizes": ((4, 16), (8, 6))}  # and 4 at 16 pixels
LENGTHS: dict[str, dict[str, Any]] = {
    "steps": {"steps": 40},
    "kimg": {"kimg": 0.7},
    "steps, own pace": {"steps": 60, "fade_kimg": 0.1, "stable_kimg": 0.06},
    "kimg, own pace": {"kimg": 0.7, "fade_kimg": 0.1},
    "two critic updates": {"steps": 30, "n_critic": 2},
    "small, then large": {"steps": 60, "stage_batch_sizes": ((4, 2), (16, 24))},
}


def experiment_of(**flags: Any) -> Experiment:
    return build(resolve({**TINY, **SIZES, **flags}))


class Played(NamedTuple):
    """What a whole run was seen to do."""

    stages: list[float]  # of every round
    batches: list[list[tuple[int, Clock]]]  # of every round: their sizes, and the clock before
    seen: list[int]  # after every round
    averaged: int  # images that the average was told of


Play = Callable[[Experiment], Played]


@pytest.fixture(scope="module")
def play() -> Play:
    loader, follow = Loader.next_batch, ExponentialMovingAverage.follow

    def call(experiment: Experiment) -> Played:
        loaded: list[tuple[int, Clock]] = []
        averaged: list[int] = []
        played = Played([], [], [], 0)

        def note_batch(self: Loader) -> Batch:
            clock, batch = self.clock, loader(self)
            loaded.append((len(batch.samples), clock))
            return batch

        def note_average(self: ExponentialMovingAverage, seen: int, images: int, progress: float) -> None:
            averaged.append(images)
            assert progress == (seen - images) / experiment.total_images
            follow(self, seen, images, progress)

        def note_round(progress: Progress, scores: Scores) -> None:
            game: Any = experiment.game
            played.stages.append(game.stages[0].now)
            played.batches.append(loaded.copy())
            played.seen.append(progress.seen)
            loaded.clear()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Loader, "next_batch", note_batch)
            patch.setattr(ExponentialMovingAverage, "follow", note_average)
            train_steps(experiment, 0, [note_round], StopSignal())
        return played._replace(averaged=sum(averaged))

    return call


@pytest.fixture(scope="module", params=long_but({"kimg", "two critic updates", "small, then large"}, LENGTHS))
def whole(request: pytest.FixtureRequest, play: Play) -> tuple[Experiment, Played]:
    """A run of each kind of length, played to its end."""
    experiment = experiment_of(**LENGTHS[request.param])
    return experiment, play(experiment)


def test_every_batch_has_the_size_of_its_stage(whole: tuple[Experiment, Played]) -> None:
    """During a fade the new size decides, and a round never mixes two."""
    experiment, played = whole
    settings = experiment.spec.settings
    wanted = dict.fromkeys((4, 8, 16), settings.batch_size) | dict(settings.options["arch.stage_batch_sizes"])
    sides = [4 * 2 ** math.ceil(stage) for stage in played.stages]
    assert set(sides) == {4, 8, 16} and sides == sorted(sides)
    assert {stage % 1 for stage in played.stages} != {0.0}, "none was in a fade"
    for side, batches in zip(sides, played.batches, strict=True):
        assert [size for size, _ in batches] == [wanted[side]] * settings.n_critic


def test_the_clock_counts_every_batch_and_image_once(whole: tuple[Experiment, Played]) -> None:
    experiment, played = whole
    settings = experiment.spec.settings
    shown = 0
    for number, (size, clock) in enumerate(batch for batches in played.batches for batch in batches):
        assert clock == (shown, number, shown / experiment.total_images)
        shown += size
    assert len(played.seen) == experiment.total_steps
    assert shown == played.seen[-1] == experiment.total_images == played.averaged
    if settings.kimg:
        assert played.seen[-2] < settings.kimg * 1000 <= shown
    else:
        assert experiment.total_steps == settings.steps


@pytest.mark.parametrize("length", [{"steps": 1000}, {"kimg": 20.0}])
@pytest.mark.parametrize("sizes", [((4, 64), (8, 16)), ((8, 2), (16, 64))])
def test_every_size_has_its_share_of_the_images(sizes: Any, length: dict[str, Any]) -> None:
    """60 % of the images are growth, as with even batches, also where the run is given in steps."""
    experiment = experiment_of(**length, stage_batch_sizes=sizes)
    begins = [each.seen / experiment.total_images for each in experiment.loader.batch_schedule.segments]
    assert begins == pytest.approx([0.0, 0.15, 0.45], abs=0.01)


def test_sizes_that_are_all_the_same_change_nothing(play: Play) -> None:
    plain = play(experiment_of(steps=30, stage_batch_sizes=()))
    named = play(experiment_of(steps=30, stage_batch_sizes=((4, 4), (8, 4), (16, 4))))
    assert named.batches == plain.batches
    assert named.stages == pytest.approx(plain.stages)


def test_a_plan_knows_the_length() -> None:
    flags = {**TINY, "kimg": 2.0, "image_size": (32, 32), "width": 8}
    early = {**flags, "stage_batch_sizes": ((4, 128), (8, 64))}
    planned = estimate(resolve(early))
    assert planned.steps < estimate(resolve(flags)).steps and planned.kimg == pytest.approx(2.0, abs=0.004)
    experiment = build(resolve(early))
    assert (planned.steps, planned.kimg) == (experiment.total_steps, experiment.total_images / 1000)


@pytest.mark.parametrize("arch", registry.names("architecture"))
def test_networks_grow_as_often_as_they_have_levels(arch: str) -> None:
    data = DATA[ARCHITECTURES[arch].task]
    flags = {"arch": arch, "data": data, "image_size": (32, 32), "width": 2, "device": "cpu"}
    settings = resolve(flags).settings
    with torch.device("meta"):
        generator, _ = build_networks(settings)
    levels = generator.stage.levels if isinstance(generator, GrowingGenerator) else 0
    assert growth_of_generator(settings, generator).sides == tuple(32 >> n for n in range(levels, -1, -1))


def test_words_of_the_flag() -> None:
    assert read_setting("stage_batch_sizes", "8:32,4:64") == ((4, 64), (8, 32))
    assert read_setting("stage_batch_sizes", [[8, 32], [4, 64]]) == ((4, 64), (8, 32))
    assert read_setting("stage_batch_sizes", {"4": 64}) == ((4, 64),)
    plan = describe_dry_run(resolve({**TINY, "stage_batch_sizes": ((4, 64), (8, 32))}))
    assert any(line.split() == ["arch.stage_batch_sizes", "4:64,8:32", "flag"] for line in plan.splitlines())


@pytest.mark.parametrize("words", ["4", "4:", "4:0", "0:4", "4:8,4:9", "a:4", "4:8:2", "4=8"])
def test_impossible_words(words: str, refused: Any) -> None:
    refused(2, ("--stage-batch-sizes",), "run --arch progan --out run --stage-batch-sizes", words)


def test_what_is_refused(refused: Any, all_shapes: None) -> None:
    small = "--image-size 16 --width 2 --z-dim 3 --batch-size 4 --out run"
    for arch in ("dcgan", "stylegan2"):
        refused(
            2,
            (f"--stage-batch-sizes has no meaning for architecture {arch}",),
            f"run --arch {arch} {small} --stage-batch-sizes 4:8",
        )
    line = f"run --arch progan {small} --steps 9"
    for dry in ("", " --dry-run"):
        refused(2, ("32", "4, 8, 16"), f"{line} --stage-batch-sizes 32:8{dry}")
        refused(2, ("never at 4 ", "8, 16"), f"run --arch stylegan {small} --stage-batch-sizes 4:8{dry}")
        # The run ends before it has 16 pixels.
        slow = "--stage-batch-sizes 8:2,16:2 --fade-kimg 0.02"
        refused(2, ("never at 16 ", "4, 8"), f"{line} {slow}{dry}")
    refused(2, ("5000", "--stage-batch-sizes 4:"), f"{line} --data shapes --stage-batch-sizes 4:9999999")
    assert not Path("run").exists()


def test_sizes_that_a_preset_names_need_not_be_reached(tmp_path: Path) -> None:
    """A short run ends before them; what it recorded is no request, so that it can be made longer."""
    short = resolve({"arch": "stylegan", "preset": "paper", "image_size": (64, 64), "kimg": 1.0})
    assert short.settings.options["arch.stage_batch_sizes"] == ((8, 256), (16, 128), (32, 64), (64, 32))
    assert estimate(short).steps == 4
    again = resolve({"kimg": 2.0}, short.settings.to_dict(), "config.json")
    assert estimate(again).steps == 8
    asked: dict[str, dict[str, object]] = {
        "--stage-batch-sizes": {"stage_batch_sizes": ((64, 8),)},
        "arch.stage_rate_factors": {"arch.stage_rate_factors": ((64, 2.0),)},
    }
    for words, flags in asked.items():
        for given, file in ((flags, {}), ({}, flags)):
            with pytest.raises(UsageError, match=f"{words}: this run of stylegan is never at 64 .* but at 8"):
                resolve(
                    {
                        **TINY,
                        "arch": "stylegan",
                        "image_size": (64, 64),
                        "kimg": 1,
                        **given,
                        "stable_kimg": 9.0,
                    },
                    file,
                    "f.json",
                )


def test_rates_of_a_run_follow_its_sizes() -> None:
    """The learning rates of both optimizers, as the game sets them."""
    factors = ((4, 0.5), (16, 3.0))
    experiment = experiment_of(
        steps=30, lr_generator=1e-3, lr_critic=2e-3, **{"arch.stage_rate_factors": factors}
    )
    game: Any = experiment.game
    found: dict[int, set[tuple[float, ...]]] = {}

    def note(progress: Progress, scores: Scores) -> None:
        players = (game.duel.generator, game.duel.critic)
        rates = tuple(round(player.optimizer.param_groups[0]["lr"], 9) for player in players)
        found.setdefault(4 * 2 ** math.ceil(game.stages[0].now), set()).add(rates)

    train_steps(experiment, 0, [note], StopSignal())
    assert found == {4: {(5e-4, 1e-3)}, 8: {(1e-3, 2e-3)}, 16: {(3e-3, 6e-3)}}
