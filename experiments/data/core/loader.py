"""The loader of batches of real samples, with their condition, which also keeps the training clock."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from experiments.core.errors import RunError
from experiments.data.core.batch_sizes import BatchSchedule
from experiments.data.core.batch_stream import BatchStream
from experiments.data.core.dataset import DataSet, Domains
from experiments.data.core.fingerprint import DataFingerprint, take_fingerprint
from gans.core.clock import Clock
from gans.core.networks import Batch
from losses.core.device_copies import copy_to
from losses.core.schedule import Scheduled, value_at

GRID_SAMPLES, SCATTER_SAMPLES = 64, 2000  # that a picture shows: images, points
Augment = Callable[[Tensor, float], Tensor]


class Loader:
    """Loads batches of real samples: float32 on `device`, images in [−1, 1], points as they are.

    The samples form one endless sequence (experiments/data/core/batch_stream.py). The position in it is
    `seen`, the number of samples loaded: setting it reaches any step. Of two domains the samples are those of
    B, and their condition are images of A: their partners, or images in an order of their own.

    Args:
        data: the data set, or two domains.
        batch_schedule: the size of every batch, and the length of the run.
        seed: seed of the order.
        device: device of the batches.
        augment: random changes of images `(images, strength) → images`, drawn from torch's global generator,
            with their strengths, which may move over the run.
        condition: further arguments of both networks for each sample of a set, `(N, …)`: labels, or
            attributes.
        dtype: type of the samples and attributes.
        balances_classes: whether samples of each class come equally often.
    """

    def __init__(
        self,
        data: DataSet | Domains,
        batch_schedule: BatchSchedule,
        seed: int,
        device: torch.device,
        augment: Sequence[tuple[Augment, Scheduled]] = (),
        condition: Tensor | None = None,
        dtype: torch.dtype = torch.float32,
        balances_classes: bool = False,
    ) -> None:
        self.batch_schedule, self.device, self.dtype = batch_schedule, device, dtype
        self.augment = list(augment)
        self.seen = 0
        self.sources: BatchStream | None = None
        self.paired = False
        if isinstance(data, Domains):
            self.paired = data.paired
            self.sources = BatchStream(
                data.a, batch_schedule, seed, "order" if data.paired else "order of A", device
            )
            data = data.b
        self.stream = BatchStream(data, batch_schedule, seed, "order", device, balances_classes)
        self.condition = None if condition is None else condition.to(self.stream.device)

    @property
    def data(self) -> DataSet:
        """The data set of the samples."""
        return self.stream.data

    @property
    def remarks(self) -> tuple[str, ...]:
        """Remarks of the data, a line each."""
        return (*(self.sources.data.remarks if self.sources else ()), *self.data.remarks)

    @property
    def waited_seconds(self) -> float | None:
        """Time that batches were waited for; None where all samples are held."""
        streams = [each for each in (self.sources, self.stream) if each is not None and each.is_read_ahead]
        return sum(each.waited_seconds for each in streams) if streams else None

    @property
    def clock(self) -> Clock:
        """The time before the next batch is loaded."""
        schedule = self.batch_schedule
        return Clock(self.seen, schedule.batch_index(self.seen), schedule.progress(self.seen))

    def next_batch(self) -> Batch:
        """Loads the next batch, and advances the clock by its samples."""
        progress = self.clock.progress
        with _value_errors_as_run_errors():
            indices, raw = self.stream.at(self.seen)
            sources = [self.prepare(self.sources.at(self.seen).samples)] if self.sources else []
        self.seen += self.batch_schedule.batch_size(self.seen)
        batch = self._with_condition(indices, self.prepare(raw), sources)
        return self._augment_batch(batch, progress) if self.augment else batch

    @property
    def grid_count(self) -> int:
        """Number of samples in a sample grid or scatter plot."""
        return GRID_SAMPLES if self.data.is_images else SCATTER_SAMPLES

    def first(self) -> Batch:
        """Loads the first samples of the data set, as many as a sample grid shows, on the CPU."""
        with _value_errors_as_run_errors():
            indices, raw = self.stream.first(self.grid_count)
            sources = [self.prepare(self.sources.first(self.grid_count).samples)] if self.sources else []
        samples, condition = self._with_condition(indices, self.prepare(raw), sources)
        return Batch(samples.cpu(), tuple(each.cpu() for each in condition))

    def fingerprints(self) -> list[DataFingerprint]:
        """Takes the fingerprints of the data, of two domains that of A first.

        They include labels or attributes where the run uses these.
        """
        dimensions = 0 if self.condition is None else self.condition.dim()
        with _value_errors_as_run_errors():
            sets = [*([self.sources.data] if self.sources else []), self.data]
            found = [take_fingerprint(each) for each in sets]
        return [each.with_conditions(dimensions == 1, dimensions > 1) for each in found]

    def prepare(self, samples: Tensor) -> Tensor:
        """Converts raw samples of the data set to samples as the networks see them."""
        samples = copy_to(samples, self.device)
        if self.data.units is not None:  # those of two domains are the same
            scaled = self.data.units.to_networks(samples, self.dtype)
            return scaled.to(memory_format=torch.channels_last)
        if samples.dtype == torch.uint8:
            samples = samples.to(self.dtype, memory_format=torch.channels_last)
            return samples.div_(127.5).sub_(1.0)
        return samples.to(self.dtype)

    def _with_condition(self, indices: Tensor, samples: Tensor, sources: list[Tensor]) -> Batch:
        """Makes a batch of samples with their condition."""
        if self.condition is not None:
            known = copy_to(self.condition[indices], self.device)
            sources = [*sources, known.to(self.dtype) if known.is_floating_point() else known]
        return Batch(samples, tuple(sources))

    def _augment_batch(self, batch: Batch, progress: float) -> Batch:
        """Augments a batch at random: partners alike, images of two domains each by itself."""
        samples, condition = batch
        if self.paired:
            pairs = torch.cat([samples, *condition], dim=1)
            samples, *rest = self._augment(pairs, progress).tensor_split((samples.shape[1],), dim=1)
            return Batch(samples, tuple(rest))
        if self.sources:
            condition = tuple(self._augment(each, progress) for each in condition)
        return Batch(self._augment(samples, progress), condition)

    def _augment(self, images: Tensor, progress: float) -> Tensor:
        """Applies all augmentations to images."""
        for change, strength in self.augment:
            images = change(images, value_at(strength, progress))
        return images


@contextmanager
def _value_errors_as_run_errors() -> Iterator[None]:
    """Turns a ValueError for a file into a RunError.

    The file could be read before, or was not looked at, so it is a failure of the run.
    """
    try:
        yield
    except ValueError as error:
        raise RunError(str(error)) from error
