"""`--fit pad`: whole images in the middle of a border, with pixels that are known."""

import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.data.core.conversion import resize
from experiments.data.core.dataset import DataAccess
from experiments.data.core.padding import inner_box
from experiments.data.core.pixels import resize_and_convert
from experiments.data.folder import Folder
from experiments.inference.projection import read_target

# 2 high and 4 wide, every pixel another.
WIDE = np.arange(24, dtype=np.uint8).reshape(2, 4, 3) + 100


@pytest.mark.parametrize(
    ("own", "size", "box"),
    [
        ((2, 4), (4, 4), (1, 0, 2, 4)),
        ((4, 2), (4, 4), (0, 1, 4, 2)),
        ((48, 96), (16, 16), (4, 0, 8, 16)),
        ((96, 48), (16, 32), (0, 12, 16, 8)),
        ((3, 3), (4, 7), (0, 1, 4, 4)),
        ((1, 1000), (8, 8), (3, 0, 1, 8)),
        ((10, 10), (20, 20), (0, 0, 20, 20)),
    ],
)
def test_the_place_of_the_whole_image(own: Any, size: Any, box: Any) -> None:
    assert tuple(inner_box(own, size)) == box


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_no_pixel_is_lost_and_the_border_is_zero(channels: int) -> None:
    """Where the image needs no scaling, its pixels are those of the file."""
    pixels = {1: WIDE[..., 0], 3: WIDE, 4: np.dstack([WIDE, np.full((2, 4), 255, np.uint8)])}[channels]
    found = np.asarray(resize(Image.fromarray(pixels), (4, 4), "pad")).reshape(4, 4, channels)
    assert np.array_equal(found[1:3], pixels.reshape(2, 4, channels))
    assert not found[0].any() and not found[3].any()


def test_it_scales_by_the_longer_side() -> None:
    image = Image.new("RGB", (96, 48), (200, 100, 50))
    found = np.asarray(resize(image, (16, 16), "pad"))
    assert (found[4:12] == (200, 100, 50)).all()
    assert not found[:4].any() and not found[12:].any()


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pictures_in_memory_are_padded_alike(channels: int) -> None:
    images = torch.from_numpy(WIDE.copy()).permute(2, 0, 1)[None]
    found = resize_and_convert(images, (4, 4), channels, "pad")[0]
    assert found.shape == (channels, 4, 4) and not found[:, 0].any() and not found[:, 3].any()
    if channels > 1:
        assert torch.equal(found[:3, 1:3], images[0])
    else:
        luma = (images[0].float() * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(0)
        assert torch.equal(found[0, 1:3], luma.round().byte())
    if channels == 4:
        assert (found[3, 1:3] == 255).all(), "the border alone is transparent"


@pytest.mark.parametrize("stream", [False, True])
def test_of_a_folder_in_memory_and_from_the_cache(stream: bool, workplace: Path) -> None:
    """The cache tells a padded image from a cropped one."""
    Path("set").mkdir()
    Image.fromarray(WIDE).save("set/wide.png")
    Image.fromarray(WIDE.transpose(1, 0, 2)).save("set/high.png")
    for _ in range(2):
        found = {}
        for fit in ("crop", "pad"):
            data = Folder("set", DataAccess(stream=stream)).open((4, 4), 3, fit)  # type: ignore[arg-type]
            found[fit] = data.fetch(torch.arange(2))
            assert ("are cut" in " ".join(data.remarks)) == (fit == "crop")
        high, wide = found["pad"].permute(0, 2, 3, 1).numpy()
        assert np.array_equal(wide[1:3], WIDE) and not wide[[0, 3]].any()
        assert np.array_equal(high[:, 1:3], WIDE.transpose(1, 0, 2)) and not high[:, [0, 3]].any()
        assert not np.array_equal(found["crop"], found["pad"])


def test_commands_take_it(gans: Any, workplace: Path) -> None:
    """A run on padded images is scored against them, and an image is projected as the run saw its own."""
    Path("set").mkdir()
    for number in range(4):
        Image.fromarray(WIDE + number).resize((32, 16)).save(f"set/{number}.png")
    with zipfile.ZipFile("set.zip", "w") as file:
        for path in sorted(Path("set").iterdir()):
            file.write(path, path.name)
    flags = "--image-size 16 --fit pad"
    sides = gans(f"fid folder:set zip:set.zip {flags} --extractor random-vgg --device cpu")
    assert sides.status == 0 and abs(float(sides.out.split()[1])) < 1e-3, sides
    run = "run --arch dcgan --loss bce --data folder:set --width 2 --z-dim 4 --batch-size 2 --steps 1"
    outcome = gans(f"{run} {flags} --device cpu --track local --out run")
    assert outcome.status == 0 and "are cut" not in outcome.err
    real = np.asarray(Image.open("run/samples/real.png").convert("RGB"))
    assert not real[:4, :64].any() and real[24:40, :64].any()  # the first image, enlarged
    assert gans("project run set/0.png --steps 1 --device cpu --out found.png").status == 0
    target = read_target(Path("set/0.png"), (16, 16), 3, "pad")
    assert not target[:, :4].any() and target[:, 4:12].all() and not target[:, 12:].any()
    shutil.rmtree("set")
