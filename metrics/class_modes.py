"""Classes covered and KL divergence of class frequencies, by a classifier (Che et al. 2017)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from metrics.core.batches import checked, too_few
from metrics.core.histograms import divergence, uniform
from metrics.core.level import EvaluatedData, Level, expected_divergence, expected_modes
from metrics.core.metric import Metric, Reference, Takes

PER_CLASS = 20  # samples that a class should expect before its share is more than noise


@dataclass(frozen=True)
class ClassModesOptions:
    """Options of the count of classes."""

    share: float = field(
        default=0.0,
        metadata={
            "help": "Share of all samples that a covered class exceeds; 0 is any sample at all.",
            "at_least": 0.0,
            "below": 1.0,
        },
    )
    confidence: float = field(
        default=0.9,
        metadata={
            "help": "Least probability of the likeliest class of a high-quality sample.",
            "at_least": 0.0,
            "at_most": 1.0,
        },
    )


def _classes_of_real_data(data: EvaluatedData) -> float | None:
    """Classes that real samples cover, where the classifier knows them all."""
    return expected_modes(data, data.options.share)


class ClassModes(Metric):
    """Counts the classes that samples fall into, each into that of its largest logit.

    Args:
        truth: `(K,)`, frequency of each class in the data, in any unit; None is all alike.
        options: share and confidence. The share of real images above this confidence depends on the
            classifier.

    Takes logits `(N, K)`.

    Scores: `covered` in 0…K; `high_quality` in [0, 1]; `kl` of the samples' classes from the truth in
    [0, −log min truth] nats.

    Raises:
        ValueError: a class that the truth has none of, or no samples.

    >>> import torch
    >>> from metrics.class_modes import ClassModes, ClassModesOptions
    >>> metric = ClassModes(torch.tensor([1.0, 1.0, 2.0]), ClassModesOptions(confidence=0.8))
    >>> metric.update(torch.tensor([[9.0, 0.0, 0.0], [0.0, 9.0, 0.0], [0.0, 0.0, 9.0], [0.0, 0.0, 1.0]]))
    >>> metric.compute()  # of the last sample the classifier is not certain
    {'covered': 3.0, 'high_quality': 0.75, 'kl': 0.0}
    """

    takes: ClassVar[Takes] = "logits"
    options_type: ClassVar[type] = ClassModesOptions
    reference: ClassVar[Reference] = "class-shares"
    higher_is_better: ClassVar[Mapping[str, bool]] = {"covered": True, "high_quality": True, "kl": False}
    ranges: Mapping[str, tuple[float, float]] = {
        "covered": (0.0, math.inf),
        "high_quality": (0.0, 1.0),
        "kl": (0.0, math.inf),
    }
    levels: ClassVar[Mapping[str, Level]] = {
        "covered": Level(_classes_of_real_data, "diversity", least=0.9),
        "kl": Level(expected_divergence, "diversity", least=math.exp(-1)),
    }

    def __init__(self, truth: Tensor | None = None, options: ClassModesOptions | None = None) -> None:
        options = options or ClassModesOptions()
        if truth is not None and not (truth.isfinite().all() and (truth > 0).all()):
            raise ValueError("class-modes: a class of the truth has no share; leave it out of the classifier")
        self.truth = None if truth is None else truth.double() / truth.double().sum()
        self.share, self.confidence = options.share, options.confidence
        self.counts = torch.zeros(0, dtype=torch.long)
        self.confident = 0

    def update(self, samples: Tensor) -> None:
        width = len(self.counts) or (None if self.truth is None else len(self.truth))
        logits = checked(samples, "class-modes", width)
        likeliest = logits.double().softmax(dim=1).amax(dim=1)
        self.confident += int((likeliest >= self.confidence).sum())
        counts = logits.argmax(dim=1).bincount(minlength=logits.shape[1])
        self.counts = counts + self.counts if len(self.counts) else counts
        rarest = (uniform(len(counts)) if self.truth is None else self.truth).min().item()
        self.ranges = {
            **self.ranges,
            "covered": (0.0, float(len(counts))),
            "kl": (0.0, -math.log(rarest)),
        }

    def compute(self) -> dict[str, float]:
        total = self.counts.sum().item()
        if total == 0:
            raise ValueError(too_few("class-modes", 0, 1))
        truth = uniform(len(self.counts)) if self.truth is None else self.truth
        covered = (self.counts > self.share * total).sum().item()
        return {
            "covered": float(covered),
            "high_quality": self.confident / total,
            "kl": divergence(self.counts, truth),
        }

    def reset(self) -> None:
        self.counts = torch.zeros(0, dtype=torch.long)
        self.confident = 0

    @property
    def remarks(self) -> tuple[str, ...]:
        classes, total = len(self.counts), int(self.counts.sum())
        if total >= PER_CLASS * classes:
            return ()
        return (f"{classes:,} classes but only {total:,} samples: kl biased upwards, few classes covered",)
