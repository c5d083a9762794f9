"""The contract of metrics: fed samples batch by batch, asked for scores at the end."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from torch import Tensor

from metrics.core.by_class import ByClass
from metrics.core.level import Level

Takes = Literal["points", "vectors", "logits", "channel-logits", "path-vectors", "pairs", "images"]
Reference = Literal["none", "statistics", "vectors", "class-shares", "mixture", "images"]


class Metric(ABC):
    """A score, or several, of samples that come in batches.

    A metric with a reference takes it as the first argument of its constructor (a mixture: two). One that
    declares options takes them as the next argument. All arguments but the reference have defaults.

    Attributes:
        takes: what `update` gets of N samples: points in the plane `(N, 2)`; an extractor's feature vectors
            `(N, D)`; its logits `(N, K)`; its logits of each channel as a grey picture `(N, C, K)`; the
            vectors of both ends of N small steps in latent space `(N, 2, D)`; images in [−1, 1], each
            beside the one that it should be `(N, 2, C, H, W)`; or images in [−1, 1] `(N, C, H, W)`.
        reference: what the constructor gets of the real data: nothing; `Statistics` of its feature vectors;
            these vectors `(M, D)`; how frequent each class is `(K,)`; as two arguments, the centres
            `(M, D)` and the deviation of a mixture of round Gaussians; or the images, in batches
            `(B, C, H, W)` in [−1, 1], to be gone through once.
        higher_is_better: the direction of each score. A score that is not named here has none: a standard
            error, a deviation.
        ranges: the smallest and largest value that each score can have: of the class whatever the data, of
            an instance as the reference and the samples so far bound it, such as the number of modes.
            Confidence intervals end there.
        levels: of scores whose value for real data is known: that value, and how much less is a fault
            (`gans doctor`). A score without a level is judged by its range, if both ends are finite.
        by_class: of a metric of vectors whose scores mean something for the samples of one class alone: from
            how many samples on. None for a metric of all samples together.
        of_training: whether it compares with all training samples, and means nothing beside others: it looks
            for copies.
        resamples_halves: whether its intervals come from random halves of the samples, because what a
            bootstrap draws twice would change the scores.
        options_type: the frozen dataclass of its options, whose fields have defaults; None for a metric
            without.

    >>> import torch
    >>> from metrics.modes import Modes
    >>> metric = Modes(torch.tensor([[0.0, 0.0], [1.0, 0.0]]), sigma=0.1)
    >>> for batch in torch.zeros(6, 2).split(2):
    ...     metric.update(batch)
    >>> metric.compute()["covered"]
    1.0
    """

    takes: ClassVar[Takes]
    reference: ClassVar[Reference]
    higher_is_better: ClassVar[Mapping[str, bool]]
    ranges: Mapping[str, tuple[float, float]]
    levels: ClassVar[Mapping[str, Level]] = {}
    by_class: ClassVar[ByClass | None] = None
    of_training: ClassVar[bool] = False
    resamples_halves: ClassVar[bool] = False
    options_type: ClassVar[type | None] = None

    @classmethod
    def check_counts(cls, samples: int, reals: int, options: Any = None) -> None:
        """Checks numbers of generated and of real samples, before any of them is there.

        Args:
            options: an instance of `options_type`; None for the defaults, and for a metric without.

        Raises:
            ValueError: they are too few, with the words of the constructor or of `compute`.
        """
        del samples, reals, options

    @abstractmethod
    def update(self, samples: Tensor) -> None:
        """Takes another batch of samples, shaped as `takes` says.

        Raises:
            ValueError: the batch has a wrong shape or numbers that are not finite.
        """

    @abstractmethod
    def compute(self) -> dict[str, float]:
        """Computes the scores over all samples since the last reset, the one that names the metric first.

        An error or a deviation that would be a constant of the options, whatever the samples, is left out.

        Raises:
            ValueError: there are fewer samples than the metric needs; the message says how many.
        """

    @abstractmethod
    def reset(self) -> None:
        """Forgets all samples, but not the reference."""

    @property
    @abstractmethod
    def remarks(self) -> tuple[str, ...]:
        """Caveats for a reader of the scores, a line each, such as a bias from too few samples."""
