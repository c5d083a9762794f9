"""Image attributes: groups of exclusive values, encoded as columns of zeros and ones."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

NO_YES = ("0", "1")


@dataclass(frozen=True)
class AttributeGroup:
    """An attribute of images with its exclusive values, such as `hue` with red, green and blue.

    Attributes:
        name: as `hue`.
        values: one of which holds for each image, as `("red", "green", "blue")`. `("0", "1")` is binary.
    """

    name: str
    values: tuple[str, ...]

    @property
    def is_binary(self) -> bool:
        """Whether the values are `0` and `1`, so that one column encodes them."""
        return self.values == NO_YES

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the group's columns: its own name where it is binary, else one a value (`hue=red`)."""
        return (self.name,) if self.is_binary else tuple(f"{self.name}={value}" for value in self.values)

    def encode(self, numbers: Tensor) -> Tensor:
        """Encodes value indices, int64 `(N,)`, as rows of zeros and ones, float32 `(N, columns)`."""
        rows = torch.eye(len(self.values), device=numbers.device)[numbers]
        return rows[:, 1:] if self.is_binary else rows


@dataclass(frozen=True, eq=False)
class Attributes:
    """Attributes of N images: their groups, and a table with a row of zeros and ones for each image.

    Attributes:
        groups: in the order of their columns.
        table: zeros and ones, float32 `(N, D)`: a row for each image.
    """

    groups: tuple[AttributeGroup, ...]
    table: Tensor

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of all D columns, as `("hue=red", "hue=green", "hue=blue", "filled")`."""
        return column_names(self.groups)

    def columns_of(self, name: str) -> slice:
        """The slice of a group's columns. Raises ValueError for a name that no group has."""
        return columns_of(self.groups, name)

    def with_value(self, rows: Tensor, name: str, value: str) -> Tensor:
        """Copies rows `(B, D)` and sets one attribute in them; see the function `with_value`."""
        return with_value(self.groups, rows, name, value)

    def select(self, names: Sequence[str]) -> "Attributes":
        """Restricts the attributes to the named groups, in the order of the names."""
        table = torch.cat([self.table[:, self.columns_of(name)] for name in names], dim=1)
        return Attributes(select_groups(self.groups, names), table)

    def at(self, indices: Tensor) -> "Attributes":
        """Selects the images with these indices, int64 `(M,)`."""
        return Attributes(self.groups, self.table[indices])

    def check_all_used(self) -> "Attributes":
        """Checks that every column holds for some image, and returns these attributes.

        Raises ValueError for the first column that holds for no image, since nothing can be learned of it.
        """
        for name, count in zip(self.column_names, self.table.sum(dim=0).tolist(), strict=True):
            if count == 0:
                raise ValueError(f"no image has the attribute {name}: add such images, or leave it out")
        return self


Groups = Sequence[AttributeGroup]


class AttributeCritic(nn.Module, ABC):
    """A critic that also classifies the attributes of images."""

    @abstractmethod
    def classify(self, x: Tensor) -> Tensor:
        """Classifies images `(N, C, H, W)` of the training size: logits `(N, D)` of the attributes."""


def column_names(groups: Groups) -> tuple[str, ...]:
    """Names of all D columns, as `("hue=red", "hue=green", "hue=blue", "filled")`."""
    return tuple(name for group in groups for name in group.columns)


def columns_of(groups: Groups, name: str) -> slice:
    """The slice of a group's columns. Raises ValueError for a name that no group has."""
    start = 0
    for group in groups:
        if group.name == name:
            return slice(start, start + len(group.columns))
        start += len(group.columns)
    names = join_words([group.name for group in groups])
    raise ValueError(f"there is no attribute {name!r}: choose {names}")


def with_value(groups: Groups, rows: Tensor, name: str, value: str) -> Tensor:
    """Copies rows `(B, D)` and sets the attribute `name` in them to `value`.

    Raises ValueError, with what there is, for an attribute or a value that is unknown.
    """
    columns = columns_of(groups, name)
    group = next(group for group in groups if group.name == name)
    if value not in group.values:
        raise ValueError(f"attribute {name} is never {value!r}: choose {join_words(group.values)}")
    rows = rows.clone()
    rows[:, columns] = group.encode(torch.tensor([group.values.index(value)])).to(rows)
    return rows


def select_groups(groups: Groups, names: Sequence[str]) -> tuple[AttributeGroup, ...]:
    """Selects groups by name, in the order of the names. Raises ValueError for an unknown name."""
    known = {group.name: group for group in groups}
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"there is no attribute {unknown[0]!r}: choose {join_words([*known])}")
    return tuple(known[name] for name in names)


def group_names(columns: Sequence[str]) -> tuple[str, ...]:
    """Names of the groups that columns belong to: `hue` for `hue=red` and for `hue` itself."""
    return tuple(dict.fromkeys(column.partition("=")[0] for column in columns))


def most_likely_rows(groups: Groups, logits: Tensor) -> Tensor:
    """Predicts rows of zeros and ones `(B, D)` from logits `(B, D)`: the most likely value of each group."""
    parts = []
    for group in groups:
        said = logits[:, columns_of(groups, group.name)]
        numbers = (said[:, 0] > 0).long() if group.is_binary else said.argmax(dim=1)
        parts.append(group.encode(numbers))
    return torch.cat(parts, dim=1)


def groups_from_columns(columns: Sequence[str]) -> tuple[AttributeGroup, ...]:
    """Rebuilds attribute groups from names of columns, as `("hue=red", "hue=green", "filled")`."""
    values: dict[str, list[str]] = {}
    for column in columns:
        name, is_value, value = column.partition("=")
        values.setdefault(name, []).extend([value] if is_value else NO_YES)
    return tuple(AttributeGroup(name, tuple(of)) for name, of in values.items())


def attributes_from_numbers(groups: Sequence[AttributeGroup], numbers: Tensor) -> Attributes:
    """Builds attributes from the index of every group's value, int64 `(N, groups)`."""
    parts = [group.encode(numbers[:, index]) for index, group in enumerate(groups)]
    return Attributes(tuple(groups), torch.cat(parts, dim=1))


def join_words(words: Sequence[str]) -> str:
    """Joins words for a message: `a, b or c`."""
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
