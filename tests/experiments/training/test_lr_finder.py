"""`gans find-lr`: where a player loses stability, and that asking twice gives one answer."""

import json
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.config.resolve import resolve
from experiments.runs.initial_settings import resolve_run
from experiments.training.experiment import build
from experiments.training.lr_finder import (
    ExponentialRise,
    SampleMovement,
    first_excessive_move,
    first_unstable_step,
    range_test,
)
from gans.core.clock import Clock
from tests.commands.helpers import read_scores

Gans = Callable[..., Any]
FIND = "find-lr --arch mlp --data ring8 --loss bce --width 16 --batch-size 32 --steps 60"


def test_rates_rise_by_equal_factors() -> None:
    rising = ExponentialRise(1e-6, 1.0)
    assert [rising(Clock(progress=p)) for p in (0.0, 0.5, 1.0)] == pytest.approx([1e-6, 1e-3, 1.0])


def drifting(length: int, scale: float = 1.0) -> list[float]:
    noise = random.Random(0)
    return [scale * (math.tanh(i / length - 0.5) + noise.gauss(0, 0.01)) for i in range(length)]


@pytest.mark.parametrize(("scale", "level"), [(1.0, 0.0), (1000.0, -500.0), (-1.0, 3.0)])
def test_where_stability_is_lost(scale: float, level: float) -> None:
    """Whatever the scale, the sign and the level of the terms."""
    terms = [level + value for value in drifting(200, scale)]
    assert first_unstable_step(terms) is None
    thrown = [v + (-1) ** i * scale * (2 if i >= 150 else 0) for i, v in enumerate(terms)]
    found = first_unstable_step(thrown)
    assert found is not None and 150 <= found <= 155


def test_terms_that_grow_steadily_are_stable() -> None:
    """Jumps far above the noise of the beginning, but small beside what was travelled."""
    assert first_unstable_step([1.05**i for i in range(200)]) is None


def test_terms_that_fall_ever_faster_are_stable() -> None:
    """A short test has few rounds for what a long one does slowly."""
    assert first_unstable_step([-(1.6**i) for i in range(30)]) is None


def test_where_samples_are_thrown() -> None:
    """By a fifth of the distance between reals, and by four times of what they moved at first."""
    assert first_excessive_move([0.0] * 20 + [0.19] * 80) is None
    found = first_excessive_move([0.0] * 20 + [0.25] * 80)
    assert found is not None and 22 <= found <= 32
    assert first_excessive_move([0.1] * 20 + [0.39] * 80) is None
    assert first_excessive_move([0.1] * 20 + [0.45] * 80) is not None
    assert first_excessive_move([]) is None


def test_what_samples_move_by_is_the_generators_alone() -> None:
    """Their latents stay, and growing counts for nothing."""
    flags = {"arch": "progan", "image_size": (8, 8), "width": 4, "z_dim": 4, "batch_size": 4, "steps": 9}
    experiment = build(resolve({**flags, "track": ("local",)}))
    network, moves = experiment.game.generator_network, SampleMovement(experiment)
    assert [moves.next(), moves.next()] == [0.0, 0.0]
    network.stage.set(0.5)
    assert moves.next() == 0.0
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(-1.5)
    assert moves.next() > 0.1


@pytest.mark.parametrize("arch", ["mlp", "pix2pix"])
def test_a_generator_that_throws_its_samples_has_a_limit(arch: str) -> None:
    """Its terms may rest meanwhile, because the critic follows."""
    flags = {"arch": arch, "loss": "lsgan", "width": 8, "batch_size": 8, "steps": 50}
    flags |= {"image_size": (16, 16)} if arch != "mlp" else {}
    found = range_test(resolve({**flags, "track": ("local",)}), "generator", 1e-6, 1.0)
    assert found.limit is not None and 3e-4 < found.limit < 0.1


def test_only_one_player_moves_faster() -> None:
    """The other's rate stays, so that its first term is that of an ordinary run."""
    flags = {"arch": "mlp", "data": "ring8", "loss": "bce", "width": 8, "batch_size": 16, "steps": 50}
    found = range_test(resolve({**flags, "track": ("local",)}), "critic", 1e-6, 10.0)
    assert found.rates[0] == 1e-6 and found.rates[-1] < 10.0
    assert found.limit is not None and found.limit < 10.0


@pytest.mark.long
def test_it_is_drawn_and_repeated(gans: Gans) -> None:
    outcome = gans(f"{FIND} --json --out one.png")
    assert outcome.status == 0, outcome.err
    numbers = json.loads(outcome.out)
    for player in ("generator", "critic"):
        assert numbers[player]["set"] == 2e-4 and numbers[player]["suggestion"] is None
        assert "too few steps" in numbers[player]["reason"] and numbers[player]["remedy"] == "--steps 200"
    again = gans(f"{FIND} --json --out two.png")
    assert json.loads(again.out)["critic"] == numbers["critic"]
    assert Path("one.png").read_bytes() == Path("two.png").read_bytes()
    other = gans(f"{FIND} --seed 1 --out other.png")
    assert other.status == 0 and "--lr-critic" in other.out
    assert Path("one.png").read_bytes() != Path("other.png").read_bytes()


@pytest.mark.long
def test_it_begins_from_weights(gans: Gans, refused: Callable[..., str]) -> None:
    """The critic's first terms are those of a run that begins from them; the table is told once."""
    small = "--data ring8 --batch-size 32 --track local"
    assert (
        gans(f"run --arch mlp --loss bce --width 16 --lr-critic 0.01 {small} --steps 20 --out source").status
        == 0
    )
    assert gans(f"run --init-from source {small} --steps 1 --out run").status == 0
    expected = read_scores(Path("run"))[0]["critic/adversarial"]
    usual = {"arch": "mlp", "loss": "bce", "data": "ring8", "width": 16}
    found, fresh = (
        range_test(resolve_run({**more, "batch_size": 32, "steps": 5}), "critic", 1e-9, 1e-8).terms[0]
        for more in ({"init_from": "source"}, usual)
    )
    assert found == pytest.approx(expected, rel=1e-4) and fresh != pytest.approx(expected, rel=1e-2)
    line = "find-lr --init-from source --batch-size 32 --steps 50"
    done = gans(f"{line} --freeze-critic 1 --json --out a.png")
    assert done.status == 0, done.err
    assert done.err.count("begins from source") == 1 and "warm up" not in done.err
    assert json.loads(done.out).keys() == {"picture", "generator", "critic"}
    refused(2, ("no layer fits", "width of 8"), f"{line} --width 8 --out b.png")
    refused(2, ("--freeze-critic has no meaning",), f"{FIND} --freeze-critic 1 --out b.png")


@pytest.mark.parametrize(
    ("words", "mentions"),
    [
        ("--from 1 --to 0.1 --out a.png", ("--from", "--to")),
        ("--steps 5 --out a.png", ("--steps", "50")),
        ("--to 99 --out a.png", ("--to", "99")),
        ("--out a.gif", ("a.gif", ".png")),
        ("", ("--out",)),
        ("--kimg 3 --out a.png", ("--kimg",)),
    ],
)
def test_what_cannot_be_tested(words: str, mentions: tuple[str, ...], refused: Callable[..., str]) -> None:
    refused(2, mentions, f"find-lr --arch mlp {words}")
    assert not list(Path.cwd().iterdir())


def test_a_place_that_cannot_be_written_is_told_before_the_test(gans: Gans, clear_line: Any) -> None:
    Path("file").touch()
    for place in ("file", "file/deeper"):
        outcome = gans(f"{FIND} --out {place}/a.png")
        assert outcome.status == 1 and "rounds" not in outcome.err
        clear_line(outcome.err, f"cannot write {place}/a.png", "--out")
