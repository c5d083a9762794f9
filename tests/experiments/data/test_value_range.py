"""Images of 16 bits that use few of these: said with an option that scales them, which does."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.core.errors import UsageError
from experiments.data.core import image_files
from experiments.data.core.dataset import DataAccess, DataSet
from experiments.data.core.sources import open_source
from tests.experiments.data.helpers import BOTH, fetched, make

pytestmark = pytest.mark.usefixtures("image_cache")


def opened(root: Path, value_range: str | None = None) -> DataSet:
    options = {} if value_range is None else {"data.range": value_range}
    return open_source(f"folder:{root}", DataAccess(options=options)).open((4, 4), None, "auto")


def write(root: Path, *values: int, ending: str = "png") -> None:
    pixels = np.array([values] * 4, np.uint16)
    for number in range(2):
        Image.fromarray(pixels).save(root / f"{number}.{ending}")


@BOTH
@pytest.mark.parametrize("ending", ["png", "tiff"])
def test_twelve_bits_are_said_and_scaled_by_the_option_that_is_named(
    tmp_path: Path, ending: str, held_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_files, "HELD_BYTES", held_bytes)
    write(tmp_path, 0, 1000, 2048, 4000, ending=ending)
    data = opened(tmp_path)
    assert fetched(data)[0, 0, 0].tolist() == [0, 3, 8, 15]
    (remark,) = [remark for remark in data.remarks if "16 bits" in remark]
    assert "from 0 to 4,000 only, of 0 to 65,535, and look dark" in remark
    assert "--set data.range=0,4095 " in remark
    scaled = opened(tmp_path, "0,4095")
    assert fetched(scaled)[0, 0, 0].tolist() == [0, 62, 128, 249], "nor from the cache of the others"
    assert [remark for remark in scaled.remarks if "range" in remark] == []


def write_colours(file: Path, pixels: np.ndarray[Any, Any], *further: tuple[bytes, bytes]) -> None:
    """A PNG of 16 bits `(H, W, 2, 3 or 4)`, which Pillow does not write."""
    height, width, channels = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 16, {2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)),
        *further,
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    chunks = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    ]
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


COLOURS = np.random.default_rng(0).integers(0, 4096, (4, 4, 3))
COLOURS[0, 0], COLOURS[0, 1] = 0, 4095
SCALED = np.rint(COLOURS * (255 / 4095)).astype(np.uint8)


@BOTH
def test_all_bits_of_colours_are_scaled(
    tmp_path: Path, held_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the 8 that Pillow keeps, 12 bits in 16 would leave 16 levels."""
    monkeypatch.setattr(image_files, "HELD_BYTES", held_bytes)
    write_colours(tmp_path / "a.png", COLOURS)
    data = opened(tmp_path)
    assert np.array_equal(fetched(data)[0].permute(1, 2, 0), COLOURS >> 8)
    (remark,) = [remark for remark in data.remarks if "16 bits" in remark]
    assert "from 0 to 4,095 only" in remark and "--set data.range=0,4095 scales them" in remark
    scaled = opened(tmp_path, "0,4095")
    assert np.array_equal(fetched(scaled)[0].permute(1, 2, 0), SCALED)
    assert [remark for remark in scaled.remarks if "range" in remark] == []


def test_transparency_is_not_scaled(tmp_path: Path) -> None:
    alpha = np.full((4, 4, 1), 0x7F00)
    for name, pixels in (("rgba", np.dstack([COLOURS, alpha])), ("la", np.dstack([COLOURS[..., :1], alpha]))):
        (tmp_path / name).mkdir()
        write_colours(tmp_path / name / "a.png", pixels)
        found = fetched(opened(tmp_path / name, "0,4095"))[0].permute(1, 2, 0)
        assert np.array_equal(found[..., :3], SCALED if name == "rgba" else SCALED[..., :1].repeat(3, axis=2))
        assert (found[..., 3] == 0x7F).all()


def test_one_colour_that_stands_for_transparency(tmp_path: Path) -> None:
    """It is told from its neighbours by all 16 bits."""
    pixels = COLOURS.copy()
    pixels[1, 1], pixels[1, 2] = (5, 6, 7), (5, 6, 8)
    write_colours(tmp_path / "a.png", pixels, (b"tRNS", struct.pack(">HHH", 5, 6, 7)))
    found = fetched(opened(tmp_path, "0,4095"))[0]
    assert found.shape[0] == 4 and (found[3] == 0).nonzero().tolist() == [[1, 1]]


def test_colours_that_lie_on_their_side_are_turned(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90° clockwise
    chunk = (b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
    write_colours(tmp_path / "a.png", COLOURS, chunk)
    found = fetched(opened(tmp_path, "0,4095"))[0].permute(1, 2, 0)
    assert np.array_equal(found, np.rot90(SCALED, -1))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compressed", [False, True])
def test_of_tiff_files_in_either_order_of_bytes(order: str, compressed: bool, tmp_path: Path) -> None:
    write_tiff(tmp_path / "a.tiff", COLOURS, order, compressed)
    assert np.array_equal(fetched(opened(tmp_path))[0].permute(1, 2, 0), COLOURS >> 8)
    assert np.array_equal(fetched(opened(tmp_path, "0,4095"))[0].permute(1, 2, 0), SCALED)


def test_colours_whose_bits_cannot_be_read_are_said(tmp_path: Path) -> None:
    """Of colours for print: a range would change nothing."""
    write_tiff(tmp_path / "a.tiff", np.arange(0x0FF0, 0x0FF0 - 64, -1).reshape(4, 4, 4), "<")
    (remark,) = opened(tmp_path).remarks
    assert "look dark; those in colour cannot be scaled here: save them as PNG" in remark
    assert "changes nothing" in opened(tmp_path, "0,4095").remarks[0]


def write_tiff(file: Path, pixels: np.ndarray[Any, Any], order: str, compressed: bool = False) -> None:
    """A TIFF of 16 bits with 3 channels (RGB) or 4 (CMYK), which Pillow does not write."""
    height, width, channels = pixels.shape
    content = pixels.astype(f"{order}u2").tobytes()
    content = zlib.compress(content) if compressed else content
    content += bytes(len(content) % 2)
    entries = [
        *((256, 4, 1, width), (257, 4, 1, height), (258, 3, channels, 8 + len(content))),
        *((259, 4, 1, 8 if compressed else 1), (262, 4, 1, 2 if channels == 3 else 5), (273, 4, 1, 8)),
        *((277, 4, 1, channels), (278, 4, 1, height), (279, 4, 1, len(content))),
    ]
    bits = struct.pack(f"{order}{channels}H", *[16] * channels)
    directory = struct.pack(f"{order}H", len(entries))
    directory += b"".join(struct.pack(f"{order}HHII", *each) for each in entries)
    start = struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, 8 + len(content) + len(bits))
    file.write_bytes(start + content + bits + directory + bytes(4))


def test_a_narrow_range_is_said_and_values_outside_are_clipped(tmp_path: Path) -> None:
    write(tmp_path, 30000, 31000, 32000, 33000)
    (remark,) = opened(tmp_path).remarks
    assert "look flat; --set data.range=30000,33000 scales them" in remark
    assert fetched(opened(tmp_path, "31000,32000"))[0, 0, 0].tolist() == [0, 0, 255, 255]


@pytest.mark.parametrize("values", [(0, 1, 2, 65535), (0, 20000, 100, 30), (0, 0, 0, 0)])
def test_a_wide_range_and_flat_images_are_not_remarked_on(tmp_path: Path, values: tuple[int, ...]) -> None:
    write(tmp_path, *values)
    assert opened(tmp_path).remarks == ()


def test_a_range_that_changes_nothing_is_said(tmp_path: Path) -> None:
    expected = make(tmp_path, 2)
    data = open_source(f"folder:{tmp_path}", DataAccess(options={"data.range": "0,4095"}))
    found = data.open((8, 8), 3, "auto")
    assert torch.equal(fetched(found), expected)
    assert found.remarks == ("has no images of 16 bits that can be scaled, so data.range changes nothing",)


@pytest.mark.parametrize("value", ["9,9", "10,2", "1", "0,70000", "-1,5", "a,b"])
def test_a_range_that_cannot_be_is_refused(tmp_path: Path, value: str) -> None:
    write(tmp_path, 0, 1, 2, 3)
    with pytest.raises((UsageError, ValueError), match=r"data\.range"):
        opened(tmp_path, value)
