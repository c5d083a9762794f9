"""What makes runs and evaluations of tests short: less of all that takes long and is not what they test."""

import os
from collections.abc import Callable
from typing import Any

import torch
from PIL.Image import Image
from torch import Tensor

from experiments.core import images
from experiments.data import fields, shapes
from experiments.data.core import drawn
from metrics.extractors import random_vgg
from metrics.extractors.core import network


def plot_coarsely(points: Tensor, reals: Tensor | None = None) -> Image:
    """A dot for each point, without axes: these take longer to draw than the points to train."""
    shown = points if reals is None else reals
    low, high = shown.amin(), shown.amax()
    places = ((points - low) / (high - low + 1e-6) * 63).nan_to_num().clamp(0, 63).long()
    picture = torch.full((3, 64, 64), 255, dtype=torch.uint8)
    picture[:, places[:, 1], places[:, 0]] = 0
    return images.to_pillow(picture)


# What is other for users: lengths of the embedded sets of images, plots, the network of random-vgg, and how
# many images any extractor takes at once, as it fills up what is missing.
FOR_USERS = (
    (shapes, "LENGTH", shapes.LENGTH, 640),
    (fields, "LENGTH", fields.LENGTH, 200),
    (fields, "HELD_OUT", fields.HELD_OUT, 120),
    (drawn, "LENGTH", drawn.LENGTH, 640),
    (drawn, "HELD_OUT", drawn.HELD_OUT, 200),
    (images, "scatter", images.scatter, plot_coarsely),
    (random_vgg, "WIDTHS", random_vgg.WIDTHS, tuple(wide // 8 for wide in random_vgg.WIDTHS)),
    (random_vgg, "HIDDEN", random_vgg.HIDDEN, 256),
    (network, "AT_ONCE", network.AT_ONCE, 4),
)


def take_shortcuts(assign: Callable[[Any, str, Any], None]) -> None:
    """Makes runs and evaluations short, by `MonkeyPatch.setattr` or, in another process, `setattr`."""
    for module, name, _, short in FOR_USERS:
        assign(module, name, short)
    # No test cuts the power; what a killed process has written is there without.
    assign(os, "fsync", lambda descriptor: None)


def undo_shortcuts(assign: Callable[[Any, str, Any], None]) -> None:
    """Makes data, plots and extractors those of users."""
    for module, name, usual, _ in FOR_USERS:
        assign(module, name, usual)
