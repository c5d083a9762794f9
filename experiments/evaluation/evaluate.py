"""The scores of a run's generators against the data that they were trained on."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from experiments.core import registry
from experiments.core.errors import RunError, UsageError
from experiments.core.settings import Settings
from experiments.evaluation.features import ExtractorOptions, Meter, open_extractor
from experiments.evaluation.sample_sets import Candidate, open_candidate
from experiments.evaluation.task_metrics import TaskMetrics, misfit
from experiments.evaluation.tasks import EvaluationTask, evaluation_tasks
from experiments.runs.checkpoint import DamagedError
from experiments.runs.folder import RunFolder
from experiments.runs.scores import EvaluationScores
from metrics.core.metric import Metric
from metrics.kid import SUBSET_SIZE

log = logging.getLogger("gans")

COMPARABLE = ("extractor", "weights", "resize_rule", "n", "seed", "reference", "split")
USUAL_OF_IMAGES = ("fid", "kid", "precision-recall")
USUAL_OF_PAIRS = ("l1", "psnr", "ssim")
USUAL_OF_MIXTURES = ("modes",)
USUAL_OF_POINTS = ("fid", "precision-recall")


class Evaluator:
    """Scores generators of one run against the data it was trained on, as the critic saw it: those that
    translate on images that were held out, if there are any, in every direction that they know.

    The data and what the metrics need of it are opened once, and serve all generators.

    Args:
        how: of the extraction.
        names: of the metrics; without any, those that are usual for the kind of data.
        count: samples on each side, at most; seed: of samples, and of the part of a larger data set.
    """

    def __init__(
        self, options: ExtractorOptions, names: Sequence[str], count: int, seed: int, meter: Meter
    ) -> None:
        self.options, self.names, self.count, self.seed = options, names, count, seed
        self.meter = meter
        self.metrics: dict[str, type[Metric]] = {}
        self.task_metrics: list[TaskMetrics] = []
        self._remarks: set[str] = set()  # that were told

    def open(self, settings: Settings, name: str, best: str | None = None) -> None:
        """Finds the data, the extractor and the metrics for a run with these settings.

        Raises UsageError for what cannot be had, before anything that takes long; and for scores that `best`
        is to be chosen by, and that are not among them.
        """
        if not settings.data:
            raise UsageError(f"{name} does not say which data it was trained on; give its run folder")
        kinds = _kinds(self.names)
        directions = evaluation_tasks(settings, self.count, self.seed, self.options.device)
        kinds = kinds or _kinds(self._usual(directions))
        is_images = directions[0].reals.is_images
        self.extractor = open_extractor(self.options, is_images, settings.data)
        for metric, kind in kinds.items():
            for direction in directions:
                if fault := misfit(kind, direction, self.extractor):
                    raise UsageError(f"metric {metric} {fault}")
        self._check_best(best, kinds, directions)
        self.task_metrics = [
            TaskMetrics(direction, kinds, self.extractor, self.meter) for direction in directions
        ]
        self.metrics = kinds

    def _usual(self, directions: Sequence[EvaluationTask]) -> Sequence[str]:
        """The metrics of a user who names none."""
        reals = [direction.reals for direction in directions]
        if not reals[0].is_images:
            return USUAL_OF_POINTS if reals[0].data.mixture is None else USUAL_OF_MIXTURES
        usual = list(USUAL_OF_IMAGES)
        if min(self.count, *map(len, reals)) < SUBSET_SIZE:
            log.info(f"kid is left out: it needs {SUBSET_SIZE:,} samples on each side")
            usual.remove("kid")
        return usual + list(USUAL_OF_PAIRS) * all(direction.has_pairs for direction in directions)

    def _check_best(
        self, best: str | None, kinds: Mapping[str, type[Metric]], directions: Sequence[EvaluationTask]
    ) -> None:
        if best is None:
            return
        known = [*kinds, *(score for kind in kinds.values() for score in kind.higher_is_better)]
        known += [self.key_of(name) for name in kinds]
        ways = [direction.key for direction in directions if direction.key]
        word, _, way = best.partition("/")
        if registry.METRIC_ALIASES.get(word, word) not in known or way not in ("", *ways):
            each = f"; each also with {' or '.join(f'/{way}' for way in ways)}" if ways else ""
            raise UsageError(
                f"--best-metric {best} is not evaluated; there are: {', '.join(dict.fromkeys(known))}{each}"
            )

    def marks(self, best: str, scores: EvaluationScores) -> tuple[float, ...]:
        """What orders generators, the larger the better: one number by its name; or all numbers of a metric
        that have a direction, of which the first counts most. Of translations in several directions, each is
        the mean over these, unless `best` names one: `fid/to-B`."""
        name, keys = self._chosen(best)
        better = self.metrics[name].higher_is_better
        word = best.partition("/")[0]
        chosen = {word: better[word]} if word in better else better
        own = [scores[key] for key in keys]
        values = (
            (fmean(score[each] if each in score else score["value"] for score in own), up)
            for each, up in chosen.items()
        )
        return tuple(value if up else -value for value, up in values)

    def compares(self, best: str, scores: EvaluationScores, others: EvaluationScores) -> bool:
        """Whether the scores that order generators are in both, and were made in the same way."""
        return all(
            key in others and all(others[key].get(part) == scores[key].get(part) for part in COMPARABLE)
            for key in self._chosen(best)[1]
        )

    def _chosen(self, best: str) -> tuple[str, list[str]]:
        """The metric that `best` names, or one number of which; and the keys of its scores."""
        word, _, way = best.partition("/")
        word = registry.METRIC_ALIASES.get(word, word)
        name = next(
            name
            for name, kind in self.metrics.items()
            if word in (name, self.key_of(name), *kind.higher_is_better)
        )
        ways = [task_metrics.direction.key for task_metrics in self.task_metrics]
        return name, [self.key_of(name, each) for each in ways if way in ("", each)]

    def __call__(self, candidate: Candidate) -> EvaluationScores:
        """Score's name → its numbers and how they were made."""
        if not self.metrics:
            self.open(candidate.settings, candidate.name)
        scores: EvaluationScores = {}
        for task_metrics in self.task_metrics:
            samples = task_metrics.direction.samples(candidate)
            for name, numbers in task_metrics.numbers(samples).items():
                self._remark(name, task_metrics.metrics[name])
                (first, value), *rest = numbers.items()
                # Of a metric with several, each has a name of its own.
                own = {first: value} if len(self.metrics[name].higher_is_better) > 1 else {}
                record = task_metrics.record(name, samples, self.seed)
                scores[self.key_of(name, task_metrics.direction.key)] = {
                    "value": value,
                    **own,
                    **dict(rest),
                    **record,
                }
        return scores

    def key_of(self, name: str, way: str = "") -> str:
        """What a metric's score is called: only the distance of Inception's features is a FID. Of one
        direction among several: `fid/to-B`."""
        key = name.replace("fid", self.extractor.distance, 1) if name.startswith("fid") else name
        return f"{key}/{way}" if way else key

    def _remark(self, name: str, metric: Metric) -> None:
        for remark in metric.remarks:
            if (line := f"{name}: {remark}") not in self._remarks:
                self._remarks.add(line)
                log.info(line)


def _kinds(names: Sequence[str]) -> dict[str, type[Metric]]:
    return {name: registry.load("metric", name) for name in registry.metric_names(names)}


def judged(word: str, every_checkpoint: bool) -> list[Candidate]:
    """What is to be judged: the newest generator, or all that a run still has, without the damaged ones."""
    if not every_checkpoint:
        return [open_candidate(word)]
    folder, found = RunFolder(Path(word)), []
    if not folder.exists:
        raise UsageError(f"{word} is not a run folder, which --every-checkpoint needs")
    for path in folder.checkpoints().paths():
        try:
            found.append(open_candidate(str(path)))
        except DamagedError as error:
            log.info(f"{error}; it is left out")
    if not found:
        raise RunError(f"{word} has no checkpoint that can be read; wait for its first, or resume the run")
    return found
