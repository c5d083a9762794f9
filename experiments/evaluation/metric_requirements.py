"""Requirements of metrics on an evaluation task: kinds of samples, features, classes, and their numbers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from experiments.core.errors import UsageError
from experiments.evaluation.references import Reference
from experiments.evaluation.sample_sets import training_command
from experiments.evaluation.tasks import EvaluationTask
from metrics.core.metric import Metric
from metrics.extractors.core.extractor import Extractor

OF_PIXELS = ("pairs", "images")  # what metrics take that need no features
WITHOUT_SAMPLES = ("none", "mixture")  # references of metrics that no real samples change


def incompatibility(kind: type[Metric], task: EvaluationTask, extractor: Extractor) -> str:
    """The reason why a metric cannot score a task with an extractor, with the remedy; empty if it can."""
    samples, data = task.reals, task.reals.data
    if kind.takes == "path-vectors" and not task.has_paths:
        return "follows paths of latents, and a generator that translates has none"
    if kind.of_training and not task.references_of(kind):
        return (
            "looks for copies, and compares with training images alone; leave it out, or take --reference "
            "train (in training --evaluate-reference train)"
        )
    if kind.takes == "images" and not samples.is_images:
        return f"compares images, and {samples.name} is points"
    if kind.takes not in OF_PIXELS and extractor.channels == ():
        return (
            f"needs features, and no extractor sees the {samples.shape[0]} channels of {samples.name}; take "
            "--metrics power-spectrum"
        )
    if kind.takes == "pairs" and not task.has_pairs:
        return (
            f"compares images with what they should be, which nobody knows of this run on {samples.name}; "
            "pix2pix learns from pairs, and shapes-styles and shapes-attributes draw the truth"
        )
    if kind.takes == "points" and samples.is_images:
        return f"scores points, and {samples.name} is images"
    if kind.reference == "mixture" and data.mixture is None:
        return f"needs modes that are known, which {samples.name} has not; ring8 and grid25 have"
    if kind.takes in ("logits", "channel-logits") and not samples.is_images:
        return f"needs the classes of images, and {samples.name} is points"
    if kind.reference == "class-shares" and data.labels is None:
        return f"needs classes, which {samples.name} has not"
    if kind.reference == "class-shares" and extractor.classes != data.classes:
        command = training_command(samples)
        return f"needs a classifier of {samples.name}, not {extractor.name}; make one with: {command}"
    if kind.takes == "channel-logits" and not data.channel_classes:
        return f"needs data whose channels show classes, such as stacked:mnist, and not {samples.name}"
    if kind.takes == "channel-logits" and extractor.classes != data.channel_classes:
        inner = samples.name.partition(":")[2]
        command = training_command(samples, inner)
        return f"needs a classifier of {inner}, not {extractor.name}; make one with: {command}"
    if kind.takes == "logits" and not extractor.has_logits:
        others = "--extractor inception, efflite0 or classifier:NAME"
        return f"needs class probabilities, which extractor {extractor.name} does not give; take {others}"
    return ""


def end_of(kind: type[Metric], reference: Reference) -> str:
    """The end of the name of a metric's score against a reference; empty where it compares with none."""
    return "" if kind.reference in WITHOUT_SAMPLES else reference.suffix


def references_for(kind: type[Metric], task: EvaluationTask) -> Sequence[Reference]:
    """The references that a metric is made with: the first, where it compares with no samples."""
    return task.references[:1] if kind.reference in WITHOUT_SAMPLES else task.references_of(kind)


def count_faults(
    task: EvaluationTask, kinds: Mapping[str, type[Metric]], options: Mapping[str, Any]
) -> Iterator[tuple[tuple[str, str], UsageError]]:
    """Finds metrics that a task has too few samples for: name and suffix of the score, and the error.

    Args:
        options: instances of their `options_type`, or None, by the names of the metrics.
    """
    for name, kind in kinds.items():
        for reference in references_for(kind, task):
            try:
                kind.check_counts(task.count, len(reference.samples), options[name])
            except ValueError as error:
                yield (name, end_of(kind, reference)), UsageError(str(error))
