"""Response to a collapse of the run (`--on-collapse`): warn, stop, or roll back to before it.

A collapse rarely mends itself, and the checkpoint to keep is the last one before it (Brock et al. 2019,
arXiv:1809.11096, section 4). A rollback goes on from there with other random draws, and with half of
both learning rates: small rates are what the convergence of GANs is proven for (Heusel et al. 2017,
arXiv:1706.08500). Everything is a function of the config and of how often the run was rolled back,
which its checkpoints know: the same command gives the same bits, interrupted or not.
"""

import logging

from experiments.analysis.doctor.finding import Finding
from experiments.analysis.doctor.history import History
from experiments.analysis.doctor.score_rules import divergence, is_spread, mode_collapse
from experiments.core.errors import RunError
from experiments.runs.checkpoint import step_of
from experiments.runs.folder import RunFolder
from experiments.runs.score_lines import GrowingScores
from experiments.training.callbacks import Progress
from experiments.training.checkpoint_callback import Checkpointer
from experiments.training.experiment import Experiment
from experiments.training.metric_logging import MetricLogger
from experiments.training.rollback import RollbackRequest
from gans.core.player import Scores

log = logging.getLogger("gans")


class CollapseGuard:
    """Looks for a collapse whenever a line of scores has a new distance of samples, and responds to it.

    It goes after the metric logger, and before the checkpointer: what has collapsed is not saved,
    unless the run is to stop there.
    """

    def __init__(
        self,
        experiment: Experiment,
        folder: RunFolder,
        metric_logger: MetricLogger,
        checkpointer: Checkpointer,
    ) -> None:
        self.folder, self.metric_logger, self.checkpointer = folder, metric_logger, checkpointer
        self.settings = experiment.spec.settings
        self.mode = self.settings.on_collapse
        self.told: set[str] = set()
        self.scores = GrowingScores(folder.scores_file)  # of which this asks at every grid

    def begin(self, step: int) -> None:
        """Saves the state that a rollback can return to, where none is saved yet."""
        if self.mode == "rollback" and not any(step_of(p) <= step for p in self.folder.healthy.paths()):
            self._keep(step)

    def __call__(self, progress: Progress, scores: Scores) -> None:
        has_line = not self.metric_logger.pending
        if not has_line or "samples/pairwise_distance" not in self.metric_logger.line:
            return
        history = History(self.settings, self.scores.read(), run=str(self.folder.path))
        finding = divergence(history) or mode_collapse(history)
        if finding:
            self._respond(finding, progress.step)
        elif self.mode == "rollback" and is_spread(history):
            self._keep(progress.step)

    def _respond(self, finding: Finding, step: int) -> None:
        """Responds to a finding as `--on-collapse` asks."""
        if self.mode == "rollback":
            self.checkpointer.writer.wait()  # the state that is gone back to must be on the disk
            raise RollbackRequest(f"step {step}: {finding.rule}: {finding.evidence}")
        if self.mode == "stop":
            self.checkpointer.save(step)
            self.checkpointer.writer.wait()  # or else it would be called saved
            raise RunError(
                f"step {step}: {finding}; stopped and saved, as --on-collapse stop asks; --on-collapse warn "
                "with --force goes on"
            )
        if finding.rule not in self.told:
            log.info(f"step {step}: {finding}")
            self.told.add(finding.rule)

    def _keep(self, step: int) -> None:
        """Saves the state of a step as one that a rollback can return to."""
        self.folder.healthy.folder.mkdir(exist_ok=True)
        self.checkpointer.write_to(self.folder.healthy, step, self.checkpointer.content(step))
