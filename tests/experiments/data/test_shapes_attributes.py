"""Shapes with attributes: the picture shows what its row says, and a changed row changes that alone."""

import colorsys

import pytest
import torch
from torch import Tensor

from experiments.data.core.dataset import attributes_of
from experiments.data.core.drawn import held_out_scenes
from experiments.data.core.shapes import CLASSES, factors_at
from experiments.data.shapes_attributes import AttributeShapes, ShapesAttributes, attributes_at, draw_with

INDICES = torch.arange(300)

pytestmark = pytest.mark.usefixtures("all_shapes")


def opened(size: tuple[int, int] = (64, 64), channels: int = 3) -> AttributeShapes:
    return ShapesAttributes().open(size, channels, "auto")


def covered(pictures: Tensor) -> Tensor:
    return (pictures.int() - pictures[:, :, :1, :1].int()).abs().amax(1) > 30


def hue_of(picture: Tensor) -> float:
    span = picture.amax(0) - picture.amin(0)
    pixel = picture.flatten(1)[:, span.flatten().argmax()] / 255
    return colorsys.rgb_to_hsv(*pixel.tolist())[0]


def test_a_picture_is_a_function_of_its_index_alone() -> None:
    data = opened((32, 48))
    indices = torch.randperm(len(data), generator=torch.Generator().manual_seed(0))[:200]
    together = data.fetch(indices)
    torch.manual_seed(123)
    assert torch.equal(together, torch.cat([data.fetch(part) for part in indices.tensor_split([1, 8, 101])]))
    assert torch.equal(together, opened((32, 48)).fetch(indices.flip(0)).flip(0))
    assert len({picture.numpy().tobytes() for picture in together}) == 200


def test_the_table_is_that_of_the_pictures() -> None:
    data = opened()
    assert attributes_of(data) is data.attributes
    assert data.attributes.column_names == (
        "hue=red",
        "hue=green",
        "hue=blue",
        "filled",
        "size=small",
        "size=large",
    )
    assert torch.equal(data.attributes.table[INDICES], attributes_at(INDICES).table)
    pictures = data.fetch(INDICES)
    for row, picture in zip(data.attributes.table, pictures, strict=False):
        turn = hue_of(picture) - row[:3].argmax().item() / 3
        assert min(turn % 1, -turn % 1) < 0.04
    mask = covered(pictures)
    rows, columns = mask.any(2).sum(1), mask.any(1).sum(1)
    extent = torch.maximum(rows, columns)
    large = data.attributes.table[INDICES, 5] > 0
    filled = data.attributes.table[INDICES, 3] > 0
    area = mask.sum((1, 2)).float()
    for label in range(len(CLASSES)):
        own = data.labels[INDICES] == label
        assert extent[own & large].min() > extent[own & ~large].max(), CLASSES[label]
        for big in (large, ~large):
            chosen = own & big
            assert area[chosen & filled].min() > 1.05 * area[chosen & ~filled].max(), CLASSES[label]


def test_attributes_are_even_and_independent_of_each_other_and_of_the_class() -> None:
    data = opened()
    table = data.attributes.table
    assert table.mean(0).tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0.5, 0.5, 0.5], abs=0.01)
    assert (table[:, :3].sum(1) == 1).all()
    assert (table[:, 4:].sum(1) == 1).all()
    columns = torch.cat([table[:, [0, 1, 3, 4]].T, torch.nn.functional.one_hot(data.labels).T[:5].float()])
    correlation = columns.corrcoef()
    for first, second in ((0, 2), (0, 3), (2, 3), (1, 2), (1, 3)):
        assert correlation[first, second].abs() < 0.02
    assert correlation[:4, 4:].abs().max() < 0.02


@pytest.mark.parametrize(("name", "value"), [("hue", "blue"), ("filled", "0"), ("size", "large")])
def test_another_row_changes_that_and_no_more(name: str, value: str) -> None:
    data = opened()
    rows = data.attributes.table[INDICES]
    changed = data.attributes.with_value(rows, name, value)
    own, other = data.fetch(INDICES), data.fetch_with(INDICES, changed)
    had = (rows == changed).all(1)
    assert torch.equal(own[had], other[had])
    assert (own[~had] != other[~had]).flatten(1).any(1).all()
    mask, changed_mask = covered(own), covered(other)
    if name == "hue":
        assert (mask != changed_mask).float().mean() < 0.01
    elif name == "filled":
        assert not (changed_mask & ~mask).any()
    else:
        solid = rows[:, 3] > 0
        discs = solid & (data.labels[INDICES] == CLASSES.index("disc"))
        assert not (mask & ~changed_mask)[discs].any()


def test_held_out_pictures_are_others() -> None:
    data = opened()
    held_out = data.held_out()
    assert len(held_out) == len(held_out.attributes.table) == 5_000
    assert not set(data.scenes) & set(held_out_scenes())
    scenes = torch.tensor(list(held_out_scenes())[:50])
    assert torch.equal(held_out.labels[:50], factors_at(scenes).label)
    assert torch.equal(held_out.attributes.table[:50], attributes_at(scenes).table)
    shown = draw_with(scenes, attributes_at(scenes).table, (64, 64), 3)
    assert torch.equal(held_out.fetch(torch.arange(50)), shown)
    trained = {picture.numpy().tobytes() for picture in data.fetch(INDICES)}
    assert not trained & {picture.numpy().tobytes() for picture in held_out.fetch(INDICES)}


def test_shapes_stay_whole_inside_the_frame() -> None:
    pictures = opened((32, 32)).fetch(torch.arange(3000))
    mask = (pictures.int() - pictures[:, :, :1, :1].int()).abs().amax(1) > 0
    assert not mask[:, [0, -1]].any()
    assert not mask[:, :, [0, -1]].any()


def test_errors_name_the_remedy() -> None:
    with pytest.raises(ValueError, match="--image-size"):
        ShapesAttributes().open(None, 3, "crop")
    with pytest.raises(ValueError, match="'shapes-attributes' takes no argument, but got 'big'"):
        ShapesAttributes("big").native()
    with pytest.raises(ValueError, match="1 or 3 channels, not 4"):
        opened(channels=4)
