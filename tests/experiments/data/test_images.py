"""Sets of image files: what is refused, what is skipped, and that every file is decoded once."""

import os
import signal
import struct
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFile
from torch import Tensor

from experiments.data.core import image_files
from experiments.data.core.dataset import DataAccess, DataSet, Fit, Held
from experiments.data.folder import Folder

BOTH = pytest.mark.parametrize("held_bytes", [image_files.HELD_BYTES, 0], ids=["held", "cached"])


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("GANS_CACHE", str(folder))
    return folder / "decoded"


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are decoded, as they are."""
    names: list[str] = []
    read = image_files.read_image

    def note(store: image_files.Store, name: str, channels: int) -> tuple[image_files.Header, Image.Image]:
        names.append(name)
        return read(store, name, channels)

    monkeypatch.setattr(image_files, "read_image", note)
    return names


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every set is too large to be held."""
    monkeypatch.setattr(image_files, "HELD_BYTES", 0)


def opened(
    root: Path,
    fit: Fit = "auto",
    skip_bad: bool = False,
    channels: int | None = None,
    size: tuple[int, int] = (8, 8),
) -> DataSet:
    return Folder(str(root), DataAccess(skip_bad=skip_bad)).open(size, channels, fit)


def fetched(data: DataSet) -> Tensor:
    return data.fetch(torch.arange(len(data)))


def noise(seed: int, height: int = 8, width: int = 8) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(256, size=(height, width, 3), dtype=np.uint8))


def make(root: Path, count: int, ending: str = "png") -> Tensor:
    """Writes images of noise, and gives their pixels."""
    root.mkdir(exist_ok=True)
    images = [noise(number) for number in range(count)]
    for number, image in enumerate(images):
        image.save(root / f"{number:03}.{ending}")
    return torch.from_numpy(np.stack([np.asarray(image) for image in images])).permute(0, 3, 1, 2)


# --- what is refused ---------------------------------------------------------------------------------


@BOTH
def test_mixed_sizes_are_refused_unless_a_fit_is_given(
    tmp_path: Path, held_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_files, "HELD_BYTES", held_bytes)
    for name, height, width in (("a", 32, 48), ("b", 32, 48), ("c", 20, 20), ("d", 9, 9)):
        noise(0, height, width).save(tmp_path / f"{name}.png")
    with pytest.raises(
        ValueError, match=r"a\.png is 32×48, .*c\.png is 20×20: .*--fit crop or stretch .*8×8"
    ):
        opened(tmp_path)
    assert fetched(opened(tmp_path, "crop")).shape == (4, 3, 8, 8)
    assert fetched(opened(tmp_path, "stretch")).shape == (4, 3, 8, 8)
    for name in "cd":
        (tmp_path / f"{name}.png").unlink()
    assert torch.equal(fetched(opened(tmp_path)), fetched(opened(tmp_path, "crop")))


@BOTH
def test_mixed_kinds_are_refused_unless_a_fit_is_given(
    tmp_path: Path, held_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_files, "HELD_BYTES", held_bytes)
    kinds = {"L": "is grey", "RGB": "is in colour", "RGBA": "has transparency"}
    for first in kinds:
        for second in kinds:
            noise(0).convert(first).save(tmp_path / "a.png")
            noise(1).convert(second).save(tmp_path / "b.png")
            if first == second:
                assert len(opened(tmp_path)) == 2
                continue
            words = rf"a\.png {kinds[first]}, .*b\.png {kinds[second]}: .*--fit .*--channels 3"
            with pytest.raises(ValueError, match=words):
                opened(tmp_path, channels=3)
            for fit in ("crop", "stretch", "error"):
                assert opened(tmp_path, fit, channels=3).sample_shape == (3, 8, 8)


def test_grey_of_any_depth_is_grey_and_a_palette_is_colour(tmp_path: Path) -> None:
    noise(0).convert("L").save(tmp_path / "a.png")
    Image.fromarray(np.full((8, 8), 0x8123, np.uint16)).save(tmp_path / "b.tiff")
    noise(0).convert("1").save(tmp_path / "c.bmp")
    assert opened(tmp_path).sample_shape == (1, 8, 8)
    noise(0).convert("P").save(tmp_path / "d.png")
    with pytest.raises(ValueError, match=r"a\.png is grey, .*d\.png is in colour"):
        opened(tmp_path)


def late_exif(file: Path) -> None:
    """Moves the EXIF words of a PNG behind its pixels, where the standard allows them, too."""
    content = file.read_bytes()
    start = content.index(b"eXIf") - 4
    end = start + 12 + struct.unpack(">I", content[start : start + 4])[0]
    last = content.index(b"IEND") - 4
    file.write_bytes(content[:start] + content[end:last] + content[start:end] + content[last:])


@BOTH
@pytest.mark.parametrize("kind", ["png", "late png", "jpg", "tiff", "webp"])
def test_sizes_are_those_of_the_upright_image(
    tmp_path: Path, kind: str, held_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_files, "HELD_BYTES", held_bytes)
    exif = Image.Exif()
    exif[0x0112] = 6
    ending = kind.split()[-1]
    noise(0, 16, 8).save(tmp_path / f"a.{ending}")
    noise(1, 8, 16).save(tmp_path / f"b.{ending}", exif=exif)
    if kind == "late png":
        late_exif(tmp_path / "b.png")
    for fit in ("auto", "error"):
        assert fetched(opened(tmp_path, fit, size=(16, 8))).shape == (2, 3, 16, 8)
    noise(2, 8, 16).save(tmp_path / f"c.{ending}")
    with pytest.raises(ValueError, match=rf"c\.{ending} is 8×16"):
        opened(tmp_path, size=(16, 8))


def test_too_many_pixels_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below twice the limit Pillow would print a warning and go on, above it raises an error."""
    make(tmp_path / "set", 2)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    for side in (11, 15):
        noise(0, side, side).save(tmp_path / "set/001.png")
        with pytest.raises(ValueError, match=r"001\.png has more than 100 pixels, .*--skip-bad") as error:
            opened(tmp_path / "set", "crop")
        assert "\n" not in str(error.value)
        assert len(opened(tmp_path / "set", "crop", skip_bad=True)) == 1


def test_the_size_has_to_be_given(tmp_path: Path) -> None:
    make(tmp_path, 1)
    with pytest.raises(ValueError, match="--image-size"):
        Folder(str(tmp_path)).open(None, 3, "auto")


def test_headers_are_read_without_decoding(
    tmp_path: Path, large: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of photos that lie on their side, too; and not at all where they are in the cache."""
    exif = Image.Exif()
    exif[0x0112] = 8
    for number in range(5):
        noise(number, 8, 16).save(tmp_path / f"{number}.jpg", exif=exif)
        noise(number, 16, 8).save(tmp_path / f"{number}.png")
    with monkeypatch.context() as patch:
        patch.setattr(ImageFile.ImageFile, "load", None)
        opened(tmp_path, size=(16, 8))
        opened(tmp_path, "error", size=(16, 8))
    fetched(opened(tmp_path, size=(16, 8)))
    headers: list[str] = []
    read = image_files.read_header

    def note(store: image_files.Store, name: str) -> image_files.Header:
        headers.append(name)
        return read(store, name)

    monkeypatch.setattr(image_files, "read_header", note)
    fetched(Folder(str(tmp_path)).open((16, 8), 3, "auto"))
    assert headers == ["0.jpg"]


@pytest.mark.parametrize("ending", ["gif", "png", "webp", "tiff"])
def test_animations_show_their_first_frame(tmp_path: Path, ending: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    options = {"lossless": True} if ending == "webp" else {}
    frames[0].save(tmp_path / f"moving.{ending}", save_all=True, append_images=frames[1:], **options)
    with Image.open(tmp_path / f"moving.{ending}") as image:
        assert getattr(image, "n_frames", 1) == 3
    assert fetched(opened(tmp_path, channels=3))[0, :, 4, 4].tolist() == [255, 0, 0]


# --- files that cannot be read -----------------------------------------------------------------------

BAD: dict[str, Callable[[Path], object]] = {
    "empty.png": lambda file: file.write_bytes(b""),
    "half.jpg": lambda file: (
        noise(0, 64, 64).save(file),
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    ),
    "half.png": lambda file: (
        noise(0, 64, 64).save(file),
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    ),
    "link.png": lambda file: file.symlink_to("nowhere"),
    "page.gif": lambda file: file.write_text("<html>"),
}


@BOTH
@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_named(
    tmp_path: Path, name: str, held_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, 1)
    BAD[name](tmp_path / name)
    monkeypatch.setattr(image_files, "HELD_BYTES", held_bytes)
    with pytest.raises(ValueError, match=f"{tmp_path / name} .*--skip-bad") as error:
        fetched(opened(tmp_path, "crop"))
    assert "\n" not in str(error.value)


@BOTH
@pytest.mark.parametrize("fit", ["auto", "crop", "error"])
def test_bad_files_can_be_skipped(
    tmp_path: Path, fit: Fit, held_bytes: int, monkeypatch: pytest.MonkeyPatch, decoded: list[str]
) -> None:
    """Bad ones come first, between and last; what is left keeps its order and its labels."""
    monkeypatch.setattr(image_files, "HELD_BYTES", held_bytes)
    pixels = make(tmp_path / "b", 3)
    make(tmp_path / "d", 2)
    for name, spoil in BAD.items():
        for folder in ("a", "b", "d"):
            (tmp_path / folder).mkdir(exist_ok=True)
            spoil(tmp_path / folder / name)
    data = opened(tmp_path, fit, skip_bad=True)
    assert isinstance(data, Held) == bool(held_bytes)
    assert sorted(decoded) == sorted(file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*.*"))
    assert torch.equal(fetched(data), torch.cat([pixels, pixels[:2]]))
    assert len(data) == 5
    assert data.labels is not None
    assert [data.classes[label] for label in data.labels] == ["b", "b", "b", "d", "d"]
    named = "a/empty.png, a/half.jpg, a/half.png, a/link.png, a/page.gif, …"
    assert data.remarks[0] == f"skipped 15 files that cannot be read: {named}"
    assert len(decoded) == 20, "the pixels are fetched without decoding again"
    again = opened(tmp_path, fit, skip_bad=True)
    assert torch.equal(fetched(again), fetched(data))
    assert len(decoded) == (40 if held_bytes else 35), "what is in the cache is known to be good"


def test_one_file_is_no_files_and_none_is_no_remark(tmp_path: Path) -> None:
    make(tmp_path, 2)
    assert opened(tmp_path, skip_bad=True).remarks == ()
    (tmp_path / "000.png").write_bytes(b"")
    assert opened(tmp_path, skip_bad=True).remarks == ("skipped 1 file that cannot be read: 000.png",)


def test_the_first_good_file_is_the_standard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a bad one, though its header can be read and says another size; nor whichever is read first."""
    make(tmp_path, 12)
    BAD["half.png"](tmp_path / "0.png")
    assert len(opened(tmp_path, skip_bad=True)) == 12
    noise(0, 9, 9).save(tmp_path / "008.png")
    read = image_files.read_image

    def slow(store: image_files.Store, name: str, channels: int) -> tuple[image_files.Header, Image.Image]:
        if name == "000.png":
            time.sleep(0.1)
        return read(store, name, channels)

    monkeypatch.setattr(image_files, "read_image", slow)
    with pytest.raises(ValueError, match=r"000\.png is 8×8, .*008\.png is 9×9"):
        opened(tmp_path, skip_bad=True)


def test_other_faults_are_not_skipped(tmp_path: Path, large: None) -> None:
    make(tmp_path, 6)
    noise(0, 9, 9).save(tmp_path / "003.png")
    for _ in range(2):  # nor are they taken for good the next time, when others are in the cache
        with pytest.raises(ValueError, match=r"000\.png is 8×8, .*003\.png is 9×9"):
            opened(tmp_path, skip_bad=True)


def test_only_bad_files_are_refused(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"")
    assert Folder(str(tmp_path), DataAccess(skip_bad=True)).native().channels == 3
    with pytest.raises(
        ValueError, match=r"none of the 2 images can be read; the first: .*a\.png .* damaged$"
    ):
        opened(tmp_path, skip_bad=True)


# --- the cache ---------------------------------------------------------------------------------------


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


def test_a_changed_file_is_decoded_again(tmp_path: Path, large: None) -> None:
    pixels = make(tmp_path, 3)
    assert torch.equal(fetched(opened(tmp_path)), pixels)
    status = (tmp_path / "001.png").stat()
    for number, shift in ((1, 1), (2, 0)):  # another time, another size
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / f"00{number}.png")
        os.utime(tmp_path / f"00{number}.png", ns=(status.st_mtime_ns, status.st_mtime_ns + shift))
        assert fetched(opened(tmp_path))[number, 0, 0, 0] == number


def test_a_torn_cache_costs_the_torn_images_only(
    tmp_path: Path, large: None, cache: Path, decoded: list[str]
) -> None:
    pixels = make(tmp_path, 6)
    fetched(opened(tmp_path))
    (kept,) = cache.glob("*.pixels")
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


# --- threads and processes ---------------------------------------------------------------------------


def test_fetch_works_from_many_threads(tmp_path: Path, large: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_files, "WINDOW", 9)  # several in a batch
    pixels = make(tmp_path, 40)
    data = opened(tmp_path)
    orders = [torch.randperm(40, generator=torch.Generator().manual_seed(n))[:30] for n in range(24)]
    with ThreadPoolExecutor(8) as pool:
        for order, samples in zip(orders, pool.map(data.fetch, orders), strict=True):
            assert torch.equal(samples, pixels[order])


def test_errors_reach_the_thread_that_fetches(tmp_path: Path, large: None) -> None:
    """The first in the order asked for, whichever fails first; and the set goes on working."""
    pixels = make(tmp_path, 20)
    for number in (4, 11):
        (tmp_path / f"{number:03}.png").write_text("<html>")
    data = opened(tmp_path, "crop")
    with ThreadPoolExecutor(1) as pool:
        failed = pool.submit(data.fetch, torch.arange(19, -1, -1))
        with pytest.raises(ValueError, match=r"011\.png is not an image"):
            failed.result()
    assert torch.equal(data.fetch(torch.arange(3)), pixels[:3])


def in_a_fork(work: Callable[[], bool]) -> int:
    """Starts `work` in a forked process, whose status is 0 when it says yes."""
    child = os.fork()
    if child:
        return child
    signal.alarm(30)  # a child that waits for threads left behind in its parent ends with a status of its own
    status = 1
    try:
        status = 0 if work() else 1
    finally:
        os._exit(status)


def status_of(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_two_processes_fill_one_cache(tmp_path: Path, large: None, decoded: list[str]) -> None:
    pixels = make(tmp_path, 60)
    data = opened(tmp_path)
    data.fetch(torch.arange(8))
    backwards = torch.arange(59, -1, -1)
    children = [
        in_a_fork(lambda: torch.equal(fetched(opened(tmp_path)), pixels)),
        in_a_fork(lambda: torch.equal(opened(tmp_path).fetch(backwards), pixels[backwards])),
    ]
    assert torch.equal(fetched(data), pixels)
    assert [status_of(child) for child in children] == [0, 0]
    decoded.clear()
    assert torch.equal(fetched(opened(tmp_path)), pixels)
    assert decoded == []


def test_a_kill_leaves_a_cache_that_is_right(
    tmp_path: Path, large: None, cache: Path, decoded: list[str]
) -> None:
    pixels = make(tmp_path, 200)
    opened(tmp_path)

    def fill() -> bool:
        data = opened(tmp_path)
        for index in range(200):
            data.fetch(torch.tensor([index]))
            time.sleep(0.01)
        return True

    child = in_a_fork(fill)
    (kept,) = cache.glob("*.checksums")
    while kept.stat().st_size < 4 * 20:
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    assert status_of(child) == -signal.SIGKILL
    assert torch.equal(fetched(opened(tmp_path)), pixels)
    assert 0 < len(decoded) <= 180


def test_32_bit_integers_are_refused_because_their_range_is_unknown(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), 70000, dtype=np.int32)).save(tmp_path / "a.tiff")
    with pytest.raises(ValueError, match="32-bit integers, of unknown range"):
        opened(tmp_path)


def test_a_transparent_16_bit_grey_stays_transparent(tmp_path: Path) -> None:
    values = np.array([[0, 30 << 8, 255 << 8, (30 << 8) + 1]], dtype=np.uint16).repeat(4, axis=0)
    Image.fromarray(values).save(tmp_path / "a.png", transparency=30 << 8)
    samples = opened(tmp_path, size=(4, 4), channels=4).fetch(torch.tensor([0]))[0]
    assert samples[3, 0].tolist() == [255, 0, 255, 255]
    assert samples[0, 0].tolist() == [0, 30, 255, 30]
