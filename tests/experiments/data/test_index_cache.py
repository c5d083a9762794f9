"""Index of a tar file: headers are read at the first start only, until it changes or the index is lost."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from experiments.data.core import tar_samples
from experiments.data.core.index_cache import load_index, save_index
from experiments.data.core.tar_index import TarMember, index_tar
from tests.experiments.data.helpers import fetched
from tests.experiments.data.test_wds import opened, pack, png, write_shards


@pytest.fixture
def indexed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the tar files whose headers are read, as they are."""
    names: list[str] = []

    def note(path: Path) -> Iterator[TarMember]:
        names.append(path.name)
        return index_tar(path)

    monkeypatch.setattr(tar_samples, "index_tar", note)
    return names


@pytest.fixture
def index_folder(image_cache: Path) -> Path:
    """The folder of an empty cache of indices."""
    return image_cache.with_name("indices")


def test_headers_are_read_at_the_first_start_only(
    tmp_path: Path, index_folder: Path, indexed: list[str]
) -> None:
    pattern = write_shards(tmp_path)
    first = opened(pattern)
    assert indexed == ["set-000.tar", "set-001.tar", "set-002.tar"]
    second = opened(pattern)
    assert len(indexed) == 3
    assert torch.equal(fetched(second), fetched(first)) and second.classes == first.classes == ("0", "1")
    assert first.labels is not None and second.labels is not None and torch.equal(first.labels, second.labels)
    assert opened(pattern, label="cls").labels is not None and len(indexed) == 6, (
        "other options, other labels"
    )


def test_a_changed_tar_file_is_seen(tmp_path: Path, index_folder: Path, indexed: list[str]) -> None:
    """Also one of the same size whose time was set back."""
    pattern = write_shards(tmp_path)
    opened(pattern)
    file = tmp_path / "set-001.tar"
    before = file.stat()
    content = file.read_bytes()
    place = content.index(b"002.cls") + 512
    assert content[place : place + 1] == b"0"
    file.write_bytes(content[:place] + b"7" + content[place + 1 :])
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert opened(pattern).classes == ("0", "1", "7")
    assert indexed[3:] == ["set-001.tar"]


def test_a_damaged_index_is_none(tmp_path: Path, index_folder: Path, indexed: list[str]) -> None:
    file = pack(tmp_path / "set.tar", {"1.png": png(1), "1.cls": b"3", "2.png": png(2), "2.cls": b"4"})
    opened(file)
    (kept,) = index_folder.iterdir()
    whole = kept.read_bytes()
    for content in (b"", whole[:4], whole[:-1], whole[:20] + b"9" + whole[21:]):
        kept.write_bytes(content)
        assert opened(file).classes == ("3", "4")
        assert kept.read_bytes() == whole, "it is written anew"
    assert len(indexed) == 5
    kept.unlink()
    kept.symlink_to(tmp_path / "nowhere")
    assert opened(file).classes == ("3", "4") and not (tmp_path / "nowhere").exists()


def test_a_tar_file_that_cannot_be_read_leaves_no_index(tmp_path: Path, index_folder: Path) -> None:
    file = pack(tmp_path / "set.tar", {"1.png": png(1), "2.png": png(2)})
    whole = file.read_bytes()
    file.write_bytes(whole[:1024])
    for _ in range(2):
        with pytest.raises(ValueError, match="cut short"):
            opened(file)
    assert not index_folder.exists()


def test_a_file_that_changes_while_its_headers_are_read_is_not_kept(
    tmp_path: Path, index_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = pack(tmp_path / "set.tar", {"1.png": png(1)})

    def change(path: Path) -> Iterator[TarMember]:
        yield from index_tar(path)
        pack(tmp_path / "other.tar", {"1.png": png(2), "2.png": png(3)}).replace(path)

    monkeypatch.setattr(tar_samples, "index_tar", change)
    opened(file, skip_bad=True)
    assert not index_folder.exists()


def test_a_cache_that_cannot_be_written_is_no_error(
    tmp_path: Path, indexed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_text("a file in the place of a folder")
    monkeypatch.setenv("GANS_CACHE", str(tmp_path / "cache"))
    pattern = write_shards(tmp_path)
    assert len(opened(pattern)) == len(opened(pattern)) == 6
    assert len(indexed) == 6


def test_rows_come_back_whole(index_folder: Path) -> None:
    """Also paths that are no valid text, and numbers of more than 53 bits."""
    rows = [["a\udcff\n/é.png", 2**62, 5, 10**17 + 1], ["b", 0, 1, None], ["c", 1, 2, "dog"]]
    assert load_index("key") is None
    assert save_index("key", rows)
    assert load_index("key") == rows
    assert save_index("key", []) and load_index("key") == []
