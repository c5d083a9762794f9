"""Evaluation while a run trains: scores over kimg, and the best generator kept."""

from experiments.build import Experiment
from experiments.checkpoint import step_of
from experiments.errors import RunError, UsageError
from experiments.evaluation.extracting import Advance, How
from experiments.evaluation.judging import Judge
from experiments.evaluation.record import Scores, keep_record, kept_scores, numbers_of
from experiments.evaluation.samples import Candidate, Say
from experiments.run_folder import RunFolder
from experiments.settings import Settings
from experiments.trackers import Tracker
from experiments.watchers import Checkpointer, Moment, Scoreboard
from gans.core.player import Scores as Terms


def open_judge(settings: Settings, say: Say) -> Judge:
    """What judges a run's generators while it trains, with the data and the extractor found.

    Raises UsageError for what cannot be evaluated.
    """
    how = How(settings.extractor, device=settings.device)
    count = settings.evaluate_samples
    # The seed of gans evaluate, and not the run's: runs that are compared are judged beside the same reals.
    judge = Judge(how, settings.evaluate_metrics, count, 0, say, _no_meter)
    judge.open(settings, "the run", settings.best_metric)
    return judge


class Evaluator:
    """Judges the generator's average from time to time, and keeps the checkpoint of the best.

    Nothing of this changes the training, and an evaluation that fails does not end it. Which one is the best
    is told by what lies in the run folder, so that a resumed run knows it too.
    """

    def __init__(
        self,
        judge: Judge,
        experiment: Experiment,
        folder: RunFolder,
        tracker: Tracker,
        say: Say,
        scoreboard: Scoreboard,
        checkpointer: Checkpointer,
    ) -> None:
        settings = experiment.config.settings
        assert settings.evaluate_kimg is not None
        self.judge, self.folder, self.tracker, self.say = judge, folder, tracker, say
        self.scoreboard, self.checkpointer = scoreboard, checkpointer
        self.interval = max(1, round(settings.evaluate_kimg * 1000))
        self.best = settings.best_metric or next(iter(judge.metrics))
        self.candidate = Candidate(str(folder.path), experiment.ema.average, settings)

    def __call__(self, moment: Moment, terms: Terms) -> None:
        if moment.passes(self.interval):
            with self.scoreboard.resting():
                try:
                    self._evaluate(moment)
                except (UsageError, RunError) as error:
                    self.say(f"step {moment.step}: not evaluated, and the run goes on: {error}")
        if moment.is_last:
            for path in self.folder.best.paths():
                self.say(f"best {self.best}: {path}")

    def _evaluate(self, moment: Moment) -> None:
        scores = self.judge(self.candidate)
        if self._is_best(scores):
            self.folder.best.folder.mkdir(exist_ok=True)
            # First this, then the record: a process killed in between finds it best again.
            self.folder.best.save(moment.step, self.checkpointer.content(moment.step))
        keep_record(self.folder, moment.step, scores)
        self.tracker.scores({"step": moment.step, "kimg": moment.kimg, **numbers_of(scores)})

    def _is_best(self, scores: Scores) -> bool:
        """Whether the generator that is kept as the best had lower marks, or marks of another kind."""
        kept = {step_of(path) for path in self.folder.best.paths()}
        marks = self.judge.marks(self.best, scores)
        return all(
            marks > self.judge.marks(self.best, earlier)
            for step, earlier in kept_scores(self.folder)
            if step in kept and self.judge.compares(self.best, scores, earlier)
        )


def _no_meter(name: str, total: int) -> Advance:
    return lambda count: None
