"""Deals batches of reals, with what both players are told of them, and keeps the clock."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from experiments.augment import AUGMENTATIONS
from experiments.data import DataSet, Domains
from experiments.errors import RunError
from experiments.stream import Stream
from experiments.timetable import Timetable
from gans.core.clock import Clock
from gans.core.game import Batch

GRID_SAMPLES, SCATTER_SAMPLES = 64, 2000  # that a picture shows: images, points


class Dealer:
    """`dealer()` is the next batch: float32 on `device`, images in [−1, 1], points as they are.

    The samples form one endless sequence (experiments/stream.py). The position in it is `seen`, the number of
    samples dealt: setting it reaches any step. Of two domains the samples are those of B, and what is told of
    them are images of A: their partners, or images in an order of their own.

    Args:
        data: what is dealt.
        timetable: the size of every batch, and the length of the run.
        seed: of the order.
        device: where batches are wanted.
        augment: names and strengths of random changes to images, drawn from torch's global generator.
        told: what both players are told of each sample of a set, `(N, …)`: labels, or attributes.
    """

    def __init__(
        self,
        data: DataSet | Domains,
        timetable: Timetable,
        seed: int,
        device: torch.device,
        augment: Sequence[tuple[str, float]] = (),
        told: Tensor | None = None,
    ) -> None:
        self.timetable, self.device, self.told = timetable, device, told
        self.augment = [(AUGMENTATIONS[name], strength) for name, strength in augment]
        self.seen = 0
        self.sources: Stream | None = None
        self.paired = False
        if isinstance(data, Domains):
            self.paired = data.paired
            self.sources = Stream(data.a, timetable, seed, "order" if data.paired else "order of A", device)
            data = data.b
        self.stream = Stream(data, timetable, seed, "order", device)

    @property
    def data(self) -> DataSet:
        """What the samples are from."""
        return self.stream.data

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the data has to remark."""
        return (*(self.sources.data.remarks if self.sources else ()), *self.data.remarks)

    @property
    def clock(self) -> Clock:
        total = self.timetable.images
        return Clock(self.seen, self.timetable.turn(self.seen), self.seen / total if total else 0.0)

    def __call__(self) -> Batch:
        with _blamed():
            indices, raw = self.stream.at(self.seen)
            sources = [self.prepare(self.sources.at(self.seen).samples)] if self.sources else []
        self.seen += len(indices)
        batch = self._told_of(indices, self.prepare(raw), sources)
        return self._changed(batch) if self.augment else batch

    @property
    def shown(self) -> int:
        """How many samples of this kind a picture shows."""
        return GRID_SAMPLES if self.data.is_images else SCATTER_SAMPLES

    def first(self) -> Batch:
        """The first samples of all, as many as a picture shows, on the CPU."""
        with _blamed():
            indices, raw = self.stream.first(self.shown)
            sources = [self.prepare(self.sources.first(self.shown).samples)] if self.sources else []
        samples, condition = self._told_of(indices, self.prepare(raw), sources)
        return Batch(samples.cpu(), tuple(each.cpu() for each in condition))

    def prepare(self, samples: Tensor) -> Tensor:
        """From raw samples to what the networks see."""
        samples = samples.to(self.device, non_blocking=True)
        if samples.dtype == torch.uint8:
            samples = samples.to(torch.float32, memory_format=torch.channels_last)
            return samples.div_(127.5).sub_(1.0)
        return samples

    def _told_of(self, indices: Tensor, samples: Tensor, sources: list[Tensor]) -> Batch:
        told = [] if self.told is None else [self.told[indices].to(self.device, non_blocking=True)]
        return Batch(samples, (*sources, *told))

    def _changed(self, batch: Batch) -> Batch:
        """With random changes: partners change alike, images of two domains each by itself."""
        samples, condition = batch
        if self.paired:
            beside = torch.cat([samples, *condition], dim=1)
            samples, *rest = self._augmented(beside).tensor_split((samples.shape[1],), dim=1)
            return Batch(samples, tuple(rest))
        if self.sources:
            condition = tuple(map(self._augmented, condition))
        return Batch(self._augmented(samples), condition)

    def _augmented(self, images: Tensor) -> Tensor:
        for change, strength in self.augment:
            images = change(images, strength)
        return images


@contextmanager
def _blamed() -> Iterator[None]:
    """What a data set says of a file that could be read before, or was not looked at."""
    try:
        yield
    except ValueError as error:
        raise RunError(str(error)) from error
