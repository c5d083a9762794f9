"""Style mixing: the coarse styles of one sample with the fine styles of another (StyleGAN, section 3.1)."""

from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor

from experiments.core.errors import UsageError
from experiments.core.images import to_uint8
from experiments.core.labelled_sheets import SheetRow, draw_sheet
from experiments.inference.latent_space import LatentSpace
from gans.core.networks import StyledNetwork
from gans.core.styles import repeat_styles


@torch.no_grad()
def mix_styles(
    space: LatentSpace, coarse: Sequence[int], fine: Sequence[int], crossover: int | None
) -> Tensor:
    """Mixes coarse styles of seeds with fine styles of others: samples `(len(coarse), len(fine), C, H, W)`.

    Args:
        coarse: seeds of the rows; fine: seeds of the columns.
        crossover: number of styles, from the first on, that a coarse seed gives; None for half of them.

    Raises UsageError for a generator without styles, and for a crossover that it does not have.
    """
    network = space.network
    if not isinstance(network, StyledNetwork):
        raise UsageError(
            f"gans mix needs a generator with styles, such as stylegan's; {space.name} is of architecture "
            f"{space.settings.arch}, which has none"
        )
    if network.styles < 2:
        raise UsageError(f"gans mix: {space.name} has one style, and nothing to mix it with")
    crossover = network.styles // 2 if crossover is None else crossover
    if crossover >= network.styles:
        raise UsageError(f"--crossover {crossover}: the generator has {network.styles} styles; give fewer")
    of_rows, of_columns = (repeat_styles(space.of_seeds(seeds), network.styles) for seeds in (coarse, fine))
    rows = []
    for row in of_rows:
        styles = of_columns.clone()
        styles[:, :crossover] = row[:crossover]
        rows.append(network.synthesize(styles.to(space.device)).float().cpu())
    return torch.stack(rows)


def mixing_sheet(
    space: LatentSpace, coarse: Sequence[int], fine: Sequence[int], crossover: int | None
) -> Image.Image:
    """Draws the mixtures, with the samples whose styles they have above and beside them."""
    mixtures = mix_styles(space, coarse, fine, crossover)
    rows, columns = (to_uint8(space.samples(space.of_seeds(seeds))) for seeds in (coarse, fine))
    blank = torch.full_like(rows[:1], 255)
    above = SheetRow("", torch.cat([blank, columns]), ["coarse | fine", *(f"seed {seed}" for seed in fine)])
    beside = [
        SheetRow(f"seed {seed}", torch.cat([source[None], to_uint8(made)]))
        for seed, source, made in zip(coarse, rows, mixtures, strict=True)
    ]
    return draw_sheet([above, *beside])
