"""What every game does with the clock: it is read before a batch is loaded, whoever moves then."""

from functools import partial
from typing import Any

import pytest
import torch

from gans.core.clock import Clock
from gans.core.player import Player, Scores
from losses.core.gradient_penalty import GradientPenalty
from losses.core.schedule import ScheduledValue
from losses.penalties.real import Real
from losses.penalty_norms.zero import ZeroCentred
from losses.regularizers.instance_noise import InstanceNoise
from losses.schedules.linear import Linear
from tests.conftest import ARCHITECTURES, FROM_NOISE
from tests.gans.translating import BatchLoader, game_of

Move = tuple[str, Clock, tuple[Any, ...], Scores]
SIZE = 2  # of a batch


@pytest.fixture
def moves(monkeypatch: pytest.MonkeyPatch) -> list[Move]:
    """Every step of every player: who, at what time, with what batch, and the scores."""
    found: list[Move] = []
    minimise = Player.minimise

    def remember(player: Player, objective: Any, clock: Clock, *batch: Any, **others: Any) -> Scores:
        def at_the_same_time(now: Clock, *given: Any) -> Any:
            assert now is clock, "the objective has the time of the step"
            return objective(now, *given)

        scores = minimise(player, at_the_same_time, clock, *batch, **others)
        found.append((player.name, clock, batch, dict(scores)))
        return scores

    monkeypatch.setattr(Player, "minimise", remember)
    return found


def play(arch: str, n_critic: int, rounds: int) -> BatchLoader:
    """Rounds with a penalty at every second batch. Returns the loader that was asked."""
    size = {"z_dim": 4} if arch in FROM_NOISE else {}
    penalty = GradientPenalty(Real(), ZeroCentred(), 1.0, every=2)
    game, loader = game_of(arch, size=size, n_critic=n_critic, penalties=[penalty]), BatchLoader(arch, SIZE)
    for _ in range(rounds):
        game.round(loader)
    return loader


def clock_of(batch_index: int) -> Clock:
    """The time at which that many batches were loaded."""
    return Clock(SIZE * batch_index, batch_index, batch_index / 1000)


@pytest.mark.parametrize("n_critic", [1, 3])
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_the_clock_is_read_before_the_batch_is_loaded(arch: str, n_critic: int, moves: list[Move]) -> None:
    """The first step is at `Clock(seen=0, batch_index=0)`, and the critic moves at the time of each batch."""
    loader = play(arch, n_critic, rounds=3)
    assert len(loader.loaded) == 3 * n_critic
    assert moves[0][1] == Clock(seen=0, batch_index=0, progress=0.0)
    critic = dict.fromkeys(clock for name, clock, _, _ in moves if name == "critic")  # in their order
    assert [*critic] == [clock_of(index) for index in range(3 * n_critic)]
    assert {clock for name, clock, _, _ in moves if name == "generator"} <= set(critic)


@pytest.mark.parametrize("n_critic", [1, 3])
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_a_penalty_is_taken_at_the_first_update_and_at_every_second_from_there(
    arch: str, n_critic: int, moves: list[Move]
) -> None:
    """The critic's first update takes it, the second does not, the third does."""
    play(arch, n_critic, rounds=3)
    taken = {clock for _, clock, _, scores in moves if "critic/gradient_penalty" in scores}
    assert taken == {clock_of(index) for index in range(0, 3 * n_critic, 2)}


@pytest.mark.parametrize("n_critic", [1, 3])
def test_a_duel_moves_at_the_time_of_its_batch(n_critic: int, moves: list[Move]) -> None:
    """Each update of the critic has the batch that was loaded after its clock was read; the generator has the
    last of them."""
    loader = play("dcgan", n_critic, rounds=2)
    turns = [*[("critic", offset) for offset in range(n_critic)], ("generator", n_critic - 1)]
    expected = [(name, start + offset) for start in (0, n_critic) for name, offset in turns]
    assert [(name, clock) for name, clock, _, _ in moves] == [
        (name, clock_of(index)) for name, index in expected
    ]
    for (_, _, (batch,), _), (_, index) in zip(moves, expected, strict=True):
        assert batch is loader.loaded[index]


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_a_resumed_game_has_the_strength_of_its_time(arch: str) -> None:
    """A scheduled strength is a function of the clock alone: a new game with the old state plays alike."""
    scheduled = {InstanceNoise: ScheduledValue(1.0, 200.0, Linear())}
    size = {"z_dim": 4} if arch in FROM_NOISE else {}
    optimizer = partial(torch.optim.SGD, lr=1e-3)  # none diverges, whose weights would not be equal
    make = partial(
        game_of,
        arch,
        size=size,
        generator_optimizer=optimizer,
        critic_optimizer=optimizer,
        regularizers=[InstanceNoise(1.0)],
        scheduled_strengths=scheduled,
    )
    old, loader, other = make(), BatchLoader(arch), BatchLoader(arch)
    for _ in range(3):
        old.round(loader)
    new = make()
    new.load_state_dict(old.state_dict())
    for _ in loader.loaded:
        other.next_batch()
    for game, own in ((old, loader), (new, other)):
        torch.manual_seed(5)
        game.round(own)
    assert all(torch.equal(a, b) for a, b in zip(old.parameters(), new.parameters(), strict=True))
