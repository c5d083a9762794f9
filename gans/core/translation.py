"""Image-to-image translators: their contracts, and the layers that their papers share."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gans.core.architecture import Blueprint
from gans.core.networks import Batch, GeneratorNetwork
from gans.layers.norms import dropout
from gans.layers.sizes import multiples_near, propose_sizes
from losses.core.options import option

LARGEST_PATCH = 3  # strided layers of a critic of patches: 70×70 pixels


class Translator(GeneratorNetwork):
    """An image-to-image generator: images in [−1, 1] → images in [−1, 1].

    Attributes:
        multiple: sides of images must be multiples of it; None where only the training size is possible.
    """

    multiple: int | None

    @abstractmethod
    def columns(self, batch: Batch) -> dict[str, Tensor]:
        """Columns of a sample grid: images by caption, such as inputs and their translations."""


class DomainTranslator(Translator):
    """A translator between two domains, A and B.

    A batch has images of B as its samples, and images of A as its condition.
    """

    @property
    @abstractmethod
    def targets(self) -> tuple[str, ...]:
        """The domains that it can translate to."""

    @abstractmethod
    def translate(self, images: Tensor, to: str) -> Tensor:
        """Translates images `(N, C, H, W)` of the other domain to the domain `to`."""


class AttributeTranslator(Translator):
    """A translator that changes attributes; the condition of a batch is its attributes, float32 `(N, D)`."""

    @abstractmethod
    def translate(self, images: Tensor, rows: Tensor) -> Tensor:
        """Translates images `(N, C, H, W)` so that they have the attributes `rows` `(N, D)`."""


@dataclass(frozen=True)
class PatchOptions:
    """Options of patch critics."""

    patch_layers: int | None = option(
        None,
        "Strided layers of the critic: its patches have 16, 34 or 70 pixels a side for 1, 2 or 3; by "
        "default as "
        "many as the image has room for, up to 3.",
        at_least=1,
        at_most=6,
        shapes_network=True,
    )


class PatchCritic(nn.Module):
    """Patch critic: images `(N, channels, H, W)` → logits `(N, h, w)` (Isola et al. 2017, 3.2.2).

    With `layers` strided convolutions a patch has 16, 34 or 70 pixels a side for 1, 2 or 3. Conditional
    critics also see the images that the samples are translations of.

    Args:
        channels: of all images that it sees, on top of each other.
    """

    def __init__(self, blueprint: Blueprint, channels: int) -> None:
        super().__init__()
        layers = patch_layers(blueprint)
        widths = [blueprint.width * min(2**i, 8) for i in range(layers + 1)]
        has_shift = bool(blueprint.critic_norm.of_maps(1))  # a norm's own shift makes a bias useless
        chain: list[nn.Module] = [nn.Conv2d(channels, widths[0], 4, stride=2, padding=1)]
        for index, wide in enumerate(widths[1:], 1):
            chain += [nn.LeakyReLU(0.2), *dropout(blueprint.critic_dropout)]
            stride = 2 if index < layers else 1
            narrow = widths[index - 1]
            chain += [nn.Conv2d(narrow, wide, 4, stride=stride, padding=1, bias=not has_shift)]
            chain += blueprint.critic_norm.of_maps(wide)
        chain += [nn.LeakyReLU(0.2), *dropout(blueprint.critic_dropout)]
        chain += [nn.Conv2d(widths[-1], 1, 4, stride=1, padding=1), nn.Flatten(1, 2)]
        self.chain = nn.Sequential(*chain)
        self.apply(initialize)

    def forward(self, x: Tensor, *sources: Tensor) -> Tensor:
        return self.chain(concatenate_channels(x, *sources))


def concatenate_channels(*images: Tensor) -> Tensor:
    """Concatenates images of one size along their channels."""
    return torch.cat(images, dim=1) if len(images) > 1 else images[0]


def patch_layers(blueprint: Blueprint) -> int:
    """Number of a patch critic's strided convolutions: the paper's three from 64 pixels on, fewer below.

    A patch has about the size of such a small image, which is one thing: half of it does not show its shape.
    """
    asked = (blueprint.options or PatchOptions()).patch_layers
    side = min(blueprint.sample_shape[1:])
    return asked or max(1, min(LARGEST_PATCH, side.bit_length() - 4))


class ResidualBlock(nn.Module):
    """Residual block `x ↦ x + f(x)`: two 3×3 convolutions with instance norm (Johnson et al. 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        first, second = (convolution_layers(channels, channels) for _ in range(2))
        self.residual = nn.Sequential(*first, *second[:-1])

    def forward(self, x: Tensor) -> Tensor:
        return x + self.residual(x)


def convolution_layers(narrow: int, wide: int, kernel_size: int = 3, stride: int = 1) -> list[nn.Module]:
    """Layers of a convolution, instance norm, whose shift is the bias, and ReLU."""
    padding = kernel_size // 2
    return [
        nn.Conv2d(narrow, wide, kernel_size, stride, padding, bias=False, padding_mode="reflect"),
        nn.InstanceNorm2d(wide, affine=True),
        nn.ReLU(inplace=True),
    ]


def residual_translator(
    inputs: int, outputs: int, width: int, blocks: int, has_condition_planes: bool = False
) -> nn.Sequential:
    """Builds a residual translator `(N, inputs, H, W)` → `(N, outputs, H, W)` in [−1, 1].

    H and W are multiples of 4: two halvings, residual blocks, two doublings (Johnson et al. 2016). Pixels are
    repeated and then convolved, not spread by a transposed convolution, which leaves a checkerboard (Odena et
    al. 2016).

    Args:
        has_condition_planes: whether some inputs are constant planes. A norm behind the first
            convolution would take them away, so it has a bias instead. Its border of zeros and its leaky
            ReLU keep maps from being the same everywhere, whose norms have slopes that multiply to infinity.
    """
    layers = convolution_layers(inputs, width, 7)
    if has_condition_planes:
        layers = [nn.Conv2d(inputs, width, 7, padding=3), nn.LeakyReLU(0.2)]
    layers += [
        *convolution_layers(width, 2 * width, stride=2),
        *convolution_layers(2 * width, 4 * width, stride=2),
    ]
    layers += [ResidualBlock(4 * width) for _ in range(blocks)]
    for wide in (4 * width, 2 * width):
        layers += [nn.Upsample(scale_factor=2), *convolution_layers(wide, wide // 2)]
    layers += [nn.Conv2d(width, outputs, 7, padding=3, padding_mode="reflect"), nn.Tanh()]
    return nn.Sequential(*layers)


def residual_block_count(size: Sequence[int]) -> int:
    """Number of residual blocks for an image size: 6, and 9 from 256 pixels on (CycleGAN, appendix 7.2)."""
    return 9 if min(size) >= 256 else 6


def check_size_multiple(blueprint: Blueprint, multiple: int) -> None:
    """Checks that sides are multiples of a number, twice it at least; raises ValueError otherwise."""
    _, height, width = blueprint.sample_shape
    if height % multiple or width % multiple or min(height, width) < 2 * multiple:
        raise ValueError(
            f"image size {height}x{width}: sides must be multiples of {multiple}, and {2 * multiple} or "
            f"more; take {propose_sizes(multiples_near(height, width, multiple, 2 * multiple))}"
        )


def initialize(module: nn.Module) -> None:
    """Initializes a layer: weights ~ N(0, 0.02), biases 0 (CycleGAN, section 4, and pix2pix's code)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
