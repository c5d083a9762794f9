"""Presets of ProGAN: those of its authors' code (Karras et al. 2018, arXiv:1710.10196)."""

from typing import Any

from gans.core.presets.rules import values_by_size
from losses.recipe import Preset, defaults

# Appendix A.1: 16 images up to 128 pixels, over which the statistic of the batch is taken.
BATCHES: dict[str, Any] = {
    "arch.stage_batch_sizes": values_by_size({256: 14, 512: 6, 1024: 3}),
    "minibatch_statistic.group_size": 16,
}
STEADY: dict[str, Any] = {"fade_kimg": 800.0, "stable_kimg": 800.0}
CODE = "the authors' TensorFlow code"


def by_size(batches: dict[int, int], factors: dict[int, float]) -> dict[str, Any]:
    """Options for batches and rates by size, and the statistic of groups of four."""
    return {
        "arch.stage_batch_sizes": values_by_size(batches),
        "arch.stage_rate_factors": values_by_size(factors),
        "minibatch_statistic.group_size": 4,
    }


PRESETS = {
    "paper": Preset("networks, rates and batches of appendix A.1; lengths of the authors' later code", ()),
    "celeba-hq": Preset(
        "CelebA-HQ at 1024 pixels as in the paper, section 6.3 and appendix A.1",
        (defaults(image_size=(1024, 1024), kimg=19_000.0, augment={"flip": 0.5}, **STEADY),),
    ),
    "lsun": Preset(
        "LSUN at 256 pixels, with batches of 16 throughout: section 6.4, from the authors' Theano code",
        (
            defaults(
                image_size=(256, 256),
                kimg=20_000.0,
                lr_warmup_kimg=40.0,
                options={"arch.stage_batch_sizes": ()},
            ),
            defaults(**STEADY),
        ),
    ),
    "v2-1gpu": Preset(
        f"batches and rates by size for one GPU: preset v2-1gpu of {CODE}",
        (
            defaults(
                image_size=(1024, 1024),
                batch_size=4,
                options=by_size(
                    {4: 128, 8: 128, 16: 128, 32: 64, 64: 32, 128: 16, 256: 8, 512: 4}, {1024: 1.5}
                ),
            ),
        ),
    ),
    "v2-8gpus": Preset(
        f"batches and rates by size for eight GPUs: preset v2-8gpus of {CODE}",
        (
            defaults(
                image_size=(1024, 1024),
                batch_size=32,
                options=by_size(
                    {4: 512, 8: 256, 16: 128, 32: 64, 64: 32}, {128: 1.5, 256: 2.0, 512: 3.0, 1024: 3.0}
                ),
            ),
        ),
    ),
}
