"""Evaluation during training: scores over kimg, and the checkpoint of the best generator."""

import copy
import logging
from contextlib import nullcontext
from dataclasses import replace

from experiments.core import registry
from experiments.core.console import describe_error
from experiments.core.errors import RunError, UsageError
from experiments.core.named_values import SettingValues, StateDict
from experiments.core.options import describe_options, split_key
from experiments.core.processes import from_first, is_first
from experiments.core.settings import Settings
from experiments.evaluation.best_score import BestScore
from experiments.evaluation.candidates import Candidate
from experiments.evaluation.evaluate import Evaluator
from experiments.evaluation.extraction import Advance
from experiments.evaluation.features import ExtractorOptions
from experiments.evaluation.protocols import ReferenceChoice
from experiments.runs.checkpoint import step_of
from experiments.runs.folder import RunFolder
from experiments.runs.scores import (
    NUMBER,
    EvaluationScores,
    append_record,
    describe_numbers,
    flatten_scores,
    read_evaluation_scores,
)
from experiments.trackers.core.tracker import Tracker
from experiments.training.callbacks import Progress
from experiments.training.checkpoint_callback import Checkpointer
from experiments.training.experiment import Experiment
from experiments.training.metric_logging import MetricLogger
from gans.core.player import Scores as Terms

log = logging.getLogger("gans")


def open_evaluator(settings: Settings) -> Evaluator:
    """Opens the evaluator of a run's generators during training, with its data and feature extractor.

    Raises UsageError for what cannot be evaluated.
    """
    evaluator = _make_evaluator(settings)
    evaluator.open(settings, "the run", settings.best_metric, needs_all=True)
    evaluator.check_complete()
    return evaluator


def check_evaluation(settings: Settings) -> None:
    """Checks that a run's generators can be evaluated during training, without extracting features.

    Raises UsageError otherwise.
    """
    _make_evaluator(settings).check(settings, "the run", settings.best_metric)


def _make_evaluator(settings: Settings) -> Evaluator:
    """Makes the evaluator of a run's generators during training; nothing is opened."""
    may_download = settings.download and settings.extractor is not None  # else it would choose inception
    options = ExtractorOptions(settings.extractor, device=settings.device, download=may_download)
    count = settings.evaluate_samples
    # The seed of gans evaluate, not the run's: all runs are evaluated against the same real samples.
    # Copies of training images look best beside these: what decides is compared with others where it can be.
    prefers_held_out = settings.holdout is not None or settings.patience is not None
    choice = ReferenceChoice(settings.evaluate_reference, prefers_held_out=prefers_held_out)
    own = _own_options(settings)
    return Evaluator(options, settings.evaluate_metrics, count, 0, _no_meter, own, choice)


def _own_options(settings: Settings) -> SettingValues:
    """Options of metrics and of the extractor among those of a run.

    A regularizer may have the name of a metric (path-length), so that the name of the option decides.
    """
    found = {}
    for key, value in settings.options.items():
        owner, name = split_key(key)
        of_metric = owner in registry.names("metric") and name in describe_options("metric", owner).options
        if owner == "extractor" or of_metric:
            found[key] = value
    return found


class EvaluationCallback:
    """Evaluates the EMA generator at an interval, and keeps the checkpoint of the best.

    Several processes evaluate together; the first keeps the scores.

    Nothing of this changes the training, and an evaluation that fails does not end it. Which one is the
    best is read from the run folder, so that a resumed run knows it too.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        experiment: Experiment,
        folder: RunFolder,
        tracker: Tracker,
        metric_logger: MetricLogger | None = None,
        checkpointer: Checkpointer | None = None,
    ) -> None:
        settings = experiment.spec.settings
        assert settings.evaluate_kimg is not None
        self.evaluator, self.folder, self.tracker = evaluator, folder, tracker
        self.metric_logger, self.checkpointer = metric_logger, checkpointer
        self.interval = max(1, round(settings.evaluate_kimg * 1000))
        self.best = BestScore(settings.best_metric or next(iter(evaluator.metrics)), evaluator)
        self.patience = experiment.patience
        self.candidate = Candidate(str(folder.path), experiment.ema.average, settings)

    def __call__(self, progress: Progress, terms: Terms) -> None:
        if progress.passes(self.interval):
            with self.metric_logger.paused_clock() if self.metric_logger else nullcontext():
                try:
                    self._evaluate(progress)
                except (UsageError, RunError) as error:
                    log.info(f"step {progress.step}: not evaluated, and the run goes on: {error}")
        if (progress.is_last or self.patience.is_over) and is_first():
            kept = dict(read_evaluation_scores(self.folder))
            for path in self.folder.best.paths():
                chosen = self.best.numbers_in(kept.get(step_of(path), {}))
                log.info(f"best {describe_numbers(chosen) or self.best.name}: {path}")

    def _evaluate(self, progress: Progress) -> None:
        """Evaluates the EMA generator, and records its scores; all processes lose patience at one step."""
        scores = self.evaluator(self._candidate())

        def record() -> StateDict:
            self._record(progress, scores)
            return self.patience.state_dict()

        self.patience.load_state_dict(from_first(record))

    def _candidate(self) -> Candidate:
        """The EMA generator; extractors take float32, and so it is a copy where it trains in another type."""
        if self.candidate.settings.precision != "fp64":
            return self.candidate
        return replace(self.candidate, network=copy.deepcopy(self.candidate.network).float())

    def _record(self, progress: Progress, scores: EvaluationScores) -> None:
        """Records the scores of the EMA generator, and its checkpoint where it is the best."""
        assert self.checkpointer is not None
        for name, error in self.evaluator.faults.items():
            log.info(f"step {progress.step}: no score {name}, and the run goes on: {describe_error(error)}")
        numbers = {name.removeprefix(NUMBER): value for name, value in flatten_scores(scores).items()}
        log.info(f"step {progress.step:,}, {progress.kimg:.1f} kimg: {describe_numbers(numbers)}")
        if self.best.is_in(scores):
            self.patience.observe(progress.step, *self._compared(scores))
        if self.best.is_in(scores) and self._is_best(scores):
            self.folder.best.folder.mkdir(exist_ok=True)
            # The checkpoint before the record: a process killed in between finds it best again.
            self.folder.best.save(progress.step, self.checkpointer.content(progress.step))
        append_record(self.folder, progress.step, scores)
        self.tracker.scores({"step": progress.step, "kimg": progress.kimg, **flatten_scores(scores)})

    def _compared(self, scores: EvaluationScores) -> tuple[EvaluationScores, bool]:
        """The scores that decide, and whether they beat the best that patience knows."""
        deciding, best = self.best.records_in(scores), self.patience.best
        is_better = (
            not best
            or not self.best.is_comparable(deciding, best)
            or self.best.rank_key(deciding) > self.best.rank_key(best)
        )
        return deciding, is_better

    def _is_best(self, scores: EvaluationScores) -> bool:
        """Whether the scores beat those of the best generator so far, or cannot be compared with them."""
        kept = {step_of(path) for path in self.folder.best.paths()}
        key = self.best.rank_key(scores)
        return all(
            key > self.best.rank_key(earlier)
            for step, earlier in read_evaluation_scores(self.folder)
            if step in kept and self.best.is_comparable(scores, earlier)
        )


def _no_meter(name: str, total: int) -> Advance:
    return lambda count: None
