"""Shapes: the picture shows what the factors say, and is a pure function of the index."""

import colorsys
import math

import pytest
import torch
from torch import Tensor

from experiments.data.core.dataset import load_into_memory
from experiments.data.core.shapes import BACKGROUND, CLASSES, SATURATION, Factors, coverage, distances
from experiments.data.shapes import LENGTH, ShapeImages, Shapes

pytestmark = pytest.mark.usefixtures("all_shapes")
DISC, RING, SQUARE, TRIANGLE, STAR, CROSS = range(6)


def opened(size: tuple[int, int] = (32, 32), channels: int = 3) -> ShapeImages:
    return Shapes().open(size, channels, "crop")


def one(label: int, size: float = 0.7, rotation: float = 0.0, x: float = 0.0, y: float = 0.0) -> Factors:
    return Factors(
        torch.tensor([label]),
        torch.tensor([0.0]),
        torch.tensor([size]),
        torch.tensor([rotation]),
        torch.tensor([[x, y]]),
    )


def drawn(factors: Factors, size: tuple[int, int] = (128, 128)) -> Tensor:
    return coverage(distances(factors, size))[0]


def test_picture_is_a_function_of_its_index_alone() -> None:
    data = opened()
    indices = torch.randperm(LENGTH, generator=torch.Generator().manual_seed(0))[:300]
    together = data.fetch(indices)
    torch.manual_seed(123)  # the global generator must not matter
    backwards = data.fetch(indices.flip(0)).flip(0)
    pieces = torch.cat([data.fetch(part) for part in indices.tensor_split([1, 8, 101])])
    again = opened().fetch(indices)
    assert torch.equal(together, backwards)
    assert torch.equal(together, pieces)
    assert torch.equal(together, again)
    assert len({picture.numpy().tobytes() for picture in together}) == 300


def test_factors_stay_what_they_were() -> None:
    """Old runs stay comparable: the pictures are not to change with the code."""
    factors = opened().factors(torch.tensor([0, 1, LENGTH - 1]))
    assert factors.label.tolist() == [CROSS, RING, CROSS]
    assert factors.hue.tolist() == pytest.approx([0.431528, 0.952031, 0.995328], abs=1e-6)


def test_same_picture_at_every_size() -> None:
    indices = torch.arange(48)
    small = opened((32, 32)).fetch(indices).float()
    large = torch.nn.functional.avg_pool2d(opened((256, 256)).fetch(indices).float(), 8)
    assert (small - large).abs().mean() < 0.4
    assert (small - large).abs().max() < 80  # at sharp tips


def test_frame_only_widens_the_background() -> None:
    indices = torch.arange(32)
    square, wide, tall = (opened(size).fetch(indices) for size in ((32, 32), (32, 48), (48, 32)))
    assert torch.equal(wide[:, :, :, 8:40], square)
    assert torch.equal(tall[:, :, 8:40], square)
    assert (wide[:, :, :, :8] == wide[:, :, :1, :1]).all()


@pytest.mark.parametrize(
    ("label", "unit_area"),
    [
        (DISC, math.pi),
        (RING, math.pi * (1 - 0.52**2)),
        (SQUARE, 2.0),
        (TRIANGLE, 3 * math.sqrt(3) / 4),
        (STAR, 5 * 0.48 * math.sin(math.pi / 5)),
        (CROSS, 4 * math.sin(0.3) * (2 * math.cos(0.3) - math.sin(0.3))),
    ],
)
def test_area_is_that_of_the_figure(label: int, unit_area: float) -> None:
    data = opened((128, 128), 4)
    indices = torch.arange(400)
    factors = data.factors(indices)
    chosen = factors.label == label
    area = data.fetch(indices[chosen])[:, 3].float().sum((1, 2)) / 255
    expected = unit_area * (factors.size[chosen] * 64) ** 2
    torch.testing.assert_close(area, expected, rtol=0.02, atol=0)


def test_position_is_where_the_disc_is() -> None:
    data = opened((64, 96), 4)
    indices = torch.arange(300)
    factors = data.factors(indices)
    chosen = factors.label == DISC
    alpha = data.fetch(indices[chosen])[:, 3].float()
    mass = alpha.sum((1, 2))
    x = (alpha.sum(1) * (torch.arange(96) + 0.5)).sum(1) / mass
    y = (alpha.sum(2) * (torch.arange(64) + 0.5)).sum(1) / mass
    position = torch.stack([x - 48, y - 32], 1) / 32
    torch.testing.assert_close(position, factors.position[chosen], rtol=0, atol=2e-3)


def test_hue_is_that_of_the_factor() -> None:
    data = opened((32, 32))
    indices = torch.arange(200)
    factors = data.factors(indices)
    solid = (data.factors(indices).label != RING).nonzero()[:, 0]
    rows = (16 * (1 + factors.position[:, 1])).long()
    columns = (16 * (1 + factors.position[:, 0])).long()
    pictures = data.fetch(indices)
    for i in solid.tolist():
        pixel = pictures[i, :, rows[i], columns[i]]
        exact = 255 * torch.tensor(colorsys.hsv_to_rgb(factors.hue[i].item(), SATURATION, 1.0))
        assert (pixel - exact).abs().max() < 0.51  # rounded, not cut off
        assert colorsys.rgb_to_hsv(*(pixel / 255).tolist())[1] > 0.75  # vivid


def test_rotation_is_clockwise_and_shows_where_a_figure_has_corners() -> None:
    turned = {label: drawn(one(label, rotation=0.3)) for label in range(6)}
    still = {label: drawn(one(label)) for label in range(6)}
    for label in (DISC, RING):
        torch.testing.assert_close(turned[label], still[label], rtol=0, atol=1e-3)
    for label in (SQUARE, TRIANGLE, STAR, CROSS):
        assert (turned[label] - still[label]).abs().sum() > 200
    tip = still[STAR].nonzero()[0]
    turned_tip = turned[STAR].nonzero()[0]
    assert abs(tip[1] - 64) <= 1  # the star stands on its feet
    assert turned_tip[1] - 64 == pytest.approx(0.7 * 64 * math.sin(0.3), abs=2)


@pytest.mark.parametrize(("label", "turns"), [(SQUARE, 4), (CROSS, 4), (TRIANGLE, 3), (STAR, 5)])
def test_figures_repeat_after_their_own_part_of_a_turn(label: int, turns: int) -> None:
    first = drawn(one(label, rotation=0.1))
    repeated = drawn(one(label, rotation=0.1 + 2 * math.pi / turns))
    between = drawn(one(label, rotation=0.1 + math.pi / turns))
    torch.testing.assert_close(first, repeated, rtol=0, atol=1e-3)
    assert (first - between).abs().sum() > 200


def test_shapes_stay_whole_inside_the_frame() -> None:
    """At the corner of all ranges, and for pictures as they come: nothing on the rim but background."""
    alpha = opened((32, 32), 4).fetch(torch.arange(3000))[:, 3]
    extreme = drawn(one(DISC, size=0.75, x=0.18, y=0.18), (32, 32))
    for frame in (*alpha, extreme):
        assert not frame[[0, -1]].any()
        assert not frame[:, [0, -1]].any()


def test_edges_are_smooth_and_the_rest_is_flat() -> None:
    distance = distances(one(DISC), (64, 64))[0]
    cover = coverage(distance)
    edge = distance.abs() < 0.5
    assert ((cover > 0) & (cover < 1)).eq(edge).all()
    assert edge.sum().item() == pytest.approx(2 * math.pi * 0.7 * 32, rel=0.05)  # one pixel wide, all around
    assert cover[distance < -0.5].eq(1).all()
    assert cover[distance > 0.5].eq(0).all()


def test_hole_of_the_smallest_ring_is_seen_at_32_pixels() -> None:
    cover = drawn(one(RING, size=0.55), (32, 32))
    assert cover[14:18, 14:18].eq(0).all()
    assert cover[16, 16:].max() == 1


def test_labels_are_uniform_and_named() -> None:
    data = opened()
    assert data.labels is not None
    assert data.classes == CLASSES
    assert len(data) == len(data.labels) == 50_000
    counts = data.labels.bincount(minlength=6).double()
    chi_squared = ((counts - LENGTH / 6) ** 2 / (LENGTH / 6)).sum()
    assert chi_squared < 20.5  # 5 degrees of freedom: exceeded once in a thousand
    assert torch.equal(data.factors(torch.arange(100)).label, data.labels[:100])


def test_factors_are_uniform_and_independent() -> None:
    factors = opened().factors(torch.arange(LENGTH))
    ranges = {
        "hue": (factors.hue, 0, 1),
        "size": (factors.size, 0.55, 0.75),
        "rotation": (factors.rotation, -math.pi / 6, math.pi / 6),
        "x": (factors.position[:, 0], -0.18, 0.18),
        "y": (factors.position[:, 1], -0.18, 0.18),
    }
    unit = {name: ((value - low) / (high - low)).double() for name, (value, low, high) in ranges.items()}
    for name, values in unit.items():
        counts = values.histc(20, 0, 1)
        assert counts.sum() == LENGTH, name  # none outside
        assert ((counts - LENGTH / 20) ** 2 / (LENGTH / 20)).sum() < 43.8, name  # 19 degrees, 1 in 1000
    table = torch.stack([factors.label.double(), *unit.values()])
    off_diagonal = table.corrcoef() - torch.eye(6)
    assert off_diagonal.abs().max() < 4 / math.sqrt(LENGTH)
    neighbours = torch.stack([table[:, :-1], table[:, 1:]], 1).flatten(0, 1).corrcoef()
    assert (neighbours - torch.eye(12)).abs().max() < 4.5 / math.sqrt(LENGTH)


def test_alpha_over_the_background_is_the_rgb_picture() -> None:
    indices = torch.arange(64)
    rgb, rgba = opened(channels=3).fetch(indices).float(), opened(channels=4).fetch(indices).float()
    alpha = rgba[:, 3:] / 255
    touched = alpha > 0
    background = torch.tensor(BACKGROUND)[:, None, None] * 255
    composite = rgba[:, :3] * alpha + background * (1 - alpha)
    assert (composite - rgb).abs().max() < 1.5
    colour = rgba[:, :3].amax((2, 3), keepdim=True)
    assert (rgba[:, :3] * touched == colour * touched).all()  # no fringe of background in the edge's colour


def test_grey_is_the_luma_of_rgb_and_never_melts_into_the_background() -> None:
    indices = torch.arange(500)
    rgb, grey = opened(channels=3).fetch(indices).float(), opened(channels=1).fetch(indices).float()
    luma = (rgb * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)
    assert (luma - grey).abs().max() < 1.01
    assert (grey.amax((1, 2, 3)) - grey.amin((1, 2, 3))).min() > 35


def test_held_is_the_same_data() -> None:
    class Few(ShapeImages):
        def __len__(self) -> int:
            return 70

    few = Few((32, 32), 3)
    held = load_into_memory(few, torch.device("cpu"), chunk=32)
    assert torch.equal(held.fetch(torch.tensor([69, 3])), few.fetch(torch.tensor([69, 3])))


def test_errors_name_the_remedy() -> None:
    with pytest.raises(ValueError, match="--image-size"):
        Shapes().open(None, 3, "crop")
    with pytest.raises(ValueError, match="'shapes' takes no argument, but got 'big'"):
        Shapes("big").native()
    with pytest.raises(ValueError, match="1, 3 or 4"):
        opened(channels=2).fetch(torch.arange(1))
