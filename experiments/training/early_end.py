"""Last records of a run that ends before its last step, as if that had been the last one."""

from collections.abc import Sequence

from experiments.training.callbacks import Callback, Progress
from experiments.training.experiment import Experiment
from experiments.training.metric_logging import MetricLogger
from gans.core.player import Scores


class EarlyEnd:
    """Makes the last sample grid and line of scores of a run that an evaluation has ended.

    Those callbacks went before the evaluation, and did not know. It goes after it, and before the
    checkpointer.

    Args:
        callbacks: those of a last step, the metric logger among them.
    """

    def __init__(
        self, experiment: Experiment, callbacks: Sequence[Callback], metric_logger: MetricLogger
    ) -> None:
        self.experiment, self.metric_logger = experiment, metric_logger
        self.callbacks = [each for each in callbacks if each is not metric_logger]

    def __call__(self, progress: Progress, scores: Scores) -> None:
        if not progress.is_last or progress.step == self.experiment.total_steps:
            return
        for callback in self.callbacks:
            callback(progress, scores)
        if self.metric_logger.pending:
            self.metric_logger.end_line(progress)
