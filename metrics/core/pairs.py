"""Metrics of images and their targets: means over images of a number for each pair."""

from abc import abstractmethod
from typing import ClassVar

from torch import Tensor

from metrics.core.batches import Rows, checked
from metrics.core.metric import Metric, Reference, Takes


class PairMetric(Metric):
    """The mean over images of a number for each pair of an image and its target.

    Takes `(N, 2, C, H, W)` in [−1, 1]: each image, then its target.

    Attributes:
        name: of the metric and of its only score.
    """

    takes: ClassVar[Takes] = "pairs"
    reference: ClassVar[Reference] = "none"
    name: ClassVar[str]

    def __init__(self) -> None:
        self.values = Rows(self.name, 1)

    @abstractmethod
    def of_each(self, made: Tensor, targets: Tensor) -> Tensor:
        """Computes the number of each image, `(N,)`, from float32 or float64 `(N, C, H, W)` twice."""

    def update(self, samples: Tensor) -> None:
        if samples.dim() != 5 or samples.shape[1] != 2:
            raise ValueError(f"{self.name}: takes pairs (N, 2, C, H, W), not shape {tuple(samples.shape)}")
        whole = checked(samples.flatten(1), self.name).view(samples.shape)
        self.values.add(self.of_each(*whole.unbind(dim=1)).double()[:, None])

    def compute(self) -> dict[str, float]:
        return {self.name: self.values.all().mean().item()}

    def reset(self) -> None:
        self.values.clear()

    @property
    def remarks(self) -> tuple[str, ...]:
        return ()
