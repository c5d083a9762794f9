"""Checkpoints during training: at an interval of images, every quarter of an hour, and on demand."""

import time
from collections.abc import Callable, Collection
from functools import partial

from experiments.core.background_writer import BackgroundWriter
from experiments.core.console import is_out_of_memory
from experiments.core.named_values import StateDict
from experiments.data.core.memory import free_memory
from experiments.runs.checkpoint import Checkpoints
from experiments.runs.state_copy import copy_state, state_bytes
from experiments.training.callbacks import Progress
from experiments.training.experiment import Experiment
from experiments.training.metric_logging import MetricLogger, not_finite_error
from gans.core.player import Scores

INTERIM_SECONDS = 15 * 60.0  # the most training time that a killed process loses
SPARE = 2  # times the size of a state: memory that is free before it is copied
INTERIM = "interim"  # key of checkpoints that the next one replaces


class Checkpointer:
    """Saves checkpoints of the experiment at an interval of images, and on demand.

    Where these are far apart in time, it saves interim ones as well, every INTERIM_SECONDS, and so does a
    run that stops before its end. The next checkpoint replaces an interim one, so that `--keep` counts those
    that depend neither on the clock nor on interruptions.

    A checkpoint is on the disk once the writer is waited for. There is at most one on its way.

    Args:
        interval_images: images between two checkpoints.
        writer: writes the checkpoints.
        clock: seconds on a clock that only goes forward; by default the system's.

    Attributes:
        interim: step of the interim checkpoint that there is; 0 for none.
    """

    def __init__(
        self,
        experiment: Experiment,
        checkpoints: Checkpoints,
        interval_images: int,
        metric_logger: MetricLogger,
        writer: BackgroundWriter,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.experiment, self.checkpoints = experiment, checkpoints
        self.interval_images, self.metric_logger = interval_images, metric_logger
        self.writer, self.clock = writer, clock or time.monotonic
        self.interim = 0
        self._saved = 0
        self._saved_at = self.clock()

    def __call__(self, progress: Progress, scores: Scores) -> None:
        self.writer.poll()
        if progress.passes(self.interval_images):
            self.save(progress.step)
        elif self.clock() - self._saved_at >= INTERIM_SECONDS:
            self.save_interim(progress.step)

    def save(self, step: int) -> None:
        """Writes a checkpoint, once for every step. Raises RunError where a score or weight is not finite."""
        if step != self._saved:
            self._write(step, self.content(step))
            self.interim = 0

    def save_interim(self, step: int) -> None:
        """Writes an interim checkpoint, unless there is one of this step. Raises RunError as `save` does."""
        if step != self._saved:
            self._write(step, {**self.content(step), INTERIM: True})
            self.interim = step

    def content(self, step: int) -> StateDict:
        """Content of a checkpoint of this step. Raises RunError where a score or a weight is not finite.

        A finite loss can have a slope that is not, and the weights show it one step before the scores.
        """
        self.metric_logger.check(step)
        for name, parameter in self.experiment.game.named_parameters():
            if not parameter.isfinite().all():
                raise not_finite_error(step, name)
        return {**self.experiment.state_dict(), "scores": self.metric_logger.state_dict()}

    def _write(self, step: int, content: StateDict) -> None:
        """Writes a checkpoint in the place of the interim one."""
        uncounted = {self.interim, step} if content.get(INTERIM) else {self.interim}
        self.write_to(self.checkpoints, step, content, uncounted)
        self._saved, self._saved_at = step, self.clock()

    def write_to(
        self, checkpoints: Checkpoints, step: int, content: StateDict, uncounted: Collection[int] = ()
    ) -> None:
        """Has a checkpoint written among others, as `Checkpoints.save` does, from a copy of its content.

        Where there is no memory for a copy, it is written at once. Raises RunError where that fails, or an
        earlier one has.
        """
        # What was given before is written and reported before: a resumed run goes on after this checkpoint.
        self.writer.wait()
        if free_memory() >= SPARE * state_bytes(content):
            try:
                content = copy_state(content)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
            else:
                self.writer.submit(partial(checkpoints.save, step, content, uncounted))
                return
        checkpoints.save(step, content, uncounted)
