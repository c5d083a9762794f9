"""Lists of attributes beside images: what they say reaches the right image, and what is wrong is named."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from experiments.data.core import image_files
from experiments.data.core.dataset import DataAccess, DataSet, attributes_of
from experiments.data.folder import Folder

IMAGES = ("b/1.png", "a.png", "c.png")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three images, whose first pixels are 0, 1 and 2, and which are read in another order."""
    monkeypatch.setenv("GANS_CACHE", str(tmp_path / "cache"))
    for level, name in enumerate(IMAGES):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), level).save(tmp_path / "set" / name)
    return tmp_path / "set"


def opened(root: Path, skip_bad: bool = False) -> DataSet:
    return Folder(str(root), DataAccess(skip_bad=skip_bad)).open((8, 8), 1, "auto")


def rows_by_level(data: DataSet) -> dict[int, list[float]]:
    assert data.attributes is not None
    levels = data.fetch(torch.arange(len(data)))[:, 0, 0, 0].tolist()
    return dict(zip(levels, data.attributes.table.tolist(), strict=True))


def write(root: Path, *lines: str, name: str = "attributes.csv") -> None:
    (root / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_a_csv_says_what_is_known_of_each_image(root: Path) -> None:
    """Numbers are binary, words are values, in the order of their names; the order of the rows is free."""
    write(root, "file,hue,smiling,Young", "c.png,red,1,-1", "b/1.png, green ,0,1", "", 'a.png,"red",1,1')
    data = opened(root)
    assert data.attributes is not None
    assert data.attributes.column_names == ("hue=green", "hue=red", "smiling", "Young")
    assert rows_by_level(data) == {0: [1, 0, 0, 1], 1: [0, 1, 1, 1], 2: [0, 1, 1, 0]}
    assert attributes_of(data) is data.attributes


def test_a_mark_at_the_start_and_other_line_ends_do_no_harm(root: Path) -> None:
    """As spreadsheets write them."""
    text = '"file, below the folder",x\r\n' + "a.png,1\r\nb/1.png,0\r\nc.png,0\r\n"
    (root / "attributes.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert rows_by_level(opened(root)) == {0: [0], 1: [1], 2: [0]}


def test_celebas_own_list_names_the_files_alone(root: Path) -> None:
    rows = ["1.png  1 -1", "a.png -1  1", "c.png -1 -1"]
    write(root, "3", "Smiling Young ", *rows, name="list_attr_celeba.txt")
    data = opened(root)
    assert data.attributes is not None
    assert data.attributes.column_names == ("Smiling", "Young")
    assert rows_by_level(data) == {0: [1, 0], 1: [0, 1], 2: [0, 0]}


def test_folders_of_classes_are_one_attribute(tmp_path: Path) -> None:
    for name in ("dog/1.png", "cat/2.png", "dog/3.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("L", (8, 8)).save(tmp_path / name)
    data = opened(tmp_path)
    assert data.attributes is None
    attributes = attributes_of(data)
    assert attributes.column_names == ("class=cat", "class=dog")
    assert attributes.table.tolist() == [[1, 0], [0, 1], [0, 1]]


@pytest.mark.parametrize("held_bytes", [image_files.HELD_BYTES, 0], ids=["held", "cached"])
def test_with_a_bad_file_its_row_is_left_out(
    root: Path, held_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_files, "HELD_BYTES", held_bytes)
    write(root, "file,x,y", "a.png,1,1", "b/1.png,0,1", "c.png,1,0")
    (root / "a.png").write_bytes(b"")
    assert rows_by_level(opened(root, skip_bad=True)) == {0: [0, 1], 2: [1, 0]}
    write(root, "file,x,y", "a.png,1,1", "b/1.png,0,1", "c.png,0,0")
    with pytest.raises(ValueError, match="no image has the attribute x"):
        opened(root, skip_bad=True)


ROWS = ("a.png,1", "b/1.png,0", "c.png,1")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["file,x", *ROWS[:2]], r"attributes\.csv has no row for c\.png: add it"),
        (["file,x", ROWS[0]], r"has no row for b/1\.png and 1 more"),
        (["file,x", *ROWS, "z.png,1"], r"has a row for z\.png, which is not there: take it out"),
        (["file,x", *ROWS, ROWS[0]], r"has two rows for a\.png"),
        (["file,x", *ROWS[:2], "c.png,"], r"the row of c\.png must have 2 cells, none empty"),
        (["file,x", *ROWS[:2], "c.png,1,1"], r"the row of c\.png must have 2 cells"),
        (["file,x", *ROWS[:2], "c.png"], r"the row of c\.png must have 2 cells"),
        (["file,x,x", *(row + ",1" for row in ROWS)], "every column needs a name of its own"),
        (["file,", *ROWS], "every column needs a name of its own"),
        (["file,x"], "has no attributes: a row of their names comes first"),
        (["file", "a.png", "b/1.png", "c.png"], "has no attributes"),
        ([""], "has no attributes"),
        (["file,x", "a.png,0", "b/1.png,-1", "c.png,0"], "no image has the attribute x: add such"),
    ],
)
def test_what_is_wrong_in_a_csv_is_named(root: Path, lines: list[str], words: str) -> None:
    write(root, *lines)
    with pytest.raises(ValueError, match=words) as error:
        opened(root)
    assert "\n" not in str(error.value)


def test_what_is_no_text_is_named(root: Path) -> None:
    (root / "attributes.csv").write_bytes(b"file,x\na.png,\xff\n")
    with pytest.raises(ValueError, match=r"attributes\.csv cannot be read: .*; save it as CSV in UTF-8"):
        opened(root)


def test_columns_of_numbers_are_no_attribute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.data.core.attribute_files.MOST_VALUES", 2)
    for number in range(3):
        Image.new("L", (8, 8)).save(tmp_path / f"{number}.png")
    write(tmp_path, "file,age", *(f"{number}.png,{number + 40}" for number in range(3)))
    with pytest.raises(ValueError, match="age has more than 2 different values: leave it out"):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (
            ["2", "Smiling", "1.png 1", "a.png -1", "c.png 1"],
            "is damaged: a line with the number of its rows",
        ),
        (["3", "Smiling", "1.png 1", "a.png -1"], "is damaged"),
        (["", ""], "is damaged"),
        (["3", "Smiling", "1.png 1", "a.png 0", "c.png 1"], r"the row of a\.png must have 1 times 1 or -1"),
        (["3", "Smiling", "1.png 1", "a.png 1 1", "c.png 1"], r"the row of a\.png must have 1 times"),
        (["3", "Smiling", "1.png 1", "a.png 1", "d.png 1"], r"has a row for d\.png, which is not there"),
        (["2", "Smiling", "1.png 1", "a.png 1"], r"has no row for c\.png"),
    ],
)
def test_what_is_wrong_in_celebas_list_is_named(root: Path, lines: list[str], words: str) -> None:
    write(root, *lines, name="list_attr_celeba.txt")
    with pytest.raises(ValueError, match=words) as error:
        opened(root)
    assert "\n" not in str(error.value)
