"""The training loop: step after step, with callbacks after each."""

from collections.abc import Sequence
from dataclasses import replace

from experiments.core.processes import agreement, any_over_ranks, average_scores
from experiments.core.seeds import seed_all
from experiments.core.stop_signal import StopSignal
from experiments.training.callbacks import Callback, Progress
from experiments.training.experiment import Experiment
from gans.core.player import Scores
from losses.core.batch_parts import whole_batches


def train_steps(
    experiment: Experiment,
    start: int,
    callbacks: Sequence[Callback],
    stop: StopSignal,
    until_kimg: float | None = None,
    callbacks_together: Sequence[Callback] = (),
    callbacks_after: Sequence[Callback] = (),
) -> int:
    """Trains from step `start + 1` to the last; returns the last step that it made.

    It stops short of the end on request, when `until_kimg` thousand images were shown, and when its patience
    is over, a last step like any other. What a step
    draws at random is a function of (seed, step), and what it loads of (seed, images shown), so a
    resumed run continues bit by bit without any stored random state.

    Several processes make the same steps. Callbacks are those of this process, and may not wait for others;
    where one fails, all do.

    Args:
        callbacks: called first after each step.
        callbacks_together: called then, by all processes alike, which may wait for one another.
        callbacks_after: called then.
    """
    game, loader = experiment.game, experiment.loader
    if experiment.patience.is_over:
        return start
    callbacks_before = callbacks if callbacks_together else [*callbacks, *callbacks_after]
    for step in range(start + 1, experiment.total_steps + 1):
        before = loader.clock
        seed_all(*experiment.random_parts, "step", step)
        for setting in experiment.scheduled:
            setting.set(before.progress)
        scores = average_scores(game.round(loader))
        for average in experiment.averages:
            average.follow(loader.seen, loader.seen - before.seen, before.progress)
        progress = Progress(step, loader.seen, before.seen, step == experiment.total_steps)
        _call(callbacks_before, progress, scores)
        if callbacks_together:
            for callback in callbacks_together:
                callback(progress, scores)
            if experiment.patience.is_over:
                progress = replace(progress, is_last=True)
            _call(callbacks_after, progress, scores)
            if experiment.patience.is_over:
                return step
        if any_over_ranks(stop.requested) or (until_kimg is not None and loader.seen >= until_kimg * 1000):
            return step
    return experiment.total_steps


def _call(callbacks: Sequence[Callback], progress: Progress, scores: Scores) -> None:
    """Calls callbacks of this process; where one fails, all processes do."""
    with agreement(), whole_batches():
        for callback in callbacks:
            callback(progress, scores)
