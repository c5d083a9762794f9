"""Augmentations change each image by its own draw, and nothing else."""

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.augmentations.crop import Crop, CropOptions
from experiments.augmentations.flip import Flip
from experiments.augmentations.jitter import Jitter
from experiments.core import registry
from experiments.core.errors import UsageError
from experiments.core.settings import read_setting
from experiments.data.core.batch_sizes import constant_batches
from experiments.data.core.dataset import InMemoryData
from experiments.data.core.loader import Loader


def ramps(count: int = 400) -> torch.Tensor:
    """Images of 3 × 8 × 10 in which every pixel differs."""
    return torch.linspace(-1, 1, 3 * 8 * 10).view(1, 3, 8, 10).repeat(count, 1, 1, 1)


def test_each_has_a_usual_strength() -> None:
    assert registry.names("augmentation") == ["crop", "flip", "jitter"]
    for name in registry.names("augmentation"):
        assert 0 < registry.load("augmentation", name).usual_strength <= 1


def test_flip_mirrors_a_share_of_the_images() -> None:
    torch.manual_seed(0)
    images = ramps()
    flipped = Flip().apply(images, 0.3)
    mirrored = (flipped == images.flip(3)).flatten(1).all(1)
    same = (flipped == images).flatten(1).all(1)
    assert (mirrored ^ same).all()
    assert mirrored.float().mean().item() == pytest.approx(0.3, abs=0.07)


def test_crop_shifts_by_whole_pixels_up_to_its_share() -> None:
    """By up to 2 of 8 rows and 2 of 10 columns, what moves in mirrored at the border."""
    torch.manual_seed(0)
    images = ramps()
    moved = Crop().apply(images, 0.25)
    padded = torch.nn.functional.pad(images[:1], (2, 2, 2, 2), mode="reflect")[0]
    found = set()
    for image in moved:
        places = [
            (dy, dx)
            for dy in range(5)
            for dx in range(5)
            if torch.equal(image, padded[:, dy : dy + 8, dx : dx + 10])
        ]
        assert len(places) == 1
        found.add(places[0])
    assert len(found) == 25, "all shifts occur"


def test_a_share_below_one_pixel_moves_nothing() -> None:
    assert torch.equal(Crop().apply(ramps(3), 0.05), ramps(3))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_jitter_changes_colours_within_bounds_and_leaves_opacity(channels: int) -> None:
    torch.manual_seed(0)
    images = torch.rand(200, channels, 6, 6) * 1.6 - 0.8
    changed = Jitter().apply(images, 0.2)
    assert changed.shape == images.shape
    assert changed.abs().max() <= 1
    assert torch.equal(changed[:, 3:], images[:, 3:])
    light, before = (changed[:, :3] + 1).mean(dim=(1, 2, 3)), (images[:, :3] + 1).mean(dim=(1, 2, 3))
    ratio = light / before
    assert 0.78 < ratio.min() < 0.85, "brightness by its own factor for every image"
    assert 1.15 < ratio.max() < 1.22


def test_jitter_of_grey_stays_grey() -> None:
    grey = (torch.rand(5, 1, 4, 4) * 2 - 1).expand(-1, 3, -1, -1)
    changed = Jitter().apply(grey, 0.5)
    torch.testing.assert_close(changed[:, :1].expand(-1, 3, -1, -1), changed)


def test_a_loaded_batch_is_augmented_and_a_shown_one_is_not() -> None:
    samples = torch.arange(8 * 4, dtype=torch.uint8).view(8, 1, 2, 2)
    loader = Loader(
        InMemoryData(samples), constant_batches(8, 8), 0, torch.device("cpu"), [(Flip().apply, 1.0)]
    )
    plain = Loader(InMemoryData(samples), constant_batches(8, 8), 0, torch.device("cpu"))
    assert torch.equal(loader.next_batch().samples, plain.next_batch().samples.flip(3))
    assert torch.equal(loader.prepare(samples), plain.prepare(samples))


def test_names_alone_have_their_usual_strength() -> None:
    assert read_setting("augment", "jitter=0.4,flip") == (("flip", 0.5), ("jitter", 0.4))
    for words in ("flip=0", "flip=2", "crop=-1", "flip,flip"):
        with pytest.raises(ValueError, match=words.split("=")[0].split(",")[0]):
            read_setting("augment", words)
    with pytest.raises(UsageError, match="unknown augmentation 'flap'; did you mean flip"):
        read_setting("augment", "flap")


def test_crop_from_enlarged_images_cuts_out_every_place() -> None:
    """As pix2pix and CycleGAN: resized bicubically, as Pillow does, and a window cut out at random."""
    torch.manual_seed(0)
    levels = torch.randint(64, 192, (1, 1, 12, 16), dtype=torch.uint8)
    images = (levels / 127.5 - 1).expand(300, -1, -1, -1)
    cut = Crop(CropOptions(border="enlarge")).apply(images, 0.25)
    large = Image.fromarray(levels[0, 0].numpy()).resize((20, 15), Image.Resampling.BICUBIC)
    reference = torch.from_numpy(np.array(large)) / 127.5 - 1
    windows = {(y, x): reference[y : y + 12, x : x + 16] for y in range(4) for x in range(5)}
    found = set()
    for image in cut[:, 0]:
        near = [place for place, window in windows.items() if (image - window).abs().max() < 1.5 / 127.5]
        assert len(near) == 1
        found.add(near[0])
    assert found == set(windows), "all places occur"
    assert cut.abs().max() <= 1
