"""Remarks on images held in 8 bits: ranges that change nothing or clip, and channels that are constant."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.data.core import surveys_of_bits
from experiments.data.core.dataset import DataAccess, DataSet
from experiments.data.core.sources import open_source
from tests.experiments.data.helpers import fetched, png_of_16_bits

pytestmark = pytest.mark.usefixtures("image_cache")

DEEP = np.random.default_rng(0).integers(0, 60000, (20, 8, 8)).astype(np.uint16)
SHALLOW = np.random.default_rng(1).integers(1, 255, (20, 8, 8, 3)).astype(np.uint8)


def opened(spec: str | Path, channels: int | None = None, fit: Any = "auto", **options: str) -> DataSet:
    spec = f"folder:{spec}" if isinstance(spec, Path) else spec
    access = DataAccess(options={f"data.{name}": value for name, value in options.items()})
    return open_source(spec, access).open((8, 8), channels, fit)


def in_8_bits(root: Path, value_range: str) -> DataSet:
    return opened(root, range=value_range, depth="uint8")


def write(root: Path, *pictures: np.ndarray[Any, Any]) -> Path:
    """Files of pictures `(H, W)` or `(H, W, C)`, of 8 or 16 bits."""
    root.mkdir(exist_ok=True)
    for number, picture in enumerate(pictures):
        if picture.dtype == np.uint16 and picture.ndim == 3:
            (root / f"{number:03}.png").write_bytes(png_of_16_bits(picture))
        else:
            Image.fromarray(picture).save(root / f"{number:03}.png")
    return root


def test_a_range_changes_nothing_only_where_no_file_has_16_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 20 files, 16 or fewer would be looked at, every second one."""
    mixed = [picture for pair in zip(SHALLOW[:10, ..., 0], DEEP[:10], strict=True) for picture in pair]
    root = write(tmp_path / "mixed", *mixed)
    data = in_8_bits(root, "0,60000")
    assert data.remarks == ()
    assert not torch.equal(fetched(data), fetched(opened(root))), "it changes those of 16 bits"
    monkeypatch.setattr(surveys_of_bits, "FEW_PICTURES", 10)
    assert in_8_bits(root, "0,60000").remarks == (), "which the headers of all tell"
    monkeypatch.setattr(surveys_of_bits, "MOST_FILES", 10)
    (remark,) = in_8_bits(root, "0,60000").remarks
    assert remark.startswith("none of the 10 images looked at, of 20, has 16 bits")
    (remark,) = in_8_bits(write(tmp_path / "shallow", *SHALLOW[:6]), "0,60000").remarks
    assert remark == "has no images of 16 bits that can be scaled, so data.range changes nothing"


def test_a_range_that_clips_files_of_16_bits_is_said_whatever_holds_them(tmp_path: Path) -> None:
    root = write(tmp_path / "grey", *DEEP)
    share = (DEEP > 30000).mean()
    assert 0.45 < share < 0.55
    for depth in ("uint8", "auto", "float32"):
        (remark,) = opened(root, range="0,30000", depth=depth).remarks
        assert remark.startswith(f"data.range 0,30000 clips {share:.1%} of the values (of 20 images looked")
        assert "--set data.range=p0.5,p99.5 clips 1 %, --set data.range=auto none" in remark
    for value_range in ("p0.5,p99.5", "auto", "0,60000"):
        assert in_8_bits(root, value_range).remarks == (), "as the line says"
    (remark,) = in_8_bits(root, "5,10").remarks
    assert "data.range 5,10 clips 100.0%" in remark


def test_of_colours_transparency_is_not_clipped(tmp_path: Path) -> None:
    alpha = np.full((8, 8, 1), 60000, np.uint16)
    pictures = [np.dstack([each, each, each, alpha]) for each in DEEP[:4]]
    (remark,) = in_8_bits(write(tmp_path / "set", *pictures), "0,30000").remarks
    assert f"clips {(DEEP[:4] > 30000).mean():.1%} of the values" in remark


def test_a_range_of_arrays_of_8_bits_that_changes_nothing(tmp_path: Path) -> None:
    for number, picture in enumerate(SHALLOW):
        np.save(tmp_path / f"{number:02}.npy", picture)
    (remark,) = in_8_bits(tmp_path, "0,100").remarks
    assert remark == "has 8 bits, as --set data.depth=uint8 asks, so data.range changes nothing"


def with_constants(**channels: int) -> np.ndarray[Any, Any]:
    pictures = SHALLOW.copy()
    for name, value in channels.items():
        pictures[..., "rgb".index(name)] = value
    return pictures


@pytest.mark.parametrize("source", ["folder", "npy", "npz"])
def test_constant_channels_of_8_bits_are_said_with_what_leaves_something(source: str, tmp_path: Path) -> None:
    for constants, words in {
        (("g", 9),): "channel 2 of 3 is constant (9) in all 20 images looked at: there is nothing to learn "
        "in it; --channels 1 takes all in grey",
        (("r", 0), ("b", 7)): "channels 1, 3 of 3 are constant (0, 7) in all 20 images looked at: there is "
        "nothing to learn in them; --channels 1 takes all in grey",
        (("r", 0), ("g", 7), ("b", 7)): "every pixel of the 20 images looked at is the same (0, 7, 7): there "
        "is nothing to learn in them; look into the files, or take others",
        (): None,
    }.items():
        pictures, root = with_constants(**dict(constants)), tmp_path / f"{len(constants)}"
        write(root, *pictures)
        np.save(tmp_path / "a.npy", pictures)
        np.savez(tmp_path / "a.npz", images=pictures)
        spec = f"folder:{root}" if source == "folder" else f"{source}:{tmp_path}/a.{source}"
        assert opened(spec).remarks == (() if words is None else (words,))
        if len(constants) < 3:
            assert opened(spec, 1).remarks == (), "as the line says"


def test_a_border_hides_no_constant_channel(tmp_path: Path) -> None:
    pictures = with_constants(g=9)[:, :6]
    np.save(tmp_path / "a.npy", pictures)
    for spec in (f"folder:{write(tmp_path / 'set', *pictures)}", f"npy:{tmp_path}/a.npy"):
        (remark,) = opened(spec, fit="pad").remarks
        assert remark.startswith("channel 2 of 3 is constant (9)")


def test_opaque_pictures_with_alpha(tmp_path: Path) -> None:
    alpha = np.full((20, 8, 8, 1), 255, np.uint8)
    root = write(tmp_path / "set", *np.concatenate([SHALLOW, alpha], axis=3))
    (remark,) = opened(root).remarks
    assert remark.startswith("channel 4 of 4 is constant (255)") and remark.endswith(
        "--channels 3 leaves it out"
    )
    assert opened(root, 3).remarks == ()


def test_flat_files_of_16_bits_are_said_in_their_own_numbers(tmp_path: Path) -> None:
    root = write(tmp_path / "flat", *np.full((5, 8, 8), 500, np.uint16))
    for options in ({}, {"range": "0,65535"}, {"range": "0,65535", "depth": "uint8"}):
        (remark,) = opened(root, **options).remarks
        assert "5 images looked at" in remark and "500" in remark
        assert remark.endswith("there is nothing to learn in them; look into the files, or take others")
    few = DEEP[:5] % 10 + 500
    (remark,) = opened(write(tmp_path / "dark", *few)).remarks
    assert "--set data.range=0,511 scales them" in remark, "which 8 bits would show as constant"


def test_a_constant_channel_of_numbers_is_left_out_of_the_files(tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).normal(size=(20, 8, 8, 5))
    pictures[..., 1], pictures[..., 3] = 7, 8
    np.save(tmp_path / "a.npy", pictures)
    constant, _ = opened(f"npy:{tmp_path}/a.npy").remarks
    assert constant.startswith("channels 2, 4 of 5 are constant (7, 8) in all 20 images looked at")
    assert constant.endswith("leave them out of the files")
