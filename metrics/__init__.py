"""How results are judged: every file beside this one is a metric. Nothing here imports the other rooms."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal

from torch import Tensor


class Metric(ABC):
    """Fed batch by batch, asked at the end.

    A metric with a reference takes it as the first argument of its constructor: `Statistics` of the real
    feature vectors, or the vectors themselves. All other arguments of those have defaults.

    Attributes:
        takes: what `update` gets: samples as the generator makes them, an extractor's feature vectors
            `(N, D)`, or a classifier's logits `(N, K)`.
        reference: what the constructor gets of the real data.
        higher_is_better: the direction of each score. A score that is not named here has none: a standard
            error, a deviation.
        ranges: the smallest and largest value that each score can have.
    """

    takes: ClassVar[Literal["samples", "vectors", "logits"]]
    reference: ClassVar[Literal["none", "statistics", "vectors"]]
    higher_is_better: ClassVar[Mapping[str, bool]]
    ranges: ClassVar[Mapping[str, tuple[float, float]]]

    @abstractmethod
    def update(self, samples: Tensor) -> None:
        """Takes in another batch of what `takes` says.

        Raises:
            ValueError: the batch has a wrong shape or numbers that are not finite.
        """

    @abstractmethod
    def compute(self) -> dict[str, float]:
        """The scores over all samples since the last reset, the one that names the metric first.

        Raises:
            ValueError: there are fewer samples than the metric needs; the message says how many.
        """

    @abstractmethod
    def reset(self) -> None:
        """Forgets all samples, but not the reference."""

    @property
    @abstractmethod
    def remarks(self) -> tuple[str, ...]:
        """What a reader of the scores must know: each a line, such as a bias from too few samples."""
