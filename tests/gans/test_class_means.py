"""Means of w by class: towards which truncation draws the samples of each class."""

import torch
from torch import Tensor, nn

from gans.core.networks import StyledNetwork
from gans.core.one_class import fix_label
from gans.core.styles import class_means, truncate_styles


class Shifted(StyledNetwork):
    """`w = z + 10 · label` in one dimension, so that the mean of class c is 10 c."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__(z_dim=1, classes=3)
        self.w_dim = 1
        self.register_buffer("mean", torch.tensor([7.0]))
        self.layer = nn.Linear(1, 1)

    @property
    def styles(self) -> int:
        return 2

    @property
    def first_layers(self) -> tuple[Tensor, ...]:
        return (self.layer.weight,)

    def map(self, z: Tensor, *label: Tensor) -> Tensor:
        return z + 10 * label[0][:, None]

    def synthesize(self, w: Tensor) -> Tensor:
        return w

    def forward(self, z: Tensor, *label: Tensor) -> Tensor:
        return self.map(z, *label)


def test_every_class_has_its_mean() -> None:
    """Within five deviations of a mean of 4,096, in the order of the labels, and the same every time."""
    labels = torch.tensor([2, 0, 2, 1])
    found = class_means(Shifted(), labels)
    assert found.shape == (4, 1)
    torch.testing.assert_close(found[:, 0], 10.0 * labels, rtol=0, atol=5 / 64)
    assert torch.equal(found, class_means(Shifted(), labels))
    torch.testing.assert_close(found[0] - found[1], torch.tensor([20.0]))  # over the same latents


def test_truncation_draws_towards_the_mean_of_the_class() -> None:
    network, labels = Shifted(), torch.tensor([0, 2])
    mean, w = class_means(network, labels), torch.tensor([[4.0], [24.0]])
    none = truncate_styles(network, w, 0.0, mean=mean)
    assert torch.equal(none, mean[:, None].expand(-1, 2, -1))
    half = truncate_styles(network, w, 0.5, cutoff=1, mean=mean)
    torch.testing.assert_close(half[:, 0], (w + mean) / 2)
    assert torch.equal(half[:, 1], w)


def test_a_fixed_label_has_the_mean_of_its_class() -> None:
    network = Shifted()
    for label in range(3):
        one = fix_label(network, label)
        assert isinstance(one, StyledNetwork)
        assert torch.equal(one.mean, class_means(network, torch.tensor([label]))[0])
