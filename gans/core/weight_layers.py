"""Layers of a network in order: modules with weights, and the biases, norms and buffers that follow them."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from torch import Tensor, nn

# Buffers that belong to a run and its data, not to what its networks have learned.
RUN_BUFFERS = ("shares", "stage.reached")


@dataclass(frozen=True)
class WeightLayer:
    """A layer: a module that has weights itself, and what belongs to it, by names in the `state_dict`.

    Attributes:
        module: the module.
        path: its name in the network.
        weights: names of its weights: parameters with two dimensions or more.
        others: names of its biases, and of norms and other tensors that stand behind it.
    """

    module: nn.Module
    path: str
    weights: list[str]
    others: list[str] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """Names of all its tensors."""
        return [*self.weights, *self.others]


def list_layers(network: nn.Module) -> list[WeightLayer]:
    """Lists the layers of a network in order of their construction.

    Each tensor of the `state_dict` but those of the run (`RUN_BUFFERS`) is in one of them. A bias that stands
    before its weights belongs to the next layer, a norm to the one before it.
    """
    found: list[WeightLayer] = []
    waiting: list[str] = []
    known = network.state_dict()
    for path, module in network.named_modules(remove_duplicate=False):
        own = [name for name in _own_names(path, module) if name in known and not is_of_run(name)]
        weights = [name for name in own if name in _weight_names(path, module)]
        others = [name for name in own if name not in weights]
        if weights:
            found.append(WeightLayer(module, path, weights, waiting + others))
            waiting = []
        elif found and not _has_weights(module):
            found[-1].others.extend(others)
        else:
            waiting += others
    if found:
        found[-1].others.extend(waiting)
    return found


def is_of_run(name: str) -> bool:
    """Whether a tensor of a `state_dict` belongs to the run, not to what its network has learned."""
    return any(f".{name}".endswith(f".{own}") for own in RUN_BUFFERS)


def is_weight(parameter: Tensor) -> bool:
    """Whether a parameter is the weight of a layer: a matrix, kernels or maps; not one number a channel."""
    return parameter.dim() in (2, 4, 5) or parameter.numel() > max(parameter.shape, default=1)


def _own_names(path: str, module: nn.Module) -> Iterator[str]:
    """Names in the `state_dict` of the tensors that a module has itself."""
    tensors = (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))
    return (f"{path}.{name}" if path else name for name, _ in tensors)


def _weight_names(path: str, module: nn.Module) -> set[str]:
    own = (name for name, each in module.named_parameters(recurse=False) if is_weight(each))
    return {f"{path}.{name}" if path else name for name in own}


def _has_weights(module: nn.Module) -> bool:
    return any(map(is_weight, module.parameters()))
