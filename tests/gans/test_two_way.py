"""The order of a game between two domains, and the pool of fakes of earlier rounds."""

import copy
import io
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gans.core.objective import LossSpec
from gans.core.two_way import ImagePool
from losses.adversarial.lsgan import LeastSquares
from tests.gans.translating import SGD, BatchLoader, game_of, networks_of, terms_of

GAMES = ["cyclegan", "swap"]


@pytest.mark.parametrize("n_critic", [1, 3])
@pytest.mark.parametrize("arch", GAMES)
def test_generators_first_then_critics_on_detached_fakes(
    arch: str, n_critic: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    game, loader = game_of(arch, n_critic=n_critic), BatchLoader(arch)
    moves: list[str] = []
    made: list[tuple[Tensor, Tensor]] = []
    shown: list[tuple[Any, Any, Any]] = []
    make = game.make

    def remember(real: Any) -> Any:
        fakes, others = make(real)
        made.append(fakes)
        return fakes, others

    def record(name: str) -> None:
        player = getattr(game, name)
        minimise = player.minimise

        def move(objective: Any, clock: Any, *batch: Any) -> Any:
            moves.append(name)
            if name == "critic":
                shown.append((clock, *batch))
            return minimise(objective, clock, *batch)

        monkeypatch.setattr(player, "minimise", move)

    monkeypatch.setattr(game, "make", remember)
    for name in ("generator", "critic"):
        record(name)
    scores = game.round(loader)
    assert moves == ["generator", *["critic"] * n_critic]
    assert len(loader.loaded) == n_critic == game.batches_per_round
    for index, (batch, (clock, real, fakes)) in enumerate(zip(loader.loaded, shown, strict=True)):
        assert clock.batch_index == index
        assert torch.equal(real[0], batch.condition[0]) and torch.equal(real[1], batch.samples), "A, then B"
        assert torch.equal(fakes[0], made[index][0]) and torch.equal(fakes[1], made[index][1])
        assert not any(fake.requires_grad for fake in fakes), "no critic moves a generator"
    assert len(made) == n_critic, "the fakes of the generators' step are shown again"
    assert all(fake.requires_grad for fake in made[0])
    names = terms_of(arch) | {"adversarial"}
    assert {name for name in scores if name.startswith("generator/")} == {
        f"generator/{name}" for name in names
    }


@pytest.mark.parametrize("arch", GAMES)
def test_further_fakes_are_those_of_the_generators_that_moved(
    arch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gans.swap.warp", lambda images, deviation, count: images)
    game, loader, shown = game_of(arch, n_critic=2), BatchLoader(arch), []
    critic_loss = game.critic_loss
    monkeypatch.setattr(
        game, "critic_loss", lambda clock, real, fakes: shown.append(fakes) or critic_loss(clock, real, fakes)
    )
    before = copy.deepcopy(game.generator_network)
    game.round(loader)
    for index, network in enumerate((before, game.generator_network)):
        batch = loader.loaded[index]
        a, b = batch.condition[0], batch.samples
        with torch.no_grad():
            expected = (network.translate(b if arch == "cyclegan" else a, "A"),)
            expected += (network.translate(a if arch == "cyclegan" else b, "B"),)
        for found, made in zip(shown[index], expected, strict=True):
            torch.testing.assert_close(found, made, rtol=1e-12, atol=1e-12)


def test_a_game_between_two_domains_needs_two_critics() -> None:
    generator, critic = networks_of("cyclegan")
    with pytest.raises(TypeError, match="a critic in each"):
        game_of("swap").__class__(generator, critic.a, LossSpec(LeastSquares(), SGD, SGD))


def numbered(*numbers: int) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64).view(-1, 1, 1, 1)


def test_a_pool_is_filled_first() -> None:
    pool = ImagePool(5, (1, 1, 1)).double()
    for start in (1, 3):
        fresh = numbered(start, start + 1)
        assert torch.equal(pool(fresh), fresh)
    assert pool.images.flatten().tolist() == [1, 2, 3, 4, 0]
    given = pool(numbered(5, 6))  # the last place, and the first image that may change places
    assert given[0].item() == 5
    assert given[1].item() in range(1, 7)


def test_a_full_pool_hands_out_the_old_and_keeps_the_new() -> None:
    """Half of the time; every place as often as another."""
    torch.manual_seed(0)
    pool = ImagePool(4, (1, 1, 1)).double()
    pool(numbered(0, 1, 2, 3))
    exchanged, places = 0, [0] * 4
    for number in range(4, 4004, 2):
        for_one, before = number, pool.images.flatten().tolist()
        given = [int(each) for each in pool(numbered(for_one, for_one + 1)).flatten()]
        inside = before
        for new, out in zip((for_one, for_one + 1), given, strict=True):
            if out != new:
                place = inside.index(out)
                inside = [*inside[:place], new, *inside[place + 1 :]]
                exchanged, places[place] = exchanged + 1, places[place] + 1
        assert pool.images.flatten().tolist() == inside
    assert exchanged == pytest.approx(2000, abs=4 * 32)  # 4 deviations of the binomial
    assert min(places) > 500 - 4 * 20


def test_what_was_handed_out_does_not_change_later() -> None:
    pool, fresh = ImagePool(1, (1, 1, 1)).double(), numbered(1)
    given = pool(fresh)
    fresh.fill_(7)
    assert (given.item(), pool.images.item()) == (1, 1)


def test_a_pool_is_saved_and_goes_on_bit_by_bit() -> None:
    torch.manual_seed(0)
    one, other = nn.ModuleList([ImagePool(3, (1, 2, 2))]), nn.ModuleList([ImagePool(3, (1, 2, 2))])
    one[0](torch.randn(2, 1, 2, 2))
    file = io.BytesIO()
    torch.save(one.state_dict(), file)
    other.load_state_dict(torch.load(io.BytesIO(file.getvalue()), weights_only=True))
    assert torch.equal(one[0].images, other[0].images)
    fresh, found = torch.randn(20, 1, 2, 2), []
    for pools in (one, other):
        torch.manual_seed(1)
        found.append(pools[0](fresh))
    assert torch.equal(*found)
    assert torch.equal(one[0].images, other[0].images)
