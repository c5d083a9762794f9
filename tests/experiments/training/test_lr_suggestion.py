"""What `gans find-lr` suggests, and when it does not: closed forms, and remedies that are typed."""

import json
import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from experiments.training.lr_finder import RangeTest, first_unstable_step
from experiments.training.lr_suggestion import fewest_steps, suggest

Gans = Callable[..., Any]
LOWEST, HIGHEST = 1e-6, 1.0


def descent(curvature: float, steps: int, seed: int = 0, noise: float = 0.1) -> list[float]:
    """Losses ½ c x² of gradient descent from x = 1 whose rate rises; it diverges above 2 / c."""
    draws, x, losses = random.Random(seed), 1.0, []
    for step in range(steps):
        losses.append(curvature * (x**2 / 2 + draws.gauss(0, 0.01)))
        rate = LOWEST * (HIGHEST / LOWEST) ** (step / steps)
        x -= rate * curvature * (x + draws.gauss(0, noise))
        if abs(x) > 1e100:
            break
    return losses


def outcome_of(terms: Sequence[float], steps: int = 300, usual: float = 0.1, **more: Any) -> RangeTest:
    rates = [LOWEST * (HIGHEST / LOWEST) ** (step / steps) for step in range(len(terms))]
    unstable = more.pop("unstable", first_unstable_step(terms))
    return RangeTest("critic", usual, LOWEST, HIGHEST, steps, rates, terms, unstable, **more)


@pytest.mark.parametrize("curvature", [10.0, 100.0, 1000.0, 1e4])
def test_the_limit_of_a_quadratic_is_where_descent_diverges(curvature: float) -> None:
    """Descent converges below 2 / c: the limit is at most twice that, and what is suggested is below it."""
    for seed in range(3):
        found = outcome_of(descent(curvature, 300, seed), usual=0.2 / curvature)
        assert found.limit is not None
        assert 2 / curvature <= found.limit < 2 * 2 / curvature
        rate = suggest(found).rate
        assert rate == pytest.approx(found.limit / 10)
        assert abs(1 - rate * curvature) < 1, "converges"


def test_fewer_steps_than_a_limit_needs() -> None:
    """Over six orders of magnitude 5 steps span a factor of √2 with ln(10⁶) · 5 / ln √2 = 199.3 steps."""
    assert fewest_steps(LOWEST, HIGHEST) == 200
    assert fewest_steps(1e-4, 1e-2) == 67
    assert suggest(outcome_of(descent(100.0, 200), 200)).rate is not None
    found = suggest(outcome_of(descent(100.0, 199), 199))
    assert found.rate is None and "too few steps" in found.reason and found.remedy == "--steps 200"


def test_what_never_diverged() -> None:
    found = suggest(outcome_of([math.exp(-step / 100) for step in range(300)]))
    assert found.rate is None and "never lost stability" in found.reason
    assert found.remedy == f"--to 10 --steps {max(300, fewest_steps(LOWEST, 10.0))}"


def test_what_never_moved() -> None:
    for level in (0.0, 1.3863):
        found = suggest(outcome_of([level] * 300))
        assert found.rate is None and "never moved" in found.reason
    draws = random.Random(0)
    found = suggest(outcome_of([draws.gauss(0, 1) for _ in range(300)]))
    assert found.rate is None and "never moved" in found.reason


def test_noise_that_is_larger_than_the_change() -> None:
    """Its jumps grow over those of the beginning, but it has learned nothing before."""
    draws = random.Random(0)
    terms = [draws.gauss(0, 1 if step < 200 else 40) for step in range(300)]
    found = suggest(outcome_of(terms))
    assert found.rate is None and "noise is larger" in found.reason and found.remedy == "--steps 600"
    assert suggest(outcome_of(terms, is_by_samples=True)).rate is not None, "samples that move are evidence"


def test_what_diverges_at_once() -> None:
    for count in (0, 1, 2, 60):
        found = suggest(outcome_of([1.0] * count, unstable=count))
        assert found.rate is None and "at once" in found.reason
        assert found.remedy == f"--from 1e-08 --steps {max(300, fewest_steps(1e-8, HIGHEST))}"


def test_no_more_than_three_times_the_set_rate() -> None:
    """A tenth of the limit may be far more than what any run bears."""
    terms = descent(100.0, 300)
    limit = outcome_of(terms).limit
    assert limit is not None
    for usual, capped in ((limit / 29, False), (limit / 31, True)):
        found = suggest(outcome_of(terms, usual=usual))
        assert found.rate == pytest.approx(3 * usual if capped else limit / 10)
        assert ("3 times what is set" in found.reason) == capped and not found.remedy


@pytest.mark.long
def test_its_remedy_works_when_typed(gans: Gans) -> None:
    """After that, the same reason is not given again."""
    line = "find-lr --arch mlp --data ring8 --loss bce --width 8 --batch-size 8 --to 0.5 --out a.png"
    outcome = gans(f"{line} --steps 60 --json")
    critic = json.loads(outcome.out)["critic"]
    assert outcome.status == 0 and critic["suggestion"] is None and "too few steps" in critic["reason"]
    told = gans(f"{line} --steps 60").out
    assert "no suggestion" in told and critic["remedy"] in told
    again = json.loads(gans(f"{line} --json {critic['remedy']}").out)
    for player in ("generator", "critic"):
        numbers = again[player]
        assert "too few" not in (numbers["reason"] or "")
        assert numbers["suggestion"] <= min(numbers["unstable_at"] / 10, 3 * numbers["set"]) * 1.001
