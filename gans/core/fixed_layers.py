"""Choice of parameters that stay fixed: the critic's layers nearest the image, and the mapping network."""

from abc import ABC, abstractmethod

from torch import nn

from gans.core.networks import StyledNetwork
from gans.core.weight_layers import list_layers
from gans.layers.labels import LabelledChain


class OrderedCritic(nn.Module, ABC):
    """Base of critics that are several networks, or are not constructed from the image inwards.

    Those of all others, but for layers of labels, are counted in the order of their construction.
    """

    @property
    @abstractmethod
    def parts_from_image(self) -> list[list[nn.Module]]:
        """The parts of each network from the image inwards, without layers of labels."""


def nearest_layers(critic: nn.Module, count: int) -> list[nn.Parameter]:
    """Finds the parameters of the critic's layers nearest the image (Freeze-D, Mo et al. 2020).

    Layers are counted one by one as in NVlabs' code: of StyleGAN2 the image layer, then of each block both
    convolutions and the skip connection. A norm belongs to the layer before it. Of several networks it is so
    many layers each.

    Raises ValueError where that is not fewer than there are.
    """
    found: list[nn.Parameter] = []
    for parts in _parts(critic):
        layers = [(part, layer) for part in parts for layer in list_layers(part)]
        if count >= len(layers):
            raise ValueError(f"the critic has {len(layers)} layers; take at most {len(layers) - 1}")
        for part, layer in layers[:count]:
            known = dict(part.named_parameters())
            found += [known[name] for name in layer.names if name in known]
    return found


def _parts(critic: nn.Module) -> list[list[nn.Module]]:
    if isinstance(critic, OrderedCritic):
        return critic.parts_from_image
    return [critic.chain if isinstance(critic, LabelledChain) else [critic]]


def mapping_parameters(generator: nn.Module) -> list[nn.Parameter]:
    """Finds the parameters of a generator's mapping network. Raises ValueError where it has none."""
    if not isinstance(generator, StyledNetwork):
        raise ValueError("the generator has no mapping network")
    return list(generator.mapping.parameters())
