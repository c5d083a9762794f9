"""The order of the reals is a function of (seed, epoch), and the clock counts images."""

import pytest
import torch

from experiments.data import DataSet, Held, hold
from experiments.deal import Dealer
from experiments.pictures import to_uint8

CPU = torch.device("cpu")


def dealer(length: int = 10, batch_size: int = 4, seed: int = 0) -> Dealer:
    """Deals points (i, i)."""
    return Dealer(Held(torch.arange(float(length)).repeat(2, 1).T), batch_size, seed, CPU)


def numbers(deal: Dealer, batches: int) -> list[int]:
    return torch.cat([deal()[:, 0] for _ in range(batches)]).int().tolist()


def test_an_epoch_is_a_permutation_and_batches_may_span_two() -> None:
    order = numbers(dealer(), 5)
    assert sorted(order[:10]) == sorted(order[10:]) == list(range(10))
    assert order[:10] != order[10:], "every epoch has its own order"


def test_any_position_is_reached_without_replaying() -> None:
    order = numbers(dealer(), 25)
    for seen in (0, 8, 10, 36, 92):
        late = dealer()
        late.seen = seen
        assert numbers(late, 2) == order[seen : seen + 8]


def test_seeds_order_differently() -> None:
    assert numbers(dealer(100), 25) != numbers(dealer(100, seed=1), 25)


def test_a_batch_may_hold_more_than_an_epoch() -> None:
    order = numbers(dealer(length=3, batch_size=8), 1)
    assert sorted(order[:3]) == sorted(order[3:6]) == [0, 1, 2]


def test_the_clock_counts_images_and_turns() -> None:
    deal = dealer()
    assert (deal.seen, deal.turn) == (0, 0)
    numbers(deal, 3)
    assert (deal.seen, deal.turn) == (12, 3)


def test_global_random_state_is_not_touched() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    numbers(dealer(), 3)
    assert torch.equal(torch.rand(1), expected)


def test_every_grey_value_survives_the_way_to_the_network_and_back() -> None:
    """[16] Truncation instead of rounding would lose some; a stretch to the batch's range, all."""
    values = torch.arange(256, dtype=torch.uint8).view(256, 1, 1, 1)
    deal = Dealer(Held(values), 256, 0, CPU)
    images = deal.prepare(values)
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
    held = Dealer(small, 10, 0, CPU)
    asked = len(small.fetched)
    first = held()
    assert len(small.fetched) == asked, "nothing is fetched twice"
    monkeypatch.setattr("experiments.deal._free_memory", lambda: 100)
    large = Lazy(50)
    streamed = Dealer(large, 10, 0, CPU)
    before = len(large.fetched)
    assert torch.equal(streamed(), first), "both ways deal the same"
    assert len(large.fetched) == before + 10


def test_holding_keeps_the_order_across_chunks() -> None:
    assert hold(Lazy(50), CPU, chunk=7).samples[:, 0, 0, 0].tolist() == list(range(50))
