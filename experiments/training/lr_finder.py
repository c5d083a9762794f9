"""Learning-rate range test (Smith 2017, arXiv:1506.01186, section 3.3) for each player of a game.

A player's rate rises exponentially from step to step while the other's stays at its recipe's. Smith
stops where the loss rises again; but a GAN's loss is no measure of progress, because the opponent
answers. What can be told from a player's own terms is whether its steps are still small beside what it
has learned: below some rate the terms drift, above it single steps throw them half as far as the whole
test moved them before. There the player loses stability, whatever the form, its sign or its scale; a
term that is not finite has lost it too. A generator's terms can rest where its samples do not, because
the critic follows, so that it also has lost stability where single steps move samples of fixed latents
by a fifth of the distance between real samples. What is suggested then stands in lr_suggestion.py.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import mean

import torch
from torch import Tensor

from experiments.config.resolve import RunSpec
from experiments.core.diversity import pairwise_distance
from experiments.core.errors import UsageError
from experiments.core.seeds import seed_all
from experiments.core.stop_signal import StopSignal
from experiments.training.callbacks import Progress
from experiments.training.experiment import Experiment, build
from experiments.training.fine_tuning import begin_from_weights
from experiments.training.steps import train_steps
from gans.core.clock import Clock
from gans.core.growth import GrowingGenerator
from gans.core.networks import Batch, GeneratorNetwork
from gans.core.player import Scores

PLAYERS = ("generator", "critic")
SMOOTHING, JUMP_SMOOTHING = 0.9, 0.8  # decay of the moving averages of terms, and of their jumps
THROWN = 0.5  # share of what the smoothed terms have travelled
SAMPLES_THROWN, SAMPLES = 0.2, 16  # share of the distance between real samples; number of samples
NOISE_SHARE = 0.2  # share of the steps whose rates are too small to matter: their jumps are noise
OVER_NOISE = 4.0  # multiple of the noise that is no noise any more
OBSERVED = ("real", "fake", "gradient_norm", "path")  # scores that nobody minimises


@dataclass(frozen=True)
class ExponentialRise:
    """Learning-rate schedule that rises exponentially from `start` to `end`, as multiples of a rate."""

    start: float
    end: float

    def __call__(self, clock: Clock) -> float:
        return self.start * (self.end / self.start) ** clock.progress


@dataclass(frozen=True)
class RangeTest:
    """Result of the range test of one player.

    Attributes:
        player: its name.
        usual: the rate of its recipe, or of its flag.
        lowest, highest: the rates between which it was tested.
        steps: the steps that were asked for.
        rates: its rate in each step; fewer than were asked for where a term was not finite.
        terms: the sum of what it minimised, in each step.
        unstable: the index of the step where it lost stability; None where it never did.
        is_by_samples: whether it lost stability by moving samples too far, not by its terms.
    """

    player: str
    usual: float
    lowest: float
    highest: float
    steps: int
    rates: Sequence[float]
    terms: Sequence[float]
    unstable: int | None
    is_by_samples: bool = False

    @property
    def limit(self) -> float | None:
        """Learning rate at which the player lost stability; None where it never did."""
        if self.unstable is None:
            return None
        return self.rates[min(self.unstable, len(self.rates) - 1)] if self.rates else self.lowest


def range_test(spec: RunSpec, player: str, lowest: float, highest: float) -> RangeTest:
    """Tests the learning rates of one player: trains the config's whole run with that player's rate rising.

    It begins from the initial weights of the config, if any. Raises UsageError for a game without this
    player.
    """
    experiment = build(spec)
    if spec.settings.init_from is not None:
        begin_from_weights(experiment, log_table=False)
    usual = getattr(spec.settings, f"lr_{player}")
    movers = [each for each in experiment.players if each.name == player]
    if not movers:
        raise UsageError(f"architecture {spec.settings.arch} has no player {player} to test")
    for each in experiment.players:
        rising = ExponentialRise(lowest / usual, highest / usual)
        each.schedule = rising if each in movers else ExponentialRise(1.0, 1.0)
    samples = SampleMovement(experiment) if player == "generator" else None
    rates: list[float] = []
    terms: list[float] = []
    moves: list[float] = []

    with StopSignal() as stop:

        def record(progress: Progress, scores: Scores) -> None:
            term = sum(v.item() for n, v in scores.items() if _is_minimised(n, player))
            if not math.isfinite(term):
                stop.requested = True
                return
            share = (progress.step - 1) / experiment.total_steps
            rates.append(lowest * (highest / lowest) ** share)
            terms.append(term)
            moves.append(samples.next() if samples else 0.0)

        train_steps(experiment, 0, [record], stop)
    total, by_samples = experiment.total_steps, first_excessive_move(moves)
    ends = [by_samples, first_unstable_step(terms), len(terms) if len(terms) < total else None]
    unstable = min((end for end in ends if end is not None), default=None)
    is_by_samples = unstable is not None and unstable == by_samples
    return RangeTest(player, usual, lowest, highest, total, rates, terms, unstable, is_by_samples)


class SampleMovement:
    """Measures how far a generator's samples of fixed inputs move from step to step."""

    def __init__(self, experiment: Experiment) -> None:
        network, settings, reals = (
            experiment.game.generator_network,
            experiment.spec.settings,
            experiment.reals,
        )
        assert isinstance(network, GeneratorNetwork)
        self.network, self.seed = network, settings.seed
        samples, *condition = (
            each[:SAMPLES].to(settings.device) for each in (reals.samples, *reals.condition)
        )
        self.like = Batch(samples, tuple(condition))
        self.distance = pairwise_distance(samples)
        self.latest: Tensor | None = None
        self.stage = 0.0

    @torch.no_grad()
    def next(self) -> float:
        """Distance that the samples have moved since the last call, in mean distances between real samples.

        It is a root mean square; 0 the first time, and where the network has grown, which moves samples
        too.
        """
        seed_all(self.seed, "samples")
        before, self.latest = self.latest, self.network.generate(self.like).float()
        stage = self.stage
        if isinstance(self.network, GrowingGenerator):
            self.stage = self.network.stage.now
        if before is None or stage != self.stage:
            return 0.0
        return ((self.latest - before).square().mean().sqrt().cpu() / self.distance).item()


def _is_minimised(name: str, player: str) -> bool:
    """Whether a score is a term that this player minimises."""
    owner, _, term = name.partition("/")
    return owner == player and term not in OBSERVED


def smooth(values: Sequence[float], share: float = SMOOTHING) -> list[float]:
    """Exponential moving averages, without the pull of their beginning towards 0 (Adam's bias correction)."""
    means, total, weight = [], 0.0, 0.0
    for value in values:
        total = share * total + (1 - share) * value
        weight = share * weight + (1 - share)
        means.append(total / weight)
    return means


def first_unstable_step(terms: Sequence[float]) -> int | None:
    """Index of the first step at which a player's terms lose stability; None where there is none.

    From there on a step's jump, smoothed, is more than half of what the smoothed terms have travelled
    before, and clearly larger than noise. A jump is half of how far a change differs from the one
    before: terms that move ever faster are not thrown.
    """
    quiet = noise_steps(terms)
    if len(terms) <= quiet:
        return None
    jumps = _jumps(terms)
    noise, means, sizes = mean(jumps[1:quiet]), smooth(terms), smooth(jumps, JUMP_SMOOTHING)
    low, high = min(means[:quiet]), max(means[:quiet])
    for index in range(quiet, len(terms)):
        if sizes[index - 1] > max(THROWN * (high - low), OVER_NOISE * noise):
            return index
        low, high = min(low, means[index]), max(high, means[index])
    return None


def terms_travel(terms: Sequence[float], end: int | None) -> tuple[float, float]:
    """Distance that smoothed terms travelled before step `end`, and their noise; 0, 0 of fewer than 4."""
    quiet, means = noise_steps(terms), smooth(terms)[:end]
    if len(means) <= 3:
        return 0.0, 0.0
    return max(means) - min(means), mean(_jumps(terms)[1:quiet])


def _jumps(terms: Sequence[float]) -> list[float]:
    """Half of how far each change differs from the one before; the first is 0, and stands for the second."""
    changes = [after - before for before, after in pairwise(terms)]
    return [0.0, *(abs(after - before) / 2 for before, after in pairwise(changes))]


def first_excessive_move(moves: Sequence[float]) -> int | None:
    """Index of the first step of the rate search that moves the samples too far; None where there is none.

    Smoothed, it moves them by more than a fifth of the distance between real samples, and clearly more
    than at the beginning, where networks that normalize a constant move at any rate (StyleGAN).
    """
    quiet, sizes = noise_steps(moves), smooth(moves, JUMP_SMOOTHING)
    limit = max(SAMPLES_THROWN, OVER_NOISE * mean(moves[:quiet] or [0.0]))
    return next((index for index in range(quiet, len(moves)) if sizes[index] > limit), None)


def noise_steps(values: Sequence[float]) -> int:
    """Number of steps at the beginning whose rates are too small to matter: their jumps are noise."""
    return max(3, round(NOISE_SHARE * len(values)))
