"""Folding batch norm changes no function, and leaves alone what it cannot fold."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from experiments.core import registry
from gans.core.architecture import Blueprint
from gans.layers.folding import fold_batch_norm
from tests.conftest import FROM_NOISE


def lively(network: nn.Module) -> nn.Module:
    """In float64, with statistics, scales and shifts that are neither 0 nor 1."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            if module.running_mean is not None and module.running_var is not None:
                module.running_mean.normal_()
                module.running_var.uniform_(0.1, 3)
            if module.affine:
                nn.init.normal_(module.weight)
                nn.init.normal_(module.bias)
    return network.double().eval()


IMAGES, VECTORS = (5, 4, 6, 6), (5, 4)
LAYERS = [
    (nn.Conv2d(4, 6, 3, padding=1), nn.BatchNorm2d(6), IMAGES),
    (nn.Conv2d(4, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), IMAGES),
    (
        nn.Conv2d(4, 6, 3, groups=2, padding=1, padding_mode="reflect"),
        nn.BatchNorm2d(6, affine=False),
        IMAGES,
    ),
    (nn.ConvTranspose2d(4, 6, 4, stride=2, padding=1), nn.BatchNorm2d(6), IMAGES),
    (nn.ConvTranspose2d(4, 6, 4, stride=2, padding=1, groups=2, bias=False), nn.BatchNorm2d(6), IMAGES),
    (nn.Linear(4, 6), nn.BatchNorm1d(6, eps=0.1), VECTORS),
    (nn.Linear(4, 6, bias=False), nn.BatchNorm1d(6, affine=False), VECTORS),
]


@pytest.mark.parametrize(("layer", "norm", "shape"), LAYERS, ids=lambda x: type(x).__name__)
def test_a_folded_layer_is_the_same_function(
    layer: nn.Module, norm: nn.Module, shape: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    network = lively(nn.Sequential(copy.deepcopy(layer), copy.deepcopy(norm), nn.ReLU()))
    before = copy.deepcopy(network.state_dict())
    found = fold_batch_norm(network)
    assert [type(module) for module in found.children()] == [type(layer), nn.Identity, nn.ReLU]
    x = torch.randn(shape, dtype=torch.float64)
    assert (found(x) - network(x)).abs().max() < 1e-12
    assert (network(x) - layer.double()(x)).abs().max() > 0.1, "the norm does something"
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def norms_left(network: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in fold_batch_norm(network).modules())


class Halved(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) / 2 + 1


SHARED = nn.Conv2d(4, 4, 1)


@pytest.mark.parametrize(
    "network",
    [
        nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU(), nn.BatchNorm2d(4)),
        nn.Sequential(nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1)),
        nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4, track_running_stats=False)),
        nn.Sequential(spectral_norm(nn.Conv2d(4, 4, 1)), nn.BatchNorm2d(4)),
        nn.Sequential(Halved(4, 4, 1), nn.BatchNorm2d(4)),
        nn.Sequential(SHARED, nn.BatchNorm2d(4), SHARED),
    ],
    ids=["not direct", "before", "statistics of the batch", "computed weight", "own class", "used twice"],
)
def test_what_cannot_be_folded_stays(network: nn.Sequential) -> None:
    torch.manual_seed(0)
    network = lively(copy.deepcopy(network))  # type: ignore[assignment]
    x = torch.randn(IMAGES, dtype=torch.float64)
    assert norms_left(network) == 1
    assert (fold_batch_norm(network)(x) - network(x)).abs().max() < 1e-12


def test_blocks_inside_blocks_are_folded() -> None:
    torch.manual_seed(0)
    block = nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4))
    network = lively(nn.Sequential(block, nn.ReLU(), nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4))))
    x = torch.randn(IMAGES, dtype=torch.float64)
    assert norms_left(network) == 0
    assert (fold_batch_norm(network)(x) - network(x)).abs().max() < 1e-12


@pytest.mark.parametrize("arch", FROM_NOISE)
def test_every_generator_stays_the_same_function(arch: str) -> None:
    torch.manual_seed(0)
    blueprint = Blueprint((3, 16, 16), z_dim=5, width=4)
    network = lively(registry.load("architecture", arch).generator(blueprint))
    z = torch.randn(7, 5, dtype=torch.float64)
    found = fold_batch_norm(network)
    assert (found(z) - network(z)).abs().max() < 1e-12
    norms = [
        sum(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in each.modules())
        for each in (found, network)
    ]
    assert norms[0] < norms[1] or norms[1] == 0
    if arch == "resnet":  # one of the two norms in each block, and the last, follow sums
        assert norms == [3, 5]
