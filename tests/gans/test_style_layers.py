"""Which style every layer of the style-based generators takes, as in the authors' code, and path lengths."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gans import stylegan, stylegan2
from gans.core.architecture import Blueprint
from gans.core.lazy_duel import path_lengths
from gans.core.networks import StyledNetwork
from gans.core.styles import mix_styles, repeat_styles, truncate_styles
from gans.layers.modulation import ModulatedConvolution

SHAPE = (3, 32, 16)  # 8×4 → 16×8 → 32×16 pixels
# Of several depths: an index that counts from the end is right in one of them by chance.
SIZES = pytest.mark.parametrize(
    ("size", "sizes"), [((8, 16), 2), ((32, 16), 3), ((64, 32), 4), ((64, 64), 5)]
)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def styles_taken(network: StyledNetwork, kind: type[nn.Module]) -> dict[str, list[float]]:
    """The number of the style that each layer of a kind is handed, by the layer's name."""
    taken: dict[str, list[float]] = {}
    for name, module in network.named_modules():
        if isinstance(module, kind):

            def note(_: nn.Module, inputs: tuple[Tensor, Tensor], name: str = name) -> None:
                assert (inputs[1] == inputs[1][0, 0]).all()
                taken.setdefault(name, []).append(inputs[1][0, 0].item())

            module.register_forward_pre_hook(note)
    numbers = torch.arange(float(network.styles))
    network.synthesize(numbers.view(1, -1, 1).expand(2, -1, network.w_dim))
    return taken


@SIZES
def test_stylegan2s_layers_take_the_styles_of_the_authors_code(size: tuple[int, int], sizes: int) -> None:
    """`conv1` and `torgb` of the smallest size take 0 and 1; of size k, `conv0`, `conv1` and `torgb` take
    2k − 1, 2k and 2k + 1: the image layer of a size and the first layer of the next share one."""
    network = stylegan2.Generator(Blueprint((3, *size), z_dim=5, width=4)).eval()
    expected = {"first": [0.0], "to_image.0": [1.0]}
    for k in range(1, sizes):
        expected[f"enlarging.{k - 1}"] = [2.0 * k - 1]
        expected[f"keeping.{k - 1}"] = [2.0 * k]
        expected[f"to_image.{k}"] = [2.0 * k + 1]
    taken = styles_taken(network, ModulatedConvolution)
    assert {name.removesuffix(".convolution"): styles for name, styles in taken.items()} == expected
    assert network.styles == 2 * sizes


@SIZES
def test_stylegans_layers_take_their_styles_in_order(size: tuple[int, int], sizes: int) -> None:
    """Two of each size, 4×4 pixels included."""
    network = stylegan.Generator(Blueprint((3, *size), z_dim=5, width=4)).eval()
    expected = {"first": [0.0], "second.epilogue": [1.0]}
    for k in range(1, sizes):
        expected[f"enlarging.{k - 1}.epilogue"] = [2.0 * k]
        expected[f"keeping.{k - 1}.epilogue"] = [2.0 * k + 1]
    assert styles_taken(network, stylegan.Epilogue) == expected
    assert network.styles == 2 * sizes


@pytest.mark.parametrize("kind", [stylegan, stylegan2])
def test_styles_are_mixed_from_the_first_layer_on_but_never_wholly(kind: Any) -> None:
    """The crossover is uniform over the layers but the first: some of both latents is in every mixture."""
    options = kind.architecture.options_type(style_mixing=1.0, w_mean_decay=0.0)
    network = kind.Generator(Blueprint(SHAPE, z_dim=5, width=4, options=options)).train()
    z = torch.randn(3, 5)
    w, own = network.map(z), []
    for _ in range(300):
        styles = mix_styles(network, options, z)
        own.append(int((styles == w[:, None]).all(dim=2).all(dim=0).sum()))
    assert set(own) == {1, 2, 3, 4, 5}
    assert own.count(1) == pytest.approx(60, abs=30) and own.count(5) == pytest.approx(60, abs=30)
    torch.testing.assert_close(network.mean, w.mean(dim=0), msg="a decay of 0 keeps nothing of the past")


@pytest.mark.parametrize("kind", [stylegan, stylegan2])
def test_truncation_reaches_up_to_its_cutoff(kind: Any) -> None:
    network = kind.Generator(Blueprint(SHAPE, z_dim=5, width=4)).eval()
    w, mean = torch.randn(2, 3, 5)
    network.mean.copy_(mean[0])
    near = mean[0] + 0.25 * (w - mean[0])
    whole, part = truncate_styles(network, w, 0.25), truncate_styles(network, w, 0.25, cutoff=2)
    torch.testing.assert_close(whole, repeat_styles(near, 6))
    torch.testing.assert_close(part[:, :2], repeat_styles(near, 2))
    assert torch.equal(part[:, 2:], repeat_styles(w, 4))
    of_each = truncate_styles(network, w, 0.25, mean=mean)
    torch.testing.assert_close(of_each, repeat_styles(mean + 0.25 * (w - mean), 6))


class Constant(stylegan2.Generator):
    """Images whose pixels all are the sum of w over layers and numbers, times a slope."""

    def __init__(self, size: tuple[int, int], slope: float) -> None:
        nn.Module.__init__(self)
        self.size, self.slope = size, slope

    @property
    def styles(self) -> int:
        return 2

    def synthesize(self, w: Tensor) -> Tensor:
        total = repeat_styles(w, 2).sum(dim=(1, 2)) * self.slope
        return total[:, None, None, None].expand(-1, 3, *self.size)


@pytest.mark.parametrize("size", [(8, 8), (4, 16), (16, 16)], ids=str)
def test_path_lengths_do_not_depend_on_the_size_of_the_image(size: tuple[int, int]) -> None:
    """y ~ N(0, 1 / (H W)): of images that are one number s·Σw each, Jᵀ y is s Σy in each of D numbers, Σy of
    variance 3, so the mean squared length is 3 s² D, whatever the size."""
    styles = torch.zeros(20_000, 2, 5, requires_grad=True)
    lengths = path_lengths(Constant(size, 0.5), styles)
    assert lengths.square().mean().item() == pytest.approx(3 * 0.25 * 5, rel=0.05)
    assert lengths.mean().item() == pytest.approx(math.sqrt(3.75) * math.sqrt(2 / math.pi), rel=0.05)


def test_path_lengths_of_zero_have_a_slope() -> None:
    """The root of 0 has none: a generator that ignores w would become NaN."""
    network = Constant((4, 4), 0.0)
    network.slope = nn.Parameter(torch.zeros(()))
    lengths = path_lengths(network, torch.zeros(3, 2, 5, requires_grad=True))
    lengths.sum().backward()
    assert lengths.max() < 1e-9
    assert network.slope.grad.isfinite()
