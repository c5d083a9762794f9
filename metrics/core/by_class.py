"""Scores of the samples of one class alone: which metrics have them, and from how many samples on."""

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class ByClass:
    """Condition under which a metric scores the samples of one class against the real ones of that class.

    Attributes:
        fewest: samples of a class, on either side, below which its score says nothing.
        size_option: the option of the metric that is a number of samples which each side must have; for a
            class it is at most what the smaller side has. Empty for a metric without such an option.
    """

    fewest: int
    size_option: str = ""

    def options(self, options: Any, count: int) -> Any:
        """The metric's options for a class.

        Args:
            options: an instance of the metric's `options_type`; None for a metric without.
            count: samples of the class on the smaller side.

        >>> from metrics.core.by_class import ByClass
        >>> from metrics.kid import KernelDistanceOptions
        >>> ByClass(10, "subset_size").options(KernelDistanceOptions(), 60).subset_size
        60
        """
        if not self.size_option:
            return options
        return replace(options, **{self.size_option: min(getattr(options, self.size_option), count)})
