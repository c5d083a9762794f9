"""Arrangements: which images of a folder or zip file train, under which classes; what is said of others."""

import zipfile
from pathlib import Path
from shutil import make_archive

import pytest
import torch
from PIL import Image

from experiments.data.core.arranged_images import ImageFileSource
from experiments.data.core.dataset import DataAccess, DataSet
from experiments.data.folder import Folder
from experiments.data.wds import Wds
from experiments.data.zip import Zip
from tests.experiments.data.helpers import noise

pytestmark = pytest.mark.usefixtures("image_cache")
STORES = pytest.mark.parametrize("store", ["folder", "zip"])


def source_of(root: Path, store: str, names: tuple[str, ...]) -> ImageFileSource:
    """A source of images, whose level of grey is their place among the names."""
    for level, name in enumerate(names):
        file = root / "set" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith((".png", ".ppm")):
            Image.new("RGB", (8, 8), (level,) * 3).save(file)
        else:
            file.write_text("no image")
    if store == "folder":
        return Folder(str(root / "set"), DataAccess())
    with zipfile.ZipFile(root / "set.zip", "w") as packed:
        for name in names:
            packed.write(root / "set" / name, name)
    return Zip(str(root / "set.zip"), DataAccess())


def classes_by_name(data: DataSet, names: tuple[str, ...]) -> dict[str, str]:
    """The class of each image that the set holds; "" where there are no classes."""
    levels = data.fetch(torch.arange(len(data)))[:, 0, 0, 0].tolist()
    labels = [""] * len(data) if data.labels is None else [data.classes[each] for each in data.labels]
    return {names[level]: label for level, label in zip(levels, labels, strict=True)}


@STORES
@pytest.mark.parametrize(
    ("kept", "left"),
    [
        (("train/cat/1.png", "train/dog/1.png"), ("test/cat/2.png", "val/dog/3.png")),
        (("Training/cat/1.png", "Training/dog/1.png"), ("Validation/cat/2.png",)),
        (("training_set/cat/1.png", "training_set/dog/1.png"), ("test_set/cat/2.png",)),
        (("train2017/cat/1.png", "train2017/dog/1.png"), ("val2017/cat/2.png",)),
        (("set/train/x/cat/1.png", "set/train/x/dog/1.png"), ("set/test/x/cat/2.png",)),
        (("cat/train/1.png", "dog/train/1.png"), ("cat/test/2.png", "dog/val/2.png")),
        (("train/cat/1.png", "train/dog/1.png"), ("test/2.png", "preview.png")),
    ],
    ids=lambda names: names[0],
)
def test_the_training_part_is_taken_and_said(
    tmp_path: Path, store: str, kept: tuple[str, ...], left: tuple[str, ...]
) -> None:
    names = kept + left
    source = source_of(tmp_path, store, names)
    data = source.open((8, 8), 3, "auto")
    found = classes_by_name(data, names)
    assert list(found) == list(kept)
    assert [name for name, label in found.items() if f"{label}/" not in name] == []
    assert tuple(source.class_names()) == data.classes == ("cat", "dog")
    (remark,) = data.remarks
    assert remark.lower().startswith("trains on train")
    assert "(2 images); held out from training: " in remark


@STORES
def test_without_classes_the_training_part_is_one_set(tmp_path: Path, store: str) -> None:
    names = ("train/1.png", "test/2.png")
    data = source_of(tmp_path, store, names).open((8, 8), 3, "auto")
    assert classes_by_name(data, names) == {"train/1.png": ""}
    assert data.remarks == ("trains on train/ (1 image); held out from training: test/ (1 image)",)


@STORES
def test_parts_for_judging_below_the_images_are_held_out(tmp_path: Path, store: str) -> None:
    names = ("1.png", "2.png", "3.png", "test/4.png", "val/5.png")
    data = source_of(tmp_path, store, names).open((8, 8), 3, "auto")
    assert classes_by_name(data, names) == dict.fromkeys(names[:3], "")
    (remark,) = data.remarks
    assert "(3 images); held out from training: test/ and val/ (2 images)" in remark


@STORES
@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (("test/cat/1.png", "test/dog/2.png"), ("cat", "dog")),
        (("cat/test/1.png", "dog/test/2.png"), ("cat", "dog")),
        (("train/1.png", "train/2.png"), ()),
    ],
)
def test_one_part_alone_is_what_was_asked_for(
    tmp_path: Path, store: str, names: tuple[str, ...], classes: tuple[str, ...]
) -> None:
    data = source_of(tmp_path, store, names).open((8, 8), 3, "auto")
    assert (len(data), data.classes, data.remarks) == (2, classes, ())


@STORES
@pytest.mark.parametrize(
    "names",
    [
        ("bus/1.png", "car/2.png", "train/3.png"),
        ("train/1.png", "tram/2.png"),
        ("valid/1.png", "broken/2.png"),
        ("testament/1.png", "train/2.png"),
        ("trainer/1.png", "test/2.png"),
    ],
)
def test_folders_of_which_one_is_no_part_are_classes(
    tmp_path: Path, store: str, names: tuple[str, ...]
) -> None:
    data = source_of(tmp_path, store, names).open((8, 8), 3, "auto")
    assert classes_by_name(data, names) == {name: name.partition("/")[0] for name in names}
    assert data.remarks == ()


@STORES
@pytest.mark.parametrize(
    ("trained", "judged"),
    [
        (("trainA/1.png", "trainB/2.png"), ("testA/3.png", "testB/4.png")),
        (("A/1.png", "B/2.png"), ("testA/3.png",)),
    ],
)
def test_domains_for_judging_are_no_classes(
    tmp_path: Path, store: str, trained: tuple[str, ...], judged: tuple[str, ...]
) -> None:
    data = source_of(tmp_path, store, trained + judged).open((8, 8), 3, "auto")
    assert list(classes_by_name(data, trained)) == list(trained)
    assert data.classes == tuple(name.partition("/")[0] for name in trained)


@STORES
def test_parts_without_exactly_one_to_train_on_are_refused(tmp_path: Path, store: str) -> None:
    source = source_of(tmp_path, store, ("test/1.png", "val/2.png"))
    with pytest.raises(
        ValueError, match=r"set(\.zip)? has the parts test, val, but none to train on: name one"
    ):
        source.native()
    source = source_of(tmp_path / "more", store, ("test/1.png", "train/2.png", "training/2.png"))
    with pytest.raises(ValueError, match="has several parts to train on, train, training: put them into one"):
        source.native()


@STORES
@pytest.mark.parametrize(
    "names",
    [
        ("data/cat/1.png", "data/dog/2.png"),
        ("a/b/cat/1.png", "a/b/dog/2.png"),
        ("a/cat/1.png", "a/dog/2.png", "preview.png"),
        ("cat/1.png", "dog/2.png", "preview.png"),
    ],
)
def test_a_folder_around_and_images_above_are_no_classes(
    tmp_path: Path, store: str, names: tuple[str, ...]
) -> None:
    source = source_of(tmp_path, store, names)
    data = source.open((8, 8), 3, "auto")
    assert classes_by_name(data, names) == dict(zip(names[:2], ("cat", "dog"), strict=True))
    assert tuple(source.class_names()) == ("cat", "dog")
    left = ("left out 1 image above the class folders: preview.png",)
    assert data.remarks == (left if "preview.png" in names else ())


@STORES
def test_with_most_images_above_them_folders_are_no_classes(tmp_path: Path, store: str) -> None:
    names = ("1.png", "2.png", "3.png", "x/4.png", "y/5.png")
    data = source_of(tmp_path, store, names).open((8, 8), 3, "auto")
    assert len(data) == 5
    assert data.labels is None
    assert data.remarks == ("the folders x, y are no classes, because most images lie above them",)


@STORES
def test_attributes_of_the_parts_are_those_of_the_training_images(tmp_path: Path, store: str) -> None:
    names = ("w/train/1.png", "w/train/2.png", "w/test/3.png", "w/attributes.csv")
    (tmp_path / "set/w").mkdir(parents=True)
    source = source_of(tmp_path, "folder", names)
    text = "file,young\ntrain/1.png,1\ntrain/2.png,0\ntest/3.png,1\n"
    (tmp_path / "set/w/attributes.csv").write_text(text)
    if store == "zip":
        with zipfile.ZipFile(tmp_path / "set.zip", "w") as packed:
            for name in names:
                packed.write(tmp_path / "set" / name, name)
        source = Zip(str(tmp_path / "set.zip"))
    data = source.open((8, 8), 3, "auto")
    assert data.attributes is not None
    assert data.attributes.table.tolist() == [[1], [0]]
    assert [group.name for group in source.attribute_groups()] == ["young"]


@STORES
def test_files_of_other_endings_are_counted_and_named(tmp_path: Path, store: str) -> None:
    others = ("a.eps", "b.txt", "c.pdf", "d.npy")
    silent = (".hidden.txt", "Thumbs.db", "list_attr.d/.x.eps")
    names = ("1.png", "2.ppm", *others, *silent)
    data = source_of(tmp_path, store, names).open((8, 8), 3, "auto")
    assert len(data) == 2
    assert data.remarks == ("left out 4 files because of their endings: a.eps, b.txt, c.pdf, …",)


def test_photos_in_a_format_that_is_not_read_come_with_a_remedy(tmp_path: Path) -> None:
    data = source_of(tmp_path, "folder", ("1.png", "IMG_2.HEIC")).open((8, 8), 3, "auto")
    assert data.remarks == (
        "left out 1 file because of its ending: IMG_2.HEIC",
        "photos of a phone in .heic are not read: save them as JPEG or PNG",
    )
    (tmp_path / "set/1.png").unlink()
    for form in ("zip", "tar"):
        make_archive(str(tmp_path / "set"), form, tmp_path / "set")
    for source in (Folder(f"{tmp_path}/set"), Zip(f"{tmp_path}/set.zip"), Wds(f"{tmp_path}/set.tar")):
        with pytest.raises(ValueError, match=r"no images .*in \.heic are not read: save them as JPEG"):
            source.open((8, 8), 3, "auto")


def test_a_remark_is_one_line_whatever_the_names(tmp_path: Path) -> None:
    data = source_of(tmp_path, "folder", ("1.png", "two\nlines.txt", "se\udce9.txt")).open((8, 8), 3, "auto")
    assert data.remarks == (r"left out 2 files because of their endings: se\udce9.txt, two?lines.txt",)


def test_a_linked_class_is_counted_once_under_its_own_name(tmp_path: Path) -> None:
    names = ("cat/1.png", "dog/2.png")
    source_of(tmp_path, "folder", names)
    (tmp_path / "set/a-link").symlink_to(tmp_path / "set/cat")
    (tmp_path / "set/cat/zoo").symlink_to(tmp_path / "set/dog")
    data = Folder(str(tmp_path / "set")).open((8, 8), 3, "auto")
    assert classes_by_name(data, names) == {"cat/1.png": "cat", "dog/2.png": "dog"}


def test_backslashes_of_a_zip_are_slashes(tmp_path: Path) -> None:
    image = tmp_path / "image.png"
    noise(0).save(image)
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as packed:
        for name in ("set\\cat\\1.png", "./set/dog/2.png", "set\\.hidden\\3.png"):
            packed.writestr(name, image.read_bytes())
        packed.writestr("set\\cat\\", b"")
    data = Zip(str(tmp_path / "set.zip")).open((8, 8), 3, "auto")
    assert data.classes == ("cat", "dog")
    assert (len(data), data.remarks) == (2, ())


def test_two_domains_are_found_below_a_folder_around_them(tmp_path: Path) -> None:
    source = source_of(tmp_path, "folder", ("w/A/1.png", "w/B/1.png", "w/testA/1.png", "w/testB/1.png"))
    assert isinstance(source, Folder)
    for held_out, levels in ((False, [0, 1]), (True, [2, 3])):
        domains = source.open_domains((8, 8), 3, "auto", True, held_out)
        assert [int(side.fetch(torch.tensor([0]))[0, 0, 0, 0]) for side in (domains.a, domains.b)] == levels
