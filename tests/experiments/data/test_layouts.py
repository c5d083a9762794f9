"""Two domains in a folder: every layout, pairs by name, halves of files, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.data.core import image_files
from experiments.data.core.dataset import DataAccess, DataSet, Domains, Fit, InMemoryData
from experiments.data.core.decoding import Header, Store
from experiments.data.folder import Folder

BOTH = pytest.mark.parametrize("held_bytes", [image_files.HELD_BYTES, 0], ids=["held", "cached"])


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANS_CACHE", str(tmp_path_factory.mktemp("cache")))


def write(root: Path, name: str, *levels: int, width: int = 8) -> None:
    """A file of grey images side by side, one for each level."""
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    row = np.repeat(np.array(levels, np.uint8), width)
    Image.fromarray(np.tile(row, (8, 1))).save(root / name)


def opened(
    root: Path,
    paired: bool = True,
    held_out: bool = False,
    skip_bad: bool = False,
    channels: int | None = 1,
    fit: Fit = "auto",
) -> Domains:
    return Folder(str(root), DataAccess(skip_bad=skip_bad)).open_domains(
        (8, 8), channels, fit, paired, held_out
    )


def levels(data: DataSet) -> list[int]:
    samples = data.fetch(torch.arange(len(data)))
    assert (samples == samples[:, :, :1, :1]).all()
    return samples[:, 0, 0, 0].tolist()


@BOTH
def test_pairs_have_the_same_name_whatever_the_ending(
    tmp_path: Path, held_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the order of the paths is another one in either folder."""
    monkeypatch.setattr(image_files, "HELD_BYTES", held_bytes)
    for level, (first, second) in enumerate(
        [("x.bmp", "x.png"), ("x.c.png",) * 2, ("s/y.1.png", "s/y.1.bmp")]
    ):
        write(tmp_path, f"A/{first}", level)
        write(tmp_path, f"B/{second}", 100 + level)
    domains = opened(tmp_path)
    assert domains.paired
    assert domains.names == ("A", "B")
    assert isinstance(domains.a, InMemoryData) == bool(held_bytes)
    assert sorted(levels(domains.a)) == [0, 1, 2]
    assert levels(domains.b) == [100 + level for level in levels(domains.a)]


def test_without_pairs_each_set_is_its_own(tmp_path: Path) -> None:
    for level in range(3):
        write(tmp_path, f"A/{level}.png", level)
    for level in range(100, 105):
        write(tmp_path, f"B/{level}.png", level)
    domains = opened(tmp_path, paired=False)
    assert (levels(domains.a), levels(domains.b)) == ([0, 1, 2], [100, 101, 102, 103, 104])
    assert not domains.paired


def test_as_a_plain_source_all_images_are_one_set(tmp_path: Path) -> None:
    write(tmp_path, "A/1.png", 1)
    write(tmp_path, "B/2.png", 2)
    data = Folder(str(tmp_path)).open((8, 8), 1, "auto")
    assert levels(data) == [1, 2]
    assert data.classes == ("A", "B")


@pytest.mark.parametrize(
    ("trained", "judged"),
    [
        (("A/%s.png", "B/%s.png"), ("testA/%s.png", "testB/%s.png")),
        (("trainA/%s.png", "trainB/%s.png"), ("testA/%s.png", "testB/%s.png")),
        (("train/A/%s.png", "train/B/%s.png"), ("test/A/%s.png", "test/B/%s.png")),
        (("A/train/%s.png", "B/train/%s.png"), ("A/test/%s.png", "B/test/%s.png")),
        (("trainA/%s.png", "trainB/%s.png"), ("valA/%s.png", "valB/%s.png")),
        (("AB/%s.png",), ("test/%s.png",)),
        (("train/%s.png",), ("val/%s.png",)),
        (("train/AB/%s.png",), ("test/AB/%s.png",)),
        (("AB/train/%s.png",), ("AB/test/%s.png",)),
    ],
    ids=lambda names: names[0],
)
@pytest.mark.parametrize("paired", [True, False])
def test_published_layouts(
    tmp_path: Path, trained: tuple[str, ...], judged: tuple[str, ...], paired: bool
) -> None:
    for names, base in ((trained, 10), (judged, 50)):
        for number in range(3):
            shown = (base + number, 100 + base + number)
            if len(names) == 1:
                write(tmp_path, names[0] % number, *shown)
            for name, level in zip(names, shown, strict=False):
                if len(names) == 2:
                    write(tmp_path, name % number, level)
    for held_out, base in ((False, 10), (True, 50)):
        domains = opened(tmp_path, paired, held_out)
        assert levels(domains.a) == [base, base + 1, base + 2]
        assert levels(domains.b) == [100 + base, 101 + base, 102 + base]


@BOTH
def test_halves_are_brought_to_size_by_themselves(
    tmp_path: Path, held_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crop of the whole file would mix them, and both are kept apart in the cache."""
    monkeypatch.setattr(image_files, "HELD_BYTES", held_bytes)
    for number in range(3):
        write(tmp_path, f"AB/{number}.png", 10 + number, 200 + number, width=24)
    source = Folder(str(tmp_path))
    native = source.native_domains(True)
    assert (native.size, native.channels, native.first) == (None, 1, (8, 24))
    for _ in range(2):
        domains = source.open_domains((8, 8), None, "auto", True)
        assert (levels(domains.a), levels(domains.b)) == ([10, 11, 12], [200, 201, 202])
    assert levels(source.open_domains((8, 24), None, "error", True).b) == [200, 201, 202]
    with pytest.raises(ValueError, match=r"0\.png is 8×24 .*, not 8×8"):
        source.open_domains((8, 8), None, "error", True)


@BOTH
@pytest.mark.parametrize("skip_bad", [False, True])
def test_a_file_of_two_images_is_decoded_once(
    tmp_path: Path, skip_bad: bool, held_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever half is asked for first; the other one goes into the cache with it."""
    monkeypatch.setattr(image_files, "HELD_BYTES", held_bytes)
    decoded, read = list[str](), image_files.read_image

    def count(store: Store, name: str, channels: int) -> tuple[Header, Image.Image]:
        decoded.append(name)
        return read(store, name, channels)

    monkeypatch.setattr(image_files, "read_image", count)
    for number in range(6):
        write(tmp_path, f"AB/{number}.png", 10 + number, 200 + number)
    for _ in range(2):
        domains = opened(tmp_path, skip_bad=skip_bad)
        assert levels(domains.b) == [*range(200, 206)]
        assert levels(domains.a) == [*range(10, 16)]
        assert sorted(decoded) == [f"AB/{number}.png" for number in range(6)]


@BOTH
@pytest.mark.parametrize("fit", ["auto", "crop"])
def test_an_odd_width_has_no_halves(
    tmp_path: Path, fit: Fit, held_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_files, "HELD_BYTES", held_bytes)
    write(tmp_path, "AB/0.png", 1, 2, width=5)
    write(tmp_path, "AB/1.png", 1, width=11)
    with pytest.raises(ValueError, match=r"AB/1\.png is 11 pixels wide, .*: make the width even"):
        opened(tmp_path, fit=fit)


def test_the_richer_domain_decides_on_the_channels(tmp_path: Path) -> None:
    """An outline is often grey, and its partner must not be turned grey with it."""
    write(tmp_path, "A/1.png", 7)
    (tmp_path / "B").mkdir()
    Image.new("RGB", (8, 8), (255, 0, 0)).save(tmp_path / "B/1.png")
    assert Folder(str(tmp_path / "A")).native().channels == 1
    assert Folder(str(tmp_path)).native_domains(False).channels == 3
    domains = opened(tmp_path, channels=None)
    assert domains.a.sample_shape == domains.b.sample_shape == (3, 8, 8)
    assert domains.b.fetch(torch.tensor([0]))[0, :, 0, 0].tolist() == [255, 0, 0]


@BOTH
def test_with_a_bad_file_its_partner_is_left_out(
    tmp_path: Path, held_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_files, "HELD_BYTES", held_bytes)
    for level in range(6):
        write(tmp_path, f"A/{level}.png", level)
        write(tmp_path, f"B/{level}.png", 100 + level)
    for name in ("A/0.png", "B/3.png", "A/5.png", "B/5.png"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(ValueError, match=r"A/0\.png is not an image.*--skip-bad"):
        opened(tmp_path)
    domains = opened(tmp_path, skip_bad=True)
    assert (levels(domains.a), levels(domains.b)) == ([1, 2, 4], [101, 102, 104])
    assert domains.a.remarks[0] == "skipped 2 files that cannot be read: A/0.png, A/5.png"
    unpaired = opened(tmp_path, paired=False, skip_bad=True)
    assert (levels(unpaired.a), levels(unpaired.b)) == ([1, 2, 3, 4], [100, 101, 102, 104])
    for level in (1, 2):
        (tmp_path / f"A/{level}.png").write_bytes(b"")
    (tmp_path / "B/4.png").write_bytes(b"")
    with pytest.raises(ValueError, match="A/ and B/: of every pair, one cannot be read"):
        opened(tmp_path, skip_bad=True)


def test_a_bad_file_is_bad_in_both_halves(tmp_path: Path) -> None:
    for level in range(3):
        write(tmp_path, f"AB/{level}.png", level, 100 + level)
    (tmp_path / "AB/1.png").write_bytes(b"")
    domains = opened(tmp_path, skip_bad=True)
    assert (levels(domains.a), levels(domains.b)) == ([0, 2], [100, 102])


def test_images_without_a_partner_are_named(tmp_path: Path) -> None:
    for name in ("A/1.png", "B/1.png", "A/2.png", "B/3.png", "B/4.png"):
        write(tmp_path, name, 0)
    with pytest.raises(ValueError, match=r": A/2\.png, B/3\.png, B/4\.png \(3 in all\); rename") as error:
        opened(tmp_path)
    assert "\n" not in str(error.value)
    write(tmp_path, "A/0.png", 0)
    with pytest.raises(ValueError, match=r": A/0\.png, A/2\.png, B/3\.png, … \(4 in all\)"):
        opened(tmp_path)
    assert len(opened(tmp_path, paired=False).b) == 3


def test_two_files_of_one_name_are_no_pair(tmp_path: Path) -> None:
    for name in ("A/1.png", "B/1.png", "B/1.bmp"):
        write(tmp_path, name, 0)
    with pytest.raises(ValueError, match=r"B/1\.bmp and B/1\.png have one name"):
        opened(tmp_path)


def test_a_lacking_domain_is_named(tmp_path: Path) -> None:
    write(tmp_path, "other/1.png", 0)
    with pytest.raises(ValueError, match=r"has no two domains: put images into A/ and B/, or .* AB/"):
        opened(tmp_path)
    (tmp_path / "A").mkdir()
    write(tmp_path, "B/1.png", 0)
    for paired in (True, False):
        with pytest.raises(ValueError, match="has images in B/ but none in A/: put"):
            opened(tmp_path, paired)
    write(tmp_path, "A/1.png", 0)
    with pytest.raises(ValueError, match="no images for judging: put them into testA/ and testB/"):
        opened(tmp_path, held_out=True)
    write(tmp_path, "testA/1.png", 0)
    with pytest.raises(ValueError, match="has images in testA/ but none in testB/"):
        opened(tmp_path, held_out=True)
