"""A data set as an endless sequence, in an order that is a function of (seed, epoch)."""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor

from experiments.core.seeds import generator_for
from experiments.data.core.batch_schedule import BatchSchedule
from experiments.data.core.dataset import DataSet, Held, hold
from experiments.data.core.memory import memory_for_data

CPU = torch.device("cpu")
BATCHES_AHEAD = 4  # fetched in the background, from data that is not held


class IndexedSamples(NamedTuple):
    """Indices of samples, int64 `(N,)`, and the samples as the data set has them."""

    indices: Tensor
    samples: Tensor


class BatchStream:
    """Epoch after epoch of a data set, each in its own permutation; a batch may span two epochs.

    Args:
        data: the set.
        batch_schedule: the size of the batch at every position.
        seed: of the order.
        purpose: streams of equal length, seed and purpose go side by side.
        device: where samples lie, if they fit.
    """

    def __init__(
        self, data: DataSet, batch_schedule: BatchSchedule, seed: int, purpose: str, device: torch.device
    ) -> None:
        self.data = _held_if_it_fits(data, device)
        self.batch_schedule, self.seed, self.purpose = batch_schedule, seed, purpose
        self._orders: dict[int, Tensor] = {}
        self._ahead = None if isinstance(self.data, Held) else Prefetcher(self.data)

    def at(self, position: int) -> IndexedSamples:
        """The batch that begins at that place of the sequence."""
        indices = self._indices(position)
        if self._ahead is None:
            return IndexedSamples(indices, self.data.fetch(indices))
        waiting, ahead = len(self._ahead.waiting(position)), position
        for number in range(BATCHES_AHEAD + 1):
            if number >= waiting:
                self._ahead.ask(ahead, self._indices(ahead))
            ahead += self.batch_schedule.batch_size(ahead)
        return IndexedSamples(indices, self._ahead.take())

    def first(self, count: int) -> IndexedSamples:
        """The first samples of the set, as many as there are of so many."""
        indices = torch.arange(min(count, len(self.data)))
        return IndexedSamples(indices, self.data.fetch(indices))

    def _indices(self, position: int) -> Tensor:
        parts, missing = [], self.batch_schedule.batch_size(position)
        while missing:
            epoch, start = divmod(position, len(self.data))
            part = self._order(epoch)[start : start + missing]
            parts.append(part)
            position, missing = position + len(part), missing - len(part)
        return torch.cat(parts) if len(parts) > 1 else parts[0]

    def _order(self, epoch: int) -> Tensor:
        if epoch not in self._orders:
            self._orders = {known: order for known, order in self._orders.items() if abs(known - epoch) < 2}
            random = generator_for(self.seed, self.purpose, epoch)
            self._orders[epoch] = torch.randperm(len(self.data), generator=random)
        return self._orders[epoch]


class Prefetcher:
    """Fetches batches in the background before they are asked for, in the order in which they will be.

    The order is known in advance, so nothing that is fetched early can be wrong; only a jump to another
    position (a resume) throws it away.
    """

    def __init__(self, data: DataSet) -> None:
        self.data = data
        # One thread keeps the order; a data set decodes one batch on as many cores as there are.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="gans-data")
        self._batches: deque[tuple[int, Future[Tensor]]] = deque()

    def waiting(self, position: int) -> Sequence[tuple[int, Future[Tensor]]]:
        """The batches asked for so far, if the first of them begins at `position`; else none."""
        if self._batches and self._batches[0][0] != position:
            for _, batch in self._batches:
                batch.cancel()
            self._batches.clear()
        return self._batches

    def ask(self, position: int, indices: Tensor) -> None:
        self._batches.append((position, self._thread.submit(self.data.fetch, indices)))

    def take(self) -> Tensor:
        """The next batch; whatever went wrong with it is raised here."""
        return self._batches.popleft()[1].result()


def _held_if_it_fits(data: DataSet, device: torch.device) -> DataSet:
    if data.on_demand:
        return data
    bytes_each = prod(data.sample_shape) * (1 if data.is_images else 4)
    places = [place for place in (device, CPU) if len(data) * bytes_each <= memory_for_data(place)]
    return hold(data, places[0]) if places else data
