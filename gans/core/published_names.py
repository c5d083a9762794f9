"""Names of weights in published code and here, as tables that are read both ways."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gans.layers.resample import smoothing_kernel

Tensors = Mapping[str, Tensor]


class Layout(NamedTuple):
    """A change of a tensor's layout: from the published one to ours, and back."""

    to_ours: Callable[[Tensor], Tensor]
    to_published: Callable[[Tensor], Tensor]


OWN = ("shares", "stage.reached")  # buffers that published networks do not have
SAME = Layout(lambda x: x, lambda x: x)
MAPS = Layout(lambda x: x[:, None, None], lambda x: x[:, 0, 0])  # a number for each channel
DENSE = Layout(lambda x: x.T, lambda x: x.T)  # [in, out], as TensorFlow has it
CONVOLUTION = Layout(lambda x: x.permute(3, 2, 0, 1), lambda x: x.permute(2, 3, 1, 0))  # [h, w, in, out]
SCALAR = Layout(lambda x: x.view(1, 1, 1), lambda x: x.view(()))
IMAGE = Layout(lambda x: x[None, None], lambda x: x[0, 0])  # one map for all samples and channels


HALVES = Layout(lambda x: x.roll(len(x) // 2, 0), lambda x: x.roll(len(x) // 2, 0))  # of inputs, exchanged
INPUT_HALVES = Layout(*[lambda x: x.roll(x.shape[1] // 2, 1)] * 2)  # those of a plain convolution


class Pair(NamedTuple):
    """Our name of a tensor and its published one, with the change of its layout.

    Attributes:
        is_optional: whether published files may come without it; ours then stays as it is.
    """

    ours: str
    published: str
    layout: Layout = SAME
    is_optional: bool = False


Places = Iterable[Mapping[str, int | str]]


@dataclass(frozen=True)
class NameTable:
    """A table of names for one network.

    Attributes:
        pairs: names with placeholders such as `{index}`.
        places: values of the placeholders, for a network whose image has these sides, from the smallest to
            the full one. Pairs whose name the network does not have are left out. Raises ValueError for a
            network that has no published form.
        constants: ends of published names of tensors that are not learned, and what they hold.
        unused: beginnings of published names, with placeholders, that have no part in our network.
        unused_ends: ends of published names of tensors that some files hold and no network uses.
        beside_norms: ends of published names of tensors that stand unused beside the weight of a norm, and
            what they hold for that weight.
        constant_names: published names of such constants, each with that of a tensor beside which it stands.
    """

    pairs: tuple[Pair, ...]
    places: Callable[[nn.Module, list[int]], Places]
    constants: Mapping[str, Callable[[], Tensor]] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    unused_ends: tuple[str, ...] = ()
    beside_norms: Mapping[str, Callable[[Tensor], Tensor]] = field(default_factory=dict)
    constant_names: tuple[tuple[str, str], ...] = ()

    def expand(self, network: nn.Module, sides: list[int]) -> dict[str, Pair]:
        """Expands the placeholders for a network: its pairs by our name.

        Raises ValueError for a tensor of the network that has no published name.
        """
        known = network.state_dict()
        found = {}
        for place, pair in product([{}, *self.places(network, sides)], self.pairs):
            with suppress(KeyError):  # it has other placeholders
                ours, name = pair.ours.format(**place), pair.published.format(**place)
                if ours in known:
                    found[ours] = pair._replace(ours=ours, published=name)
        for name in known:
            if name not in found and name not in OWN:
                raise ValueError(f"{name} has no published name")
        return found

    def _unused(self, network: nn.Module, sides: list[int]) -> tuple[str, ...]:
        """Expands the beginnings of names that are not used."""
        found = []
        for start, place in product(self.unused, [{}, *self.places(network, sides)]):
            with suppress(KeyError):
                found.append(start.format(**place))
        return tuple(found)

    def to_ours(self, network: nn.Module, sides: list[int], published: Tensors) -> dict[str, Tensor]:
        """Renames published tensors for a network.

        Raises ValueError for a tensor that is missing, has another shape, or that this network has not.
        """
        pairs, shapes = self.expand(network, sides), network.state_dict()
        ends = (*self.constants, *self.beside_norms, *self.unused_ends)
        left = {name for name in published if not name.endswith(ends)}
        left -= {name for name in published if name.startswith(self._unused(network, sides))}
        found = {}
        for ours, pair in pairs.items():
            if pair.published not in published:
                if pair.is_optional:
                    continue
                raise ValueError(f"{pair.published} is missing")
            try:
                found[ours] = pair.layout.to_ours(published[pair.published])
            except (IndexError, RuntimeError):
                found[ours] = published[pair.published]
            if found[ours].shape != shapes[ours].shape:
                has, needs = (tuple(x.shape) for x in (published[pair.published], shapes[ours]))
                raise ValueError(f"{pair.published} has the shape {has}, which does not fit {needs}")
            left.discard(pair.published)
        if left:
            raise ValueError(f"{min(left)} is not part of this network")
        return found

    def check_constants(self, published: Tensors) -> None:
        """Checks that tensors that are not learned hold what they do here. Raises ValueError otherwise."""
        for name, tensor in published.items():
            for end, make in self.constants.items():
                if name.endswith(end) and not _is_close(tensor, make()):
                    raise ValueError(f"{name} is another one than here")

    def to_published(self, network: nn.Module, sides: list[int]) -> dict[str, Tensor]:
        """The tensors of a network under their published names, without constants."""
        state = network.state_dict()
        found = {
            pair.published: pair.layout.to_published(state[ours]).contiguous()
            for ours, pair in self.expand(network, sides).items()
        }
        norms = [name for name, tensor in found.items() if name.endswith(".weight") and tensor.dim() == 1]
        for name, (end, make) in product(norms, self.beside_norms.items()):
            found.setdefault(name.removesuffix("weight") + end, make(found[name]))
        return found

    def constants_beside(self, published: Tensors, network: nn.Module, sides: list[int]) -> dict[str, Tensor]:
        """The constants that stand beside the published tensors of a network, by their names."""
        found = {}
        for place, (name, beside) in product(self.places(network, sides), self.constant_names):
            with suppress(KeyError):  # it has other placeholders
                if beside.format(**place) in published:
                    end = next(end for end in self.constants if name.endswith(end))
                    found[name.format(**place)] = self.constants[end]()
        return found


def join_tables(table: NameTable, parts: Mapping[str, str]) -> NameTable:
    """Joins the tables of networks that are parts of one here, which it may have in part.

    Args:
        table: of each of them.
        parts: our names of the modules by the name of the published network, which begins the names of its
            tensors, with a dot.
    """

    def places(network: nn.Module, sides: list[int]) -> Places:
        own = dict(network.named_children())
        for name, part in parts.items():
            if part in own:
                of_part: dict[str, int | str] = {"network": name, "part": part}
                yield of_part
                yield from ({**place, **of_part} for place in table.places(own[part], sides))

    pairs = (
        pair._replace(ours=f"{{part}}.{pair.ours}", published=f"{{network}}.{pair.published}")
        for pair in table.pairs
    )
    return replace(
        table,
        pairs=tuple(pairs),
        places=places,
        unused=tuple(f"{{network}}.{start}" for start in table.unused),
        constant_names=tuple(
            (f"{{network}}.{name}", f"{{network}}.{beside}") for name, beside in table.constant_names
        ),
    )


def _is_close(tensor: Tensor, expected: Tensor) -> bool:
    """Whether a tensor has the numbers of another, but for rounding."""
    is_alike = tensor.shape == expected.shape and tensor.is_floating_point()
    return is_alike and torch.allclose(tensor.to(expected), expected, atol=1e-5)


def filter_constant() -> Tensor:
    """The smoothing filter [1, 3, 3, 1], which published files hold beside every layer."""
    return smoothing_kernel().to(torch.float32)
