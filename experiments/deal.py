"""Deals batches of reals in an order that is a function of (seed, epoch), and keeps the clock."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from math import prod

import torch
from torch import Tensor

from experiments.augment import AUGMENTATIONS
from experiments.data import DataSet, Held, hold
from experiments.errors import RunError
from experiments.memory import memory_for_data
from experiments.seeds import generator_for
from experiments.timetable import Timetable
from gans.core.clock import Clock
from gans.core.game import Batch

CPU = torch.device("cpu")
GRID_SAMPLES, SCATTER_SAMPLES = 64, 2000  # that a picture shows: images, points
BATCHES_AHEAD = 4  # fetched in the background, from data that is not held


class Dealer:
    """`dealer()` is the next batch: float32 on `device`, images in [−1, 1], points as they are; with their
    labels, where the players are told them.

    The samples form one endless sequence, epoch after epoch, each in its own permutation; a batch may span
    two epochs. The position in it is `seen`, the number of samples dealt: setting it reaches any step.

    Args:
        data: what is dealt.
        timetable: the size of every batch, and the length of the run.
        seed: of the order.
        device: where batches are wanted.
        augment: names and strengths of random changes to images, drawn from torch's global generator.
        conditional: whether labels are dealt; the data must have them.
    """

    def __init__(
        self,
        data: DataSet,
        timetable: Timetable,
        seed: int,
        device: torch.device,
        augment: Sequence[tuple[str, float]] = (),
        conditional: bool = False,
    ) -> None:
        self.data = _held_if_it_fits(data, device)
        self.timetable = timetable
        self.seed = seed
        self.device = device
        self.augment = [(AUGMENTATIONS[name], strength) for name, strength in augment]
        self.labels = data.labels if conditional else None
        self.seen = 0
        self._orders: dict[int, Tensor] = {}
        self._ahead = None if isinstance(self.data, Held) else _Ahead(self.data)

    @property
    def clock(self) -> Clock:
        total = self.timetable.images
        return Clock(self.seen, self.timetable.turn(self.seen), self.seen / total if total else 0.0)

    def __call__(self) -> Batch:
        indices = self._indices(self.seen)
        with _told():
            samples = self.prepare(self._next(indices))
        self.seen += len(indices)
        for change, strength in self.augment:
            samples = change(samples, strength)
        if self.labels is None:
            return Batch(samples)
        return Batch(samples, (self.labels[indices].to(self.device, non_blocking=True),))

    @property
    def shown(self) -> int:
        """How many samples of this kind a picture shows."""
        return GRID_SAMPLES if self.data.is_images else SCATTER_SAMPLES

    def first(self) -> Tensor:
        """The first samples of all, as many as a picture shows, on the CPU."""
        with _told():
            samples = self.data.fetch(torch.arange(min(self.shown, len(self.data))))
        return self.prepare(samples).cpu()

    def prepare(self, samples: Tensor) -> Tensor:
        """From raw samples to what the networks see."""
        samples = samples.to(self.device, non_blocking=True)
        if samples.dtype == torch.uint8:
            samples = samples.to(torch.float32, memory_format=torch.channels_last)
            return samples.div_(127.5).sub_(1.0)
        return samples

    def _next(self, indices: Tensor) -> Tensor:
        if self._ahead is None:
            return self.data.fetch(indices)
        waiting, position = len(self._ahead.waiting(self.seen)), self.seen
        for number in range(BATCHES_AHEAD + 1):
            if number >= waiting:
                self._ahead.ask(position, self._indices(position))
            position += self.timetable.batch_size(position)
        return self._ahead.take()

    def _indices(self, position: int) -> Tensor:
        """Indices of the batch that begins at that place of the endless sequence."""
        parts, missing = [], self.timetable.batch_size(position)
        while missing:
            epoch, start = divmod(position, len(self.data))
            part = self._order(epoch)[start : start + missing]
            parts.append(part)
            position, missing = position + len(part), missing - len(part)
        return torch.cat(parts) if len(parts) > 1 else parts[0]

    def _order(self, epoch: int) -> Tensor:
        if epoch not in self._orders:
            self._orders = {known: order for known, order in self._orders.items() if abs(known - epoch) < 2}
            random = generator_for(self.seed, "order", epoch)
            self._orders[epoch] = torch.randperm(len(self.data), generator=random)
        return self._orders[epoch]


@contextmanager
def _told() -> Iterator[None]:
    """What a data set says of a file that could be read before, or was not looked at."""
    try:
        yield
    except ValueError as error:
        raise RunError(str(error)) from error


class _Ahead:
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
