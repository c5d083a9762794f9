"""How results are judged: every file beside this one is a metric. Nothing here imports the other rooms."""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor


class Metric(ABC):
    """Fed batch by batch, asked at the end.

    Attributes:
        higher_is_better: direction of every score in `compute`.
    """

    higher_is_better: ClassVar[bool]

    @abstractmethod
    def update(self, samples: Tensor) -> None:
        """Takes in another batch of generated samples."""

    @abstractmethod
    def compute(self) -> dict[str, float]:
        """The scores over all samples since the last reset. Raises ValueError without samples."""

    @abstractmethod
    def reset(self) -> None:
        """Forgets all samples."""
