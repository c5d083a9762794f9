"""Randomness is a function of (seed, what for)."""

import torch

from experiments.core.seeds import derive_seed, generator_for, seed_all
from experiments.training.patience import Patience


def draw(*parts: int | str) -> list[float]:
    seed_all(*parts)
    return torch.rand(4).tolist()


def test_a_step_draws_the_same_again_and_no_other_step_does() -> None:
    first = draw(0, "step", 1)
    torch.rand(100)
    assert draw(0, "step", 1) == first
    assert first not in (draw(0, "step", 2), draw(1, "step", 1), draw(0, "weights"))


def test_parts_are_kept_apart() -> None:
    seeds = [derive_seed(1, 23), derive_seed(12, 3), derive_seed(123), derive_seed("1", "2", "3")]
    assert len(set(seeds)) == 4
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_the_derivation_is_fixed() -> None:
    """Runs of earlier versions stay reproducible."""
    assert derive_seed(0, "step", 1) == 2752179012869973653


def test_own_generators_leave_the_global_one_alone() -> None:
    first = draw(3)
    seed_all(3)
    own = torch.rand(4, generator=generator_for(0, "order", 2))
    assert torch.rand(4).tolist() == first
    assert torch.equal(own, torch.rand(4, generator=generator_for(0, "order", 2)))


def test_training_seeds_every_step_by_its_number(monkeypatch: object) -> None:
    """Seeding each step alike would give it the same latents every time."""
    from experiments.core.stop_signal import StopSignal
    from experiments.training import steps as loop
    from gans.core.clock import Clock

    seeded: list[tuple[int | str, ...]] = []

    class Still:
        seen, clock = 0, Clock()

        def round(self, loader: object) -> dict[str, torch.Tensor]:
            return {}

        def follow(self, seen: int, images: int, progress: float) -> None:
            pass

    class Quiet:
        game = loader = Still()
        averages, scheduled = (Still(),), ()
        total_steps = 4
        random_parts = (7,)
        patience = Patience(None, (4, None))

    monkeypatch.setattr(loop, "seed_all", lambda *parts: seeded.append(parts))  # type: ignore[attr-defined]
    loop.train_steps(Quiet(), 1, [], StopSignal())  # type: ignore[arg-type]
    assert seeded == [(7, "step", 2), (7, "step", 3), (7, "step", 4)]
