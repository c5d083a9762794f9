"""The loops of other projects that ours is timed against compute the same losses and gradients."""

from typing import Any

import pytest
from torch import Tensor

from benchmarks.hand_tuned import HandTuned, HandTunedByPhases
from benchmarks.peer_check import RestingPlayerError, largest_difference
from benchmarks.peer_loops import PROJECTS, LynnHo
from benchmarks.peer_pair import Loop
from benchmarks.peer_stylegan2 import PUBLISHED

TINY = {"data": "shapes", "image_size": (8, 8), "width": 4, "batch_size": 4, "z_dim": 4, "precision": "fp64"}
DCGAN: dict[str, Any] = {**TINY, "arch": "dcgan", "image_size": (16, 16)}
STYLES: dict[str, Any] = {**TINY, "arch": "stylegan2", "arch.style_mixing": 0.0}
PAIRS = [(loop, loss) for loop in (*PROJECTS, HandTuned, HandTunedByPhases) for loss in loop.losses]


@pytest.mark.parametrize(("loop", "loss"), PAIRS, ids=[f"{loop.name}-{loss}" for loop, loss in PAIRS])
def test_loops_of_dcgan_compute_our_losses(loop: type[Loop], loss: str) -> None:
    assert largest_difference(loop, {**DCGAN, "loss": loss}) < 1e-11


@pytest.mark.parametrize("loop", PUBLISHED, ids=[loop.name for loop in PUBLISHED])
def test_published_operations_of_stylegan2_compute_our_losses(loop: type[Loop]) -> None:
    assert largest_difference(loop, STYLES, cycles=1) < 1e-11


class WithoutFakes(LynnHo):
    """A loop whose critic sees no fakes."""

    def judge(self, real: Tensor, fake: Tensor) -> Tensor:
        return super().judge(real, real)


class AtRest(LynnHo):
    """A loop whose generator never moves."""

    def fool(self, fake: Tensor) -> Tensor:
        return super().fool(fake.detach())


def test_other_mathematics_and_resting_players_are_found() -> None:
    assert largest_difference(WithoutFakes, {**DCGAN, "loss": "bce"}) > 0.01
    with pytest.raises(RestingPlayerError, match="LynnHo does not move the generator"):
        largest_difference(AtRest, {**DCGAN, "loss": "bce"})
