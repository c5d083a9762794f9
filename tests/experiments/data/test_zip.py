"""Zip: what is in the file comes out as it would from the unpacked folder, or with a clear error."""

import io
import tracemalloc
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from experiments.data import zip as zip_source
from experiments.data.core import decoding, image_files
from experiments.data.core.dataset import DataAccess, DataSet, Fit, InMemoryData
from experiments.data.folder import Folder
from experiments.data.zip import Zip

METHODS = {"stored": zipfile.ZIP_STORED, "deflate": zipfile.ZIP_DEFLATED}


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("GANS_CACHE", str(folder))
    return folder / "decoded"


def opened(
    file: Path,
    channels: int | None = 3,
    fit: Fit = "crop",
    skip_bad: bool = False,
    size: tuple[int, int] = (8, 8),
) -> DataSet:
    return Zip(str(file), DataAccess(skip_bad=skip_bad)).open(size, channels, fit)


def fetched(data: DataSet) -> Tensor:
    return data.fetch(torch.arange(len(data)))


def noise(seed: int, height: int = 8, width: int = 8) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(256, size=(height, width, 3), dtype=np.uint8))


def pack(root: Path, file: Path, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(file, "w", method) as packed:
        for path in sorted(root.rglob("*"), reverse=True):  # another order than that of the names
            packed.write(path, path.relative_to(root).as_posix())
    return file


def of_names(file: Path, *names: str) -> Path:
    """A zip file with an image of noise under each name."""
    root = file.with_suffix(".unpacked")
    root.mkdir()
    with zipfile.ZipFile(file, "w") as packed:
        for number, name in enumerate(names):
            noise(number).save(root / f"{number}.png")
            packed.write(root / f"{number}.png", name)
    return file


@pytest.fixture
def varied(tmp_path: Path) -> Path:
    """A folder with images of all kinds in two classes."""
    exif = Image.Exif()
    exif[0x0112] = 6
    for folder in ("cats", "dogs/small", "dogs"):
        (tmp_path / "varied" / folder).mkdir(parents=True, exist_ok=True)
    root = tmp_path / "varied"
    noise(0, 20, 30).save(root / "cats/colour.JPG", quality=90)
    noise(1, 20, 30).save(root / "cats/turned.jpg", exif=exif)
    noise(2, 30, 20).save(root / "cats/turned.png", exif=exif)
    noise(3, 16, 16).convert("CMYK").save(root / "dogs/cmyk.tif")
    noise(4, 16, 16).convert("LA").save(root / "dogs/grey alpha.png")
    noise(5, 16, 16).quantize(16).save(root / "dogs/small/palette.gif")
    deep = np.random.default_rng(6).integers(65536, size=(9, 9), dtype=np.uint16)
    Image.fromarray(deep).save(root / "dogs/small/ä deep.png")
    frames = [noise(number, 10, 12) for number in range(7, 10)]
    for name in ("moving.gif", "moving.png", "moving.webp"):
        frames[0].save(root / "dogs" / name, save_all=True, append_images=frames[1:], lossless=True)
    (root / "dogs/notes.txt").write_text("not an image")
    return root


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("held_bytes", [image_files.HELD_BYTES, 0], ids=["held", "cached"])
def test_zip_is_folder_bit_for_bit(
    varied: Path, tmp_path: Path, method: str, held_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_files, "HELD_BYTES", held_bytes)
    file = pack(varied, tmp_path / "set.zip", METHODS[method])
    fits: tuple[Fit, ...] = ("crop", "stretch")
    for channels in (1, 3, 4):
        for fit in fits:
            data = opened(file, channels, fit, size=(8, 12))
            reference = Folder(str(varied)).open((8, 12), channels, fit)
            assert isinstance(data, InMemoryData) == bool(held_bytes)
            assert torch.equal(fetched(data), fetched(reference))
            assert torch.equal(fetched(data), fetched(reference)), "nor from the cache"
            assert data.labels is not None
            assert reference.labels is not None
            assert torch.equal(data.labels, reference.labels)
            assert data.classes == reference.classes == ("cats", "dogs")
    assert Zip(str(file)).native() == Folder(str(varied)).native()


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (("a/1.png", "b/2.png"), ("a", "b")),
        (("set/a/1.png", "set/b/2.png", "set/b/c/3.png"), ("a", "b")),
        (("set/all/a/1.png", "set/all/b/2.png"), ("a", "b")),
        (("set/a/1.png", "set/b/2.png", "set/3.png"), ("a", "b")),
        (("set/1.png", "set/2.png"), ()),
        (("1.png", "a/2.png", "b/3.png"), ("a", "b")),
        (("1.png", "2.png", "3.png", "a/4.png", "b/5.png"), ()),
        (("set/a/1.png", "__MACOSX/set/b/2.png"), ()),
    ],
)
def test_folders_are_classes_but_for_one_around_everything(
    tmp_path: Path, names: tuple[str, ...], classes: tuple[str, ...]
) -> None:
    data = opened(of_names(tmp_path / "set.zip", *names))
    assert data.classes == classes
    labels = [data.classes[label] for label in data.labels] if data.labels is not None else []
    expected = [next((part for part in name.split("/") if part in classes), "") for name in names]
    assert labels == [label for label in expected if label]


def test_hidden_entries_and_other_files_are_skipped(tmp_path: Path) -> None:
    hidden = (
        "__MACOSX/._1.png",
        "__MACOSX/2.png",
        "a/.3.png",
        ".git/4.png",
        "a/__MACOSX/5.png",
        "6.txt",
        "../7.png",
    )
    file = of_names(tmp_path / "set.zip", *hidden, "a/seen.PNG", "a/__seen.png")
    with zipfile.ZipFile(file, "a") as packed:
        packed.mkdir("folder.png")
    assert torch.equal(fetched(opened(file)), torch.stack([pixels_of(8), pixels_of(7)]))


def pixels_of(seed: int) -> Tensor:
    return torch.from_numpy(np.array(noise(seed))).permute(2, 0, 1)


def test_order_is_by_bytes_of_the_path(tmp_path: Path) -> None:
    names = ["b.png", "a/z.png", "a-b.png", "B.PNG", "ä.png", "a10.png", "a9.png"]
    file = of_names(tmp_path / "set.zip", *names)
    expected = ["B.PNG", "a-b.png", "a/z.png", "a10.png", "a9.png", "b.png", "ä.png"]
    assert torch.equal(
        fetched(opened(file)), torch.stack([pixels_of(names.index(name)) for name in expected])
    )


def test_other_ways_to_write_a_zip(tmp_path: Path) -> None:
    """Words before the archive (it unpacks itself), and a local header longer than the directory says."""
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as packed:
        with packed.open("a.png", "w", force_zip64=True) as member:
            noise(0).save(member, "png")
        with packed.open("b.png", "w") as member:
            noise(1).save(member, "png")
    content = (tmp_path / "set.zip").read_bytes()
    (tmp_path / "set.exe").write_bytes(b"#!/bin/sh\n" * 20 + content)
    for name in ("set.zip", "set.exe"):
        assert torch.equal(fetched(opened(tmp_path / name)), torch.stack([pixels_of(0), pixels_of(1)]))


def test_fit_holds_for_zip_too(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    noise(0).save(root / "a.png")
    noise(1, 9, 9).save(root / "b.png")
    file = pack(root, tmp_path / "set.zip")
    with pytest.raises(ValueError, match=rf"a\.png in {file} is 8×8, b\.png in {file} is 9×9: choose --fit"):
        opened(file, fit="auto")
    with pytest.raises(ValueError, match=rf"b\.png in {file} is 9×9 \(height × width\), not 8×8"):
        opened(file, fit="error")


def damage(file: Path, name: str) -> None:
    """Flips a bit in the middle of a member's content."""
    with zipfile.ZipFile(file) as packed:
        info = packed.getinfo(name)
    content = bytearray(file.read_bytes())
    content[info.header_offset + 30 + len(name) + info.compress_size // 2] ^= 4
    file.write_bytes(content)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("ending", ["png", "bmp"])
def test_a_damaged_member_is_named_or_skipped(
    tmp_path: Path, method: str, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in a BMP, whose pixels have no checksum of their own."""
    root = tmp_path / "root"
    root.mkdir()
    for number in range(3):
        noise(number, 32, 32).save(root / f"{number}.{ending}")
    whole = fetched(opened(pack(root, tmp_path / "whole.zip")))
    monkeypatch.setenv("GANS_CACHE", str(tmp_path / "empty"))  # the other still has the pixels
    file = pack(root, tmp_path / "set.zip", METHODS[method])
    damage(file, f"1.{ending}")
    with pytest.raises(
        ValueError, match=rf"^1\.{ending} in {file} (cannot be read|is not an image)"
    ) as error:
        opened(file)
    assert "\n" not in str(error.value)
    data = opened(file, skip_bad=True)
    assert torch.equal(fetched(data), whole[[0, 2]])
    assert data.remarks == (f"skipped 1 file that cannot be read: 1.{ending}",)


def test_a_local_header_that_is_gone(tmp_path: Path) -> None:
    file = of_names(tmp_path / "set.zip", "a.png", "b.png")
    content = file.read_bytes()
    file.write_bytes(bytes(30) + content[30:])
    with pytest.raises(ValueError, match=r"a\.png in .*set\.zip cannot be read: the zip file is damaged"):
        opened(file)


def test_encrypted_files_are_refused(tmp_path: Path) -> None:
    file = of_names(tmp_path / "set.zip", "a.png", "b.png")
    content = bytearray(file.read_bytes())
    with zipfile.ZipFile(file) as packed:
        start = packed.start_dir
    for place in (6, start + 8):  # the flags of the first member, in its header and in the directory
        content[place] |= 1
    file.write_bytes(content)
    for ask in (Zip(str(file)).native, lambda: opened(file, skip_bad=True)):
        with pytest.raises(ValueError, match=r"set\.zip is encrypted \(a\.png\): unpack it"):
            ask()


def test_wrong_files_are_explained(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "none.zip").write_bytes(b"")
    (tmp_path / "text.zip").write_text("not a zip file\n" * 10)
    of_names(tmp_path / "whole.zip", "a.png", "b.png")
    content = (tmp_path / "whole.zip").read_bytes()
    (tmp_path / "half.zip").write_bytes(content[: len(content) // 2])
    (tmp_path / "torn.zip").write_bytes(content.replace(b"PK\1\2", b"PK\7\7"))
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    of_names(tmp_path / "words.zip", "a.txt")
    for name, words in (
        ("", "needs a file: write --data zip:FILE"),
        ("nowhere.zip", r"nowhere\.zip does not exist: write --data zip:FILE"),
        ("folder", "folder is a folder, not a zip file: write --data folder:.*folder"),
        ("none.zip", r"none\.zip is not a zip file, or is damaged"),
        ("text.zip", r"text\.zip is not a zip file, or is damaged"),
        ("half.zip", r"half\.zip is not a zip file, or is damaged"),
        ("torn.zip", r"torn\.zip is not a zip file, or is damaged"),
        ("text.zip/deeper", "deeper cannot be read: Not a directory"),
        ("empty.zip", r"no images in .*empty\.zip \(looked for \.png .*\.jpg"),
        ("words.zip", r"no images in .*words\.zip"),
    ):
        argument = str(tmp_path / name) if name else ""
        with pytest.raises(ValueError, match=words) as error:
            Zip(argument).native()
        assert "\n" not in str(error.value)
        with pytest.raises(ValueError, match=words):
            Zip(argument).open((8, 8), 3, "crop")
    with pytest.raises(ValueError, match="home folder"):
        Zip("~nobody-of-this-name/set.zip").native()


def test_home_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    of_names(tmp_path / "set.zip", "a.png")
    assert Zip("~/set.zip").native().channels == 3


def test_many_threads_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is kept: every fetch reads the file, whose position must not be shared."""
    monkeypatch.setattr(image_files, "HELD_BYTES", 0)
    (tmp_path / "file").touch()
    monkeypatch.setenv("GANS_CACHE", str(tmp_path / "file"))
    root = tmp_path / "root"
    root.mkdir()
    for number in range(30):
        noise(number, 40, 40).save(root / f"{number:02}.png")
    data = opened(pack(root, tmp_path / "set.zip"), fit="auto", size=(40, 40))
    expected = torch.stack([torch.from_numpy(np.array(noise(n, 40, 40))).permute(2, 0, 1) for n in range(30)])

    def right(seed: int) -> bool:
        order = torch.randperm(30, generator=torch.Generator().manual_seed(seed))
        return torch.equal(data.fetch(order), expected[order])

    with ThreadPoolExecutor(6) as pool:
        results = pool.map(right, range(20))
        assert all(results)


def test_a_zip_that_moved_is_still_in_the_cache_and_one_that_changed_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_files, "HELD_BYTES", 0)
    file = of_names(tmp_path / "set.zip", "a.png", "b.png")
    first = fetched(opened(file))
    moved = file.rename(tmp_path / "moved.zip")
    data = opened(moved)
    with monkeypatch.context() as patch:
        patch.setattr(image_files, "read_image", None)  # nothing is decoded
        assert torch.equal(fetched(data), first)
    noise(9).save(tmp_path / "other.png")
    with zipfile.ZipFile(moved, "w") as packed:
        packed.write(tmp_path / "other.png", "a.png")
        packed.write(tmp_path / "other.png", "b.png")
    assert torch.equal(fetched(opened(moved)), torch.stack([pixels_of(9)] * 2))


@pytest.mark.parametrize("method", METHODS)
def test_a_member_that_inflates_beyond_the_bound_is_a_bad_file(
    tmp_path: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it says so itself, or declares less than it is."""
    for module in (zip_source, decoding):
        monkeypatch.setattr(module, "MOST_BYTES", 2**20)
    content = io.BytesIO()
    noise(0).save(content, "png")
    with zipfile.ZipFile(tmp_path / "set.zip", "w", METHODS[method]) as packed:
        packed.writestr("fine.png", content.getvalue())
        packed.writestr("huge.png", content.getvalue() + bytes(2**21))
    with pytest.raises(ValueError, match=r"huge\.png in .*set\.zip cannot be read: it has more than 1 MiB"):
        opened(tmp_path / "set.zip")
    data = opened(tmp_path / "set.zip", skip_bad=True)
    assert data.remarks == ("skipped 1 file that cannot be read: huge.png",)
    raw = (tmp_path / "set.zip").read_bytes()
    size = (len(content.getvalue()) + 2**21).to_bytes(4, "little")
    (tmp_path / "set.zip").write_bytes(raw.replace(size, (1000).to_bytes(4, "little")))
    tracemalloc.start()
    assert len(opened(tmp_path / "set.zip", skip_bad=True)) == 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**21
