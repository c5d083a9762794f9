"""How results are judged: every file beside this one is a metric. Nothing here imports the other rooms."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal

from torch import Tensor

Takes = Literal["points", "vectors", "logits", "channel-logits", "path-vectors", "pairs"]
Reference = Literal["none", "statistics", "vectors", "class-shares", "mixture"]


class Metric(ABC):
    """Fed batch by batch, asked at the end.

    A metric with a reference takes it as the first argument of its constructor. All other arguments have
    defaults.

    Attributes:
        takes: what `update` gets of N samples: points in the plane `(N, 2)`; an extractor's feature vectors
            `(N, D)`; its logits `(N, K)`; its logits of each channel as a grey picture `(N, C, K)`; the
            vectors of both ends of N small steps in latent space `(N, 2, D)`; or images in [−1, 1], each
            beside the one that it should be `(N, 2, C, H, W)`.
        reference: what the constructor gets of the real data: nothing; `Statistics` of its feature vectors;
            these vectors `(M, D)`; how frequent each class is `(K,)`; or, as two arguments, the centres
            `(M, D)` and the deviation of a mixture of round Gaussians.
        higher_is_better: the direction of each score. A score that is not named here has none: a standard
            error, a deviation.
        ranges: the smallest and largest value that each score can have.
    """

    takes: ClassVar[Takes]
    reference: ClassVar[Reference]
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
