"""R3GAN's burn-in, as its presets bring it, against the authors' formula."""

import math

import pytest

from experiments.config.factory import build_networks, loss_spec_of, make_ema
from experiments.config.resolve import resolve
from experiments.config.run_length import plan_batches, plan_growth
from gans.core.clock import Clock


@pytest.mark.parametrize("million", [0, 5, 10, 17, 20, 60, 100])
def test_everything_moves_along_one_cosine_and_then_stays(million: float) -> None:
    """From 2e-4, 0.9, γ and 0 to 5e-5, 0.99, γ / 10 and 500 kimg, over the first 20 million images."""
    flags = {"arch": "r3gan", "preset": "ffhq64", "image_size": (8, 8), "width": 2, "z_dim": 2}
    settings = resolve(flags).settings
    generator, _ = build_networks(settings)
    loss = loss_spec_of(settings, generator)
    seen = int(million * 1e6)
    progress = plan_batches(settings, plan_growth(settings, 0), 1).progress(seen)
    clock = Clock(seen, progress=progress)

    def along(begin: float, end: float) -> float:
        share = (1 + math.cos(math.pi * min(million / 20, 1.0))) / 2
        return pytest.approx(end + (begin - end) * share, rel=1e-12, abs=1e-12)

    for name in ("generator", "critic"):
        rates = getattr(loss, f"{name}_rates")
        assert rates.factor(clock) * getattr(settings, f"lr_{name}") == along(2e-4, 5e-5)
        assert rates.beta2.at(progress) == along(0.9, 0.99)
    assert [penalty.weight_at(progress) for penalty in loss.penalties] == [along(2.0, 0.2)] * 2
    assert make_ema(settings, generator, "ema_kimg").half_life_kimg.at(progress) == along(0.0, 500.0)
