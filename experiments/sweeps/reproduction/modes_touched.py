"""Metric of PacGAN's table 1: modes with any sample within 3 standard deviations (Lin et al. 2018)."""

from dataclasses import dataclass
from typing import ClassVar

from losses.core.options import option
from metrics.modes import Modes, ModesOptions


@dataclass(frozen=True)
class ModesTouchedOptions(ModesOptions):
    """Options of the number of modes with at least one sample."""

    share: float = option(0.0, "Share of all samples that a covered mode exceeds.", at_least=0.0, below=1.0)


class ModesTouched(Modes):
    """Number of modes with at least one sample within 3 standard deviations, as PacGAN's authors count.

    The metric `modes` asks for more than one sample in 500.
    """

    options_type: ClassVar[type] = ModesTouchedOptions
