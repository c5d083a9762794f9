"""Swap: one encoder for two domains, a decoder for each, trained to undo random warps of their own.

The autoencoder of face-swapping tools (no paper; deepfakes 2017, in public since), with an adversarial term.
A decoder draws every code in the manner of its own domain, so the other domain's decoder translates.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import grid_sample, interpolate, l1_loss

from gans.core.architecture import Architecture, Blueprint
from gans.core.networks import Batch, GeneratorNetwork
from gans.core.objective import LossSpec
from gans.core.player import Scores
from gans.core.translation import DomainTranslator, PatchOptions, initialize
from gans.core.two_way import DomainCritics, Pair, TwoWayGame, split_domains
from gans.layers.image_convolutions import ImageConv2d
from gans.layers.sizes import count_halvings, smallest_size
from losses.core.batch_parts import draw_rows
from losses.core.device_copies import copy_to
from losses.core.options import option
from losses.recipe import defaults

CODE = 16  # multiple of the width: numbers in the code that both domains share
WIDEST = 8  # channels stop doubling at this multiple of the width


@dataclass(frozen=True)
class SwapOptions(PatchOptions):
    """Options of Swap: reconstruction, warps and patches."""

    reconstruction_weight: float = option(
        10.0, "Weight of the reconstruction loss.", at_least=0.0, is_schedulable=True
    )
    warp_strength: float = option(
        0.1,
        "Standard deviation of the warp at each node, in half sides of the image.",
        at_least=0.0,
        is_schedulable=True,
    )
    warp_nodes: int = option(5, "Nodes of the warp along each side.", at_least=2)


class Autoencoders(DomainTranslator):
    """Two autoencoders with one encoder: images of the training size → shared code → images of A or of B."""

    multiple = None
    passes = 2  # both domains

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__()
        channels, height, width = blueprint.sample_shape
        steps = count_halvings(height, width)
        widths = [blueprint.width * min(2**i, WIDEST) for i in range(steps)]
        base, code = (widths[-1], *smallest_size(height, width)), CODE * blueprint.width
        self.encoder = bottleneck_encoder(channels, widths, base, code)
        self.to_a, self.to_b = (image_decoder(channels, widths[::-1], base) for _ in range(2))
        self.apply(initialize)

    @property
    def targets(self) -> tuple[str, ...]:
        return ("A", "B")

    def translate(self, images: Tensor, to: str) -> Tensor:
        made: Tensor = {"A": self.to_a, "B": self.to_b}[to](self.encoder(images))
        return made

    def generate(self, like: Batch) -> Tensor:
        return self.translate(like.condition[0], "B")

    def columns(self, batch: Batch) -> dict[str, Tensor]:
        a, b = split_domains(batch)
        there = {"A": a, "A again": self.translate(a, "A"), "to B": self.translate(a, "B")}
        return there | {"B": b, "B again": self.translate(b, "B"), "to A": self.translate(b, "A")}


def bottleneck_encoder(
    channels: int, widths: list[int], base: tuple[int, int, int], code: int
) -> nn.Sequential:
    """Builds the shared encoder: images `(N, channels, H, W)` → code `(N, code)` → maps `(N, *base)`."""
    layers: list[nn.Module] = []
    for narrow, wide in zip([channels, *widths], widths, strict=False):
        layers += [ImageConv2d(narrow, wide, 5, stride=2, padding=2), nn.LeakyReLU(0.1)]
    features = base[0] * base[1] * base[2]
    layers += [nn.Flatten(), nn.Linear(features, code), nn.Linear(code, features), nn.Unflatten(1, base)]
    return nn.Sequential(*layers)


def image_decoder(channels: int, widths: list[int], base: tuple[int, int, int]) -> nn.Sequential:
    """Builds one domain's decoder: feature maps `(N, *base)` → images `(N, channels, H, W)` in [−1, 1]."""
    layers: list[nn.Module] = []
    wide = base[0]
    for narrow in [*widths[1:], widths[-1]]:
        layers += [nn.Upsample(scale_factor=2), nn.Conv2d(wide, narrow, 3, padding=1), nn.LeakyReLU(0.1)]
        wide = narrow
    return nn.Sequential(*layers, ImageConv2d(wide, channels, 5, padding=2), nn.Tanh())


class SwapGame(TwoWayGame[Autoencoders]):
    """The game of Swap: each autoencoder undoes warps of images of its domain; critics see the results.

    Of images x of a domain the autoencoders minimise `L_G(C(y)) + λ E |y − x|`, where `y = D(E(warp(x)))`
    with the decoder D and the critic C of that domain, and λ is `arch.reconstruction_weight`; the critics
    `L_C(C(x), C(y))`. The losses of both domains are added.
    """

    def __init__(self, generator: GeneratorNetwork, critic: nn.Module, spec: LossSpec) -> None:
        super().__init__(generator, critic, spec)
        self.options: SwapOptions = spec.options or SwapOptions()

    def make(self, real: Pair) -> tuple[Pair, Callable[[], Scores]]:
        (a, b), autoencoders = real, self.generator_network
        warped_a, warped_b = (warp(x, self.options.warp_strength, self.options.warp_nodes) for x in (a, b))
        rebuilt = autoencoders.translate(warped_a, "A"), autoencoders.translate(warped_b, "B")

        def others() -> Scores:
            distance = l1_loss(rebuilt[0], a) + l1_loss(rebuilt[1], b)
            return {"reconstruction": self.options.reconstruction_weight * distance}

        return rebuilt, others


def warp(images: Tensor, deviation: float = 0.1, nodes: int = 5) -> Tensor:
    """Warps each image at random by a smooth displacement of a coarse grid, and repeats the border.

    Args:
        images: `(N, C, H, W)`.
        deviation: standard deviation of the displacements, in half sides of the image.
        nodes: nodes of the grid along each side.
    """
    drawn = draw_rows(lambda rows: torch.randn(rows, 2, nodes, nodes), len(images))
    moves = copy_to(drawn, images.device).to(images) * deviation
    pull = interpolate(moves, images.shape[2:], mode="bilinear", align_corners=True).permute(0, 2, 3, 1)
    identity = torch.eye(2, 3, device=images.device, dtype=images.dtype).expand(len(images), -1, -1)
    grid = nn.functional.affine_grid(identity, list(images.shape), align_corners=False)
    return grid_sample(images, grid + pull, padding_mode="border", align_corners=False)


architecture = Architecture(
    paper="deepfakes 2017 (no paper)",
    generator=Autoencoders,
    critic=DomainCritics,
    counted_from_end=("generator.to_a", "generator.to_b"),
    data=("images",),
    task="domains",
    default_loss="lsgan",
    default_data="shapes-styles",
    critic_norm="instance",
    game=SwapGame,
    options_type=SwapOptions,
    departures="""
        * There is no paper. The first public code has no critic: the adversarial term is added here.
        * Images double by repeated pixels and a convolution; that code rearranges the channels of a larger
          one (pixel shuffle).
        * Nothing looks for faces, aligns them or blends them into a picture: images are taken as they are.
        * Warps move the nodes of a grid over the whole image; that code warps a crop around the face.
    """,
    settings=(
        defaults(width=64, batch_size=64, image_size=(64, 64), kimg=6400.0, n_critic=1, ema_kimg=0.0),
        defaults(optimizer="adam", lr_generator=5e-5, lr_critic=5e-5, betas=(0.5, 0.999)),
        defaults(preset="laptop", width=16, batch_size=16, image_size=(32, 32), kimg=120.0),
        defaults(preset="laptop", lr_generator=5e-4, lr_critic=5e-4),
    ),
)
