"""The order of the reals is a function of (seed, epoch), and the clock counts images."""

import time

import pytest
import torch

from experiments.core.errors import RunError
from experiments.core.images import to_uint8
from experiments.data.core.batch_sizes import BatchSchedule, Segment, constant_batches
from experiments.data.core.batch_stream import BATCHES_AHEAD
from experiments.data.core.dataset import DataSet, InMemoryData, load_into_memory
from experiments.data.core.loader import Loader

CPU = torch.device("cpu")


def loader_of(length: int = 10, batch_size: int = 4, seed: int = 0, total: int = 48) -> Loader:
    """Loads points (i, i)."""
    return Loader(
        InMemoryData(torch.arange(float(length)).repeat(2, 1).T),
        constant_batches(batch_size, total),
        seed,
        CPU,
    )


def numbers(loader: Loader, batches: int) -> list[int]:
    return torch.cat([loader.next_batch().samples[:, 0] for _ in range(batches)]).int().tolist()


def test_an_epoch_is_a_permutation_and_batches_may_span_two() -> None:
    order = numbers(loader_of(), 5)
    assert sorted(order[:10]) == sorted(order[10:]) == list(range(10))
    assert order[:10] != order[10:], "every epoch has its own order"


def test_any_position_is_reached_without_replaying() -> None:
    order = numbers(loader_of(), 25)
    for seen in (0, 8, 10, 36, 92):
        late = loader_of()
        late.seen = seen
        assert numbers(late, 2) == order[seen : seen + 8]


def test_seeds_order_differently() -> None:
    assert numbers(loader_of(100), 25) != numbers(loader_of(100, seed=1), 25)


def test_a_batch_may_hold_more_than_an_epoch() -> None:
    order = numbers(loader_of(length=3, batch_size=8), 1)
    assert sorted(order[:3]) == sorted(order[3:6]) == [0, 1, 2]


def test_the_clock_counts_images_and_batches() -> None:
    loader = loader_of()
    assert loader.clock == (0, 0, 0.0)
    numbers(loader, 3)
    assert loader.clock == (12, 3, 0.25)


def test_global_random_state_is_not_touched() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    numbers(loader_of(), 3)
    assert torch.equal(torch.rand(1), expected)


def test_every_grey_value_survives_the_way_to_the_network_and_back() -> None:
    """[16] Truncation instead of rounding would lose some; a stretch to the batch's range, all."""
    values = torch.arange(256, dtype=torch.uint8).view(256, 1, 1, 1)
    loader = Loader(InMemoryData(values), constant_batches(256), 0, CPU)
    images = loader.prepare(values)
    assert images.min() == -1.0
    assert images.max() == 1.0
    assert torch.equal(to_uint8(images), values)


class Lazy(DataSet):
    """Counts what is asked of it."""

    sample_shape = (1, 2, 2)

    def __init__(self, length: int) -> None:
        self.length = length
        self.fetched: list[int] = []

    def __len__(self) -> int:
        return self.length

    def fetch(self, indices: torch.Tensor) -> torch.Tensor:
        self.fetched += indices.tolist()
        return indices.to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 2, 2)


def test_data_that_fits_is_held_and_data_that_does_not_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    small = Lazy(50)
    held = Loader(small, constant_batches(10), 0, CPU)
    asked = len(small.fetched)
    first = held.next_batch().samples
    assert len(small.fetched) == asked, "nothing is fetched twice"
    small.on_demand = True
    assert torch.equal(Loader(small, constant_batches(10), 0, CPU).next_batch().samples, first), (
        "streamed because it asks for it"
    )
    assert len(small.fetched) > asked
    monkeypatch.setattr("experiments.data.core.memory.free_memory", lambda: 100)
    large = Lazy(50)
    streamed = Loader(large, constant_batches(10), 0, CPU)
    assert torch.equal(streamed.next_batch().samples, first), "both ways load the same"
    streamed.next_batch()
    streamed.seen = 0
    assert torch.equal(streamed.next_batch().samples, first), (
        "what was fetched for another position is discarded"
    )
    assert len(large.fetched) < 50 * 5


def test_streamed_batches_are_fetched_before_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.data.core.memory.free_memory", lambda: 100)
    data = Lazy(1000)
    loader = Loader(data, constant_batches(10), 0, CPU)
    loader.next_batch()
    deadline = time.monotonic() + 10
    while len(data.fetched) < 10 * (1 + BATCHES_AHEAD) and time.monotonic() < deadline:
        time.sleep(0.001)
    assert len(data.fetched) == 10 * (1 + BATCHES_AHEAD), "the next ones wait, and no more"


def test_waiting_for_data_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A data set that takes 50 ms a batch: who asks at once waits as long, who comes later does not."""
    assert loader_of().waited_seconds is None, "held data is there"
    monkeypatch.setattr("experiments.data.core.batch_stream.memory_for_data", lambda device: 0)
    fetch = Lazy.fetch

    def slow(self: Lazy, indices: torch.Tensor) -> torch.Tensor:
        time.sleep(0.05)
        return fetch(self, indices)

    monkeypatch.setattr(Lazy, "fetch", slow)
    loader = Loader(Lazy(24), constant_batches(2, 48), 0, CPU)
    for _ in range(3):
        loader.next_batch()
    first = loader.waited_seconds
    assert first is not None and 0.14 < first < 2
    time.sleep(0.05 * (BATCHES_AHEAD + 4))
    loader.next_batch()
    assert loader.waited_seconds is not None and loader.waited_seconds - first < 0.04


def test_streamed_order_is_that_of_held_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the ends of epochs, from the start and from any position."""
    held = numbers_of(Loader(Lazy(23), constant_batches(5), 3, CPU), 30)
    monkeypatch.setattr("experiments.data.core.memory.free_memory", lambda: 100)
    streamed = Loader(Lazy(23), constant_batches(5), 3, CPU)
    assert numbers_of(streamed, 30) == held
    late = Loader(Lazy(23), constant_batches(5), 3, CPU)
    late.seen = 45
    assert numbers_of(late, 10) == held[45:95]


def test_batches_of_changing_sizes_are_loaded_the_same_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the start and from any position, over changes that are fetched ahead of their time."""
    plan = BatchSchedule((Segment(0, 0, 5), Segment(30, 6, 3), Segment(42, 10, 8)), 13, 66)
    held = Loader(Lazy(23), plan, 3, CPU)
    batches = [numbers_of(held, 1) for _ in range(13)]
    assert [len(batch) for batch in batches] == [5] * 6 + [3] * 4 + [8] * 3
    monkeypatch.setattr("experiments.data.core.memory.free_memory", lambda: 100)
    for number, seen in ((0, 0), (4, 20), (6, 30), (9, 39), (11, 50)):
        data = Lazy(23)
        streamed = Loader(data, plan, 3, CPU)
        streamed.seen = seen
        assert streamed.clock.batch_index == number
        assert [numbers_of(streamed, 1) for _ in batches[number:]] == batches[number:]
        assert len(data.fetched) <= 66 - seen + 8 * BATCHES_AHEAD, "nothing is fetched twice"


def numbers_of(loader: Loader, batches: int) -> list[int]:
    return torch.cat([to_uint8(loader.next_batch().samples)[:, 0, 0, 0] for _ in range(batches)]).tolist()


def test_a_file_that_breaks_in_the_background_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.data.core.memory.free_memory", lambda: 100)

    class Broken(Lazy):
        def fetch(self, indices: torch.Tensor) -> torch.Tensor:
            raise ValueError("seven.png is damaged")

    loader = Loader(Broken(50), constant_batches(10), 0, CPU)
    for fetch in (loader.next_batch, loader.first):
        with pytest.raises(RunError, match=r"seven\.png"):
            fetch()


def test_holding_keeps_the_order_across_chunks() -> None:
    assert load_into_memory(Lazy(50), CPU, chunk=7).samples[:, 0, 0, 0].tolist() == list(range(50))
