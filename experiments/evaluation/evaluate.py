"""Evaluation of a run's generators against the data that they were trained on."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from experiments.core import registry
from experiments.core.bounds import UNBOUNDED, Bounds
from experiments.core.errors import UsageError
from experiments.core.named_values import SettingValues
from experiments.core.options import canonical_key, describe_options, make_options, options_type, split_key
from experiments.core.settings import Settings
from experiments.core.word_lists import describe_count
from experiments.data.core.holdout import LEAST
from experiments.evaluation.candidates import Candidate, describe_lacking_data
from experiments.evaluation.evaluation_checks import (
    check_best,
    check_by_class,
    check_counts,
    check_data,
)
from experiments.evaluation.extraction import Meter
from experiments.evaluation.features import ExtractorOptions, open_extractor, read_own_options
from experiments.evaluation.metric_requirements import incompatibility
from experiments.evaluation.protocols import PROTOCOLS, USUAL_REFERENCE, ReferenceChoice
from experiments.evaluation.references import Reference
from experiments.evaluation.task_metrics import (
    TaskMetrics,
    remarks_on_reference,
)
from experiments.evaluation.tasks import EvaluationTask, open_evaluation_tasks
from experiments.evaluation.trained_data import TrainedData
from experiments.runs.scores import EvaluationScores, distance_name
from metrics.core.metric import Metric
from metrics.extractors.core.rgb import RGB_OF

log = logging.getLogger("gans")

DEFAULTS_FOR_IMAGES = ("fid", "kid", "precision-recall")
DEFAULTS_BEYOND_RGB = ("power-spectrum",)  # for images with other channels, or beyond 8 bits
DEFAULTS_FOR_PAIRS = ("l1", "psnr", "ssim")
DEFAULTS_FOR_MIXTURES = ("modes",)
DEFAULTS_FOR_POINTS = ("fid", "precision-recall")


class Evaluator:
    """Scores generators of one run against the data it was trained on, in the form that the critic saw.

    Generators that translate are scored on held-out images, if there are any, in every direction that they
    know. Data, extractor and metrics are opened once, and serve all generators.

    Args:
        options: of the extraction.
        names: names of the metrics; without any, the defaults for the kind of data.
        count: largest number of samples on each side; None: as many generated ones as there are real ones, at
            most 50,000.
        seed: seed of the samples, and of the part of a larger data set.
        meter: called with the name and the number of the samples that are extracted.
        component_options: options of the metrics and of the extractor, by key (`kid.subset_size`).
        choice: of the real samples.
        resamples: sets of the bootstrap interval of each score; 0 for no intervals.
        by_class: whether metrics that have scores within classes compute them, too.

    Raises UsageError for another number of samples than that of a protocol.

    Attributes:
        faults: errors of the metrics that failed with the last generator, by the names of their scores.
    """

    def __init__(
        self,
        options: ExtractorOptions,
        names: Sequence[str],
        count: int | None,
        seed: int,
        meter: Meter,
        component_options: SettingValues | None = None,
        choice: ReferenceChoice = USUAL_REFERENCE,
        resamples: int = 0,
        by_class: bool = False,
    ) -> None:
        self.resamples, self.by_class = resamples, by_class
        if choice.protocol and count not in (None, own := PROTOCOLS[choice.protocol].samples):
            raise UsageError(f"--protocol {choice.protocol} is {own:,} samples, not {count:,}; leave -n out")
        given = {canonical_key(key): value for key, value in (component_options or {}).items()}
        of_extractor = {key: value for key, value in given.items() if key.startswith("extractor.")}
        self.options = replace(options, options={**options.options, **of_extractor})
        self.metric_options = {key: value for key, value in given.items() if key not in of_extractor}
        self.names, self.count, self.seed, self.meter = names, count, seed, meter
        self.choice, self.faults = choice, dict[str, Exception]()
        self.metrics: dict[str, type[Metric]] = {}
        self.task_metrics: list[TaskMetrics] = []
        self._logged: set[str] = set()  # remarks

    def open(
        self,
        settings: Settings,
        name: str,
        best: str | None = None,
        trained_data: TrainedData | None = None,
        needs_all: bool = False,
    ) -> None:
        """Opens the data, the extractor and the metrics for a run with these settings.

        Args:
            name: the run, as errors name it.
            best: the metric or number by which the best generator is chosen.
            trained_data: of a run that was trained before; None: that is yet to come.
            needs_all: whether too few samples for one metric are an error; else it is left out.

        Raises UsageError for all that cannot be opened, for options that nothing here has, for a `best`
        that is not evaluated, and for data that has changed since: before anything that takes long.
        """
        kinds, options, tasks = self._open_samples(settings, name, best, trained_data)
        if needs_all:
            check_counts(kinds, options, tasks)
        self.task_metrics = [
            TaskMetrics(task, kinds, self.extractor, self.meter, options, self.resamples, self.by_class)
            for task in tasks
        ]
        self.metrics = kinds
        self._keep_faults()
        if not any(each.metrics for each in self.task_metrics):
            self.check_complete()

    def check(self, settings: Settings, name: str, best: str | None = None) -> None:
        """Checks what `open` and `check_complete` would, but by numbers of samples alone: it is quick.

        Raises UsageError for what cannot be evaluated.
        """
        kinds, options, tasks = self._open_samples(settings, name, best)
        check_counts(kinds, options, tasks)

    def _open_samples(
        self, settings: Settings, name: str, best: str | None, trained_data: TrainedData | None = None
    ) -> tuple[dict[str, type[Metric]], SettingValues, Sequence[EvaluationTask]]:
        """Opens the data and the extractor as `open` does; returns the metrics, their options, the tasks."""
        if not settings.data:
            raise UsageError(describe_lacking_data(name))
        kinds = _load_metrics(self.names)
        options = self._read_metric_options(kinds)
        choice = replace(self.choice, with_training=any(kind.of_training for kind in kinds.values()))
        tasks = open_evaluation_tasks(settings, self.count, self.seed, self.options.device, choice)
        if trained_data is not None:
            check_data(trained_data, tasks)
        if not kinds:
            kinds = _load_metrics(self._default_names(tasks, options))
            self._read_metric_options(kinds)
        is_images = tasks[0].reals.is_images
        channels = tasks[0].reals.shape[0] if is_images else None
        self.extractor = open_extractor(self.options, is_images, settings.data, channels)
        for metric, kind in kinds.items():
            for task in tasks:
                if fault := incompatibility(kind, task, self.extractor):
                    raise UsageError(f"metric {metric} {fault}")
        check_best(best, kinds, tasks, self.key_of)
        if self.by_class:
            check_by_class(self.extractor, settings.classes if settings.conditional else None, kinds, tasks)
        return kinds, options, tasks

    def check_complete(self) -> None:
        """Checks that no metric has failed so far; raises the error of the first that has."""
        for error in self.faults.values():
            raise error

    def describe(self) -> str:
        """Describes what is compared: `300 samples against 300 training images of folder:photos`."""
        task = self.task_metrics[0].task
        kind = "image" if task.reals.is_images else "point"
        sides = [describe_count(len(each.samples), f"{each.split} {kind}") for each in self._compared(task)]
        name = f", by {self.choice.protocol}" if self.choice.protocol else ""
        return (
            f"{describe_count(task.count, 'sample')} against {' and '.join(sides)} of {task.reals.name}{name}"
        )

    def _compared(self, task: EvaluationTask) -> list[Reference]:
        """The references of a task that any metric compares with; the first, where none compares."""
        chosen = [task.references_of(kind) for kind in self.metrics.values()]
        found = [each for each in task.references if any(each in own for own in chosen)]
        return found or [task.references[0]]

    def remark_on_reference(self) -> str:
        """A remark where only training images are compared with, although others are held out; else empty."""
        references = self.task_metrics[0].task.references
        count = references[0].samples.data.held_out_count
        is_for_copies = all(kind.of_training for kind in self.metrics.values())
        is_fair = is_for_copies or any(each.split == "held-out" for each in references)
        if self.choice.protocol or count < LEAST or is_fair:
            return ""
        return (
            f"scores against training images reward copies of them; {count:,} others are held out: "
            "--reference held-out"
        )

    def _read_metric_options(self, kinds: Mapping[str, type[Metric]]) -> SettingValues:
        """Reads the options of the metrics. Raises UsageError for those of a metric that is not evaluated.

        Args:
            kinds: the metrics that are evaluated; none while the defaults are not chosen yet.
        """
        found: dict[str, Any] = {}
        for key, value in self.metric_options.items():
            name, _ = split_key(key)
            if name not in registry.names("metric"):
                raise UsageError(f"--set {key}: {name} is no metric or extractor of an evaluation")
            if kinds and name not in kinds:
                raise UsageError(
                    f"--set {key}: {name} is not evaluated, only {', '.join(kinds)}; add it to the metrics"
                )
            found |= read_own_options(describe_options("metric", name), {key: value})
        return found

    def _default_names(self, tasks: Sequence[EvaluationTask], options: SettingValues) -> Sequence[str]:
        """The metrics where the user names none, without kid for small sets unless it is given options."""
        if self.choice.protocol:
            return PROTOCOLS[self.choice.protocol].metrics
        reals = tasks[0].reals
        if not reals.is_images:
            return DEFAULTS_FOR_POINTS if reals.data.mixture is None else DEFAULTS_FOR_MIXTURES
        of_pairs = list(DEFAULTS_FOR_PAIRS) * all(task.has_pairs for task in tasks)
        further = list(DEFAULTS_BEYOND_RGB) * (reals.data.units is not None) + of_pairs
        if reals.shape[0] not in RGB_OF and self.options.extractor is None:
            return [*DEFAULTS_BEYOND_RGB, *of_pairs]
        names = list(DEFAULTS_FOR_IMAGES)
        size = make_options(options_type("metric", "kid"), "kid", options).subset_size
        is_asked = any(key.startswith("kid.") for key in options)
        counts = [task.count for task in tasks]
        counts += [len(reference.samples) for task in tasks for reference in task.references]
        if (fewest := min(counts)) < size and not is_asked:
            log.info(
                f"kid is left out: it needs {size:,} samples on each side"
                + (f"; --set kid.subset_size={fewest} computes it of {fewest:,}" if fewest > 1 else "")
            )
            names.remove("kid")
        return names + further

    def __call__(self, candidate: Candidate) -> EvaluationScores:
        """Evaluates a generator: name of each score → its numbers and their provenance.

        Opens the data of its run first, unless something is open. Raises UsageError and RunError.
        """
        if not self.metrics:
            self.open(candidate.settings, candidate.name, trained_data=candidate.trained_data)
        check_data(candidate.trained_data, [each.task for each in self.task_metrics])
        scores: EvaluationScores = {}
        for task_metrics in self.task_metrics:
            samples = task_metrics.task.samples(candidate)
            for scored, numbers in task_metrics.numbers(samples):
                own_remarks = [*scored.metric.remarks, *remarks_on_reference(scored)]
                self._log_remarks(self.key_of(scored.name, scored.suffix), own_remarks)
                if task_metrics.class_scores:
                    remarks = task_metrics.class_scores.remarks(scored.name, scored.suffix)
                    self._log_remarks(f"{self.key_of(scored.name, scored.suffix)} by class", remarks)
                (first, value), *rest = numbers.items()
                # Of a metric with several, each has a name of its own.
                own = {first: value} if len(scored.metric.higher_is_better) > 1 else {}
                record = task_metrics.record(scored, samples, self.seed)
                scores[self.key_of(scored.name, task_metrics.task.key, scored.suffix)] = {
                    "value": value,
                    **own,
                    **dict(rest),
                    **record,
                }
        self._keep_faults()
        if not scores:
            self.check_complete()
        return scores

    def _keep_faults(self) -> None:
        """Keeps the errors of the metrics that failed, by the names of their scores."""
        self.faults = {
            self.key_of(name, task_metrics.task.key, suffix): error
            for task_metrics in self.task_metrics
            for (name, suffix), error in task_metrics.faults.items()
        }

    def key_of(self, name: str, *ends: str) -> str:
        """The key of a metric's score: `fid` for features of Inception alone, else `fd-NAME`.

        Args:
            ends: key of one task among several, `fid/to-B`; suffix of a reference, `fid/held-out`.
        """
        return "/".join(filter(None, (distance_name(name, self.extractor.distance), *ends)))

    def bounds_of(self, name: str, number: str) -> Bounds:
        """The smallest and largest value that a number of a metric can have, on the data that is open.

        Args:
            number: one of its scores; "value" is the first.
        """
        score = next(iter(self.metrics[name].higher_is_better)) if number == "value" else number
        found = [
            getattr(each.metric, "ranges", {})
            for task_metrics in self.task_metrics
            for each in task_metrics.metrics
            if each.name == name
        ]
        low, high = zip(*(ranges.get(score, UNBOUNDED) for ranges in found), strict=True)
        return min(low), max(high)

    def _log_remarks(self, name: str, remarks: Sequence[str]) -> None:
        """Logs remarks on a score, each once."""
        for remark in remarks:
            if (line := f"{name}: {remark}") not in self._logged:
                self._logged.add(line)
                log.info(line)


def _load_metrics(names: Sequence[str]) -> dict[str, type[Metric]]:
    """Loads metrics by name. Raises UsageError for an unknown one."""
    return {name: registry.load("metric", name) for name in registry.metric_names(names)}
