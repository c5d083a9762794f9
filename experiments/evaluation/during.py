"""Evaluation while a run trains: scores over kimg, and the best generator kept."""

from experiments.build import Experiment
from experiments.errors import UsageError
from experiments.evaluation.extracting import Advance, How
from experiments.evaluation.judging import Judge
from experiments.evaluation.record import Scores, keep_record, kept_scores, numbers_of
from experiments.evaluation.samples import GeneratedSamples, Say
from experiments.run_folder import RunFolder
from experiments.settings import Settings
from experiments.trackers import Tracker
from experiments.watchers import Checkpointer, Moment, Scoreboard
from gans.core.player import Scores as Terms

COMPARABLE = ("extractor", "weights", "resize_rule", "n", "seed", "reference")


def open_judge(settings: Settings, say: Say) -> Judge:
    """What judges a run's generators while it trains, with the data and the extractor found.

    Raises UsageError for what cannot be evaluated.
    """
    how = How(settings.extractor, device=settings.device)
    count = settings.evaluate_samples
    judge = Judge(how, settings.evaluate_metrics, count, settings.seed, say, _no_meter)
    judge.open(settings, "")
    if settings.best_metric not in (None, *judge.metrics):
        known = ", ".join(judge.metrics)
        raise UsageError(f"--best-metric {settings.best_metric} is not evaluated; there are: {known}")
    return judge


class Evaluator:
    """Judges the generator's average from time to time, and keeps the checkpoint of the best.

    Nothing of this changes the training. Which one is the best is a function of `evaluation.json`, so that a
    resumed run knows it too.
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
        self.metric = settings.best_metric or next(iter(judge.metrics))
        count, seed, device = settings.evaluate_samples, settings.seed, settings.device
        name, network = str(folder.path), experiment.ema.average
        self.samples = GeneratedSamples(name, network, settings, count, seed, device)

    def __call__(self, moment: Moment, terms: Terms) -> None:
        if not moment.passes(self.interval):
            return
        with self.scoreboard.resting():
            scores = self.judge(self.samples)
            if self._is_best(moment.step, scores):
                self.folder.best.folder.mkdir(exist_ok=True)
                # First this, then the record: a process killed in between finds it best again.
                self.folder.best.save(moment.step, self.checkpointer.content(moment.step))
            keep_record(self.folder, moment.step, scores)
            self.tracker.scores({"step": moment.step, "kimg": moment.kimg, **numbers_of(scores)})
            if moment.is_last:
                self._tell_best()

    def _is_best(self, step: int, scores: Scores) -> bool:
        """Whether no earlier generator of this run had as good a score, made in the same way."""
        value = scores[self.judge.key_of(self.metric)]["value"]
        sign = 1 if self._higher_is_better() else -1
        earlier = self._values(scores, step)
        return all(sign * value > sign * other for other in earlier.values())

    def _values(self, scores: Scores, before: int) -> dict[int, float]:
        """Step → value, of the scores that compare with these."""
        key = self.judge.key_of(self.metric)
        found = {}
        for step, kept in kept_scores(self.folder).items():
            score = kept.get(key)
            if step < before and score and all(score.get(k) == scores[key].get(k) for k in COMPARABLE):
                found[step] = score["value"]
        return found

    def _higher_is_better(self) -> bool:
        return next(iter(self.judge.metrics[self.metric].higher_is_better.values()))

    def _tell_best(self) -> None:
        for path in self.folder.best.paths():
            self.say(f"best {self.judge.key_of(self.metric)}: {path}")


def _no_meter(name: str, total: int) -> Advance:
    return lambda count: None
