"""Checks of an evaluation once its data and extractor are open, before features are extracted."""

from collections.abc import Callable, Mapping, Sequence

from experiments.core import registry
from experiments.core.errors import UsageError
from experiments.core.named_values import SettingValues
from experiments.core.options import make_options
from experiments.evaluation.class_scores import check_classes
from experiments.evaluation.metric_requirements import count_faults
from experiments.evaluation.tasks import EvaluationTask
from experiments.evaluation.trained_data import TrainedData
from metrics.core.metric import Metric
from metrics.extractors.core.extractor import Extractor

Kinds = Mapping[str, type[Metric]]


def check_data(trained_data: TrainedData, tasks: Sequence[EvaluationTask]) -> None:
    """Checks that references are of the data that a run was trained on. Raises UsageError otherwise."""
    for task in tasks:
        for reference in task.references:
            trained_data.check(reference.samples, reference.split)


def check_counts(kinds: Kinds, options: SettingValues, tasks: Sequence[EvaluationTask]) -> None:
    """Checks that there are enough samples for every metric. Raises UsageError otherwise.

    Args:
        options: of the metrics, by key.
    """
    made = {
        name: make_options(getattr(kind, "options_type", None), name, options) for name, kind in kinds.items()
    }
    for task in tasks:
        for _, error in count_faults(task, kinds, made):
            raise error


def check_best(
    best: str | None, kinds: Kinds, tasks: Sequence[EvaluationTask], key_of: Callable[[str], str]
) -> None:
    """Checks that the best is chosen by a score that is evaluated; raises UsageError otherwise.

    Args:
        best: the metric, or its number; None for the first.
        key_of: gives the key of a metric's score.
    """
    if best is None:
        return
    known = [*kinds, *(score for kind in kinds.values() for score in kind.higher_is_better)]
    known += [key_of(name) for name in kinds]
    word, _, task_key = best.partition("/")
    word = registry.METRIC_ALIASES.get(word, word)
    named = [kind for name, kind in kinds.items() if word in (name, key_of(name), *kind.higher_is_better)]
    ends = [end for task in tasks for kind in named or kinds.values() for end in task.ends_of(kind) if end]
    task_keys = list(dict.fromkeys(ends))
    if word not in known or task_key not in ("", *task_keys):
        each = f"; each also with {' or '.join(f'/{key}' for key in task_keys)}" if task_keys else ""
        raise UsageError(
            f"--best-metric {best} is not evaluated; there are: {', '.join(dict.fromkeys(known))}{each}"
        )


def check_by_class(
    extractor: Extractor, classes: int | None, kinds: Kinds, tasks: Sequence[EvaluationTask]
) -> None:
    """Checks that scores within classes can be computed; raises UsageError otherwise.

    Args:
        classes: number of classes of a generator that takes labels; None for another.
    """
    if not any(kind.by_class for kind in kinds.values()):
        names = registry.names("metric")
        able = [name for name in names if registry.load("metric", name).by_class]
        raise UsageError(
            f"--by-class: {', '.join(kinds)} score no classes by themselves; add one of {', '.join(able)}"
        )
    for task in tasks:
        for reals in (each.samples for each in task.references):
            is_told = classes is not None and reals.labels is not None
            check_classes(is_told, extractor, reals)
            if is_told and classes != len(reals.data.classes):
                raise UsageError(
                    f"--by-class: the generator makes {classes} classes, and {reals.name} has "
                    f"{len(reals.data.classes)}; leave it out"
                )
