"""Images of 16 bits that use few of these, brought to 8: said with an option that scales them, which does."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.config.resolve import resolve
from experiments.core.errors import UsageError
from experiments.data.core import image_files
from experiments.data.core.dataset import DataAccess, DataSet
from experiments.data.core.sources import open_source
from experiments.data.folder import Folder
from tests.experiments.data.helpers import BOTH, fetched, make, png_of_16_bits

pytestmark = pytest.mark.usefixtures("image_cache")


def opened(root: Path, value_range: str | None = None) -> DataSet:
    options = {} if value_range is None else {"data.range": value_range, "data.depth": "uint8"}
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
    file.write_bytes(png_of_16_bits(pixels, *further))


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


@pytest.mark.parametrize("bits", [8, 9, 10, 12, 14, 15])
@pytest.mark.parametrize("colours", [False, True])
def test_a_full_range_of_fewer_bits_is_said_and_scaled_whole(
    tmp_path: Path, bits: int, colours: bool
) -> None:
    top = 2**bits - 1
    if colours:
        write_colours(tmp_path / "a.png", np.array([0, top // 3, top // 2, top] * 12).reshape(4, 4, 3))
    else:
        write(tmp_path, 0, top // 3, top // 2, top)
    (remark,) = opened(tmp_path).remarks
    assert f"from 0 to {top:,} only" in remark and "look dark" in remark
    assert f"--set data.range=0,{top} " in remark
    for value_range in (f"0,{top}", "auto"):
        data = opened(tmp_path, value_range)
        assert set(fetched(data).flatten().tolist()) == {0, 85, round(255 * (top // 2) / top), 255}
        assert data.remarks == ()


def test_auto_takes_the_extremes_of_all_training_images(tmp_path: Path) -> None:
    """Not those of a sample, of the part that is held out, or of images with 8 bits."""
    for number in range(40):
        write_grey(tmp_path / f"train/{number:02}.png", 1000, 2000)
    write_grey(tmp_path / "train/17.png", 500, 2000)
    write_grey(tmp_path / "train/33.png", 1000, 2540)
    write_grey(tmp_path / "test/1.png", 0, 4095)
    Image.new("L", (2, 2), 7).save(tmp_path / "train/eight.png")
    source = open_source(
        f"folder:{tmp_path}", DataAccess(options={"data.range": "auto", "data.depth": "uint8"})
    )
    assert source.found_options().range == (500, 2540)
    found = fetched(source.open((2, 2), None, "auto"))
    assert found[17, 0, 0].tolist() == [0, round(1500 / 2040 * 255)]
    assert found[33, 0, 0, 1] == 255
    assert (found[40] == 7).all()
    assert fetched(source.open_held_out((2, 2), None, "auto"))[0, 0, 0].tolist() == [0, 255]


def test_percentiles_are_those_of_grey_and_colour_alike(tmp_path: Path) -> None:
    """The first image, of 8 bits and in colour, is none of those that the range is for."""
    Image.new("RGB", (2, 2), (1, 2, 247)).save(tmp_path / "0.png")
    for number in range(1, 6):
        write_grey(tmp_path / f"{number}.png", 1000, 3000)
    options = {"data.range": "p50,p90", "data.depth": "uint8"}
    found = open_source(f"folder:{tmp_path}", DataAccess(options=options)).found_options().range
    assert found == (1000, 3000)


def write_grey(file: Path, *values: int) -> None:
    file.parent.mkdir(exist_ok=True)
    Image.fromarray(np.array([values] * 2, np.uint16)).save(file)


def test_auto_of_two_domains_is_one_range(tmp_path: Path) -> None:
    write_grey(tmp_path / "A/1.png", 100, 200)
    write_grey(tmp_path / "B/1.png", 200, 1120)
    source = open_source(
        f"folder:{tmp_path}", DataAccess(options={"data.range": "auto", "data.depth": "uint8"})
    )
    assert isinstance(source, Folder)
    domains = source.open_domains((2, 2), None, "auto", True)
    assert fetched(domains.a)[0, 0, 0].tolist() == [0, 25]
    assert fetched(domains.b)[0, 0, 0].tolist() == [25, 255]


def test_auto_without_values_that_differ_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = make(tmp_path, 2)
    with caplog.at_level("INFO", "gans"):
        source = open_source(
            f"folder:{tmp_path}", DataAccess(options={"data.range": "auto", "data.depth": "uint8"})
        )
        assert torch.equal(fetched(source.open((8, 8), 3, "auto")), expected)
    assert source.found_options().range == (0, 65535)
    assert "data.range=auto is 0,65535, no image has" in caplog.text


def test_a_run_records_the_range_that_auto_found(tmp_path: Path) -> None:
    write(tmp_path, 16, 1000, 2048, 4000)
    flags = {"arch": "mlp", "data": f"folder:{tmp_path}", "image_size": (4, 4), "batch_size": 2}
    spec = resolve({**flags, "data.range": "auto"})
    assert spec.settings.options["data.range"] == (16, 4000)
    assert spec.sources["data.range"] == "flag: auto"
    again = resolve({}, file=spec.settings.to_dict(), file_name="config.json")
    assert again.settings.options["data.range"] == (16, 4000)


@pytest.mark.parametrize("key", ["arch.hidden_layers", "data.range_of", "optimizer.betas"])
def test_auto_is_refused_by_options_that_have_no_such_value(tmp_path: Path, key: str) -> None:
    write(tmp_path, 0, 1, 2, 3)
    with pytest.raises(UsageError, match=r"'auto'|has no option"):
        resolve({"arch": "mlp", "data": f"folder:{tmp_path}", "image_size": (4, 4), key: "auto"})


@pytest.mark.parametrize("values", [(0, 1, 2, 65535), (0, 40000, 100, 30)])
def test_a_wide_range_is_not_remarked_on(tmp_path: Path, values: tuple[int, ...]) -> None:
    write(tmp_path, *values)
    assert opened(tmp_path).remarks == ()


def test_a_range_that_changes_nothing_is_said(tmp_path: Path) -> None:
    expected = make(tmp_path, 2)
    data = open_source(f"folder:{tmp_path}", DataAccess(options={"data.range": "0,4095"}))
    found = data.open((8, 8), 3, "auto")
    assert torch.equal(fetched(found), expected)
    assert found.remarks == ("has no images of 16 bits that can be scaled, so data.range changes nothing",)


@pytest.mark.parametrize("value", ["9,9", "10,2", "1", "a,b"])
def test_a_range_that_cannot_be_is_refused(tmp_path: Path, value: str) -> None:
    write(tmp_path, 0, 1, 2, 3)
    with pytest.raises((UsageError, ValueError), match=r"data\.range"):
        opened(tmp_path, value)
    with pytest.raises((UsageError, ValueError), match=r"data\.range"):
        opened(tmp_path, "automatic")
    with pytest.raises((UsageError, ValueError), match=r"data\.range|no different values"):
        opened(tmp_path, "p5,p3")
