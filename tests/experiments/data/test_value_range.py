"""Images of 16 bits that use few of these: said with an option that scales them, which does."""

import struct
import zlib
from pathlib import Path

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


@pytest.mark.parametrize(("level", "is_said"), [(0x0FF0, True), (0xFFF0, False)])
def test_dark_colours_of_16_bits_are_said(tmp_path: Path, level: int, is_said: bool) -> None:
    """Pillow keeps 8 of their bits, so that no range brings back the others."""
    rows = (b"\0" + struct.pack(">6H", 0, level, 0, level, 0, level)) * 2
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", 2, 2, 16, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    chunks = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    ]
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    remarks = opened(tmp_path).remarks
    assert bool(remarks) == is_said
    assert not remarks or "from 0 to 4,095 only, of 0 to 65,535, and look dark; those in colour" in remarks[0]


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
    assert found.remarks == ("has no grey images of 16 bits, so data.range changes nothing",)


@pytest.mark.parametrize("value", ["9,9", "10,2", "1", "0,70000", "-1,5", "a,b"])
def test_a_range_that_cannot_be_is_refused(tmp_path: Path, value: str) -> None:
    write(tmp_path, 0, 1, 2, 3)
    with pytest.raises((UsageError, ValueError), match=r"data\.range"):
        opened(tmp_path, value)
