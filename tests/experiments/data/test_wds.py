"""Wds: samples in tar files come out as the same images in a folder do, in one order, or are refused."""

import gzip
import io
import json
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from experiments.data.core.dataset import DataAccess, DataSet, NoHeldOutDataError
from experiments.data.core.sources import absolute_spec, open_source
from experiments.data.folder import Folder
from experiments.data.wds import expand_braces
from tests.experiments.data.helpers import BOTH, fetched, noise

pytestmark = pytest.mark.usefixtures("image_cache")
Members = dict[str, bytes]


def png(seed: int, height: int = 8, width: int = 8) -> bytes:
    file = io.BytesIO()
    noise(seed, height, width).save(file, "png")
    return file.getvalue()


def pack(file: Path, members: Members) -> Path:
    with tarfile.open(file, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return file


def opened(argument: str | Path, stream: bool = False, skip_bad: bool = False, **options: str) -> DataSet:
    own = {f"data.{key}": value for key, value in options.items()}
    access = DataAccess(stream=stream, skip_bad=skip_bad, options=own)
    return open_source(f"wds:{argument}", access).open((8, 8), 3, "auto")


def write_shards(root: Path, label: str = "cls") -> str:
    """Three shards of two samples; their images are noise of the seeds 0 to 5."""
    for shard in range(3):
        members: Members = {}
        for seed in (2 * shard, 2 * shard + 1):
            content = (
                json.dumps({"label": seed % 2, "caption": "noise"}) if label == "json" else str(seed % 2)
            )
            members |= {f"{seed:03}.png": png(seed), f"{seed:03}.{label}": content.encode()}
        pack(root / f"set-{shard:03}.tar", members)
    return f"{root}/set-*.tar"


@BOTH
@pytest.mark.parametrize("label", ["cls", "json"])
def test_shards_are_a_folder_bit_for_bit(
    tmp_path: Path, label: str, held_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("experiments.data.core.image_files.HELD_BYTES", held_bytes)
    data = opened(write_shards(tmp_path, label))
    (tmp_path / "folder").mkdir()
    for seed in range(6):
        noise(seed).save(tmp_path / f"folder/{seed}.png")
    expected = fetched(Folder(str(tmp_path / "folder")).open((8, 8), 3, "auto"))
    assert torch.equal(fetched(data), expected)
    assert torch.equal(data.fetch(torch.tensor([5, 0, 3])), expected[[5, 0, 3]]), "in any order"
    assert data.labels is not None and data.labels.tolist() == [0, 1] * 3 and data.classes == ("0", "1")
    assert data.on_demand == (held_bytes == 0)


def test_streamed_shards_are_read_when_they_are_wanted(tmp_path: Path) -> None:
    pattern = write_shards(tmp_path)
    assert opened(pattern, stream=True).on_demand and not opened(pattern).on_demand
    assert torch.equal(fetched(opened(pattern, stream=True)), fetched(opened(pattern)))


def test_patterns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_shards(tmp_path)
    monkeypatch.chdir(tmp_path)
    for argument, count in {
        "set-{000..001}.tar": 4,
        "set-{000,002}.tar": 4,
        "set-001.tar": 2,
        "*": 6,
    }.items():
        assert len(opened(argument)) == count
        assert len(opened(absolute_spec(f"wds:{argument}").removeprefix("wds:"))) == count
        assert absolute_spec(f"wds:{argument}") == f"wds:{tmp_path}/{argument}"
    assert expand_braces("{a,b}/{08..10}") == ["a/08", "a/09", "a/10", "b/08", "b/09", "b/10"]
    for argument in ("{0..9999999}.tar", "{0..999}{0..999}"):
        with pytest.raises(ValueError, match="names more than 100,000 tar files"):
            expand_braces(argument)


def test_samples_need_not_lie_together_and_folders_belong_to_their_names(tmp_path: Path) -> None:
    members = {"a/1.cls": b"7", "b/1.cls": b"8", "b/1.png": png(1), "readme.txt": b"", "a/1.png": png(0)}
    data = opened(pack(tmp_path / "set.tar", members))
    assert torch.equal(
        fetched(data), fetched(opened(pack(tmp_path / "b.tar", {"0.PNG": png(0), "1.png": png(1)})))
    )
    assert data.labels is not None and data.labels.tolist() == [0, 1] and data.classes == ("7", "8")


def test_words_are_labels_too_and_descriptions_are_none(tmp_path: Path) -> None:
    members = {"1.png": png(1), "1.cls": b"dog\n", "2.png": png(2), "2.cls": b"cat"}
    assert opened(pack(tmp_path / "words.tar", members)).classes == ("cat", "dog")
    whole = {"1.png": png(1), "1.json": b'{"label": 2.0}', "2.png": png(2), "2.json": b'{"label": 10.0}'}
    assert opened(pack(tmp_path / "whole.tar", whole)).classes == ("2", "10")
    other = {"1.png": png(1), "1.json": b'{"caption": "a", "size": 3}', "1.txt": b"a"}
    file = pack(tmp_path / "other.tar", other)
    assert opened(file).labels is None
    assert opened(file, label="caption").classes == ("a",)
    assert opened(file, label="txt").classes == ("a",)
    with pytest.raises(ValueError, match="has a label no_such"):
        opened(file, label="no_such")


def test_several_images_of_a_sample(tmp_path: Path) -> None:
    file = pack(tmp_path / "set.tar", {"1.input.png": png(1), "1.output.png": png(2)})
    with pytest.raises(
        ValueError, match=r"several images .*\(input\.png, output\.png\): .*data\.image=input\.png"
    ):
        opened(file)
    assert torch.equal(
        fetched(opened(file, image="output.png")),
        fetched(opened(pack(tmp_path / "2.tar", {"1.png": png(2)}))),
    )


def test_samples_without_an_image_are_said(tmp_path: Path) -> None:
    """By their number, some of their members and a remedy for photos; also from the index in the cache."""
    photos = {f"{seed}.png": png(seed) for seed in range(5)}
    photos |= {f"{seed}.{ending}": b"x" for seed in range(5, 8) for ending in ("txt", "HEIC")}
    file = pack(tmp_path / "photos.tar", photos | {"dataset.json": b"{}", "set/README": b"words"})
    for _ in range(2):
        data = opened(file)
        assert len(data) == 5 and list(data.remarks) == [
            "left out 3 of 8 samples, with no image by their endings: 5.HEIC, 6.HEIC, 7.HEIC",
            "photos of a phone in .heic are not read: save them as JPEG or PNG",
        ]
    others = {f"{seed}.{'png' if seed < 2 else 'bmp'}": png(seed) for seed in range(5)}
    pack(tmp_path / "two-0.tar", others)
    pack(tmp_path / "two-1.tar", {"9.png": png(9), "9.cls.txt": b"1"})
    data = opened(tmp_path / "two-*.tar", image="png")
    assert len(data) == 3
    assert data.remarks == ("left out 3 of 6 samples, with no .png: 2.bmp, 3.bmp, 4.bmp",)
    assert len(opened(tmp_path / "two-*.tar")) == 6 and opened(tmp_path / "two-*.tar").remarks == ()


def test_endings_of_a_sample_that_differ_in_their_case_are_refused(tmp_path: Path) -> None:
    """Else one of the two would take the other's place; of members of one path the last counts."""
    file = pack(tmp_path / "a.tar", {"1.PNG": png(1), "1.png": png(2), "2.png": png(3)})
    words = r"1\.PNG and 1\.png in .*a\.tar are two members of a sample with one ending: rename one"
    for options in ({}, {"image": "png"}):
        with pytest.raises(ValueError, match=words):
            opened(file, **options)
    assert len(opened(pack(tmp_path / "b.tar", {"1.PNG": png(1), "one.png": png(2), "2.png": png(3)}))) == 3
    with tarfile.open(file, "w") as tar:
        for seed in (1, 2):
            info = tarfile.TarInfo("1.png")
            info.size = len(png(seed))
            tar.addfile(info, io.BytesIO(png(seed)))
    expected = fetched(opened(pack(tmp_path / "c.tar", {"1.png": png(2)})))
    assert torch.equal(fetched(opened(file)), expected)
    assert opened(file).remarks == (
        "left out 1 file because later ones in the tar file have the same path: 1.png",
    )


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_a_tar_file_that_is_cut_short_anywhere_is_named(tmp_path: Path, form: int) -> None:
    """Also between two members, where readers see a whole file."""
    file = tmp_path / "set.tar"
    with tarfile.open(file, "w", format=form) as tar:
        for seed in range(3):
            info = tarfile.TarInfo(f"{seed:0{60 if form == tarfile.USTAR_FORMAT else 120}}.png")
            info.size = len(png(seed))
            tar.addfile(info, io.BytesIO(png(seed)))
    content = file.read_bytes()
    end = len(content.rstrip(b"\0"))
    assert len(opened(file)) == 3
    last = -(-end // 512) * 512
    for length in [*range(0, last, 173), *range(0, last + 1, 512), last + 511]:
        file.write_bytes(content[:length])
        with pytest.raises(ValueError, match=rf"^{file} is (cut short|empty|not a tar file)") as error:
            opened(file)
        assert "\n" not in str(error.value)


def test_a_damaged_header_is_no_end(tmp_path: Path) -> None:
    file = pack(tmp_path / "set.tar", {"1.png": png(1), "2.png": png(2)})
    content = bytearray(file.read_bytes())
    place = content.index(b"2.png")
    content[place] ^= 1
    file.write_bytes(content)
    with pytest.raises(ValueError, match=rf"^{file} is cut short or damaged, at byte"):
        opened(file)


def test_a_header_that_claims_to_be_huge_is_not_read(tmp_path: Path) -> None:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 2**33
    with (tmp_path / "set.tar").open("wb") as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        file.truncate(2**33 + 4096)
    with pytest.raises(ValueError, match="not a tar file, or is damaged"):
        opened(tmp_path / "set.tar")


def test_damaged_images_are_named_or_skipped(tmp_path: Path) -> None:
    file = pack(tmp_path / "set.tar", {"1.png": png(1), "2.png": png(2)[:40], "3.png": b"words"})
    with pytest.raises(ValueError, match=rf"^2\.png in {file} (cannot be read|is not an image)"):
        opened(file)
    data = opened(file, skip_bad=True)
    assert len(data) == 1 and data.remarks[0].startswith("skipped 2 files that cannot be read: 2.png in")


def test_mixed_sizes_are_refused_as_in_folders(tmp_path: Path) -> None:
    file = pack(tmp_path / "set.tar", {"1.png": png(1), "2.png": png(2, 9, 9)})
    with pytest.raises(ValueError, match=rf"1\.png in {file} is 8×8, 2\.png in {file} is 9×9: choose --fit"):
        opened(file)


def test_wrong_files_are_explained(tmp_path: Path) -> None:
    (tmp_path / "empty.tar").write_bytes(b"")
    (tmp_path / "text.tar").write_text("words " * 200)
    (tmp_path / "set.tar.gz").write_bytes(gzip.compress(b"x"))
    os.mkfifo(tmp_path / "pipe.tar")
    pack(tmp_path / "none.tar", {"1.txt": b"words"})
    pack(tmp_path / "nothing.tar", {})
    pack(tmp_path / "some.tar", {"1.png": png(1), "1.cls": b"1", "2.png": png(2)})
    pack(tmp_path / "json.tar", {"1.png": png(1), "1.json": b"{"})
    pack(tmp_path / "list.tar", {"1.png": png(1), "1.json": b'{"label": [1]}'})
    for name, words in {
        "nowhere.tar": "does not exist: write --data wds:",
        "nowhere*.tar": "no file has such a name",
        "": "is a folder: write --data 'wds:",
        "empty.tar": "is empty, and no tar file",
        "text.tar": "is not a tar file, or is damaged",
        "set.tar.gz": "compressed with gzip.*: unpack it",
        "pipe.tar": "it is a pipe or a device",
        "none.tar": "no images in .*looked for",
        "nothing.tar": "no images in",
        "some.tar": r"2\.png in .*some\.tar has no label, as 1 of 2 images",
        "json.tar": r"1\.json in .*json\.tar cannot be read as JSON",
    }.items():
        with pytest.raises(ValueError, match=words) as error:
            opened(tmp_path / name)
        assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match=r"label is \[1\], no number or word"):
        opened(tmp_path / "list.tar", label="label")
    with pytest.raises(ValueError, match="data 'wds' needs tar files"):
        opened("")


def test_endings_that_are_no_images_come_with_those_that_are(tmp_path: Path) -> None:
    array = io.BytesIO()
    np.save(array, np.zeros((8, 8), np.float32))
    argument = pack(
        tmp_path / "a.tar", {"1.png": png(1), "1.cls": b"1", "1.npy": array.getvalue(), "1.b.json": b"{}"}
    )
    for ending in ("cls", "npy"):
        words = (
            rf"members \.{ending} of .*a\.tar are no images \(1\.{ending} in .*: take --set data\.image=png"
        )
        for skip_bad in (False, True):
            with pytest.raises(ValueError, match=words):
                opened(argument, image=ending, skip_bad=skip_bad)
    with pytest.raises(ValueError, match=r"\(looked for \.txt\): take --set data\.image=png"):
        opened(argument, image="txt")
    assert opened(argument, image="png", label="nothing").labels is None
    pack(tmp_path / "b.tar", {"1.npy": array.getvalue(), "1.cls": b"1"})
    unpack = "arrays are read from a folder: unpack the tar files, and write --data folder:PATH"
    for options in ({}, {"image": "npy"}, {"image": "txt"}):
        with pytest.raises(ValueError, match=unpack):
            opened(tmp_path / "b.tar", **options)
    pack(tmp_path / "c.tar", {"1.json": b"{}", "1.cls": b"1"})
    with pytest.raises(ValueError, match=r"its members end in cls, json"):
        opened(tmp_path / "c.tar", image="txt")
    pack(tmp_path / "d.tar", {"1.png": b"words"})
    with pytest.raises(ValueError, match=r"members \.png of .* are no images .*its members end in png"):
        opened(tmp_path / "d.tar", image="png")


def test_nothing_is_held_out(tmp_path: Path) -> None:
    with pytest.raises(NoHeldOutDataError):
        open_source(f"wds:{write_shards(tmp_path)}").open_held_out((8, 8), 3, "crop")
