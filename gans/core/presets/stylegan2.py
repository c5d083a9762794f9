"""Presets of StyleGAN2: those of its authors' PyTorch code (ADA: Karras et al. 2020, arXiv:2006.06676)."""

from collections.abc import Mapping
from typing import Any

from gans.core.presets.rules import channels_by_size
from losses.recipe import Preset, Rule, defaults

FULL, HALF = channels_by_size(32768), channels_by_size(16384)
# R1's γ: that of config F at its size, else the rule of StyleGAN2-ADA's code.
FORMULA = Rule("0.0002 · pixels / batch", lambda pixels, batch: 0.0002 * pixels / batch)
GAMMA = Rule(FORMULA.words, FORMULA.value, published={1024: 10.0}, row="config F of table 1")
RATE = Rule(
    "0.002 from 1024 pixels on, 0.0025 below", lambda side, _: 0.002 if side >= 1024 else 0.0025, takes="side"
)


def configuration(
    summary: str,
    *,
    rate: float | Rule,
    gamma: float | Rule,
    group: int | Rule,
    layers: int,
    options: Mapping[str, Any] | None = None,
    **more: Any,
) -> Preset:
    """Makes a preset from the columns of the authors' table.

    Args:
        rate: learning rate of both networks.
        gamma: weight of R1.
        group: samples in a group of the minibatch standard deviation.
        layers: of the mapping network.
        options, more: further options by key, and settings by name.
    """
    columns = {"minibatch_statistic.group_size": group, "arch.mapping_layers": layers}
    own = defaults(lr_generator=rate, lr_critic=rate, options={**columns, **(options or {})}, **more)
    return Preset(summary, (own, defaults(losses=("r1",), penalty_weight=gamma)))


CODE = "NVlabs' stylegan2-ada-pytorch"
PRESETS = {
    "paper": Preset(
        "config F (Karras et al. 2020, table 1); at other sizes than 1024 pixels with ADA's rules", ()
    ),
    "stylegan2": configuration(
        f"config F at 1024 pixels: cfg stylegan2 of {CODE}",
        rate=0.002,
        gamma=10.0,
        group=4,
        layers=8,
        batch_size=32,
        image_size=(1024, 1024),
        width=FULL,
        ema_kimg=10.0,
    ),
    "paper256": configuration(
        f"ADA's FFHQ and LSUN Cat at 256 pixels: cfg paper256 of {CODE}",
        rate=0.0025,
        gamma=1.0,
        group=8,
        layers=8,
        batch_size=64,
        image_size=(256, 256),
        width=HALF,
        ema_kimg=20.0,
    ),
    "paper512": configuration(
        f"ADA's BreCaHAD and AFHQ at 512 pixels: cfg paper512 of {CODE}",
        rate=0.0025,
        gamma=0.5,
        group=8,
        layers=8,
        batch_size=64,
        image_size=(512, 512),
        width=FULL,
        ema_kimg=20.0,
    ),
    "paper1024": configuration(
        f"ADA's MetFaces at 1024 pixels: cfg paper1024 of {CODE}",
        rate=0.002,
        gamma=2.0,
        group=4,
        layers=8,
        batch_size=32,
        image_size=(1024, 1024),
        width=FULL,
        ema_kimg=10.0,
    ),
    "ada-auto": configuration(
        f"settings by image size, for one GPU: cfg auto of {CODE}",
        rate=RATE,
        gamma=FORMULA,
        group=Rule("the batch size, at most 4", lambda _, batch: min(batch, 4)),
        layers=2,
        batch_size=Rule(
            "4096 / side, from 1 to 32", lambda side, _: max(min(4096 // side, 32), 1), takes="side"
        ),
        width=Rule(
            "32768 / side from 512 pixels on, 16384 / side below, at most 512",
            lambda side, _: (FULL if side >= 512 else HALF).value(side, 0),
            takes="side",
        ),
        ema_kimg=Rule("10 · batch / 32", lambda _, batch: batch * 10 / 32),
        options={"ema.ramp_up": 0.05},
    ),
    "cifar": configuration(
        f"ADA's CIFAR-10, tuned: cfg cifar of {CODE}",
        rate=0.0025,
        gamma=0.01,
        group=32,
        layers=2,
        batch_size=64,
        image_size=(32, 32),
        width=FULL,
        kimg=100_000.0,
        ema_kimg=500.0,
        options={
            "ema.ramp_up": 0.05,
            "arch.critic_skips": "none",
            "arch.path_length_weight": 0.0,
            "arch.style_mixing": 0.0,
        },
    ),
}
