"""Cache of an image set: every file is decoded once, until it changes or the cache is lost."""

import os
from pathlib import Path

import pytest
import torch
from PIL import Image

from experiments.data.core import image_files
from experiments.data.core.dataset import Fit, InMemoryData
from tests.experiments.data.helpers import BOTH, fetched, make, noise, opened

pytestmark = pytest.mark.usefixtures("image_cache")


def test_every_image_is_decoded_once_over_all_runs(tmp_path: Path, large: None, decoded: list[str]) -> None:
    pixels = make(tmp_path, 11)
    some = torch.tensor([7, 0, 10])
    data = opened(tmp_path)
    assert torch.equal(data.fetch(some), pixels[some])
    assert sorted(decoded) == ["000.png", "007.png", "010.png"]
    assert torch.equal(fetched(data), pixels)
    assert torch.equal(fetched(opened(tmp_path)), pixels)
    assert len(decoded) == 11


def test_another_fit_size_kind_or_folder_is_another_cache(
    tmp_path: Path, large: None, decoded: list[str]
) -> None:
    for name in ("set", "copy"):
        make(tmp_path / name, 2, "bmp")
    noise(9).save(tmp_path / "copy/001.bmp")
    for file in tmp_path.glob("*/*.bmp"):
        os.utime(file, ns=(0, 0))  # as unpacked from two archives without times, and of one size
    fits: tuple[Fit, ...] = ("crop", "stretch")
    ways = [
        (name, fit, channels, size)
        for name in ("set", "copy")
        for fit in fits
        for channels in (1, 3)
        for size in ((8, 8), (4, 4), (4, 8), (8, 4))
    ]
    first = [fetched(opened(tmp_path / n, fit, False, c, size)) for n, fit, c, size in ways]
    assert len(decoded) == 2 * len(ways)
    second = [fetched(opened(tmp_path / n, fit, False, c, size)) for n, fit, c, size in ways]
    assert len(decoded) == 2 * len(ways)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not torch.equal(first[0], first[len(ways) // 2])


def test_headers_are_checked_at_the_first_start_only(
    tmp_path: Path, large: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until a file changes; what was refused is refused again."""
    read: list[str] = []
    read_header = image_files.read_header

    def note(store: image_files.Store, name: str) -> image_files.Header:
        read.append(name)
        return read_header(store, name)

    monkeypatch.setattr(image_files, "read_header", note)
    pixels = make(tmp_path, 11)
    for _ in range(2):
        assert len(opened(tmp_path)) == 11
        assert len(read) == 11
    assert torch.equal(fetched(opened(tmp_path)), pixels)
    for _ in range(2):
        read.clear()
        noise(9, 9, 9).save(tmp_path / "009.png")
        with pytest.raises(ValueError, match=r"000\.png is 8×8, .*009\.png is 9×9"):
            opened(tmp_path)
        assert "009.png" in read
    noise(9).save(tmp_path / "009.png")
    (tmp_path / "003.png").write_text("words")
    with pytest.raises(ValueError, match=r"003\.png is not an image"):
        opened(tmp_path)


def test_a_file_that_breaks_after_it_was_checked_is_compared_with_the_first(
    tmp_path: Path, large: None
) -> None:
    make(tmp_path, 4)
    opened(tmp_path)
    data = opened(tmp_path)
    noise(9, 9, 9).save(tmp_path / "002.png")
    with pytest.raises(ValueError, match=r"000\.png is 8×8, .*002\.png is 9×9"):
        data.fetch(torch.tensor([2]))


def test_a_set_that_is_held_in_memory_is_decoded_at_its_first_start_only(
    tmp_path: Path, image_cache: Path, decoded: list[str]
) -> None:
    pixels = make(tmp_path, 6)
    data = opened(tmp_path)
    assert isinstance(data, InMemoryData) and not data.remarks
    assert torch.equal(fetched(data), pixels)
    assert len(decoded) == 6
    assert torch.equal(fetched(opened(tmp_path)), pixels)
    assert len(decoded) == 6
    (kept,) = image_cache.glob("*.pixels")
    content = bytearray(kept.read_bytes())
    content[2 * 192 + 100] ^= 1
    kept.write_bytes(content)
    assert torch.equal(fetched(opened(tmp_path)), pixels)
    assert decoded[6:] == ["002.png"], "one image is damaged there"
    noise(9, 9, 9).save(tmp_path / "009.png")
    with pytest.raises(ValueError, match=r"000\.png is 8×8, .*009\.png is 9×9"):
        opened(tmp_path)


@BOTH
def test_a_time_that_was_set_back_hides_no_change(
    tmp_path: Path, held_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_files, "HELD_BYTES", held_bytes)
    make(tmp_path, 2, "bmp")
    fetched(opened(tmp_path))
    before = (tmp_path / "001.bmp").stat()
    noise(9).save(tmp_path / "001.bmp")
    os.utime(tmp_path / "001.bmp", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (tmp_path / "001.bmp").stat().st_size == before.st_size
    assert torch.equal(fetched(opened(tmp_path))[1], make(tmp_path / "new", 10)[9])


def test_a_changed_file_is_decoded_again(tmp_path: Path, large: None) -> None:
    pixels = make(tmp_path, 3)
    assert torch.equal(fetched(opened(tmp_path)), pixels)
    status = (tmp_path / "001.png").stat()
    for number, shift in ((1, 1), (2, 0)):  # another time, another size
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / f"00{number}.png")
        os.utime(tmp_path / f"00{number}.png", ns=(status.st_mtime_ns, status.st_mtime_ns + shift))
        assert fetched(opened(tmp_path))[number, 0, 0, 0] == number


def test_a_torn_cache_costs_the_torn_images_only(
    tmp_path: Path, large: None, image_cache: Path, decoded: list[str]
) -> None:
    pixels = make(tmp_path, 6)
    fetched(opened(tmp_path))
    (kept,) = image_cache.glob("*.pixels")
    content = bytearray(kept.read_bytes())
    content[2 * 192 + 100] ^= 1
    kept.write_bytes(content[: 5 * 192 + 10])
    decoded.clear()
    assert torch.equal(fetched(opened(tmp_path)), pixels)
    assert sorted(decoded) == ["002.png", "005.png"]
    assert torch.equal(fetched(opened(tmp_path)), pixels)
    assert len(decoded) == 2, "they are kept again"


def test_without_a_cache_images_are_decoded_every_time(
    tmp_path: Path, large: None, monkeypatch: pytest.MonkeyPatch, decoded: list[str]
) -> None:
    pixels = make(tmp_path / "set", 3)
    (tmp_path / "file").touch()
    monkeypatch.setenv("GANS_CACHE", str(tmp_path / "file"))
    data = opened(tmp_path / "set")
    assert torch.equal(fetched(data), pixels)
    assert torch.equal(fetched(data), pixels)
    assert len(decoded) == 6
    (remark,) = data.remarks
    assert "cannot be kept" in remark
    assert "GANS_CACHE" in remark


def test_a_disk_that_fills_up_is_remarked(
    tmp_path: Path, large: None, monkeypatch: pytest.MonkeyPatch, decoded: list[str]
) -> None:
    pixels = make(tmp_path, 8)
    data = opened(tmp_path)
    assert "kept in" in data.remarks[0]
    data.fetch(torch.arange(4))

    attempts: list[int] = []

    def full(file: int, *_: object) -> int:
        attempts.append(file)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    assert torch.equal(fetched(data), pixels)
    attempts.clear()
    assert torch.equal(fetched(data), pixels)
    assert attempts == [], "once is enough"
    assert len(decoded) == 4 + 2 * 4, "what was kept before is still used"
    (remark,) = data.remarks
    assert "no longer kept" in remark
    assert "No space left" in remark
