"""Presets of CycleGAN, pix2pix and StarGAN: data sets of the papers, with random crops and mirroring."""

from typing import Any

from losses.recipe import Preset, defaults

# Images of 256 pixels are enlarged to 286, of which 256 are cut out, and mirrored.
JITTER: dict[str, Any] = {
    "augment": {"crop": 30 / 256, "flip": 0.5},
    "options": {"crop.border": "enlarge"},
}


def training_set(name: str, images: int, epochs: int, paper: str) -> Preset:
    """Makes the preset of a data set of a paper: batches of one, at 256 pixels.

    Args:
        images: in an epoch; where domains differ, in the larger one.
    """
    return Preset(
        f"{name}: {images} images, {epochs} epochs, 286 → 256 and mirrored ({paper})",
        (defaults(batch_size=1, image_size=(256, 256), kimg=images * epochs / 1000, **JITTER),),
    )


CYCLEGAN = "Zhu et al. 2017"
PIX2PIX = "Isola et al. 2017, section 6.2"
CYCLEGAN_PRESETS = {
    "paper": Preset("as horse2zebra: 200 epochs, 286 → 256 and mirrored", (defaults(**JITTER),)),
    # The larger set of those that the authors distribute; the paper counts 939 horses and 1177 zebras.
    "horse2zebra": training_set("horses and zebras", 1334, 200, CYCLEGAN),
    "maps": training_set("maps and aerial photographs", 1096, 200, CYCLEGAN),
}
PIX2PIX_PRESETS = {
    "paper": Preset("as facades: 200 epochs, 286 → 256 and mirrored", (defaults(**JITTER),)),
    "facades": training_set("labels to facades", 400, 200, PIX2PIX),
    "maps": training_set("maps and aerial photographs", 1096, 200, PIX2PIX),
    "cityscapes": training_set("labels to street scenes", 2975, 200, PIX2PIX),
}
STARGAN_PRESETS = {
    "paper": Preset(
        "CelebA at 128 pixels: 200,000 updates of the critic in batches of 16, mirrored (the authors' code)",
        (defaults(augment={"flip": 0.5}),),
    ),
}
