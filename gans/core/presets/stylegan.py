"""Presets of StyleGAN: those of its authors' code (Karras et al. 2019, arXiv:1812.04948)."""

from typing import Any

from gans.core.presets.rules import values_by_size
from losses.recipe import Preset, defaults

# For eight GPUs, with which the paper's networks were trained; smaller images have larger batches.
BATCHES = values_by_size({8: 256, 16: 128, 32: 64, 64: 32})
FACTORS = values_by_size({128: 1.5, 256: 2.0, 512: 3.0, 1024: 3.0})
# Beside Wasserstein's loss, the authors' code has at most twice the rate.
WASSERSTEIN_FACTORS = values_by_size({128: 1.5, 256: 2.0, 512: 2.0, 1024: 2.0})
BY_SIZE: dict[str, Any] = {"arch.stage_batch_sizes": BATCHES, "arch.stage_rate_factors": FACTORS}

PRESETS = {
    "paper": Preset("table 1, row F, with rates by size, and batches by size for eight GPUs", ()),
    "ffhq": Preset(
        "FFHQ at 1024 pixels, mirrored: the default of the authors' code",
        (defaults(image_size=(1024, 1024), augment={"flip": 0.5}),),
    ),
    "1gpu": Preset(
        "batches by size for one GPU, from the authors' code",
        (
            defaults(
                image_size=(1024, 1024),
                batch_size=4,
                options={
                    "arch.stage_batch_sizes": values_by_size(
                        {8: 128, 16: 128, 32: 64, 64: 32, 128: 16, 256: 8, 512: 4}
                    )
                },
            ),
        ),
    ),
}
