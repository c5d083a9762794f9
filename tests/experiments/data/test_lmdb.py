"""Lmdb: the images of a database come out as those of a folder do, whichever program laid it out."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from experiments.data.core.dataset import DataAccess, DataSet
from experiments.data.core.sources import absolute_spec, open_source
from experiments.data.folder import Folder
from experiments.data.lmdb import LmdbStore
from tests.experiments.data.helpers import BOTH, fetched, noise
from tests.experiments.data.test_wds import png

lmdb = pytest.importorskip("lmdb")
pytestmark = pytest.mark.usefixtures("image_cache")


def write(root: Path, values: dict[str, bytes]) -> Path:
    """Writes a database, a folder with data.mdb and lock.mdb in it."""
    database = lmdb.open(str(root), map_size=2**24)
    with database.begin(write=True) as writing:
        for key, value in values.items():
            writing.put(key.encode(), value)
    database.close()
    return root


def opened(root: Path, stream: bool = False, skip_bad: bool = False, **options: str) -> DataSet:
    own = {f"data.{key}": value for key, value in options.items()}
    access = DataAccess(stream=stream, skip_bad=skip_bad, options=own)
    return open_source(f"lmdb:{root}", access).open((8, 8), 3, "auto")


def pictures(*seeds: int) -> torch.Tensor:
    pixels = [torch.tensor(list(noise(seed).tobytes()), dtype=torch.uint8) for seed in seeds]
    return torch.stack([each.view(8, 8, 3).permute(2, 0, 1) for each in pixels])


def test_a_database_in_a_single_file(tmp_path: Path) -> None:
    """Which keeps that it is one among its flags."""
    database = lmdb.open(str(tmp_path / "set.mdb"), map_size=2**24, subdir=False)
    with database.begin(write=True) as writing:
        for seed in range(3):
            writing.put(f"{seed}".encode(), png(seed))
    database.close()
    assert torch.equal(fetched(opened(tmp_path / "set.mdb")), pictures(0, 1, 2))


@BOTH
def test_a_database_is_a_folder_bit_for_bit(
    tmp_path: Path, held_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The layout of StyleGAN2's ports."""
    monkeypatch.setattr("experiments.data.core.image_files.HELD_BYTES", held_bytes)
    values = {f"8-{seed:05}": png(seed) for seed in range(6)}
    data = opened(write(tmp_path / "set", {**values, "length": b"6"}))
    (tmp_path / "folder").mkdir()
    for seed in range(6):
        noise(seed).save(tmp_path / f"folder/{seed}.png")
    expected = fetched(Folder(str(tmp_path / "folder")).open((8, 8), 3, "auto"))
    assert torch.equal(fetched(data), expected)
    assert torch.equal(data.fetch(torch.tensor([5, 0, 3])), expected[[5, 0, 3]])
    assert data.labels is None and data.on_demand == (held_bytes == 0)
    assert opened(tmp_path / "set", stream=True).on_demand


def test_of_several_sizes_the_largest_is_taken(tmp_path: Path) -> None:
    root = write(tmp_path / "set", {"8-00000": png(1), "16-00000": png(2, 16, 16), "length": b"1"})
    assert open_source(f"lmdb:{root}").native().first == (16, 16)
    assert torch.equal(fetched(opened(root, image="8-")), pictures(1))
    with pytest.raises(ValueError, match="none of images that begin with 32-"):
        opened(root, image="32-")


def test_labels_beside_images(tmp_path: Path) -> None:
    values = {
        f"{kind}-{number:09}": content
        for number in range(1, 4)
        for kind, content in (("image", png(number)), ("label", str(number % 2).encode()))
    }
    data = opened(write(tmp_path / "set", {**values, "num-samples": b"3"}))
    assert torch.equal(fetched(data), pictures(1, 2, 3))
    assert data.labels is not None and data.labels.tolist() == [1, 0, 1] and data.classes == ("0", "1")
    del values["label-000000002"]
    with pytest.raises(ValueError, match="has no label-000000002, but other labels"):
        opened(write(tmp_path / "lacking", values))
    with pytest.raises(ValueError, match=r"label-000000002 in .* is no label"):
        opened(write(tmp_path / "long", {**values, "label-000000002": bytes(100)}))


def test_keys_with_folders_and_lists_of_labels_mean_what_they_mean_in_a_folder(tmp_path: Path) -> None:
    data = opened(write(tmp_path / "paths", {"cat/1": png(1), "cat/2": png(2), "dog/1": png(3)}))
    assert data.classes == ("cat", "dog") and data.labels is not None and data.labels.tolist() == [0, 0, 1]
    labels = b'{"labels": [["a", 3], ["b", 1]]}'
    data = opened(write(tmp_path / "listed", {"a": png(1), "b": png(2), "dataset.json": labels}))
    assert data.classes == ("1", "3") and data.labels is not None and data.labels.tolist() == [1, 0]


def test_keys_that_are_hashes_as_those_of_lsun(tmp_path: Path) -> None:
    root = write(tmp_path / "set", {"0a7f": png(1), "00ff": png(2)})
    assert torch.equal(fetched(opened(root)), pictures(2, 1))


def test_nothing_is_written_or_locked(tmp_path: Path) -> None:
    root = write(tmp_path / "set", {"a": png(1)})
    (root / "lock.mdb").unlink()
    before = (root / "data.mdb").stat()
    assert len(opened(root)) == 1
    assert [each.name for each in root.iterdir()] == ["data.mdb"] and (root / "data.mdb").stat() == before
    assert len(opened(root / "data.mdb")) == 1, "or the file itself"


def test_threads_read_at_once_and_a_database_written_anew_is_read_anew(tmp_path: Path) -> None:
    root = write(tmp_path / "set", {f"{seed:02}": png(seed) for seed in range(30)})
    data = opened(root, stream=True)
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: fetched(data), range(6)))
    assert all(torch.equal(each, pictures(*range(30))) for each in found)
    (write(tmp_path / "other", {"a": png(40)}) / "data.mdb").replace(root / "data.mdb")
    assert torch.equal(fetched(opened(root)), pictures(40))


def test_a_database_that_is_cut_short_is_named(tmp_path: Path) -> None:
    """Reading beyond the end of its file would end the process."""
    root = write(tmp_path / "set", {f"8-{seed:05}": png(seed, 40, 40) for seed in range(20)})
    content = (root / "data.mdb").read_bytes()
    for length in (0, 10, 4096, 5000, 8192, 9000, len(content) // 2, len(content) - 1):
        (root / "data.mdb").write_bytes(content[:length])
        with pytest.raises(ValueError, match=rf"{root} is (cut short|no database)") as error:
            opened(root)
        assert "\n" not in str(error.value)


def test_a_page_that_lies_is_found_before_the_library_sees_it(tmp_path: Path) -> None:
    """Each of these would end the process, or make it wait without end."""
    values = {f"8-{seed:05}": png(seed, 40 if seed == 3 else 8, 40 if seed == 3 else 8) for seed in range(60)}
    root = write(tmp_path / "set", values)
    whole = (root / "data.mdb").read_bytes()
    size = 4096
    kinds = [int.from_bytes(whole[at + 10 : at + 12], "little") for at in range(0, len(whole), size)]
    leaf, branch = size * kinds.index(2), size * kinds.index(1)
    node = leaf + int.from_bytes(whole[leaf + 16 : leaf + 18], "little")
    below = branch + int.from_bytes(whole[branch + 16 : branch + 18], "little")
    large = next(
        leaf + place
        for leaf in range(0, len(whole), size)
        if kinds[leaf // size] == 2
        for number in range((int.from_bytes(whole[leaf + 12 : leaf + 14], "little") - 16) // 2)
        if whole[leaf + (place := int.from_bytes(whole[leaf + 16 + 2 * number :][:2], "little")) + 4] == 1
    )
    lies = {
        "no size of pages": (40, bytes(4)),
        "pages at a fixed address": (44, b"\x09"),
        "a root beyond the end": (size + 128, (10**6).to_bytes(8, "little")),
        "a root that is metadata": (size + 128, bytes(8)),
        "a last page beyond the end": (size + 136, (2**63).to_bytes(8, "little")),
        "another number": (leaf, b"\xff"),
        "no kind": (leaf + 10, bytes(2)),
        "more nodes than a page has": (leaf + 12, b"\xf0\x0f"),
        "no nodes": (leaf + 12, b"\x10\0"),
        "a node beyond the page": (leaf + 16, b"\xfe\x0f"),
        "a key beyond the page": (node + 6, b"\xff\xff"),
        "a value beyond the page": (node, b"\xff\xff"),
        "a page below that is above": (below, (branch // size).to_bytes(2, "little")),
        "a page below beyond the end": (below, b"\xff\xff"),
        "a large value beyond the end": (large + 8 + 7, b"\xff\xff\xff"),
        "a large value of gigabytes": (large, b"\xff\xff\xff\x7f"),
    }
    for what, (place, content) in lies.items():
        (root / "data.mdb").write_bytes(whole[:place] + content + whole[place + len(content) :])
        with pytest.raises(ValueError, match=rf"^{root} is (damaged|cut short|no database)") as error:
            opened(root)
            pytest.fail(what)
        assert "\n" not in str(error.value)
    (root / "data.mdb").write_bytes(whole)
    assert len(list(LmdbStore(root).keys())) == 60


def test_values_that_are_no_images(tmp_path: Path) -> None:
    root = write(tmp_path / "set", {"a": png(1), "b": b"words", "c": png(2)[:30]})
    with pytest.raises(ValueError, match=rf"b in {root} is not an image, or is damaged"):
        opened(root)
    data = opened(root, skip_bad=True)
    assert len(data) == 1 and data.remarks == ("skipped 2 files that cannot be read: b, c",)
    with pytest.raises(ValueError, match=r"a in .* is 8×8, d in .* is 9×9: choose --fit"):
        opened(write(tmp_path / "mixed", {"a": png(1), "d": png(2, 9, 9)}))


def test_what_is_no_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("words " * 9000)
    os.mkfifo(tmp_path / "pipe")
    write(tmp_path / "empty", {})
    write(tmp_path / "counts", {"length": b"0"})
    for name, words in {
        "nowhere": "does not exist: write --data lmdb:DIR",
        "folder": "has no data.mdb: write --data lmdb:DIR",
        "text": "is no database of LMDB, or is damaged",
        "pipe": "is no regular file",
        "empty": "has no images: 0 keys",
        "counts": "has no images: 1 keys, none of images",
    }.items():
        with pytest.raises(ValueError, match=words) as error:
            opened(tmp_path / name)
        assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="data 'lmdb' needs a database"):
        open_source("lmdb").native()
    monkeypatch.setitem(sys.modules, "lmdb", None)
    with pytest.raises(ValueError, match=r'needs the package lmdb; get it with: pip install "gans\[lmdb\]"'):
        opened(tmp_path / "empty")


def test_paths_are_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "set", {"a": png(1)})
    monkeypatch.chdir(tmp_path)
    assert absolute_spec("lmdb:set") == f"lmdb:{tmp_path}/set"
