"""Attributes: columns that say what is known of an image, and how one of them is changed."""

import pytest
import torch

from experiments.data.core.dataset import (
    AttributeGroup,
    Attributes,
    Domains,
    InMemoryData,
    attributes_of,
    load_into_memory,
)
from gans.core.attributes import attributes_from_numbers

HUE = AttributeGroup("hue", ("red", "green", "blue"))
FILLED = AttributeGroup("filled", ("0", "1"))
SIZE = AttributeGroup("size", ("small", "large"))


def known() -> Attributes:
    return attributes_from_numbers([HUE, FILLED, SIZE], torch.tensor([[0, 1, 0], [2, 0, 1], [1, 1, 1]]))


def images(count: int) -> InMemoryData:
    return InMemoryData(torch.zeros(count, 1, 4, 4, dtype=torch.uint8))


def test_columns_say_which_value_holds() -> None:
    attributes = known()
    assert attributes.column_names == (
        "hue=red",
        "hue=green",
        "hue=blue",
        "filled",
        "size=small",
        "size=large",
    )
    assert attributes.table.dtype == torch.float32
    assert attributes.table.tolist() == [[1, 0, 0, 1, 1, 0], [0, 0, 1, 0, 0, 1], [0, 1, 0, 1, 0, 1]]
    names = ["hue", "filled", "size"]
    assert [attributes.columns_of(name) for name in names] == [slice(0, 3), slice(3, 4), slice(4, 6)]
    assert [group.is_binary for group in attributes.groups] == [False, True, False]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("hue", "green", [[0, 1, 0, 1, 1, 0], [0, 1, 0, 0, 0, 1]]),
        ("filled", "0", [[1, 0, 0, 0, 1, 0], [0, 0, 1, 0, 0, 1]]),
        ("filled", "1", [[1, 0, 0, 1, 1, 0], [0, 0, 1, 1, 0, 1]]),
        ("size", "large", [[1, 0, 0, 1, 0, 1], [0, 0, 1, 0, 0, 1]]),
    ],
)
def test_a_change_clears_the_others_of_its_group_in_a_copy(
    name: str, value: str, expected: list[list[int]]
) -> None:
    attributes = known()
    rows = attributes.table[:2]
    before = rows.clone()
    assert attributes.with_value(rows, name, value).tolist() == expected
    assert torch.equal(rows, before)


def test_what_is_unknown_is_refused_with_what_there_is() -> None:
    attributes = known()
    with pytest.raises(ValueError, match="there is no attribute 'colour': choose hue, filled or size"):
        attributes.with_value(attributes.table, "colour", "red")
    with pytest.raises(ValueError, match="attribute hue is never 'pink': choose red, green or blue"):
        attributes.with_value(attributes.table, "hue", "pink")
    with pytest.raises(ValueError, match="attribute filled is never 'yes': choose 0 or 1"):
        attributes.with_value(attributes.table, "filled", "yes")


def test_a_part_may_lack_what_training_must_have() -> None:
    part = known().at(torch.tensor([2, 0]))
    assert part.table.tolist() == [[0, 1, 0, 1, 0, 1], [1, 0, 0, 1, 1, 0]]
    assert known().check_all_used().groups == (HUE, FILLED, SIZE)
    with pytest.raises(ValueError, match="no image has the attribute hue=blue"):
        part.check_all_used()
    with pytest.raises(ValueError, match="no image has the attribute filled"):
        attributes_from_numbers([FILLED], torch.tensor([[0], [0]])).check_all_used()


def test_classes_stand_for_attributes() -> None:
    data = InMemoryData(images(3).samples, torch.tensor([1, 0, 1]), ("cat", "dog"))
    attributes = attributes_of(data)
    assert attributes.column_names == ("class=cat", "class=dog")
    assert attributes.table.tolist() == [[0, 1], [1, 0], [0, 1]]
    data.attributes = known()
    assert attributes_of(data).groups == (HUE, FILLED, SIZE)
    with pytest.raises(ValueError, match=r"no image has the attribute class=cow"):
        attributes_of(InMemoryData(data.samples, torch.tensor([1, 0, 1]), ("cat", "dog", "cow")))
    with pytest.raises(ValueError, match=r"neither attributes nor classes: .*attributes\.csv"):
        attributes_of(images(3))


def test_what_is_held_keeps_its_attributes() -> None:
    data = images(3)
    data.attributes = known()
    assert load_into_memory(data, torch.device("cpu")).attributes is data.attributes


def test_pairs_are_as_many_on_both_sides() -> None:
    assert len(Domains(images(3), images(2)).a) == 3
    with pytest.raises(ValueError, match="3 and 2 images are no pairs"):
        Domains(images(3), images(2), paired=True)
