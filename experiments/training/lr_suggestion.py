"""Suggestion of a learning rate from a range test, or the reason why its evidence is not enough for one.

A tenth of the rate at which a player loses stability is the usual margin of range tests. It is an upper
end, found in a few hundred steps; a GAN may take thousands to diverge, and only one player's rate was
raised. So no more than three times the set rate is suggested at a time: beyond it, train, and test again
from there.
"""

import math
from dataclasses import dataclass

from experiments.training.lr_finder import JUMP_SMOOTHING, OVER_NOISE, RangeTest, noise_steps, terms_travel

MARGIN = 10.0  # limit / suggestion
LARGEST_RAISE = 3.0  # suggestion / set rate: half an order of magnitude at a time
AVERAGED = round(1 / (1 - JUMP_SMOOTHING))  # steps that a smoothed jump is the mean of
BLUR = math.sqrt(2)  # largest factor between the rates of these steps; with more, limits scatter tenfold
ROUNDING = 1e-6  # of float32, beside the size of a term
HIGHEST = 10.0  # rate that --to takes
DEEPER = 100.0  # factor by which --from is lowered


@dataclass(frozen=True)
class Suggestion:
    """Suggested learning rate of a player.

    Attributes:
        rate: None where the test gives too little evidence.
        reason: why there is none, or why it is not a tenth of the limit; empty otherwise.
        remedy: flags of `gans find-lr` that may give more evidence; empty where none is missing.
    """

    rate: float | None
    reason: str = ""
    remedy: str = ""


def suggest(test: RangeTest) -> Suggestion:
    """Suggests a learning rate: a tenth of the limit, at most three times the set rate; or says why not."""
    needed = fewest_steps(test.lowest, test.highest)
    if test.steps < needed:
        factor = (test.highest / test.lowest) ** (1 / test.steps)
        reason = f"too few steps: the rate rises by {factor - 1:.0%} at each, so that a limit is a guess"
        return Suggestion(None, reason, f"--steps {needed}")
    travel, noise = terms_travel(test.terms, test.unstable)
    rounding = ROUNDING * max(map(abs, test.terms[: test.unstable]), default=0.0)
    has_moved = travel > max(OVER_NOISE * noise, rounding)
    if test.limit is None:
        reason = f"no limit below {test.highest:g}: it never lost stability"
        if not has_moved:
            reason = f"its loss never moved by more than noise ({travel:.2g} and {noise:.2g})"
        return Suggestion(None, reason, _wider(test))
    if test.unstable is not None and test.unstable <= noise_steps(range(test.steps)):
        lowest = test.lowest / DEEPER
        reason = f"it lost stability at once, at {test.limit:.2g}: nothing is known of lower rates"
        steps = max(test.steps, fewest_steps(lowest, test.highest))
        return Suggestion(None, reason, f"--from {lowest:g} --steps {steps}")
    if not has_moved and not test.is_by_samples:
        reason = f"noise is larger than the change: its loss moved by {travel:.2g}, and noise is {noise:.2g}"
        return Suggestion(None, reason, f"--steps {2 * test.steps}")
    rate, most = test.limit / MARGIN, LARGEST_RAISE * test.usual
    if rate > most:
        reason = f"a tenth of the limit is {rate:.2g}, but a short test finds no slow divergence"
        return Suggestion(most, f"{LARGEST_RAISE:g} times what is set: {reason}")
    return Suggestion(rate)


def fewest_steps(lowest: float, highest: float) -> int:
    """Fewest range-test steps, so that the rate rises by at most √2 over the steps that a jump averages."""
    return math.ceil(AVERAGED * math.log(highest / lowest) / math.log(BLUR))


def _wider(test: RangeTest) -> str:
    """Flags of a test up to higher rates, as densely; of a longer one where there are none."""
    if test.highest >= HIGHEST:
        return f"--steps {2 * test.steps}"
    return f"--to {HIGHEST:g} --steps {max(test.steps, fewest_steps(test.lowest, HIGHEST))}"
