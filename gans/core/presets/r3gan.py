"""Presets of R3GAN: those of table 9 and of its authors' code (Huang et al. 2024, arXiv:2501.05441)."""

from collections.abc import Mapping
from typing import Any

from losses.recipe import Defaults, Preset, defaults

# The authors' pipe: colours with half the probability, and cutout beside geometry.
PIPE = {"ada.transforms": ("bgc", "cutout"), "ada.colour_share": 0.5}


def columns_of_table_9(
    *,
    gamma: float,
    batch_size: int,
    kimg: float,
    ema_kimg: float,
    burn_in_kimg: float = 20_000.0,
    augment_p: float | None = None,
    options: Mapping[str, Any] | None = None,
    **more: Any,
) -> tuple[Defaults, Defaults]:
    """Makes defaults from the columns of table 9, with the burn-in.

    Over the burn-in the rates fall from 2e-4 to 5e-5, Adam's second beta rises from 0.9 to 0.99, γ falls to a
    tenth, and the half-life of the EMA rises from 0, all along one cosine; then they stay.

    Args:
        gamma: weight of the penalties at the start.
        ema_kimg: half-life of the EMA at the end of the burn-in.
        augment_p: probability of the critic augmentation at the end of the burn-in, which begins at 0; None
            for none.
        options, more: further options by key, and settings and conditions by name.
    """
    burn_in = [
        ("lr_generator", "cosine", 2e-4, 5e-5),
        ("lr_critic", "cosine", 2e-4, 5e-5),
        ("beta2", "cosine", 0.9, 0.99),
        ("ema_kimg", "cosine", 0.0, ema_kimg),
    ]
    if augment_p is not None:
        burn_in.append(("ada", "cosine", 0.0, augment_p))
        more = {**more, "critic_augment": f"ada:{augment_p}"}
        options = {**PIPE, **(options or {})}
    own = defaults(
        batch_size=batch_size,
        kimg=kimg,
        ema_kimg=ema_kimg,
        schedule=tuple(burn_in),
        schedule_kimg=burn_in_kimg,
        lr_schedule="constant",
        options={"ema.ramp_up": None, **(options or {})},
        **more,
    )
    conditions = {name: more[name] for name in ("up_to", "row") if name in more}
    penalty = defaults(losses=("r3gan",), penalty_weight=gamma, penalty_anneal=0.1, **conditions)
    return own, penalty


def configuration(data: str, side: int, **columns: Any) -> Preset:
    """Makes the preset of one of the authors' data sets, at `side` pixels, with mirrored images."""
    return Preset(
        f"{data} at {side} pixels with its burn-in (table 9, and the authors' code)",
        columns_of_table_9(image_size=(side, side), augment={"flip": 0.5}, **columns),
    )


CIFAR10: dict[str, Any] = {"gamma": 0.05, "batch_size": 512, "kimg": 250_000.0, "ema_kimg": 5000.0}
FFHQ64: dict[str, Any] = {"gamma": 2.0, "batch_size": 256, "kimg": 100_000.0, "ema_kimg": 500.0}
FFHQ256: dict[str, Any] = {"gamma": 150.0, "batch_size": 256, "kimg": 200_000.0, "ema_kimg": 500.0}
IMAGENET: dict[str, Any] = {
    "batch_size": 4096,
    "kimg": 1_000_000.0,
    "ema_kimg": 50_000.0,
    "burn_in_kimg": 200_000.0,
    "conditional": True,
    "width": 1536,
}
GROUPS = {"arch.group_width": 32}
PRESETS = {
    "paper": Preset(
        "table 9 by image size, with its burn-in: CIFAR-10 up to 32 pixels, FFHQ-64 up to 64, else FFHQ-256",
        (
            *columns_of_table_9(row="FFHQ at 256 pixels of table 9", **FFHQ256),
            *columns_of_table_9(up_to=64, row="FFHQ at 64 pixels of table 9", **FFHQ64),
            *columns_of_table_9(up_to=32, row="CIFAR-10 of table 9", **CIFAR10),
        ),
    ),
    "cifar10": configuration("CIFAR-10", 32, conditional=True, augment_p=0.55, **CIFAR10),
    "ffhq64": configuration("FFHQ", 64, augment_p=0.3, **FFHQ64),
    "ffhq256": configuration("FFHQ", 256, augment_p=0.3, **FFHQ256),
    "imagenet32": configuration("ImageNet", 32, gamma=0.5, augment_p=0.5, options=GROUPS, **IMAGENET),
    "imagenet64": configuration(
        "ImageNet",
        64,
        gamma=1.0,
        augment_p=0.4,
        options={**GROUPS, "arch.full_width_up_to": 64},
        **IMAGENET,
    ),
}
