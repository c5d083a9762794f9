"""Hf: the rows of a data set of Hugging Face come out as the images of a folder do, in each of its forms."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from experiments.core.named_values import SettingValues
from experiments.data.core.dataset import DataAccess, DataSet, NoHeldOutDataError
from experiments.data.core.hub_datasets import parse_name
from experiments.data.core.sources import absolute_spec, open_source
from tests.experiments.data.helpers import BOTH, fetched, noise
from tests.experiments.data.test_wds import png

datasets = pytest.importorskip("datasets")


@pytest.fixture(autouse=True)
def _own_cache(image_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library keeps what it makes of parquet files in a cache of its own."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "hf-cache"))


def table(*seeds: int, **columns: list[Any]) -> Any:
    """A table of images of noise, of the classes cat and dog."""
    features = {"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog", "eel"])}
    content: dict[str, Any] = {"image": [{"bytes": png(seed), "path": None} for seed in seeds]}
    content["label"] = [seed % 2 for seed in seeds]
    for name, values in columns.items():
        kind = {str: "string", bytes: "binary", float: "float64"}.get(type(values[0]), "int64")
        content[name], features[name] = values, datasets.Value(kind)
    return datasets.Dataset.from_dict(content, features=datasets.Features(features))


def save_folder(root: Path) -> str:
    datasets.DatasetDict(train=table(0, 1, 2, 3), test=table(5, 7)).save_to_disk(str(root / "set"))
    return f"{root}/set"


def save_parquet(root: Path) -> str:
    (root / "set/data").mkdir(parents=True)
    table(0, 1, 2, 3).to_parquet(str(root / "set/data/train-00000-of-00001.parquet"))
    table(5, 7).to_parquet(str(root / "set/data/test-00000-of-00001.parquet"))
    return f"{root}/set"


def save_images(root: Path) -> str:
    for part, seeds in (("train", (0, 1, 2, 3)), ("test", (5, 7))):
        for seed in seeds:
            folder = root / "set" / part / ("cat", "dog")[seed % 2]
            folder.mkdir(parents=True, exist_ok=True)
            noise(seed).save(folder / f"{seed}.png")
    return f"{root}/set"


FORMS = pytest.mark.parametrize("save", [save_folder, save_parquet, save_images])


def opened(argument: str, stream: bool = False, skip_bad: bool = False, **options: str) -> DataSet:
    own: SettingValues = {f"data.{key}": value for key, value in options.items()}
    access = DataAccess(stream=stream, skip_bad=skip_bad, options=own)
    return open_source(f"hf:{argument}", access).open((8, 8), 3, "auto")


def pictures(*seeds: int) -> torch.Tensor:
    pixels = [torch.tensor(list(noise(seed).tobytes()), dtype=torch.uint8) for seed in seeds]
    return torch.stack([each.view(8, 8, 3).permute(2, 0, 1) for each in pixels])


@FORMS
@BOTH
def test_rows_are_images_with_classes_by_name(
    tmp_path: Path, save: Callable[[Path], str], held_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("experiments.data.core.image_files.HELD_BYTES", held_bytes)
    data = opened(save(tmp_path))
    order = [0, 2, 1, 3] if save is save_images else [0, 1, 2, 3]
    assert torch.equal(fetched(data), pictures(*order))
    assert data.classes == ("cat", "dog"), "no row is an eel"
    assert data.labels is not None and data.labels.tolist() == [seed % 2 for seed in order]
    assert data.on_demand == (held_bytes == 0) and opened(f"{tmp_path}/set", stream=True).on_demand
    assert torch.equal(data.fetch(torch.tensor([3, 0])), pictures(order[3], 0))


@FORMS
def test_splits(tmp_path: Path, save: Callable[[Path], str]) -> None:
    argument = save(tmp_path)
    source = open_source(f"hf:{argument}")
    held_out = source.open_held_out((8, 8), 3, "auto")
    assert torch.equal(fetched(held_out), pictures(5, 7))
    assert held_out.classes == ("cat", "dog") and held_out.labels is not None
    assert held_out.labels.tolist() == [1, 1]
    assert torch.equal(fetched(opened(f"{argument}@test")), pictures(5, 7))
    with pytest.raises(NoHeldOutDataError):
        open_source(f"hf:{argument}@test").open_held_out((8, 8), 3, "auto")
    with pytest.raises(ValueError, match="has no split dev; it has train, test"):
        opened(f"{argument}@dev")


def test_a_parquet_file_and_a_table_without_splits(tmp_path: Path) -> None:
    table(1, 2).to_parquet(str(tmp_path / "set.parquet"))
    assert torch.equal(fetched(opened(f"{tmp_path}/set.parquet")), pictures(1, 2))
    table(3, 4).save_to_disk(str(tmp_path / "saved"))
    assert torch.equal(fetched(opened(f"{tmp_path}/saved")), pictures(3, 4))
    datasets.DatasetDict(a=table(1), b=table(2)).save_to_disk(str(tmp_path / "both"))
    with pytest.raises(ValueError, match="has the splits a, b: name one, --data hf:NAME@a"):
        opened(f"{tmp_path}/both")


def test_columns_are_found_or_named(tmp_path: Path) -> None:
    made = table(1, 2, raw=[png(3), png(4)], word=["b", "a"], number=[4, 4], share=[0.5, 0.5])
    made.save_to_disk(str(tmp_path / "set"))
    argument = f"{tmp_path}/set"
    with pytest.raises(
        ValueError, match=r"several columns of images \(image, raw\): --set data\.image=image"
    ):
        opened(argument)
    assert torch.equal(fetched(opened(argument, image="raw")), pictures(3, 4))
    data = opened(argument, image="image", label="word")
    assert data.classes == ("a", "b") and data.labels is not None and data.labels.tolist() == [1, 0]
    for options, words in (
        ({"image": "word"}, r"column word of hf:.* holds string, no images; take --set data\.image=image"),
        ({"image": "label"}, "column label of .* holds classes, no images"),
        ({"image": "none_such"}, "has no column none_such; it has image, label, raw, word, number, share"),
        ({"image": "image", "label": "share"}, "column share of .* holds float64, no labels"),
        ({"image": "image", "label": "none_such"}, "has no column none_such"),
    ):
        with pytest.raises(ValueError, match=words) as error:
            opened(argument, **options)
        assert "\n" not in str(error.value)
    made.select_columns(["word"]).save_to_disk(str(tmp_path / "words"))
    with pytest.raises(ValueError, match=r"has no column of images; it has word \(string\)"):
        opened(f"{tmp_path}/words")


def test_bytes_that_are_no_images_are_named_by_their_column(tmp_path: Path) -> None:
    """Only then: a damaged image among them is another thing."""
    table(1, 2, blob=[b"words", b"more"]).save_to_disk(str(tmp_path / "set"))
    words = r"column blob of hf:.*set holds bytes that are no images, in its first 2 rows; "
    with pytest.raises(ValueError, match=words + r"take --set data\.image=image$"):
        opened(f"{tmp_path}/set", image="blob")
    table(1, 2, blob=[b"words", b"more"]).select_columns(["blob", "label"]).save_to_disk(str(tmp_path / "no"))
    for skip_bad in (False, True):
        with pytest.raises(ValueError, match=words.replace("set", "no") + "its other columns are label"):
            opened(f"{tmp_path}/no", skip_bad=skip_bad)
    table(1, 2, blob=[png(1)[:40], png(2)]).select_columns(["blob"]).save_to_disk(str(tmp_path / "some"))
    with pytest.raises(ValueError, match=r"blob of row 0 of train in .* is not an image, or is damaged"):
        opened(f"{tmp_path}/some")
    assert len(opened(f"{tmp_path}/some", skip_bad=True)) == 1


def test_columns_of_arrays_come_with_a_way(tmp_path: Path) -> None:
    values = [[[0.5] * 8] * 8] * 2
    for name, kind in (
        ("array", datasets.Array2D((8, 8), "float32")),
        ("lists", datasets.Sequence(datasets.Sequence(datasets.Value("float32")))),
    ):
        made = datasets.Dataset.from_dict({"field": values}, features=datasets.Features({"field": kind}))
        made.save_to_disk(str(tmp_path / name))
        with pytest.raises(
            ValueError, match=r"column field holds arrays: save them by numpy\.save .*npy:FILE"
        ):
            opened(f"{tmp_path}/{name}")
        loaded = datasets.load_from_disk(str(tmp_path / name)).with_format("numpy")["field"][:]
        np.save(tmp_path / f"{name}.npy", loaded)
        (access,) = [DataAccess(options={"data.range": "0,1"})]
        assert len(open_source(f"npy:{tmp_path}/{name}.npy", access).open((8, 8), None, "auto")) == 2


def test_a_configuration_of_what_has_none_is_refused(tmp_path: Path) -> None:
    saved = save_folder(tmp_path)
    table(1, 2).to_parquet(str(tmp_path / "a.parquet"))
    save_parquet(tmp_path / "parquet")
    save_images(tmp_path / "images")
    for argument, words in {
        f"{saved}/config@train": f"{saved} was saved by save_to_disk, which has no configurations, and there "
        f"is no config in it: write --data hf:{saved}, or mend the path",
        f"{tmp_path}/a.parquet/foo": "a.parquet is a file, which has no configurations",
        f"{tmp_path}/parquet/set/foo": "set has no foo, as a folder or as a configuration: mend the path",
        f"{tmp_path}/images/set/foo": "set has no foo, as a folder or as a configuration: mend the path",
    }.items():
        with pytest.raises(ValueError, match=re.escape(words)):
            opened(argument)
    assert len(opened(f"{saved}@train")) == 4


def test_labels_can_be_left_out(tmp_path: Path) -> None:
    data = opened(save_folder(tmp_path), label="nothing")
    assert data.labels is None and data.classes == ()


def test_rows_without_labels(tmp_path: Path) -> None:
    features = table(1).features
    for name, labels, words in (
        ("all", [-1, -1], ""),
        ("some", [0, None], "row 1 of train in .* has no label"),
    ):
        content = {"image": [{"bytes": png(seed), "path": None} for seed in (1, 2)], "label": labels}
        datasets.Dataset.from_dict(content, features=features).save_to_disk(str(tmp_path / name))
        if words:
            with pytest.raises(ValueError, match=words):
                opened(f"{tmp_path}/{name}")
        else:
            assert opened(f"{tmp_path}/{name}").labels is None


def test_images_that_cannot_be_read(tmp_path: Path) -> None:
    values = [
        {"bytes": png(1), "path": None},
        {"bytes": png(2)[:30], "path": None},
        {"bytes": None, "path": "https://nowhere.example/a.png"},
        None,
    ]
    plain = {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}  # as parquet files have it
    features = datasets.Features({"image": plain})
    datasets.Dataset.from_dict({"image": values}, features=features).save_to_disk(str(tmp_path / "set"))
    with pytest.raises(ValueError, match=r"row 1 of train in hf:.*set (cannot be read|is not an image)"):
        opened(f"{tmp_path}/set")
    data = opened(f"{tmp_path}/set", skip_bad=True)
    assert len(data) == 1 and data.remarks[0].startswith("skipped 3 files that cannot be read: train/1, ")
    store: Any = open_source(f"hf:{tmp_path}/set").store  # type: ignore[attr-defined]
    for name, words in (("train/2", "not on this machine, but at https://"), ("train/3", "has no image")):
        with pytest.raises(ValueError, match=words):
            store.open(name)


def test_what_cannot_be_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "script").mkdir()
    (tmp_path / "script/script.py").write_text("raise SystemExit('it runs')")
    (tmp_path / "text.txt").write_text("words")
    (tmp_path / "cut.parquet").write_bytes(b"PAR1" + bytes(40))
    table(1).select([]).save_to_disk(str(tmp_path / "none"), num_shards=1)
    save_folder(tmp_path)
    next((tmp_path / "set/train").glob("*.arrow")).write_bytes(b"ARROW")
    for argument, words in {
        str(tmp_path / "empty"): "empty cannot be loaded",
        str(tmp_path / "script"): "script cannot be loaded",
        str(tmp_path / "text.txt"): r"it is a file, but none of \.parquet",
        str(tmp_path / "cut.parquet"): r"cut\.parquet cannot be loaded",
        str(tmp_path / "none"): "none (cannot be loaded|has no rows)",
        str(tmp_path / "set"): "set cannot be loaded",
        "nobody/nothing": r"hf:nobody/nothing is no folder, and not in the cache .*--download",
        "nobody/nothing/config@train": r"hf:nobody/nothing is no folder",
    }.items():
        with pytest.raises(ValueError, match=words) as error:
            opened(argument)
        assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="data 'hf' needs a data set"):
        open_source("hf").native()
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(
        ValueError, match=r'needs the package datasets; get it with: pip install "gans\[hf\]"'
    ):
        opened("nobody/nothing")


def test_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("here").mkdir()
    for argument, parts in {
        "mnist": ("mnist", None, None),
        "ylecun/mnist": ("ylecun/mnist", None, None),
        "ylecun/mnist@test": ("ylecun/mnist", None, "test"),
        "owner/set/config@test": ("owner/set", "config", "test"),
        "here@test": ("here", None, "test"),
        "here/config": ("here", "config", None),
        f"{tmp_path}/here": (f"{tmp_path}/here", None, None),
    }.items():
        assert parse_name(argument) == parts
    assert absolute_spec("hf:here/config@a") == f"hf:{tmp_path}/here/config@a"
    assert absolute_spec("hf:ylecun/mnist@test") == "hf:ylecun/mnist@test"
