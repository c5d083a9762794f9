"""Paths of images: with either slash, twice in one zip file, long and deep."""

import io
import time
import tracemalloc
import zipfile
from pathlib import Path

import pytest
import torch
from PIL import Image

from experiments.data.core.arranged_images import ImageFileSource
from experiments.data.core.arrangement import arrange
from experiments.data.folder import Folder
from experiments.data.zip import Zip
from tests.experiments.data.helpers import fetched

pytestmark = pytest.mark.usefixtures("image_cache")
STORES = pytest.mark.parametrize("store", ["folder", "zip"])


def png(level: int) -> bytes:
    content = io.BytesIO()
    Image.new("L", (8, 8), level).save(content, "PNG")
    return content.getvalue()


def source_of(root: Path, store: str, files: dict[str, bytes]) -> ImageFileSource:
    if store == "zip":
        with zipfile.ZipFile(root / "set.zip", "w") as packed:
            for name, content in files.items():
                packed.writestr(name, content)
        return Zip(str(root / "set.zip"))
    for name, content in files.items():
        (root / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "set" / name).write_bytes(content)
    return Folder(str(root / "set"))


@pytest.mark.parametrize("second", ["a\\x.png", "./a/x.png", "/a/x.png", "a//x.png", "a/x.png"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_two_members_of_one_path_the_later_is_taken_and_the_other_named(
    tmp_path: Path, second: str
) -> None:
    files = [("a/x.png", png(1)), (second, png(2)), ("b/y.png", png(3))]
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as packed:
        for name, content in files:
            packed.writestr(name, content)
    data = Zip(str(tmp_path / "set.zip")).open((8, 8), 1, "auto")
    assert fetched(data)[:, 0, 0, 0].tolist() == [2, 3]
    assert data.remarks == ("left out 1 file because later ones in the zip file have the same path: a/x.png",)


@STORES
@pytest.mark.parametrize("written", ["im\\{}.png", ".\\im\\{}.png", "./im/{}.png", "im/{}.png"])
def test_rows_of_attributes_are_written_with_either_slash(tmp_path: Path, store: str, written: str) -> None:
    files = {f"im/{number}.png": png(number) for number in range(3)}
    rows = "".join(f"{written.format(number)},{number % 2}\n" for number in range(3))
    source = source_of(tmp_path, store, files | {"attributes.csv": f"file,odd\n{rows}".encode()})
    data = source.open((8, 8), 1, "auto")
    assert data.attributes is not None
    assert data.attributes.table.flatten().tolist() == [0, 1, 0]


def test_a_backslash_that_belongs_to_a_name_stays(tmp_path: Path) -> None:
    """Where it is no slash, files of such names may lie in a folder."""
    files = {"a\\0.png": png(0), "a\\1.png": png(1)}
    names = '["a\\\\0.png", 5], ["a\\\\1.png", 7]'
    source = source_of(
        tmp_path,
        "folder",
        files
        | {
            "attributes.csv": b"file,odd\na\\0.png,0\na\\1.png,1\n",
            "dataset.json": f'{{"labels": [{names}]}}'.encode(),
        },
    )
    data = source.open((8, 8), 1, "auto")
    assert data.attributes is not None and data.labels is not None
    assert data.attributes.table.flatten().tolist() == data.labels.tolist() == [0, 1]


def test_two_rows_of_one_path_are_refused(tmp_path: Path) -> None:
    table = b"file,odd\na/0.png,0\na\\0.png,1\n"
    source = source_of(tmp_path, "zip", {"a/0.png": png(0), "attributes.csv": table})
    with pytest.raises(ValueError, match=r"has two rows for a/0\.png: take one out"):
        source.attribute_groups()


@pytest.mark.parametrize(
    "deep", ["a/" * 16_000 + "x.png", "a/" * 65 + "x.png", "b" * 4093 + ".png", "a/" * 65 + "x.txt"]
)
def test_long_and_deep_paths_are_left_out_by_name_in_little_time(tmp_path: Path, deep: str) -> None:
    source = source_of(tmp_path, "zip", {"c/1.png": png(1), "d/2.png": png(2), deep: png(3)})
    start = time.process_time()
    tracemalloc.start()
    data = source.open((8, 8), 1, "auto")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.process_time() - start < 2 and peak < 2**24
    assert (data.classes, len(data)) == (("c", "d"), 2)
    (remark,) = data.remarks
    assert remark.startswith(
        "left out 1 file in more than 64 folders, or with paths of more than 4,096 bytes: "
    )
    assert f": {deep[:100]}" in remark and len(remark) < 300


@STORES
def test_a_path_within_the_bounds_is_taken(tmp_path: Path, store: str) -> None:
    deep = "a/" * 64 + "x.png"
    data = source_of(tmp_path, store, {deep: png(9)}).open((8, 8), 1, "auto")
    assert (fetched(data)[0, 0, 0, 0].item(), data.remarks) == (9, ())


def test_many_images_below_many_folders_are_arranged_in_little_time() -> None:
    names = [f"{'a/' * 62}{number % 7}/{number}.png" for number in range(20_000)]
    start = time.process_time()
    found = arrange(sorted(names), set(names), "set")
    assert time.process_time() - start < 2
    assert found.labels is not None and torch.bincount(found.labels).sum() == 20_000
