"""Batches of two domains: partners stay together, and images that are none do not."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from experiments.augmentations.crop import Crop
from experiments.augmentations.flip import Flip
from experiments.core.errors import RunError
from experiments.core.images import to_uint8
from experiments.data.core.batch_sizes import constant_batches
from experiments.data.core.dataset import DataSet, Domains
from experiments.data.core.loader import Loader

CPU = torch.device("cpu")


class Numbers(DataSet):
    """Image i shows i in its upper left pixel, and a value of the whole set elsewhere."""

    def __init__(self, length: int, ground: int, on_demand: bool = False) -> None:
        self.length, self.ground, self.on_demand = length, ground, on_demand
        self.sample_shape = (1, 4, 4)

    def __len__(self) -> int:
        return self.length

    def fetch(self, indices: Tensor) -> Tensor:
        images = torch.full((len(indices), *self.sample_shape), self.ground, dtype=torch.uint8)
        images[:, 0, 0, 0] = indices.to(torch.uint8)
        return images


def loader_of(
    paired: bool, lengths: tuple[int, int] = (23, 23), on_demand: bool = False, seed: int = 0
) -> Loader:
    a, b = (Numbers(length, ground, on_demand) for length, ground in zip(lengths, (200, 250), strict=True))
    return Loader(Domains(a, b, paired=paired), constant_batches(5, 500), seed, CPU)


def numbers(loader: Loader, batches: int) -> tuple[list[int], list[int]]:
    """What the images of A and of B show, in the order in which they were loaded."""
    found: tuple[list[int], list[int]] = ([], [])
    for _ in range(batches):
        batch = loader.next_batch()
        for images, shown, ground in zip((*batch.condition, batch.samples), found, (200, 250), strict=True):
            pixels = to_uint8(images)
            assert (pixels[:, 0, 3, 3] == ground).all(), "A is the condition, B are the samples"
            shown += pixels[:, 0, 0, 0].tolist()
    return found


@pytest.mark.parametrize("on_demand", [False, True])
def test_partners_are_loaded_together(on_demand: bool) -> None:
    """Over the ends of epochs, each of which has an order of its own; and after jumps."""
    loader = loader_of(paired=True, on_demand=on_demand)
    a, b = numbers(loader, 30)
    assert a == b
    assert sorted(a[:23]) == sorted(a[23:46]) == list(range(23))
    assert a[:23] != a[23:46]
    for seen in (45, 0, 110, 115):
        loader.seen = seen
        assert numbers(loader, 4) == (a[seen : seen + 20], a[seen : seen + 20])


@pytest.mark.parametrize("on_demand", [False, True])
def test_two_domains_have_orders_of_their_own(on_demand: bool) -> None:
    """A, as long as B, in another order; and the smaller of the two comes round more often."""
    a, b = numbers(loader_of(paired=False, on_demand=on_demand), 30)
    assert sum(one == other for one, other in zip(a, b, strict=True)) < 30, "about one in 23"
    assert sorted(a[:23]) == sorted(b[:23]) == list(range(23))
    loader = loader_of(paired=False, lengths=(7, 31), on_demand=on_demand)
    a, b = numbers(loader, 25)
    for order, length in ((a, 7), (b, 31)):
        epochs = [order[start : start + length] for start in range(0, 125 - length, length)]
        assert all(sorted(epoch) == list(range(length)) for epoch in epochs)
    for seen in (95, 10):
        loader.seen = seen
        assert numbers(loader, 3) == (a[seen : seen + 15], b[seen : seen + 15])


def test_held_and_streamed_domains_are_loaded_alike() -> None:
    for paired in (False, True):
        held, streamed = (numbers(loader_of(paired, (23, 23), on_demand), 20) for on_demand in (False, True))
        assert held == streamed
        assert held != numbers(loader_of(paired, seed=1), 20)


def test_the_first_of_both_are_shown() -> None:
    batch = loader_of(paired=True).first()
    for images in (batch.samples, *batch.condition):
        assert to_uint8(images)[:, 0, 0, 0].tolist() == list(range(23))


class Scenes(DataSet):
    """Image i of both domains has the same noise, which is darker in A."""

    def __init__(self, share: float) -> None:
        self.sample_shape = (3, 16, 16)
        noise = torch.rand(20, 3, 16, 16, generator=torch.Generator().manual_seed(0))
        self.images = (noise * 200 * share).to(torch.uint8)

    def __len__(self) -> int:
        return 20

    def fetch(self, indices: Tensor) -> Tensor:
        return self.images[indices]


def halved(images: Tensor) -> Tensor:
    """As light as those of A, but for what rounding does."""
    return (images + 1) / 2 - 1


AUGMENTATIONS = {"flip": Flip, "crop": Crop}


@pytest.mark.parametrize("change", AUGMENTATIONS)
def test_partners_change_alike(change: str) -> None:
    torch.manual_seed(0)
    loader = Loader(
        Domains(Scenes(0.5), Scenes(1.0), paired=True),
        constant_batches(20),
        0,
        CPU,
        [(AUGMENTATIONS[change]().apply, 0.5)],
    )
    batch = loader.next_batch()
    (a,), b = batch.condition, batch.samples
    torch.testing.assert_close(a, halved(b), rtol=0, atol=0.01)
    plain = (
        Loader(Domains(Scenes(0.5), Scenes(1.0), paired=True), constant_batches(20), 0, CPU)
        .next_batch()
        .samples
    )
    same = (plain == b).flatten(1).all(dim=1).sum()
    assert 0 < same < 20 if change == "flip" else same < 10, "each image by its own draw"


def test_images_of_two_domains_change_each_by_itself() -> None:
    torch.manual_seed(0)
    plain = Loader(Domains(Scenes(0.5), Scenes(1.0)), constant_batches(20), 0, CPU).next_batch()
    batch = Loader(
        Domains(Scenes(0.5), Scenes(1.0)), constant_batches(20), 0, CPU, [(Flip().apply, 0.5)]
    ).next_batch()
    flipped = [
        (before != after).flatten(1).any(dim=1)
        for before, after in ((plain.samples, batch.samples), (plain.condition[0], batch.condition[0]))
    ]
    assert all(0 < each.sum() < 20 for each in flipped)
    assert not torch.equal(*flipped)


def test_a_file_of_either_domain_that_breaks_is_named() -> None:
    def breaks(name: str) -> DataSet:
        data = Numbers(9, 0, on_demand=True)

        def fetch(indices: Tensor) -> Tensor:
            raise ValueError(f"{name} is damaged")

        fetching: Callable[[Tensor], Tensor] = fetch
        data.fetch = fetching  # type: ignore[method-assign]
        return data

    for domains, name in (
        (Domains(breaks("a.png"), Numbers(9, 0)), "a.png"),
        (Domains(Numbers(9, 0), breaks("b.png")), "b.png"),
    ):
        loader = Loader(domains, constant_batches(5), 0, CPU)
        for fetch in (loader.next_batch, loader.first):
            with pytest.raises(RunError, match=name):
                fetch()
