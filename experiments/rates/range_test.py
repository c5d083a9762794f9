"""The learning-rate range test (Smith 2017, arXiv:1506.01186, section 3.3) for each player of a game.

A player's rate rises exponentially from round to round while the other's stays at its recipe's. Smith stops
where the loss rises again; but a GAN's loss is no measure of progress, because the opponent answers. What can
be told from a player's own terms is whether its steps are still small beside what it has learned: below some
rate the terms drift, above it single rounds throw them half as far as the whole test moved them before. There
the player loses stability, whatever the form, its sign or its scale; a term that is not finite has lost
it too. The suggestion is a tenth of that rate, the usual margin of range tests.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import mean

from experiments.build import build
from experiments.config import Config
from experiments.errors import UsageError
from experiments.train import StopSignal, train
from experiments.watchers import Moment
from gans.core.clock import Clock
from gans.core.player import Scores

PLAYERS = ("generator", "critic")
SMOOTHING, JUMP_SMOOTHING = 0.9, 0.8  # of the exponential means of the terms, and of their jumps
THROWN = 0.5  # of what the smoothed terms have travelled
NOISE_SHARE = 0.2  # of the rounds, whose rates are too small to matter: what they jump by is noise
OVER_NOISE = 4.0
MARGIN = 10.0
OBSERVED = ("real", "fake", "gradient_norm", "path")  # scores that nobody minimises


@dataclass(frozen=True)
class Rising:
    """A schedule: shares of a rate that rise exponentially over a run."""

    start: float
    end: float

    def __call__(self, clock: Clock) -> float:
        return self.start * (self.end / self.start) ** clock.progress


@dataclass(frozen=True)
class RangeTest:
    """What became of one player.

    Attributes:
        player: its name.
        usual: the rate of its recipe, or of its flag.
        rates: that it had, one for each round; fewer than were asked for where a term was not finite.
        terms: the sum of what it minimised, in each round.
        unstable: the index of the round where it lost stability; None where it never did.
    """

    player: str
    usual: float
    rates: Sequence[float]
    terms: Sequence[float]
    unstable: int | None

    @property
    def limit(self) -> float | None:
        """The rate at which it lost stability."""
        return None if self.unstable is None else self.rates[min(self.unstable, len(self.rates) - 1)]

    @property
    def suggestion(self) -> float | None:
        return None if self.limit is None else self.limit / MARGIN


def range_test(config: Config, player: str, lowest: float, highest: float) -> RangeTest:
    """Plays the config's whole run with one player's rate rising. Raises UsageError for a game without it."""
    experiment = build(config)
    usual = getattr(config.settings, f"lr_{player}")
    movers = [each for each in experiment.players if each.name == player]
    if not movers:
        raise UsageError(f"architecture {config.settings.arch} has no player {player} to test")
    for each in experiment.players:
        rising = Rising(lowest / usual, highest / usual)
        each.schedule = rising if each in movers else Rising(1.0, 1.0)
    rates: list[float] = []
    terms: list[float] = []

    with StopSignal() as stop:

        def record(moment: Moment, scores: Scores) -> None:
            term = sum(v.item() for n, v in scores.items() if _is_minimised(n, player))
            if not math.isfinite(term):
                stop.requested = True
                return
            share = (moment.step - 1) / experiment.total_steps
            rates.append(lowest * (highest / lowest) ** share)
            terms.append(term)

        train(experiment, 0, [record], stop)
    unstable = first_unstable(terms)
    if unstable is None and len(terms) < experiment.total_steps:
        unstable = len(terms)
    return RangeTest(player, usual, rates, terms, unstable)


def _is_minimised(name: str, player: str) -> bool:
    owner, _, term = name.partition("/")
    return owner == player and term not in OBSERVED


def smoothed(values: Sequence[float], share: float = SMOOTHING) -> list[float]:
    """Exponential means, without the pull of their beginning towards 0 (Adam's correction)."""
    means, total, weight = [], 0.0, 0.0
    for value in values:
        total = share * total + (1 - share) * value
        weight = share * weight + (1 - share)
        means.append(total / weight)
    return means


def first_unstable(terms: Sequence[float]) -> int | None:
    """The first round from which a round's jump, smoothed, is more than half of what the smoothed terms
    have travelled before, and clearly larger than noise; None where there is none."""
    quiet = max(2, round(NOISE_SHARE * len(terms)))
    if len(terms) <= quiet:
        return None
    jumps = [abs(after - before) for before, after in pairwise(terms)]
    noise, means, sizes = mean(jumps[:quiet]), smoothed(terms), smoothed(jumps, JUMP_SMOOTHING)
    low, high = min(means[:quiet]), max(means[:quiet])
    for index in range(quiet, len(terms)):
        if sizes[index - 1] > max(THROWN * (high - low), OVER_NOISE * noise):
            return index
        low, high = min(low, means[index]), max(high, means[index])
    return None
