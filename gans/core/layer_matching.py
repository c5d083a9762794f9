"""Matching of the layers of two networks of one architecture, whose sizes or classes may differ.

Layers are matched by position, not by their index: in a list that is counted from the image, the block of
the smallest size is the last, however many there are. Which lists are, an architecture declares
(`Architecture.counted_from_end`).
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gans.core.weight_layers import WeightLayer, list_layers
from gans.layers.labels import LabelledChain, class_axis
from gans.layers.resample import Downsample, Upsample

RESAMPLING = (Upsample, Downsample, nn.Upsample)  # layers at which a sequence passes to another image size
PARAMETRIZED = re.compile(r"parametrizations\.(\w+)\.original")  # a weight under spectral norm


@dataclass(frozen=True)
class LayerMatch:
    """Which tensors of a network come from another one.

    Attributes:
        layers: the layers of the network.
        taken: name of each tensor that fits → its name in the other network.
        class_axes: axis of the classes, for each tensor among them that the other network has with another
            number of classes.
        weights: names of the weights among those taken.
    """

    layers: list[WeightLayer]
    taken: Mapping[str, str]
    class_axes: Mapping[str, int]
    weights: frozenset[str]

    @property
    def is_complete(self) -> bool:
        """Whether every tensor comes from the other network as it is."""
        names = [name for layer in self.layers for name in layer.names]
        return not self.class_axes and all(name in self.taken for name in names)


def match_layers(network: nn.Module, other: nn.Module, counted_from_end: Collection[str]) -> LayerMatch:
    """Matches the layers of a network with those of another one of the same architecture.

    A layer fits where its weights have the same shapes, but for the number of classes; its biases, norms
    and buffers are taken with it where they fit as well. Both may be on the meta device.

    Args:
        counted_from_end: paths of lists and sequences whose last layer has the same place at all sizes.
    """
    places = {place: name for name, place in positions(other, counted_from_end).items()}
    own, theirs, shapes = positions(network, counted_from_end), other.state_dict(), network.state_dict()
    layers = list_layers(network)
    taken: dict[str, str] = {}
    axes: dict[str, int] = {}
    weights: set[str] = set()
    for layer in layers:
        axis = class_axis(layer.module)
        for name in layer.names:
            if name not in layer.weights and not weights.issuperset(layer.weights):
                continue
            found = places.get(own[name])
            if found is None or not _fits(
                shapes[name], theirs[found], axis if name in layer.weights else None
            ):
                continue
            taken[name] = found
            if name in layer.weights:
                weights.add(name)
            if shapes[name].shape != theirs[found].shape and axis is not None:
                axes[name] = axis
    return LayerMatch(layers, taken, axes, frozenset(weights))


def _fits(tensor: Tensor, other: Tensor, axis: int | None) -> bool:
    """Whether two tensors have the same shape, but for an axis."""
    one, two = list(tensor.shape), list(other.shape)
    if axis is not None and len(one) == len(two):
        one[axis] = two[axis]
    return one == two


@torch.no_grad()
def take_weights(network: nn.Module, match: LayerMatch, state: Mapping[str, Tensor]) -> None:
    """Copies into a network what it takes from the `state_dict` of the one that it was matched with.

    Of classes the first ones are kept; those that are new begin as the mean of all.
    """
    own = network.state_dict()
    for name, found in match.taken.items():
        axis = match.class_axes.get(name)
        value = state[found]
        own[name].copy_(value if axis is None else resize_classes(value, own[name].shape[axis], axis))


def resize_classes(values: Tensor, count: int, axis: int) -> Tensor:
    """Resizes an axis of classes: the first ones are kept, new ones are the mean of all.

    >>> import torch
    >>> from gans.core.layer_matching import resize_classes
    >>> resize_classes(torch.tensor([[0.0, 4.0], [2.0, 6.0]]), 3, axis=0)
    tensor([[0., 4.],
            [2., 6.],
            [1., 5.]])
    """
    kept = values.narrow(axis, 0, min(count, values.shape[axis]))
    more = count - kept.shape[axis]
    mean = values.mean(dim=axis, keepdim=True)
    return torch.cat([kept, mean.repeat_interleave(more, dim=axis)], dim=axis) if more else kept


def positions(network: nn.Module, counted_from_end: Collection[str]) -> dict[str, str]:
    """Places of all tensors of a network, by their names in its `state_dict`.

    Tensors with the same place in two networks of an architecture correspond.
    """
    paths = {id(module): path for path, module in network.named_modules()}
    places = {"": ""}

    def visit(module: nn.Module, path: str, place: str) -> None:
        places[path] = place
        children = dict(module.named_children())
        names = {name: name for name in children}
        from_end = path in counted_from_end
        if isinstance(module, nn.ModuleList):
            names = {name: str(int(name) - len(children) * from_end) for name in children}
        elif isinstance(module, nn.Sequential):
            names = _name_sequence(children.items(), from_end)
        elif isinstance(module, LabelledChain):
            chain = {paths[id(each)]: each for each in module.chain}
            for own, name in _name_sequence(chain.items(), from_end).items():
                visit(chain[own], own, _join(place, name))
        for name, child in children.items():
            if (own := _join(path, name)) not in places:
                visit(child, own, _join(place, names[name]))

    visit(network, "", "")
    found = {}
    for name in network.state_dict():
        path, _, own = name.rpartition(".")
        found[name] = PARAMETRIZED.sub(r"\1", _join(places[path], own))
    return found


def _name_sequence(layers: Iterable[tuple[str, nn.Module]], from_end: bool) -> dict[str, str]:
    """Names the layers of a sequence by their place in it, by their names.

    It is the number of changes of the image size before it, the kind of the layer, and the number of such
    layers before it: norms, dropout, or a convolution where the width changes, move no other layer.
    """
    found, section, counts = {}, 0, Counter[str]()
    layers = list(layers)
    for name, layer in reversed(layers) if from_end else layers:
        if isinstance(layer, RESAMPLING):
            section, counts = section + 1, Counter()
        kind = type(layer).__name__.removeprefix("Parametrized")
        found[name] = f"{section}:{kind}:{counts[kind]}"
        counts[kind] += 1
    return found


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
