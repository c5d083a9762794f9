"""`dataset.json`: labels of StyleGAN's dataset tool reach the right image; what is wrong is named."""

import json
import zipfile
from pathlib import Path

import pytest
import torch
from PIL import Image

from experiments.data.core.arranged_images import ImageFileSource
from experiments.data.core.dataset import DataSet
from experiments.data.folder import Folder
from experiments.data.zip import Zip

pytestmark = pytest.mark.usefixtures("image_cache")
STORES = pytest.mark.parametrize("store", ["folder", "zip"])
NAMES = [f"{number // 3:05d}/img{number:08d}.png" for number in range(6)]
LABELS = [2, 0, 7, 2, 2, 0]


def source_of(root: Path, store: str, content: bytes | object) -> ImageFileSource:
    """Six images in two shards, of the levels 0 to 5, with a dataset.json."""
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    for level, name in enumerate(NAMES):
        (root / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), level).save(root / "set" / name)
    (root / "set/dataset.json").write_bytes(text)
    if store == "folder":
        return Folder(str(root / "set"))
    with zipfile.ZipFile(root / "set.zip", "w") as packed:
        for name in (*NAMES, "dataset.json"):
            packed.write(root / "set" / name, name)
    return Zip(str(root / "set.zip"))


def named(data: DataSet) -> list[str]:
    assert data.labels is not None
    assert data.fetch(torch.arange(6))[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4, 5]
    return [data.classes[label] for label in data.labels]


@STORES
@pytest.mark.parametrize("form", ["numbers", "floats", "one-hot", "backslashes", "mapping", "mark"])
def test_labels_are_the_classes_whatever_their_form(tmp_path: Path, store: str, form: str) -> None:
    pairs: list[list[object]] = [[name, label] for name, label in zip(NAMES, LABELS, strict=True)][::-1]
    if form == "one-hot":
        pairs = [[name, [int(place == label) for place in range(8)]] for name, label in pairs]
    if form == "floats":
        pairs = [[name, float(str(label))] for name, label in pairs]
    if form == "backslashes":
        pairs = [[str(name).replace("/", "\\"), label] for name, label in pairs]
    whole: object = {"labels": dict(map(tuple, pairs)) if form == "mapping" else pairs}
    source = source_of(
        tmp_path, store, b"\xef\xbb\xbf" + json.dumps(whole).encode() if form == "mark" else whole
    )
    data = source.open((8, 8), 1, "auto")
    assert named(data) == [str(label) for label in LABELS]
    assert tuple(source.class_names()) == data.classes == ("0", "2", "7")
    assert data.remarks == ()


@STORES
@pytest.mark.parametrize("labels", [None, [[name, None] for name in NAMES], []])
def test_null_is_no_labels_and_shards_are_no_classes(tmp_path: Path, store: str, labels: object) -> None:
    source = source_of(tmp_path, store, {"labels": labels})
    data = source.open((8, 8), 1, "auto")
    assert (len(data), data.labels, tuple(source.class_names())) == (6, None, ())


@STORES
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "cannot be read as JSON"),
        (b"{", "cannot be read as JSON"),
        (b"\xff", "cannot be read as JSON"),
        (b"[" * 200_000, r"cannot be read as JSON \(it is nested too deeply\)"),
        ([], "must be"),
        ({"labels": 3}, "must be"),
        ({"labels": [[NAMES[0]]]}, r"\[name, label\]"),
        ({"labels": [[name, 0] for name in NAMES[1:]]}, "has no label for 00000/img00000000.png: add it"),
        ({"labels": [[name, 0] for name in NAMES[:2]]}, "00002.png and 3 more"),
        ({"labels": [[name, None if name == NAMES[1] else 1] for name in NAMES]}, "img00000001.png is null"),
        ({"labels": [[name, 0.5] for name in NAMES]}, "is 0.5, neither a whole number"),
        ({"labels": [[name, True] for name in NAMES]}, "is true, neither a whole number"),
        ({"labels": [[name, -1] for name in NAMES]}, "is -1, neither a whole number"),
        ({"labels": [[name, [1, 1]] for name in NAMES]}, "nor a one-hot vector"),
        ({"labels": [[name, []] for name in NAMES]}, "nor a one-hot vector"),
        ({"labels": [[name, [0, 1] + [0] * (name == NAMES[0])] for name in NAMES]}, "of one length"),
        ({"labels": [[name, 0 if name == NAMES[0] else [0, 1]] for name in NAMES]}, "all numbers, or all"),
        ({"labels": [*([name, 0] for name in NAMES), [NAMES[0], 1]]}, "two labels for 00000/img00000000"),
    ],
)
def test_what_is_wrong_is_one_line_that_names_the_file(
    tmp_path: Path, store: str, content: object, words: str
) -> None:
    source = source_of(tmp_path, store, content)
    for ask in (source.class_names, lambda: source.open((8, 8), 1, "auto")):
        with pytest.raises(ValueError, match=words) as error:
            ask()
        assert "dataset.json" in str(error.value)
        assert "\n" not in str(error.value)
