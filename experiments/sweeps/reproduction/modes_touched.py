"""Modes with any sample within 3 deviations: how PacGAN's authors count (Lin et al. 2018, table 1)."""

from torch import Tensor

from metrics.modes import Modes


class ModesTouched(Modes):
    """As `modes`, which asks for more than one sample in 500."""

    def __init__(self, centres: Tensor, sigma: float) -> None:
        super().__init__(centres, sigma, share=0.0)
