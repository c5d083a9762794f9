"""Progressive growing: the pace, fades that begin and end exactly, and the published sizes."""

from typing import Any

import pytest
import torch
from torch.nn.functional import avg_pool2d, interpolate

from gans.core.architecture import Blueprint
from gans.core.clock import Clock
from gans.core.growth import FadingLoader, GrowingDuel, Stage
from gans.core.growth_pace import GrowthPace
from gans.core.networks import Batch
from gans.core.objective import LossSpec
from gans.progan import Critic, Generator
from losses.adversarial.bce import BinaryCrossEntropy

SMALL = Blueprint((3, 16, 16), z_dim=5, width=4)  # 4 → 8 → 16 pixels


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize(
    ("seen", "stage"),
    [(0, 0), (5.9, 0), (6, 0), (7, 0.25), (10, 1), (13, 1), (16, 1), (18, 1.5), (20, 2), (29, 2), (1000, 2)],
)
def test_the_pace_in_images(seen: float, stage: float) -> None:
    """[14] Six images at every size, four for every fade."""
    assert GrowthPace(fade_images=4, stable_images=6).stage(Clock(seen, 0, 0.0), levels=2) == pytest.approx(
        stage
    )


def test_the_pace_by_itself_walks_through_all_sizes() -> None:
    stages = [GrowthPace().stage(Clock(0, 0, progress / 100), levels=3) for progress in range(100)]
    assert stages[0] == 0 and stages == sorted(stages)
    assert stages[9] == 0 and stages[15] == pytest.approx(0.5) and stages[20] == pytest.approx(1)
    assert stages[59] < 3 and stages[60] == stages[99] == 3
    assert GrowthPace(fade_images=4).stage(Clock(6, 0, 0.0), 2) == 0.5, "sizes are stable for as long"
    assert GrowthPace().stage(Clock(0, 0, 0.5), levels=0) == 0


def at(network: Any, stage: float) -> Any:
    network.stage.set(stage)
    return network


def test_a_fade_begins_with_the_smaller_generator_enlarged_and_ends_without_it() -> None:
    generator, z = Generator(SMALL).double().train(), torch.randn(3, 5, dtype=torch.float64)
    for level in (0, 1):
        small = at(generator, float(level))(z)
        assert small.shape == (3, 3, 4 * 2**level, 4 * 2**level)
        beginning = at(generator, level + 1e-12)(z)
        torch.testing.assert_close(beginning, interpolate(small, scale_factor=2.0), rtol=0, atol=1e-10)
        half, whole = at(generator, level + 0.5)(z), at(generator, level + 1.0)(z)
        old = interpolate(small, scale_factor=2.0)
        torch.testing.assert_close(half, (old + whole) / 2, rtol=1e-12, atol=1e-12)
        at(generator, level + 1.0)(z).sum().backward()
        assert generator.to_image[level].weight.grad is None, "the old path has no influence"
        generator.zero_grad(set_to_none=True)


def test_a_fade_begins_with_the_smaller_critic_and_ends_without_it() -> None:
    critic = Critic(SMALL).double().train()
    for level in (0, 1):
        side = 4 * 2 ** (level + 1)
        x = torch.randn(3, 3, side, side, dtype=torch.float64)
        small = at(critic, float(level))(avg_pool2d(x, 2))
        torch.testing.assert_close(at(critic, level + 1e-12)(x), small, rtol=0, atol=1e-9)
        at(critic, level + 1.0)(x).sum().backward()
        assert all(p.grad is None for p in critic.from_image[level].parameters()), "no influence"
        critic.zero_grad(set_to_none=True)
        assert not torch.allclose(at(critic, level + 1.0)(x), small)


def test_reals_fade_by_the_same_share() -> None:
    images = torch.randn(2, 3, 16, 16, dtype=torch.float64)

    class BatchLoader:
        clock = Clock()

        def next_batch(self) -> Batch:
            return Batch(images)

    small, half = avg_pool2d(images, 4), avg_pool2d(images, 2)
    torch.testing.assert_close(FadingLoader(BatchLoader(), 1, 1.0).next_batch().samples, half)
    found = FadingLoader(BatchLoader(), 1, 0.25).next_batch().samples
    torch.testing.assert_close(found, 0.75 * interpolate(small, scale_factor=2.0) + 0.25 * half)
    torch.testing.assert_close(FadingLoader(BatchLoader(), 0, 1.0).next_batch().samples, images)


def test_out_of_training_images_have_the_full_size() -> None:
    """Samples, scores and averages work in the middle of a fade."""
    generator, critic = Generator(SMALL), Critic(SMALL)
    z = torch.randn(4, 5)
    for stage in (0.0, 0.3, 1.0, 1.6, 2.0):
        small = at(generator.train(), stage)(z)
        whole = generator.eval()(z)
        assert whole.shape == (4, 3, 16, 16)
        small = small.clamp(-1, 1)
        torch.testing.assert_close(avg_pool2d(whole, 16 // small.shape[-1]), small)
        judged = at(critic.train(), stage)(small)
        torch.testing.assert_close(critic.eval()(whole), judged, rtol=1e-4, atol=1e-5)


def test_the_stage_travels_with_the_state() -> None:
    generator, other = Generator(SMALL), Generator(SMALL)
    at(generator, 0.75)
    other.load_state_dict(generator.state_dict())
    z = torch.randn(2, 5)
    assert torch.equal(other.eval()(z), generator.eval()(z))
    stage = Stage(2)
    stage.set(0.5)
    assert stage.split() == (1, 0.5) and stage.eval().split() == (1, 0.5)


def adam(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, 1e-3)


def test_optimizers_begin_anew_at_both_ends_of_a_fade_in() -> None:
    spec = LossSpec(BinaryCrossEntropy(), adam, adam, pace=GrowthPace(fade_images=4, stable_images=4))
    game = GrowingDuel(Generator(SMALL), Critic(SMALL), spec)

    class BatchLoader:
        def __init__(self) -> None:
            self.seen = 0

        @property
        def clock(self) -> Clock:
            return Clock(self.seen, self.seen // 2, 0.0)

        def next_batch(self) -> Batch:
            self.seen += 2
            return Batch(torch.randn(2, 3, 16, 16))

    loader, steps = BatchLoader(), []
    for _ in range(9):
        game.round(loader)
        state = game.duel.critic.optimizer.state
        steps.append(int(max(moments["step"] for moments in state.values())))
    # Two images a round: 4×4 pixels for four images and the very beginning of a fade, then a fade, 8×8 from
    # the eighth image on, and the next fade after the twelfth.
    assert steps == [1, 2, 3, 1, 1, 2, 3, 1, 1]


def test_published_sizes() -> None:
    """Table 2: 23.1 million parameters each, at 1024×1024 pixels with 512 latents."""
    with torch.device("meta"):
        blueprint = Blueprint((3, 1024, 1024), z_dim=512, width=16)
        generator, critic = Generator(blueprint), Critic(blueprint)
    # Without what only growing needs: the outputs and inputs of smaller sizes.
    spare = [*generator.to_image[:-1].parameters()], [*critic.from_image[:-1].parameters()]
    counts = [
        sum(p.numel() for p in network.parameters()) - sum(p.numel() for p in left)
        for network, left in zip((generator, critic), spare, strict=True)
    ]
    assert [round(count / 1e6, 1) for count in counts] == [23.1, 23.1]
    widths = [layer.weight.shape[1] for layer in generator.to_image]
    assert widths == [512, 512, 512, 512, 256, 128, 64, 32, 16]
