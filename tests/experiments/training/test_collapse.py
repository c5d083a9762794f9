"""`--on-collapse`: a run that collapses says so, stops, or goes back to before it, to the same bits."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiments.config.resolve import resolve
from experiments.core.errors import RunError
from experiments.runs.checkpoint import Checkpoints, step_of
from experiments.runs.folder import RunFolder
from experiments.training import collapse
from experiments.training.experiment import build
from experiments.training.run import run
from gans.core.clock import Clock
from tests.experiments.training.test_resume import assert_equal_runs, stop_after

Gans = Callable[..., Any]
STEEP = "--loss bce-saturating --lr-critic 5e-3 --n-critic 5"
RUN = f"run --arch mlp --data ring8 --width 16 --batch-size 64 --steps 200 --track local {STEEP}"


@pytest.mark.long
def test_warn_says_it_once(gans: Gans) -> None:
    outcome = gans(f"{RUN} --out run")
    assert outcome.status == 0
    (line,) = [line for line in outcome.err.splitlines() if "mode collapse" in line]
    assert line.startswith("step 175: mode collapse: samples of fixed latents never spread")


@pytest.mark.long
def test_stop_saves_and_fails(gans: Gans, refused: Callable[..., str]) -> None:
    refused(1, ("step 175", "mode collapse", "--on-collapse"), f"{RUN} --on-collapse stop --out run")
    assert Path("run/checkpoints/step-00000175.pt").is_file()
    assert not Path("run/generator.safetensors").exists()
    assert gans(f"{RUN} --on-collapse warn --force --out run").status == 0


@pytest.mark.long
def test_stopped_is_not_called_saved_where_the_disk_is_full(
    gans: Gans, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Checkpoints, step: int, *others: Any) -> Path:
        raise RunError(f"cannot write step {step}")

    monkeypatch.setattr(Checkpoints, "save", fail)
    outcome = gans(f"{RUN} --checkpoint-kimg 999 --on-collapse stop --out run")
    assert outcome.status == 1
    assert "gans: cannot write step 175" in outcome.err
    assert "saved" not in outcome.err


@pytest.mark.long
def test_rollbacks_are_few(refused: Callable[..., str]) -> None:
    """The generator never learns against this critic, at half of its rate as little."""
    steeper = RUN.replace("5e-3", "5e-2")
    refused(1, ("3 rollbacks did not help",), f"{steeper} --on-collapse rollback --out run")


def test_a_rollback_may_help_and_is_repeated_to_the_bit(gans: Gans, moody: Callable[[str], None]) -> None:
    """One term of the process is not finite, and nothing is wrong with those after it."""
    moody("nan 40")
    words = "--plugin moody.py --loss moody --arch mlp --data ring8 --width 8 --batch-size 16 --steps 60"
    line = f"run {words} --track local --sample-kimg 0.32 --on-collapse rollback"
    for name in ("one", "two"):
        outcome = gans(line, "--out", name)
        assert outcome.status == 0, outcome.err
        assert "rollback 1 of 3 to step-00000025.pt, with 0.5 of the learning rates" in outcome.err
    assert_equal_runs(Path("one"), Path("two"))
    moody("calm")
    gans(line, "--out", "calm")
    lines = [Path(run, "scores.jsonl").read_text().splitlines()[-1] for run in ("one", "calm")]
    assert json.loads(lines[0])["critic/adversarial"] != json.loads(lines[1])["critic/adversarial"]


def test_a_run_that_was_rolled_back_is_resumed(gans: Gans, moody: Callable[[str], None]) -> None:
    """Stopped after its rollback, it goes on with the rates and the draws that it had."""
    moody("nan 40")
    words = "--plugin moody.py --loss moody --arch mlp --data ring8 --width 8 --batch-size 16 --steps 60"
    line = f"run {words} --track local --sample-kimg 0.32 --on-collapse rollback --out"
    assert gans(f"{line} whole").status == 0
    from experiments.core import registry

    registry._from_files.clear()
    stop_after(55, [*line.split(), "cut"])
    moody("calm")
    assert gans(f"{line} cut").status == 0
    assert_equal_runs(Path("whole"), Path("cut"))


@pytest.mark.parametrize(("mode", "kept"), [("warn", []), ("rollback", [25])])
def test_states_are_kept_for_a_rollback_alone(
    mode: str, kept: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And only where samples are as far apart as they ever were: in the line of step 25, not of 50 and 60."""
    spread = iter([True, False, False])
    monkeypatch.setattr(collapse, "is_spread", lambda history: next(spread))
    monkeypatch.setattr(collapse, "divergence", lambda history: None)
    monkeypatch.setattr(collapse, "mode_collapse", lambda history: None)
    flags = {"arch": "mlp", "data": "ring8", "width": 8, "track": ("local",), "steps": 60, "batch_size": 4}
    folder = RunFolder(tmp_path / "run")
    run(resolve({**flags, "on_collapse": mode, "sample_kimg": 0.04, "keep": 9}), folder)
    assert sorted(step_of(path) for path in folder.healthy.paths()) == kept


def test_every_rollback_halves_the_rates() -> None:
    flags = {"arch": "mlp", "data": "ring8", "width": 8, "track": ("local",), "steps": 9, "batch_size": 4}
    experiment = build(resolve({**flags, "lr_schedule": "linear"}))
    once = experiment.state_dict() | {"rollbacks": 1}
    parts = [experiment.random_parts]
    for rollbacks, share in ((1, 0.5), (3, 0.125)):
        experiment.set_rollbacks(rollbacks)
        assert [player.schedule(Clock(progress=0.5)) for player in experiment.players] == [share / 2] * 2
        parts.append(experiment.random_parts)
    assert len(set(parts)) == 3, "other random draws each time"
    experiment.load_state_dict(once)
    assert experiment.players[0].schedule(Clock()) == 0.5
