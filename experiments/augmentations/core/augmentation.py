"""The contract of augmentations."""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor


class Augmentation(ABC):
    """A random change of images, each by its own draw from torch's global generator.

    It enlarges the data: the generator also learns to make what it makes (mirrored, shifted, recoloured
    pictures).

    Attributes:
        usual_strength: strength of `--augment NAME` alone, in (0, 1].
        keeps_partners: whether two images that are changed as one, side by side in channels, stay a pair.
    """

    usual_strength: ClassVar[float]
    keeps_partners: ClassVar[bool] = True

    @abstractmethod
    def apply(self, images: Tensor, strength: float) -> Tensor:
        """Changes images `(N, C, H, W)` in [−1, 1] at random, for a strength in [0, 1]; the shape stays."""
