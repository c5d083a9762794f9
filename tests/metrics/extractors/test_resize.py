"""Two matrix products are what the reference resizers compute."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

from metrics.extractors._resize import RULES, resize

SIZES = [(32, 32), (28, 28), (64, 48), (299, 299), (320, 400), (1, 5)]


def draw(height: int, width: int) -> Tensor:
    random = torch.Generator().manual_seed(height)
    return torch.randint(256, (2, 3, height, width), generator=random).float()


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_tf1(height: int, width: int) -> None:
    images = draw(height, width)
    expected = interpolate_bilinear_2d_like_tensorflow1x(images, size=(299, 299), align_corners=False)
    assert (resize(images, 299, "tf1") - expected).abs().max() < 2e-3  # of 255, in float32


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_pytorch_fid(height: int, width: int) -> None:
    images = draw(height, width)
    expected = interpolate(images, size=(299, 299), mode="bilinear", align_corners=False)
    assert (resize(images, 299, "pytorch-fid") - expected).abs().max() < 1e-2  # places in float32


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_clean(height: int, width: int) -> None:
    """Channel by channel on floating-point pixels, then clipped, as clean-fid calls Pillow."""
    images = draw(height, width)
    found = resize(images, 299, "clean")
    for image, resized in zip(images.flatten(0, 1), found.flatten(0, 1), strict=True):
        picture = Image.fromarray(image.numpy()).resize((299, 299), Image.Resampling.BICUBIC)
        assert np.abs(np.asarray(picture).clip(0, 255) - resized.numpy()).max() < 2e-3


def test_the_rules_differ_where_images_shrink() -> None:
    images = draw(320, 400)
    found = [resize(images, 299, rule) for rule in RULES]
    assert all((a - b).abs().mean() > 1 for a, b in ((found[0], found[1]), (found[1], found[2])))
