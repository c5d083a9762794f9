"""Trackers: where scores and pictures go. Every file beside this one is a tracker; several work at once."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path


class Tracker(ABC):
    """Receives what a run has to say."""

    @abstractmethod
    def scores(self, scores: Mapping[str, float]) -> None:
        """Scalars of one moment, with `step` and `kimg` among them."""

    @abstractmethod
    def images(self, name: str, file: Path, kimg: float) -> None:
        """A picture that was written to `file`."""

    @abstractmethod
    def close(self) -> None:
        """Nothing more will come."""
