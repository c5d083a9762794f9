"""Order of samples in which each class comes equally often."""

import torch
from torch import Tensor


class BalancedOrder:
    """Orders of epochs in which every K samples in a row show each of the K classes once.

    The samples of a class come equally often as far as its turns go: once more at most than another of it,
    chosen anew in each epoch.

    Args:
        labels: class of each sample, int64 `(N,)`; classes without samples do not count.

    Attributes:
        length: samples of an epoch: N, rounded up to a multiple of K.
    """

    def __init__(self, labels: Tensor) -> None:
        order = labels.cpu().argsort(stable=True)
        counts = torch.bincount(labels.cpu())
        self._members = torch.split(order, counts[counts > 0].tolist())
        self._turns = -(-len(labels) // len(self._members))
        self.length = self._turns * len(self._members)

    def draw(self, random: torch.Generator) -> Tensor:
        """Draws the order of an epoch: indices of samples, int64 `(length,)`."""
        chosen = torch.stack([self._draw_class(members, random) for members in self._members], dim=1)
        places = torch.rand(chosen.shape, generator=random).argsort(dim=1)  # of the classes in each turn
        return chosen.gather(1, places).flatten()

    def _draw_class(self, members: Tensor, random: torch.Generator) -> Tensor:
        """Draws the samples of one class for all its turns in an epoch."""
        whole, rest = divmod(self._turns, len(members))
        some = members[torch.randperm(len(members), generator=random)[:rest]]
        found = torch.cat([members.repeat(whole), some])
        return found[torch.randperm(len(found), generator=random)]
