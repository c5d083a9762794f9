"""The one training loop: the game owns the round, the player owns the update, the trainer owns time."""

import signal
from collections.abc import Sequence
from types import FrameType, TracebackType
from typing import Self

from experiments.build import Experiment
from experiments.seeds import seed_all
from experiments.watchers import Moment, Watcher


class StopSignal:
    """Turns the first Ctrl-C (or SIGTERM) into a request that the loop honours after the step it is in;
    the second one interrupts at once."""

    def __init__(self) -> None:
        self.requested = False
        self._previous: dict[int, object] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._request)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _request(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True


def train(
    experiment: Experiment,
    start: int,
    watchers: Sequence[Watcher],
    stop: StopSignal,
    until_kimg: float | None = None,
) -> int:
    """Plays rounds `start + 1` to the last; returns the step it reached, short of the last when stopped, or
    when so many images were shown.

    What a step draws at random is a function of (seed, step), and what it is dealt of (seed, images
    shown), so a resumed run continues bit by bit without any stored random state.
    """
    game, deal = experiment.game, experiment.deal
    for step in range(start + 1, experiment.total_steps + 1):
        previous = deal.seen
        seed_all(*experiment.stream, "step", step)
        scores = game.round(deal)
        for average in experiment.averages:
            average.follow(deal.seen, deal.seen - previous)
        moment = Moment(step, deal.seen, previous, step == experiment.total_steps)
        for watch in watchers:
            watch(moment, scores)
        if stop.requested or (until_kimg is not None and deal.seen >= until_kimg * 1000):
            return step
    return experiment.total_steps
