"""Helpers of the tests that evaluate translators: flags of small runs, and the names of their scores."""

from collections.abc import Callable
from typing import Any

import pytest

Gans = Callable[..., Any]
SMALL = "--width 2 --batch-size 2 --steps 4 --preset laptop --track local"
FEW = "--extractor random-vgg -n 20"
SIZE = (16, 16)
OF_FEATURES, OF_PIXELS = ["fd-random-vgg", "precision-recall"], ["l1", "psnr", "ssim"]
DIRECTIONS = {"pix2pix": ["to-B"], "cyclegan": ["to-A", "to-B"], "swap": ["to-A", "to-B"], "stargan": [""]}
EACH = pytest.mark.parametrize("arch", DIRECTIONS)


def ended(name: str, way: str) -> str:
    """The key of a metric's score in a direction."""
    return f"{name}/{way}" if way else name


def alike(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """The same up to the last bits of a matrix root, which the addresses of arrays may decide."""
    assert [(key, score.keys()) for key, score in one.items()] == [(k, s.keys()) for k, s in other.items()]
    return all(
        value == (pytest.approx(other[key][name], rel=1e-9) if isinstance(value, float) else other[key][name])
        for key, score in one.items()
        for name, value in score.items()
    )
