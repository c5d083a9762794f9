"""Numbers that are not finite stop a run, and are never saved."""

import re
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.commands.helpers import MOODY, POINTS, Gans, Mood, Refused, weights_are_finite


def test_the_guard_names_step_and_term(refused: Refused, gans: Gans, moody: Mood) -> None:
    moody("nan 5")
    command = f"run {POINTS} --steps 40 --checkpoint-kimg 0.016 --keep 9 --sample-kimg 9 {MOODY}"
    refused(1, ("step 5", "critic/adversarial", "learning rate"), f"{command} --out run")
    checkpoints = sorted(Path("run/checkpoints").glob("*.pt"))
    assert [int(path.stem[5:]) for path in checkpoints] == [1, 2, 3, 4]
    assert all(weights_are_finite(path) for path in checkpoints)
    assert not Path("run/generator.safetensors").exists()
    moody("calm")
    outcome = gans(f"{command} --out run")
    assert outcome.status == 0
    assert "step 4 of 40" in outcome.err


def test_the_guard_looks_at_every_step(refused: Refused, moody: Mood) -> None:
    """Not only at those with a score line; the line tells the first, and that nothing was saved before."""
    moody("nan 7")
    line = refused(
        1,
        ("step 7",),
        f"run {POINTS} --steps 40 --checkpoint-kimg 9 {MOODY} --out run",
    )
    assert not list(Path("run/checkpoints").glob("*.pt"))
    assert not re.search("checkpoints? (is|are) good", line), "there is none"


@pytest.mark.parametrize("steps", [20, 5])
def test_weights_that_are_not_finite_are_never_saved(
    steps: int, gans: Gans, moody: Mood, clear_line: Refused
) -> None:
    """A finite loss can have a slope that is not: the weights are broken one step before any score is.

    With 5 steps, the step that breaks them is the last one.
    """
    moody("steep 5")
    command = f"run {POINTS} --checkpoint-kimg 0.016 --sample-kimg 9 {MOODY} --out run"
    outcome = gans(f"{command} --steps {steps}")
    assert outcome.status == 1, outcome
    clear_line(outcome.err, "finite")
    checkpoints = sorted(Path("run/checkpoints").glob("*.pt"))
    assert checkpoints
    assert all(weights_are_finite(path) for path in checkpoints)
    if Path("run/generator.safetensors").exists():
        assert all(bool(t.isfinite().all()) for t in load_file("run/generator.safetensors").values())


def test_a_huge_learning_rate(refused: Refused) -> None:
    flags = "--loss wgan-gp --optimizer sgd --lr-critic 10 --lr-generator 10 --steps 60 --width 64"
    line = refused(1, ("finite", "learning rate"), f"run {POINTS} {flags} --sample-kimg 99 --out run")
    assert re.search(r"step \d+", line)
    assert re.search(r"(critic|generator)/\w+", line)
