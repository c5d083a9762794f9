"""A data set as an endless stream of batches, in an order that is a function of (seed, epoch)."""

import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor

from experiments.core.seeds import generator_for
from experiments.core.units import value_bytes
from experiments.data.core.balanced_order import BalancedOrder
from experiments.data.core.batch_sizes import BatchSchedule
from experiments.data.core.dataset import DataSet, InMemoryData, load_into_memory
from experiments.data.core.memory import memory_for_data
from losses.core.batch_parts import process_part
from losses.core.device_copies import copy_to

CPU = torch.device("cpu")
BATCHES_AHEAD = 4  # fetched in the background, from data that is not held


class IndexedSamples(NamedTuple):
    """Samples as the data set has them, with their indices, int64 `(N,)`, where the stream looks them up."""

    indices: Tensor
    samples: Tensor


class BatchStream:
    """A data set as an endless stream of batches: epoch after epoch, each in its own permutation.

    A batch may span two epochs.

    Args:
        data: the data set.
        batch_schedule: the size of the batch at every position.
        seed: seed of the order.
        purpose: streams of equal length, seed and purpose have the same order.
        device: device of the samples, if they fit.
        balances_classes: whether samples of each class come equally often; an epoch is then as long as the
            data, rounded up to a multiple of the number of classes.

    Attributes:
        device: where samples are looked up, which is main memory for those that are not held.
        waited_seconds: time that batches were waited for, because they were not read yet.
    """

    def __init__(
        self,
        data: DataSet,
        batch_schedule: BatchSchedule,
        seed: int,
        purpose: str,
        device: torch.device,
        balances_classes: bool = False,
    ) -> None:
        self.data = _load_if_it_fits(data, device)
        labels = data.labels if balances_classes else None
        self._balanced = None if labels is None else BalancedOrder(labels)
        self._epoch_length = len(data) if self._balanced is None else self._balanced.length
        self.batch_schedule, self.seed, self.purpose = batch_schedule, seed, purpose
        self._orders: dict[int, Tensor] = {}
        self.waited_seconds = 0.0
        self.device, self._ahead = CPU, None
        if isinstance(self.data, InMemoryData):
            self.device = self.data.samples.device
        else:
            self._ahead = Prefetcher(self.data, is_pinned=device.type == "cuda")

    def at(self, position: int) -> IndexedSamples:
        """The batch that begins at that position of the stream."""
        indices = self._indices(position)
        if self._ahead is None:
            return IndexedSamples(indices, self.data.fetch(indices))
        waiting, ahead = len(self._ahead.pending(position)), position
        for number in range(BATCHES_AHEAD + 1):
            if number >= waiting:
                self._ahead.ask(ahead, self._indices(ahead))
            ahead += self.batch_schedule.batch_size(ahead)
        began = time.monotonic()
        samples = self._ahead.take()
        self.waited_seconds += time.monotonic() - began
        return IndexedSamples(indices, samples)

    @property
    def is_read_ahead(self) -> bool:
        """Whether batches are read in the background, from data that is not held."""
        return self._ahead is not None

    def first(self, count: int) -> IndexedSamples:
        """The first `count` samples of the data set, or all if there are fewer."""
        indices = torch.arange(min(count, len(self.data)), device=self.device)
        return IndexedSamples(indices, self.data.fetch(indices))

    def _indices(self, position: int) -> Tensor:
        """Indices of the samples in this process's part of the batch at a position."""
        parts, missing = [], self.batch_schedule.batch_size(position)
        while missing:
            epoch, start = divmod(position, self._epoch_length)
            part = self._order(epoch)[start : start + missing]
            parts.append(part)
            position, missing = position + len(part), missing - len(part)
        return process_part().cut(torch.cat(parts) if len(parts) > 1 else parts[0])

    def _order(self, epoch: int) -> Tensor:
        """The order of an epoch: a permutation, or a balanced order."""
        if epoch not in self._orders:
            self._orders = {known: order for known, order in self._orders.items() if abs(known - epoch) < 2}
            random = generator_for(self.seed, self.purpose, epoch)
            balanced = self._balanced
            order = balanced.draw(random) if balanced else torch.randperm(len(self.data), generator=random)
            self._orders[epoch] = copy_to(order, self.device)
        return self._orders[epoch]


class Prefetcher:
    """Fetches batches in the background before they are asked for, in the order in which they will be.

    The order is known in advance, so nothing that is fetched early can be wrong; only a jump to another
    position (a resume) discards it.

    Args:
        data: the data set.
        is_pinned: whether batches lie in pinned memory, from which a GPU copies by itself.
    """

    def __init__(self, data: DataSet, is_pinned: bool = False) -> None:
        self.data, self.is_pinned = data, is_pinned
        # One thread keeps the order; a data set decodes one batch on as many cores as there are.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="gans-data")
        self._batches: deque[tuple[int, Future[Tensor]]] = deque()

    def pending(self, position: int) -> Sequence[tuple[int, Future[Tensor]]]:
        """The batches being fetched, if the first of them begins at `position`; else they are discarded."""
        if self._batches and self._batches[0][0] != position:
            for _, batch in self._batches:
                batch.cancel()
            self._batches.clear()
        return self._batches

    def ask(self, position: int, indices: Tensor) -> None:
        """Begins to fetch the batch at a position."""
        self._batches.append((position, self._thread.submit(self._fetch, indices)))

    def _fetch(self, indices: Tensor) -> Tensor:
        """Fetches samples, in the background."""
        samples = self.data.fetch(indices)
        return samples.pin_memory() if self.is_pinned else samples

    def take(self) -> Tensor:
        """Takes the next batch; an error while it was fetched is raised here."""
        return self._batches.popleft()[1].result()


def _load_if_it_fits(data: DataSet, device: torch.device) -> DataSet:
    """Loads a data set into memory, on the device or else on the CPU, where it fits."""
    found = device_for_data(data, device)
    return data if found is None else load_into_memory(data, found)


def device_for_data(data: DataSet, device: torch.device) -> torch.device | None:
    """The device on which a run holds its data: its own, else the CPU; None for data that it reads again."""
    if data.on_demand:
        return None
    return next((each for each in (device, CPU) if data_bytes(data) <= memory_for_data(each)), None)


def data_bytes(data: DataSet) -> int:
    """Bytes that the samples of a data set take in memory."""
    return len(data) * prod(data.sample_shape) * (value_bytes(data.units) if data.is_images else 4)
