"""Memory that headers take: of formats that are read whole for them, and of images that lie on their side."""

import io
import os
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from experiments.data.core import decoding
from experiments.data.core.decoding import UnreadableError, read_extremes, read_header, read_image
from experiments.data.core.memory import Allowance
from experiments.data.folder import FolderStore
from experiments.data.zip import ZipStore

WEBP, AVIF = b"RIFF\0\0\0\x10WEBPVP8 ", b"\0\0\0\x20ftypavif"


@pytest.mark.parametrize(("beginning", "mebibytes"), [(WEBP, 96), (AVIF, 96), (b"\x89PNG\r\n\x1a\n", 192)])
def test_a_huge_file_is_refused_unread(tmp_path: Path, beginning: bytes, mebibytes: int) -> None:
    with (tmp_path / "a.webp").open("wb") as file:
        file.write(beginning)
    os.truncate(tmp_path / "a.webp", 2**40)  # it takes no room on the disk
    for read in (read_header, read_extremes):
        with pytest.raises(UnreadableError, match=rf"it has more than {mebibytes} MiB, too many to be read"):
            read(FolderStore(tmp_path), "a.webp")


@pytest.mark.parametrize("beginning", [WEBP, AVIF])
def test_a_huge_member_is_refused_unread(
    tmp_path: Path, beginning: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "MOST_WHOLE_BYTES", 2**25)
    with zipfile.ZipFile(tmp_path / "set.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.webp", beginning + bytes(2**25))
    store = ZipStore(tmp_path / "set.zip")
    start = time.process_time()
    with pytest.raises(UnreadableError, match="it has more than 32 MiB"):
        read_header(store, "a.webp")
    assert time.process_time() - start < 0.02
    with pytest.raises(UnreadableError, match="it has more than 32 MiB"):
        read_image(store, "a.webp", 3)


def peak_of_open_files(store: FolderStore, names: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    """The largest number of files whose headers are read at once, on many threads."""
    now, peak, lock, opened = [0], [0], threading.Lock(), decoding._open

    def count(file: Any, *arguments: Any) -> Image.Image:
        with lock:
            now[0] += 1
            peak[0] = max(peak[0], now[0])
        time.sleep(0.02)
        with lock:
            now[0] -= 1
        return opened(file, *arguments)

    monkeypatch.setattr(decoding, "_open", count)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: read_header(store, name), names))
    return peak[0]


@pytest.mark.parametrize(
    ("ending", "large", "allowed", "expected"),
    [
        ("webp", 2**24, 10, 1),
        ("webp", 2**24, 45, 4),
        ("webp", 1, 2**30, 1),
        ("png", 1, 2**30, 1),
        ("png", 2**24, 1, 8),
    ],
)
def test_files_read_at_once_are_bounded_by_their_size(
    tmp_path: Path, ending: str, large: int, allowed: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By an allowance of so many tenths of a file's copies, and one by one where they are large."""
    content = io.BytesIO()
    Image.new("RGB", (8, 8)).save(content, ending)
    names = [f"{number}.{ending}" for number in range(12)]
    for name in names:
        (tmp_path / name).write_bytes(content.getvalue())
    monkeypatch.setattr(decoding, "LARGE_BYTES", large)
    copies = decoding.FILE_COPIES * len(content.getvalue())
    monkeypatch.setattr(decoding, "decoded_at_once", Allowance(copies * allowed // 10))
    assert peak_of_open_files(FolderStore(tmp_path), names, monkeypatch) == expected


@pytest.mark.parametrize("ending", ["webp", "png", "tiff"])
def test_images_on_their_side_wait_for_the_memory_of_their_pixels(
    tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20)).save(tmp_path / f"a.{ending}", exif=exif)
    taken: list[int] = []
    take = Allowance.taken

    def note(self: Allowance, count: int) -> Any:
        taken.append(count)
        return take(self, count)

    monkeypatch.setattr(Allowance, "taken", note)
    assert read_header(FolderStore(tmp_path), f"a.{ending}")[:2] == (40, 20)
    assert max(taken) >= 40 * 20 * decoding.PIXEL_BYTES
