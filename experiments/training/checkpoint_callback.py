"""Checkpoints during training, at an interval and on demand."""

from experiments.core.named_values import StateDict
from experiments.runs.checkpoint import Checkpoints
from experiments.training.callbacks import Progress
from experiments.training.experiment import Experiment
from experiments.training.metric_logging import MetricLogger, not_finite_error
from gans.core.player import Scores


class Checkpointer:
    """Saves checkpoints of the experiment at an interval, and on demand."""

    def __init__(
        self, experiment: Experiment, checkpoints: Checkpoints, interval: int, metric_logger: MetricLogger
    ) -> None:
        self.experiment, self.checkpoints = experiment, checkpoints
        self.interval, self.metric_logger = interval, metric_logger
        self._saved = 0

    def __call__(self, progress: Progress, scores: Scores) -> None:
        if progress.passes(self.interval):
            self.save(progress.step)

    def save(self, step: int) -> None:
        """Writes a checkpoint, once for every step. Raises RunError where a score or weight is not finite."""
        if step != self._saved:
            self.checkpoints.save(step, self.content(step))
            self._saved = step

    def content(self, step: int) -> StateDict:
        """Content of a checkpoint of this step. Raises RunError where a score or a weight is not finite.

        A finite loss can have a slope that is not, and the weights show it one step before the scores.
        """
        self.metric_logger.check(step)
        for name, parameter in self.experiment.game.named_parameters():
            if not parameter.isfinite().all():
                raise not_finite_error(step, name)
        return {**self.experiment.state_dict(), "scores": self.metric_logger.state_dict()}
