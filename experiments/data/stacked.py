"""stacked:NAME: three grey pictures of a set in the three channels of one, for counting 1,000 modes."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor

from experiments.data.core.dataset import DataSet, Fit, Kind, Native, Source
from experiments.data.core.sources import open_source

LENGTH = 128_000  # as Lin et al. 2018 (PacGAN) have it
CHANNELS = 3
MOST_CLASSES = 50  # of the grey set: 125,000 together
SEED = 20170215  # which pictures stand together is one fixed data set, whatever the seed of a run


class StackedImages(DataSet):
    """Data set of stacked pictures: each channel has a picture of `grey`, drawn with replacement.

    The label is that of the first channel, plus K times that of the second, plus K² times the third's.
    """

    def __init__(self, grey: DataSet) -> None:
        assert grey.labels is not None
        self.grey, self.on_demand = grey, grey.on_demand
        self.units, self.remarks, self.unreadable = grey.units, grey.remarks, grey.unreadable
        self.held_out_count = grey.held_out_count  # grey pictures, none of which is in a stack here
        self.sample_shape = (CHANNELS, *grey.sample_shape[1:])
        draw = torch.Generator().manual_seed(SEED)
        self.parts = torch.randint(len(grey), (LENGTH, CHANNELS), generator=draw)
        self.channel_classes = grey.classes
        count = len(grey.classes)
        self.labels = (grey.labels[self.parts] * count ** torch.arange(CHANNELS)).sum(dim=1)
        self.classes = stacked_names(grey.classes)

    def __len__(self) -> int:
        return LENGTH

    def fetch(self, indices: Tensor) -> Tensor:
        parts = self.parts[indices.cpu()].flatten().to(indices.device)
        return self.grey.fetch(parts).view(-1, *self.sample_shape)


def stacked_names(grey: Sequence[str]) -> tuple[str, ...]:
    """Class names of stacked pictures, in the order of the labels."""
    return tuple(" + ".join((first, second, third)) for third in grey for second in grey for first in grey)


class Stacked(Source):
    """Source of Stacked MNIST, or of any labelled grey set stacked alike (Metz et al. 2017).

    With ten classes it has 1,000 modes, which `gans evaluate RUN --metrics stacked-mnist` counts
    (arXiv:1611.02163, section 3.3.1). Options are those of the grey set.
    """

    kind: ClassVar[Kind] = "images"
    takes_spec: ClassVar[bool] = True
    holds_out_within: ClassVar[bool] = True  # else the same grey pictures would be on both sides

    @cached_property
    def _grey(self) -> Source:
        if not self.argument:
            raise ValueError("data 'stacked' needs a grey set with classes: stacked:mnist")
        source = open_source(self.argument, self.access)
        if source.kind != "images" or source.native().channels != 1:
            raise ValueError(f"data 'stacked' needs grey pictures, which {self.argument} has not; take mnist")
        return source

    def native(self) -> Native:
        native = self._grey.native()
        return Native(native.size, CHANNELS, native.first)

    def class_names(self) -> Sequence[str]:
        return stacked_names(self._grey.class_names())

    def found_options(self, paired: bool | None = None) -> Any:
        """The options of the grey set, with what was found in its pictures."""
        return self._grey.found_options(paired)

    def found_option_remarks(self) -> Mapping[str, str]:
        return self._grey.found_option_remarks()

    def open(self, size: tuple[int, int] | None, channels: int | None, fit: Fit) -> StackedImages:
        """Opens stacked pictures at `size`, as the grey set brings them there."""
        return self._stack(self._grey.open(size, 1, fit), channels)

    def open_held_out(self, size: tuple[int, int] | None, channels: int | None, fit: Fit) -> StackedImages:
        """Opens as many pictures, stacked of those that the grey set holds out from training."""
        return self._stack(self._grey.open_held_out(size, 1, fit), channels)

    def _stack(self, grey: DataSet, channels: int | None) -> StackedImages:
        if channels not in (None, CHANNELS):
            raise ValueError(f"data 'stacked' has {CHANNELS} channels, not {channels}")
        if grey.labels is None:
            raise ValueError(f"data 'stacked' needs classes, which {self.argument} has not; take mnist")
        if len(grey.classes) > MOST_CLASSES:
            raise ValueError(
                f"data 'stacked' takes sets of at most {MOST_CLASSES} classes; {self.argument} has "
                f"{len(grey.classes)}"
            )
        return StackedImages(grey)
