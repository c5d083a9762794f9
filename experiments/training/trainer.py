"""Training loop of a run, with its callbacks, trackers, rollbacks and export."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from shlex import quote

from experiments.core.background_writer import BackgroundWriter
from experiments.core.console import is_out_of_memory
from experiments.core.errors import RunError, UsageError
from experiments.core.named_values import JsonObject, StateDict
from experiments.core.processes import agreement, any_over_ranks, from_first, is_first
from experiments.core.stop_signal import StopSignal
from experiments.evaluation.evaluate import Evaluator
from experiments.runs.checkpoint import checkpoint_name
from experiments.runs.export import export_network
from experiments.runs.folder import RunFolder
from experiments.runs.resume import changes_length, length_flag
from experiments.runs.scores import describe_tracked_run
from experiments.trackers.core.several import TrackerGroup, open_trackers
from experiments.trackers.core.tracker import Tracker
from experiments.training.best_generator import EvaluationCallback
from experiments.training.callbacks import CHECKPOINTS, GRIDS, Callback, interval_images
from experiments.training.checkpoint_callback import INTERIM, Checkpointer
from experiments.training.collapse import CollapseGuard
from experiments.training.early_end import EarlyEnd
from experiments.training.experiment import Experiment
from experiments.training.longer import describe_schedules
from experiments.training.metric_logging import (
    GradientNorms,
    MetricLogger,
    NotFiniteError,
    check_pending,
)
from experiments.training.micro_batches import choose_micro_batch_size, describe_lack_of_memory
from experiments.training.native_size import remark_on_native_size
from experiments.training.progress import ProgressLine
from experiments.training.rollback import RollbackRequest, roll_back
from experiments.training.sample_grids import SampleGrid
from experiments.training.steps import train_steps

log = logging.getLogger("gans")


class Interrupted(Exception):  # noqa: N818  (an event, not an error)
    """Signal that a run was asked to stop, and has saved and logged it."""


class Trainer:
    """Trains one run in its folder, from its newest checkpoint to its export.

    Args:
        experiment: everything that moves while training.
        folder: of the run, locked for this process.
        evaluator: scores the generator's EMA from time to time; None where nobody asks for that.
        until_kimg: where training pauses, with a checkpoint; None for the end of the run.
    """

    def __init__(
        self,
        experiment: Experiment,
        folder: RunFolder,
        evaluator: Evaluator | None = None,
        until_kimg: float | None = None,
    ) -> None:
        self.experiment, self.folder, self.evaluator, self.until_kimg = (
            experiment,
            folder,
            evaluator,
            until_kimg,
        )
        self.settings = experiment.spec.settings
        self.checkpoints = folder.checkpoints(self.settings.keep)
        self.state: StateDict | None = None  # the checkpoint from which training goes on
        self._logged_remarks: tuple[str, ...] = ()

    @property
    def start(self) -> int:
        """Step after which training goes on: that of the checkpoint, or 0."""
        return 0 if self.state is None else int(self.state["step"])

    def train(self, changed: Sequence[str] = (), force: bool = False) -> None:
        """Trains to the end and exports, or to where training pauses.

        Args:
            changed: lines on settings that differ from those of the run in the folder.
            force: goes on although the data is not what the checkpoint was trained on.

        Raises RunError for what fails on the way, Interrupted after Ctrl-C.
        """
        state = from_first(self.checkpoints.newest)
        with agreement():
            self._restore(state, changed, force)
        if self.settings.micro_batch_size == "auto":
            choose_micro_batch_size(self.experiment)
        trained_on = self.experiment.trained_on
        from_first(lambda: self.folder.begin(self.experiment.spec, self.start, bool(changed), trained_on))
        self._log_remarks()
        if self.start == 0:
            self._log_native_size()
        try:
            with self._advice_on_memory():
                self._train_with_rollbacks()
        except RunError as error:
            if is_first():
                with suppress(RunError):  # a full disk, which may be why
                    # Who compares runs cannot see it in the scores.
                    self.folder.end(f"failed: {error}")
            raise
        self._log_remarks()

    @contextmanager
    def _advice_on_memory(self) -> Iterator[None]:
        """Turns an error for lack of memory into a RunError that names micro-batches that would fit."""
        try:
            yield
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise RunError(describe_lack_of_memory(self.experiment)) from error

    def _train_with_rollbacks(self) -> None:
        """Trains to the end, going back to before a collapse where that is asked for."""
        while True:
            try:
                self._train_once()
                break
            except (RollbackRequest, NotFiniteError) as reason:
                if self.settings.on_collapse != "rollback":
                    raise
                self.state = roll_back(self.experiment, self.folder, reason)

    def _train_once(self) -> None:
        """Trains to the end and exports, with the trackers open.

        They are closed last, and in any case: an upload that takes long holds up nothing else.
        """
        with agreement():
            tracker, status = self._open_trackers(), 1
        try:
            with BackgroundWriter() as writer:
                stopped_at, was_asked = self._train_with(tracker, writer)
            if stopped_at is None:
                from_first(self._finish)
            elif was_asked:
                again = f"gans run --resume {quote(str(self.folder.path))}"
                log.info(f"stopped and saved at step {stopped_at:,}; continue with: {again}")
                status = 130
                raise Interrupted
            else:
                log.info(f"paused and saved at step {stopped_at:,}")
            status = 0
        finally:
            tracker.close(status)

    def _open_trackers(self) -> Tracker:
        """Opens the trackers of the run, in the first process."""
        if not is_first():
            return TrackerGroup([], [])
        run = describe_tracked_run(self.folder, self.settings, self.start, self.experiment.loader.seen / 1000)
        return open_trackers(self.settings.track, run, self.settings.options)

    def _train_with(self, tracker: Tracker, writer: BackgroundWriter) -> tuple[int | None, bool]:
        """Trains with all callbacks, until everything is written.

        Returns the step where it stopped short of the last, or None, and whether Ctrl-C stopped it.
        """
        experiment = self.experiment
        if not is_first():
            return self._train_beside_first(tracker)
        with ProgressLine(experiment.total_steps, self.start) as line, StopSignal() as stop:
            with agreement():
                loader = experiment.loader
                metric_logger = MetricLogger(tracker, line.show, lambda: loader.waited_seconds)
                if self.state is not None:
                    metric_logger.load_state_dict(self.state["scores"])
                interval = interval_images(
                    self.settings.checkpoint_kimg, CHECKPOINTS, experiment.total_images
                )
                checkpointer = Checkpointer(experiment, self.checkpoints, interval, metric_logger, writer)
                if self.state is not None and self.state.get(INTERIM):
                    checkpointer.interim = self.start
                callbacks = self._callbacks(line, metric_logger, tracker, writer)
                guard = CollapseGuard(experiment, self.folder, metric_logger, checkpointer)
                guard.begin(self.start)
            together = self._callbacks_together(tracker, metric_logger, checkpointer)
            # The checkpointer comes last: it saves what the others have done.
            after: list[Callback] = [EarlyEnd(experiment, callbacks, metric_logger), guard, checkpointer]
            step = train_steps(experiment, self.start, callbacks, stop, self.until_kimg, together, after)
            was_asked = any_over_ranks(stop.requested)
            with agreement():
                if not self._is_done(step):
                    checkpointer.save_interim(step)
                writer.wait()
        return None if self._is_done(step) else step, was_asked

    def _train_beside_first(self, tracker: Tracker) -> tuple[int | None, bool]:
        """Trains in a process that is not the first, which alone has callbacks of its own."""
        with StopSignal() as stop:
            with agreement():
                pass  # on what the first process prepares
            together = self._callbacks_together(tracker)
            step = train_steps(self.experiment, self.start, [], stop, self.until_kimg, together)
            was_asked = any_over_ranks(stop.requested)
        with agreement():
            pass  # on what the first process writes
        return None if self._is_done(step) else step, was_asked

    def _is_done(self, step: int) -> bool:
        """Whether training ends with this step."""
        return step >= self.experiment.total_steps or self.experiment.patience.is_over

    def _callbacks_together(
        self,
        tracker: Tracker,
        metric_logger: MetricLogger | None = None,
        checkpointer: Checkpointer | None = None,
    ) -> list[Callback]:
        """Callbacks that all processes run together after every step."""
        if self.evaluator is None:
            return []
        parts = (self.evaluator, self.experiment, self.folder, tracker, metric_logger, checkpointer)
        return [EvaluationCallback(*parts)]

    def _callbacks(
        self, line: ProgressLine, metric_logger: MetricLogger, tracker: Tracker, writer: BackgroundWriter
    ) -> list[Callback]:
        """Callbacks of the first process that run after every step, in this order."""
        experiment, folder = self.experiment, self.folder
        interval = interval_images(self.settings.sample_kimg, GRIDS, experiment.total_images)
        sample_grid = SampleGrid(experiment, folder.samples, interval, tracker, writer)
        sample_grid.save_reals(is_new=self.start == 0)
        return [line.advance, sample_grid, GradientNorms(experiment.players), metric_logger]

    def _finish(self) -> None:
        """Exports the EMA generator, and the EMA critic where there is one; notes why it ended early."""
        experiment, folder = self.experiment, self.folder
        patience = experiment.patience
        if patience.is_over:
            words = (
                f"ended early at step {patience.step:,} of {experiment.total_steps:,}: no evaluation has "
                f"improved on that of step {patience.best_step:,} in the last {patience.stale}"
            )
            log.info(words)
            folder.note_early_end(words)
        last_step = patience.step if patience.is_over else experiment.total_steps
        progress = last_step, experiment.loader.seen / 1000
        if experiment.critic_ema is not None:
            export_network(
                experiment.critic_ema.average, self.settings, folder.critic_file, "critic", *progress
            )
        export_network(experiment.ema.average, self.settings, folder.generator_file, "generator", *progress)

    def _log_remarks(self) -> None:
        """Logs the remarks of the data that are new."""
        remarks = self.experiment.loader.remarks
        for remark in remarks:
            if remark not in self._logged_remarks:
                log.info(f"data {self.settings.data}: {remark}")
        self._logged_remarks = remarks

    def _log_native_size(self) -> None:
        """Logs that all images are larger than the size that a recipe brings, where that is so."""
        loader = self.experiment.loader
        sets = [loader.data] if loader.sources is None else [loader.sources.data, loader.data]
        if remark := remark_on_native_size(self.experiment.spec, sets):
            log.info(f"data {self.settings.data}: {remark}")

    def _restore(self, state: StateDict | None, changed: Sequence[str], force: bool) -> None:
        """Restores the newest good checkpoint, if there is one.

        Raises UsageError or RunError for one that does not fit.
        """
        if state is None:
            if self.folder.generator_file.exists() and changes_length(changed) and not force:
                raise UsageError(
                    f"{self.folder.path} has no checkpoint to go on from, and would begin anew; take another "
                    f"folder: gans run --config {quote(str(self.folder.config_file))} "
                    f"{length_flag(self.settings)} --out DIR"
                )
            return
        name = checkpoint_name(state["step"])
        optimizers = [line for line in changed if line.startswith("optimizer: ")]
        if optimizers:
            raise RunError(
                f"checkpoint {name} holds the state of another optimizer ({optimizers[0]}); take another "
                f"--out"
            )
        data = self.experiment.fingerprint
        kept = state.get("data", data)
        if any(data.get(key) != value for key, value in kept.items()) and not force:
            raise UsageError(
                f"data {self.settings.data} is not what checkpoint {name} was trained on "
                f"({_describe_difference(kept, data)}): bring it back, take another --out, or go on with "
                "--force"
            )
        try:
            check_pending(state["scores"])
            self.experiment.load_state_dict(state, adapts=force)
        except (RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
            reason = "; ".join(changed) or "it is not whole"
            raise RunError(f"checkpoint {name} does not fit ({reason}); take another --out") from error
        total = self.experiment.total_steps
        if state["step"] > total or (state["step"] == total and changes_length(changed)):
            raise UsageError(self._describe_too_short(state["step"], state["seen"] / 1000))
        self.state = state
        log.info(f"resuming {self.folder.path} at step {self.start:,} of {total:,}")
        if changes_length(changed):
            log.info(describe_schedules(self.settings))

    def _describe_too_short(self, step: int, kimg: float) -> str:
        """Describes a length that is not more than what was trained, with a remedy."""
        own = self.settings
        done = f"{step} steps" if own.steps is not None else f"{kimg:.10g} kimg"
        trained = replace(own, steps=step) if own.steps is not None else replace(own, kimg=kimg)
        more = f"gans run --resume {quote(str(self.folder.path))} {length_flag(trained, 2)}"
        return (
            f"{self.folder.path} is trained for {done} already, and {length_flag(own)} is its whole new "
            f"length: give more, such as {more}"
        )


def _describe_difference(then: JsonObject, now: JsonObject) -> str:
    """Describes how the data of a checkpoint differ from those of now, by their fingerprints."""
    if then["count"] == now["count"] and then.get("first") == now["first"]:
        return "the same samples, but other labels, attributes or names of classes"
    return f"{then['count']:,} samples then, {now['count']:,} now"
