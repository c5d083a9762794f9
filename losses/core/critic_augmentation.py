"""The contract of critic augmentations: random changes of the images that a critic sees."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

Draws = Mapping[str, Tensor]


class CriticAugmentation(ABC):
    """A random change of all images that a critic sees, real and generated, in the steps of both players.

    The generator must make images whose changes look like those of real ones. As long as the change can be
    undone in distribution, which holds for one that is left out often enough, these are images like the real
    ones: the change does not leak into samples (Karras et al. 2020, arXiv:2006.06676, section 2.2).

    Attributes:
        takes_probability: whether each change is made with a probability below 1, which may be steered.
    """

    takes_probability: ClassVar[bool] = False

    def check(  # noqa: B027  (most change any images)
        self, channels: int, smallest_side: int
    ) -> None:
        """Checks that images may be changed. Raises ValueError with the reason otherwise.

        Args:
            smallest_side: pixels on the shorter side of the smallest images that the critic sees.
        """

    @abstractmethod
    def draw(self, images: Tensor) -> Draws:
        """Draws the random numbers of a change of images `(N, C, H, W)`, a row for each.

        They come from torch's global generator, by `draw_rows` and `draw_like`; those of which Python asks
        for values lie in main memory, so that an accelerator is not waited for.
        """

    @abstractmethod
    def apply(self, images: Tensor, draws: Draws, probability: float) -> Tensor:
        """Changes images `(N, C, H, W)` in [−1, 1] by given draws; the shape stays.

        It is twice differentiable in the images. The same draws change partners alike.
        """
