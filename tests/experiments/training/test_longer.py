"""`gans run --resume RUN --steps MORE`: the same bits as a run of that length whose schedules end earlier."""

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from experiments.config.resolve import RunSpec
from experiments.core.stop_signal import StopSignal
from experiments.runs.folder import RunFolder
from experiments.runs.resume import resolve_resumed_run
from experiments.training.callbacks import Progress
from experiments.training.experiment import Experiment, build
from experiments.training.metric_logging import MetricLogger
from experiments.training.steps import train_steps
from tests.conftest import long_but
from tests.experiments.training.test_resume import assert_equal_runs
from tests.experiments.training.test_schedules import groups_in_steps, players_of

Gans = Callable[..., Any]
SMALL = "--image-size 8 --width 2 --batch-size 4 --n-critic 1 --track local --checkpoint-kimg 0.008"
FROM_NOISE = f"{SMALL} --sample-kimg 0.02 --data shapes --z-dim 3"
# Every kind of share: growth, in batches of several sizes too, decay, annealing, noise, scheduled values.
CASES = {
    "mlp": f"--arch mlp --loss bce --lr-schedule cosine --instance-noise 0.3 {FROM_NOISE} "
    "--schedule label-flip=linear:0.4:0,ema_kimg=linear:0.01:0.02,beta2=linear:0.9:0.5 --label-flip 0.4",
    "progan": f"--arch progan {FROM_NOISE}",
    "progan, batches of two sizes": f"--arch progan {FROM_NOISE} --stage-batch-sizes 4:7",
    "stylegan": f"--arch stylegan {FROM_NOISE} --lr-schedule linear --lr-decay-from 0.5",
    "stylegan2": f"--arch stylegan2 {FROM_NOISE} --schedule penalty_weight=linear:10:1",
    "r3gan": f"--arch r3gan {FROM_NOISE} --penalty-anneal 0.1 --augment flip,crop",
    "cyclegan": f"--arch cyclegan --data shapes-styles {SMALL} --schedule arch.cycle_weight=linear:10:1",
}


class Crash(Exception):  # noqa: N818  (an event)
    """What stands for a killed process: nothing is saved on the way out."""


@pytest.fixture
def crash_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """From now on training crashes after that step; 0: it does not."""
    original = MetricLogger.__call__

    def set_step(step: int) -> None:
        def call(self: MetricLogger, progress: Progress, scores: dict[str, Tensor]) -> None:
            original(self, progress, scores)
            if progress.step == step:
                raise Crash

        monkeypatch.setattr(MetricLogger, "__call__", call)

    return set_step


def exports(*runs: str) -> set[bytes]:
    return {(Path(run) / "generator.safetensors").read_bytes() for run in runs}


@pytest.mark.parametrize("case", long_but({"progan"}, CASES))
def test_killed_and_resumed_on_the_way(case: str, gans: Gans, crash_at: Callable[[int], None]) -> None:
    """It ends as the longer run that was not killed, and as the one that its config repeats anew."""
    assert gans(f"run {CASES[case]} --steps 6 --out one").status == 0
    short = exports("one")
    shutil.copytree("one", "two")
    crash_at(9)
    assert gans("run --resume two --steps 12").status == 1
    assert not Path("two/generator.safetensors").exists()
    crash_at(0)
    for line in ("run --resume one --steps 12", "run --resume two"):
        outcome = gans(line)
        assert outcome.status == 0, outcome.err
    assert_equal_runs(Path("one"), Path("two"))
    assert RunFolder(Path("one")).settings() == RunFolder(Path("two")).settings()
    assert gans("run --config one/config.json --out again").status == 0
    assert len(exports("one", "two", "again")) == 1
    assert short == {Path("one/generator-step-00000006.safetensors").read_bytes()}, "the short one is kept"


@pytest.mark.parametrize("unit", ["steps", "kimg"])
def test_without_shares_it_is_the_run_that_was_long_from_the_start(unit: str, gans: Gans) -> None:
    """Also when it is made longer twice, before it has ended, and from another unit."""
    flags = "--arch mlp --loss wgan-gp --data ring8 --width 4 --batch-size 16 --n-critic 5 --track local"
    lengths = {"steps": ("6", "12"), "kimg": ("0.47", "0.95")}[unit]  # 6 and 12 steps
    flags += " --checkpoint-kimg 9 --sample-kimg 9"
    assert gans(f"run {flags} --steps 4 --out run").status == 0
    for length in lengths:
        assert gans(f"run --resume run --{unit} {length}").status == 0
    assert gans(f"run {flags} --steps 12 --out whole").status == 0
    assert len(exports("run", "whole")) == 1
    assert [line["step"] for line in RunFolder(Path("run")).scores()] == [1, 4, 6, 12]


def played(experiment: Experiment, note: Callable[[], Any]) -> list[Any]:
    """What `note` returns after each step of the whole run."""
    found: list[Any] = []
    train_steps(experiment, 0, [lambda progress, scores: found.append(note())], StopSignal())
    return found


def test_schedules_stay_at_their_end_or_are_stretched(gans: Gans) -> None:
    """Learning rates that fall along a cosine to 0 from the half on, after 10 steps of 20."""
    decay = "--lr-schedule cosine --lr-decay-from 0.5"
    assert gans(f"run --arch mlp --loss bce {FROM_NOISE} {decay} --steps 10 --out run").status == 0

    def rates(restretch: bool) -> list[float]:
        experiment = build(resolve_resumed_run(RunFolder(Path("run")), {"steps": 20}, restretch=restretch))
        groups = groups_in_steps(players_of(experiment)["critic"])
        train_steps(experiment, 0, [], StopSignal())
        full = experiment.spec.settings.lr_critic
        return [group["lr"] / full for group in groups]

    def fall(share: float) -> float:
        return (1 + math.cos(math.pi * max(0.0, 2 * share - 1))) / 2

    assert rates(restretch=False) == pytest.approx([fall(min(1, step / 10)) for step in range(20)])
    assert rates(restretch=True) == pytest.approx([fall(step / 20) for step in range(20)])


@pytest.mark.parametrize("sizes", ["", "--stage-batch-sizes 4:8"])
def test_growth_keeps_its_pace(sizes: str, gans: Gans) -> None:
    """The size of every batch, too."""
    assert gans(f"run --arch progan {FROM_NOISE} {sizes} --steps 10 --out run").status == 0
    folder = RunFolder(Path("run"))
    found = []
    for flags in ({}, {"steps": 20}):
        experiment = build(resolve_resumed_run(folder, flags))
        game: Any = experiment.game
        found.append(played(experiment, lambda e=experiment, g=game: (g.stages[0].now, e.loader.seen)))
    short, long = found
    assert long[:10] == short
    assert 0 < short[4][0] < 1, "growth is a share of the run"
    assert [stage for stage, _ in long[10:]] == [1.0] * 10
    assert [seen - short[-1][1] for _, seen in long[10:]] == [4 * step for step in range(1, 11)]


def test_restretched_growth_is_that_of_the_new_length(gans: Gans) -> None:
    assert gans(f"run --arch progan {FROM_NOISE} --steps 10 --out run").status == 0
    outcome = gans("run --resume run --steps 20 --restretch")
    assert outcome.status == 0 and "the whole new length of 20 steps" in outcome.err
    assert gans(f"run --arch progan {FROM_NOISE} --steps 20 --dry-run").status == 0
    again = build(RunSpec(RunFolder(Path("run")).settings(), {}))
    game: Any = again.game
    stages = played(again, lambda: game.stages[0].now)
    assert stages == [
        game.pace.stage(again.loader.clock._replace(progress=step / 20), 1) for step in range(20)
    ]
    assert stages[11] < 1.0 == stages[12]


def test_a_run_at_rest_says_so(gans: Gans) -> None:
    """Rates that have fallen to 0 stay there: a longer run learns nothing, and --restretch is offered."""
    line = f"run --arch mlp --loss bce {FROM_NOISE} --lr-schedule linear --steps 3 --out run"
    assert "next: gans run --resume run --steps 6 --restretch" in gans(line).err
    outcome = gans("run --resume run --steps 6")
    assert "schedules keep their length of 3 steps" in outcome.err
    assert "generator and critic no longer learn" in outcome.err and "--restretch" in outcome.err


def test_a_longer_run_may_become_the_run_that_was_planned(gans: Gans) -> None:
    """Shorter first, then as long as at the beginning: the config is that of the beginning."""
    from tests.experiments.training.test_resume import stop_after

    words = f"run --arch mlp --loss bce --lr-schedule linear {FROM_NOISE} --steps 9 --out run".split()
    stop_after(3, words)
    config = RunFolder(Path("run")).settings()
    assert gans("run --resume run --steps 6").status == 0
    assert RunFolder(Path("run")).settings().schedule_steps == 9
    assert gans("run --resume run --steps 9").status == 0
    assert RunFolder(Path("run")).settings() == config
    assert gans(" ".join(words).replace("--out run", "--out whole")).status == 0
    assert len(exports("run", "whole")) == 1
