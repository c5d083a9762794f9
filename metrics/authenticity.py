"""Authenticity: share of samples that are no copies of training data (AuthPct, Alaa et al. 2022)."""

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from metrics.core.batches import Rows, checked
from metrics.core.memorization import authentic
from metrics.core.metric import Metric, Reference, Takes


class Authenticity(Metric):
    """Share of samples farther from their nearest real vector than that is from its own (section 4.2).

    It means something beside the training data alone, all of it, whatever other scores compare with; and only
    beside its value for held-out samples: that is no constant, and copies with noise can have more than
    these. `gans audit` finds what it would show.

    Args:
        reference: `(M, D)`, the vectors of the training data by the same extractor.

    Scores: `authenticity` in [0, 1].

    Raises:
        ValueError: fewer than two real vectors, or no samples.

    >>> from metrics.authenticity import Authenticity
    >>> import torch
    >>> metric = Authenticity(torch.tensor([[0.0], [1.0], [4.0]]))
    >>> metric.update(torch.tensor([[0.1], [2.0], [8.0], [4.0]]))
    >>> metric.compute()  # of 2 the nearest is 1, at its own distance from 0; 8 is farther from 4 than 1
    {'authenticity': 0.25}
    """

    takes: ClassVar[Takes] = "vectors"
    reference: ClassVar[Reference] = "vectors"
    of_training: ClassVar[bool] = True
    higher_is_better: ClassVar[Mapping[str, bool]] = {"authenticity": True}
    ranges: Mapping[str, tuple[float, float]] = {"authenticity": (0.0, 1.0)}

    def __init__(self, reference: Tensor) -> None:
        self.real = checked(reference, "authenticity")
        if len(self.real) < 2:
            raise ValueError("authenticity: 1 reference sample, needs at least 2; give it more")
        self.vectors = Rows("authenticity", self.real.shape[1])

    def update(self, samples: Tensor) -> None:
        self.vectors.add(samples)

    def compute(self) -> dict[str, float]:
        return {"authenticity": authentic(self.vectors.all(), self.real).double().mean().item()}

    def reset(self) -> None:
        self.vectors.clear()

    @property
    def remarks(self) -> tuple[str, ...]:
        return ()
