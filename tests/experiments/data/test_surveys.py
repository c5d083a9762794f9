"""Remarks on images: what a set mixes is taken as RGB, and what a crop cuts off is said with a remedy."""

import zipfile
from pathlib import Path

import pytest
import torch
from PIL import Image

from experiments.data.core import image_files, surveys
from experiments.data.core.arranged_images import ImageFileSource
from experiments.data.core.dataset import DataAccess, DataSet, Fit
from experiments.data.core.decoding import Header, Store
from experiments.data.folder import Folder
from experiments.data.zip import Zip
from tests.experiments.data.helpers import BOTH, fetched

pytestmark = pytest.mark.usefixtures("image_cache")
COLOURS: dict[str, object] = {"L": 40, "RGB": (250, 0, 0), "RGBA": (250, 0, 0, 0)}


def source_of(
    root: Path, modes: list[str], store: str = "folder", size: tuple[int, int] = (8, 8)
) -> ImageFileSource:
    """Images of the modes, in this order."""
    (root / "set").mkdir()
    with zipfile.ZipFile(root / "set.zip", "w") as packed:
        for number, mode in enumerate(modes):
            file = root / f"set/{number}.png"
            image = Image.new(mode, size, COLOURS[mode])  # type: ignore[arg-type]
            image.paste(255 if mode == "L" else (99,) * len(mode), (0, size[1] - 1, 1, size[1]))
            image.save(file)
            packed.write(file, file.name)
    return Folder(str(root / "set")) if store == "folder" else Zip(str(root / "set.zip"))


@BOTH
@pytest.mark.parametrize("store", ["folder", "zip"])
@pytest.mark.parametrize(
    ("modes", "mix"),
    [
        (["RGBA", "RGB", "RGB"], "2 in colour, 1 with transparency"),
        (["L", "RGB", "RGB"], "1 grey, 2 in colour"),
        (["RGB", "L"], "1 grey, 1 in colour"),
        (["RGB", "RGBA", "L"], "1 grey, 1 in colour, 1 with transparency"),
    ],
)
def test_mixed_kinds_become_rgb_whichever_comes_first(
    tmp_path: Path, modes: list[str], mix: str, store: str, held_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_files, "HELD_BYTES", held_bytes)
    source = source_of(tmp_path, modes, store)
    assert source.native().channels == 3
    shown = {"L": [40, 40, 40], "RGB": [250, 0, 0], "RGBA": [255, 255, 255]}  # clear is white
    fits: tuple[Fit, ...] = ("auto", "crop", "error")
    for fit in fits:
        data = source.open((8, 8), None, fit)
        assert fetched(data)[:, :, 4, 4].tolist() == [shown[mode] for mode in modes]
        (remark,) = [remark for remark in data.remarks if "mixes" in remark]
        assert f"({mix}): all are taken as RGB" in remark
        assert "--channels" in remark


@pytest.mark.parametrize(("first", "second"), [("L", "RGB"), ("RGBA", "RGB"), ("L", "RGBA")])
def test_domains_of_different_kinds_become_rgb(tmp_path: Path, first: str, second: str) -> None:
    for name, mode in (("A/1.png", first), ("B/1.png", second)):
        (tmp_path / name).parent.mkdir()
        Image.new(mode, (8, 8), COLOURS[mode]).save(tmp_path / name)  # type: ignore[arg-type]
    source = Folder(str(tmp_path))
    assert source.native_domains(False).channels == 3
    domains = source.open_domains((8, 8), None, "auto", True)
    (remark,) = domains.a.remarks
    assert "all are taken as RGB" in remark and "--channels" in remark
    assert ("laid on white" in remark) == ("RGBA" in (first, second))
    assert domains.b.remarks == ()
    assert domains.a.sample_shape == domains.b.sample_shape == (3, 8, 8)


@pytest.mark.parametrize("mode", COLOURS)
def test_one_kind_keeps_its_channels_without_a_remark(tmp_path: Path, mode: str) -> None:
    data = source_of(tmp_path, [mode] * 3).open((8, 8), None, "crop")
    assert data.sample_shape[0] == len(mode)
    assert data.remarks == ()


def cut(data: DataSet) -> list[str]:
    return [remark for remark in data.remarks if "cut to" in remark]


@BOTH
@pytest.mark.parametrize("store", ["folder", "zip"])
@pytest.mark.parametrize(
    ("size", "taken", "kept", "whole"),
    [
        ((96, 48), (32, 32), "48×96 (height × width) are cut to their middle 48×48", (32, 64)),
        ((48, 96), (48, 48), "96×48 (height × width) are cut to their middle 48×48", (96, 48)),
        ((178, 218), (64, 64), "218×178 (height × width) are cut to their middle 178×178", (80, 64)),
        ((32, 32), (32, 64), "32×32 (height × width) are cut to their middle 16×32", (32, 32)),
    ],
)
def test_a_cut_is_said_with_a_size_that_mends_it(
    tmp_path: Path,
    size: tuple[int, int],
    taken: tuple[int, int],
    kept: str,
    whole: tuple[int, int],
    store: str,
    held_bytes: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(image_files, "HELD_BYTES", held_bytes)
    source = source_of(tmp_path, ["RGB"] * 2, store, size)
    fits: tuple[Fit, ...] = ("auto", "crop")
    for fit in fits:
        data = source.open(taken, 3, fit)
        fetched(data)  # the remark survives, whatever is said later
        (remark,) = cut(data)
        assert kept in remark
        assert f"--image-size {whole[0]}x{whole[1]} " in remark
        assert cut(source.open(whole, 3, fit)) == []
    assert cut(source.open(taken, 3, "stretch")) == []


@BOTH
def test_what_is_broken_is_not_counted(
    tmp_path: Path, held_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor one whose header is good."""
    monkeypatch.setattr(image_files, "HELD_BYTES", held_bytes)
    source_of(tmp_path, ["RGB", "RGB", "L", "RGBA", "RGBA"], size=(40, 40))
    file = tmp_path / "set/4.png"
    pixels = torch.randint(256, (40, 40, 4), dtype=torch.uint8).numpy()
    Image.fromarray(pixels).save(file)
    file.write_bytes(file.read_bytes()[:2000])
    data = Folder(str(tmp_path / "set"), DataAccess(skip_bad=True)).open((8, 8), None, "crop")
    assert len(data) == 4 and data.unreadable == ["4.png"]
    (remark,) = [remark for remark in data.remarks if "mixes" in remark]
    assert "(1 grey, 2 in colour, 1 with transparency)" in remark


@BOTH
def test_no_size_is_named_that_takes_one_image_of_several_shapes_whole(
    tmp_path: Path, held_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_files, "HELD_BYTES", held_bytes)
    for number, size in enumerate([(48, 48), (96, 48), (48, 64)]):
        Image.new("RGB", size).save(tmp_path / f"{number}.png")
    (remark,) = cut(Folder(str(tmp_path)).open((32, 32), 3, "crop"))
    assert remark.startswith("images of several shapes: 2 of 3 are cut to their middle of the shape 32×32")
    assert "--image-size" not in remark and "--fit pad" in remark
    (remark,) = cut(Folder(str(tmp_path)).open((50, 50), 3, "crop"))  # no multiple of 4, yet of their shape
    assert remark.startswith("images of several shapes: 2 of 3 are cut")
    assert cut(Folder(str(tmp_path)).open((32, 32), 3, "pad")) == []


def test_square_images_at_a_square_size_are_not_cut(tmp_path: Path) -> None:
    assert source_of(tmp_path, ["RGB"] * 2, size=(33, 33)).open((32, 32), 3, "auto").remarks == ()


def test_a_cut_of_domains_names_the_domain(tmp_path: Path) -> None:
    for name in ("A/1.png", "B/1.png"):
        (tmp_path / name).parent.mkdir()
        Image.new("RGB", (16, 8) if name < "B" else (8, 8)).save(tmp_path / name)
    domains = Folder(str(tmp_path)).open_domains((8, 8), 3, "auto", True)
    assert domains.a.remarks == (
        "A/: images of 8×16 (height × width) are cut to their middle 8×8; "
        "--image-size 8x16 takes them whole, --fit pad in a border",
    )
    assert domains.b.remarks == ()
    assert torch.equal(domains.a.fetch(torch.tensor([0])), domains.b.fetch(torch.tensor([0])))


@BOTH
def test_headers_are_read_once(tmp_path: Path, held_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the native shape, and for the remarks on kinds and on what is cut off."""
    monkeypatch.setattr(image_files, "HELD_BYTES", held_bytes)
    source, asked = source_of(tmp_path, ["RGB"] * 5), list[str]()
    read = surveys.read_header

    def count(store: Store, name: str) -> Header:
        asked.append(name)
        return read(store, name)

    monkeypatch.setattr(surveys, "read_header", count)
    source.native()
    source.open((8, 8), 3, "crop")
    source.native()
    assert sorted(asked) == [f"{number}.png" for number in range(5)]
