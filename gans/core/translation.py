"""Image-to-image translators: their contracts, and the layers that their papers share."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from gans.core.architecture import Blueprint
from gans.core.networks import Batch, GeneratorNetwork
from gans.layers.deterministic import ReflectedConvolution
from gans.layers.image_convolutions import ImageConv2d
from gans.layers.norms import dropout, generator_norm
from gans.layers.recomputation import RecomputableBlock
from gans.layers.sizes import multiples_near, propose_sizes
from losses.core.options import option

Borders = Literal["zeros", "reflect"]
CONVOLUTIONS: dict[Borders, type[nn.Conv2d]] = {"zeros": nn.Conv2d, "reflect": ReflectedConvolution}
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


def critic_width_option() -> Any:
    """Declares the option of a critic's width beside that of the generator."""
    return option(
        None,
        "Channels of the critic's first layer; by default those of the generator's.",
        at_least=1,
        shapes_network=True,
    )


@dataclass(frozen=True)
class PatchOptions:
    """Options of patch critics."""

    critic_width: int | None = critic_width_option()
    patch_layers: int | None = option(
        None,
        "Strided layers of the critic: its patches have 16, 34 or 70 pixels a side for 1, 2 or 3; by "
        "default as "
        "many as the image has room for, up to 3.",
        at_least=1,
        at_most=6,
        shapes_network=True,
    )


@dataclass(frozen=True)
class WeightOptions:
    """Options that weigh the adversarial losses, which count without the constant factor of their form."""

    adversarial_weight: float = option(
        1.0,
        "Weight of the generator's adversarial loss; that of lsgan counts without its ½, as published.",
        at_least=0.0,
        is_schedulable=True,
    )
    critic_factor: float = option(
        0.5,
        "Factor of the critic's adversarial loss, which slows the critic down; lsgan counts without its ½.",
        above=0.0,
        is_schedulable=True,
    )


def norm_option(default: str) -> Any:
    """Declares the option of a generator's normalization, with its default."""
    return option(
        default,
        "Normalization of the generator: instance norm with scale and shift, or plain; or batch norm.",
        choices=("plain-instance", "instance", "batch"),
        shapes_network=True,
    )


@dataclass(frozen=True)
class NormOptions:
    """Options of the generator's normalization."""

    norm: str = norm_option("plain-instance")
    norm_statistics: str = option(
        "image",
        "Statistics of batch norm outside training: of each image, as pix2pix is used, or running ones.",
        choices=("image", "running"),
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
        width = (blueprint.options or PatchOptions()).critic_width or blueprint.width
        widths = [width * min(2**i, 8) for i in range(layers + 1)]
        # A norm's own shift makes a bias useless; plain norms come with one in published files.
        has_shift = any(True for norm in blueprint.critic_norm.of_maps(1) for _ in norm.parameters())
        chain: list[nn.Module] = [ImageConv2d(channels, widths[0], 4, stride=2, padding=1)]
        for index, wide in enumerate(widths[1:], 1):
            chain += [nn.LeakyReLU(0.2), *dropout(blueprint.critic_dropout)]
            stride = 2 if index < layers else 1
            narrow = widths[index - 1]
            chain += [nn.Conv2d(narrow, wide, 4, stride=stride, padding=1, bias=not has_shift)]
            chain += blueprint.critic_norm.of_maps(wide)
        chain += [nn.LeakyReLU(0.2), *dropout(blueprint.critic_dropout)]
        chain += [ImageConv2d(widths[-1], 1, 4, stride=1, padding=1), nn.Flatten(1, 2)]
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


@dataclass(frozen=True)
class ResidualForm:
    """Form of a residual translator's layers.

    Attributes:
        options: normalization; a convolution before a plain norm has a bias.
        padding: borders of layers that keep the size, "reflect" or "zeros".
        strided_padding: borders of layers that halve the image.
        upsampling: "transposed" convolutions, or "resize": pixels are repeated, then convolved, which leaves
            no checkerboard (Odena et al. 2016).
        strided_kernel: side of the kernels of layers that halve, and of transposed ones; 3 or 4.
        last_bias: whether the last layer has a bias.
    """

    options: NormOptions = NormOptions(norm="instance")
    padding: Borders = "reflect"
    strided_padding: Borders = "reflect"
    upsampling: str = "resize"
    strided_kernel: int = 3
    last_bias: bool = True

    def layers(self, narrow: int, wide: int, kernel_size: int = 3, stride: int = 1) -> list[nn.Module]:
        """Layers of a convolution, its norm and ReLU."""
        mode = self.padding if stride == 1 else self.strided_padding
        padding = (kernel_size - 1) // 2
        convolve = CONVOLUTIONS[mode](narrow, wide, kernel_size, stride, padding, bias=self._has_bias)
        return self._activated(convolve, wide)

    def doubling_layers(self, wide: int) -> list[nn.Module]:
        """Layers that double the image and halve the number of channels."""
        narrow, kernel = wide // 2, self.strided_kernel
        if self.upsampling == "resize":
            return [nn.Upsample(scale_factor=2), *self.layers(wide, narrow)]
        extra = 4 - kernel
        transposed = nn.ConvTranspose2d(wide, narrow, kernel, 2, 1, extra, bias=self._has_bias)
        return self._activated(transposed, narrow)

    def _activated(self, layer: nn.Module, channels: int) -> list[nn.Module]:
        """A layer with its norm and ReLU."""
        norm = generator_norm(self.options.norm, channels, self.options.norm_statistics)
        return [layer, norm, nn.ReLU(inplace=True)]

    @property
    def _has_bias(self) -> bool:
        """Whether convolutions have a bias: other norms have a shift of their own."""
        return self.options.norm == "plain-instance"


class ResidualBlock(RecomputableBlock):
    """Residual block `x ↦ x + f(x)`: two normalized 3×3 convolutions (Johnson et al. 2016)."""

    def __init__(self, channels: int, form: ResidualForm = ResidualForm()) -> None:
        super().__init__()
        first, second = (form.layers(channels, channels) for _ in range(2))
        self.residual = nn.Sequential(*first, *second[:-1])

    def forward(self, x: Tensor) -> Tensor:
        return x + self.residual(x)


def convolution_layers(narrow: int, wide: int, kernel_size: int = 3, stride: int = 1) -> list[nn.Module]:
    """Layers of a convolution with reflected borders, instance norm, whose shift is the bias, and ReLU."""
    return ResidualForm().layers(narrow, wide, kernel_size, stride)


def residual_translator(
    inputs: int,
    outputs: int,
    width: int,
    blocks: int,
    form: ResidualForm = ResidualForm(),
    has_condition_planes: bool = False,
) -> nn.Sequential:
    """Builds a residual translator `(N, inputs, H, W)` → `(N, outputs, H, W)` in [−1, 1].

    H and W are multiples of 4: two halvings, residual blocks, two doublings (Johnson et al. 2016).

    Args:
        form: of its layers.
        has_condition_planes: whether some inputs are constant planes that the first layer must keep. A norm
            behind the first convolution would take them away, but for the effect of the borders, so it has a
            bias instead. Its border of zeros and its leaky ReLU keep maps from being the same everywhere,
            whose norms have slopes that multiply to infinity.
    """
    layers = form.layers(inputs, width, 7)
    if has_condition_planes:
        layers = [ImageConv2d(inputs, width, 7, padding=3), nn.LeakyReLU(0.2)]
    for narrow in (width, 2 * width):
        layers += form.layers(narrow, 2 * narrow, form.strided_kernel, stride=2)
    layers += [ResidualBlock(4 * width, form) for _ in range(blocks)]
    for wide in (4 * width, 2 * width):
        layers += form.doubling_layers(wide)
    last = CONVOLUTIONS[form.padding](width, outputs, 7, padding=3, bias=form.last_bias)
    return nn.Sequential(*layers, last, nn.Tanh())


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
    """Initializes a layer: weights ~ N(0, 0.02), scales of batch norm ~ N(1, 0.02), biases 0.

    See CycleGAN, section 4, and the authors' code.
    """
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
