"""A range that is found in the data is that of the images for training: what is held out is not looked at."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from experiments.config.resolve import resolve
from experiments.data.core.array_images import ArraySource
from experiments.data.core.dataset import DataAccess, DomainSource
from experiments.data.core.holdout import split_indices
from experiments.data.core.sources import open_source
from tests.conftest import Gans
from tests.experiments.data.helpers import fetched
from tests.experiments.data.test_wds import pack

pytestmark = pytest.mark.usefixtures("image_cache")

COUNT, SHARE = 40, 0.25
OWN, OTHERS = (part.tolist() for part in split_indices(COUNT, SHARE, 0))
Pictures = NDArray[Any]


def pictures_with_odd_ones(kind: str, odd: list[int] = OTHERS) -> Pictures:
    """Pictures `(N, H, W, 3)`, of which those with these numbers have values far from all others."""
    values = np.random.default_rng(0).integers(1000, 3000, (COUNT, 8, 8, 3))
    values[..., 1] += 500
    values[odd] *= 20
    return values.clip(0, 65535).astype(kind)


def write_npy(root: Path, pictures: Pictures) -> str:
    np.save(root / "a.npy", pictures)
    return f"npy:{root / 'a.npy'}"


def write_npz(root: Path, pictures: Pictures) -> str:
    np.savez(root / "a.npz", images=pictures)
    return f"npz:{root / 'a.npz'}"


def write_folder(root: Path, pictures: Pictures) -> str:
    (root / "set").mkdir(parents=True)
    for number, picture in enumerate(pictures):
        np.save(root / f"set/{number:02}.npy", picture)
    return f"folder:{root / 'set'}"


def write_16_bits(root: Path, pictures: Pictures, name: str = "set") -> str:
    (root / name).mkdir(parents=True)
    for number, picture in enumerate(pictures):
        Image.fromarray(picture[..., 0].astype(np.uint16)).save(root / f"{name}/{number:02}.png")
    return f"folder:{root / name}"


def found_range(spec: str, asked: str, depth: str = "auto", **access: Any) -> tuple[float, ...]:
    options = {"data.range": asked, "data.depth": depth} if asked else {}
    source = open_source(spec, DataAccess(holdout=SHARE, options=options, **access))
    found: tuple[float, ...] = source.found_options().range
    return found


@pytest.mark.parametrize("write", [write_npy, write_npz, write_folder])
@pytest.mark.parametrize("kind", ["float32", "uint16"])
def test_of_arrays_with_every_word(write: Callable[[Path, Pictures], str], kind: str, tmp_path: Path) -> None:
    pictures = pictures_with_odd_ones(kind)
    spec, own = write(tmp_path, pictures), pictures[OWN].astype(np.float64)
    assert found_range(spec, "") == found_range(spec, "auto") == (own.min(), own.max())
    assert found_range(spec, "p1,p99") == pytest.approx(np.percentile(own, [1, 99]))
    planes = own.reshape(-1, 3)
    by_channel = np.stack([planes.min(axis=0), planes.max(axis=0)], axis=1).ravel()
    assert found_range(spec, "auto,each") == pytest.approx(by_channel)
    assert found_range(spec, "p5,p95,each") == pytest.approx(np.percentile(planes, [5, 95], axis=0).T.ravel())


@pytest.mark.parametrize("depth", ["auto", "uint8"])
@pytest.mark.parametrize("source", ["folder", "wds", "hf"])
def test_of_16_bits_held_in_16_or_8(depth: str, source: str, tmp_path: Path) -> None:
    pictures = pictures_with_odd_ones("uint16")
    spec, own = write_16_bits(tmp_path, pictures), pictures[OWN][..., 0]
    files = sorted((tmp_path / "set").iterdir())
    if source == "wds":
        spec = f"wds:{pack(tmp_path / 'a.tar', {file.name: file.read_bytes() for file in files})}"
    elif source == "hf":
        datasets = pytest.importorskip("datasets")
        content = {"image": [{"bytes": file.read_bytes(), "path": None} for file in files]}
        features = datasets.Features({"image": datasets.Image()})
        datasets.Dataset.from_dict(content, features=features).save_to_disk(str(tmp_path / "saved"))
        spec = f"hf:{tmp_path / 'saved'}"
    assert found_range(spec, "auto", depth) == (own.min(), own.max())
    expected = np.percentile(own, [10, 90])
    assert found_range(spec, "p10,p90", depth) == pytest.approx(expected, abs=0.5 if depth == "uint8" else 0)


@pytest.mark.parametrize("write", [write_npy, write_folder])
def test_where_bad_pictures_are_left_out_the_others_are_split(
    write: Callable[[Path, Pictures], str], tmp_path: Path
) -> None:
    own, others = split_indices(COUNT - 3, SHARE, 0)
    bad = [2, 17, 30]
    good = np.delete(np.arange(COUNT), bad)
    pictures = pictures_with_odd_ones("float32", good[others.numpy()].tolist())
    pictures[bad, 0, 0, 0] = np.nan
    spec, kept = write(tmp_path, pictures), pictures[good][own.numpy()]
    assert found_range(spec, "auto", skip_bad=True) == (kept.min(), kept.max())


def test_where_damaged_files_of_16_bits_are_left_out(tmp_path: Path) -> None:
    """Their header is good, so that only who decodes them knows."""
    own, others = split_indices(COUNT - 1, SHARE, 0)
    good = np.delete(np.arange(COUNT), 5)
    pictures = pictures_with_odd_ones("uint16", good[others.numpy()].tolist())
    spec, kept = write_16_bits(tmp_path, pictures), pictures[good][own.numpy()][..., 0]
    file = tmp_path / "set/05.png"
    file.write_bytes(file.read_bytes()[:80])
    assert found_range(spec, "auto", "uint8", skip_bad=True) == (kept.min(), kept.max())


def test_percentiles_between_two_whole_numbers_are_not_one_of_them(tmp_path: Path) -> None:
    for number in range(2):
        Image.fromarray(np.full((8, 8), 1000 + number, np.uint16)).save(tmp_path / f"{number}.png")
    options = {"data.range": "p49.7,p49.8", "data.depth": "uint8"}
    source = open_source(f"folder:{tmp_path}", DataAccess(options=options))
    assert source.found_options().range == (1000, 1001)
    assert fetched(source.open((8, 8), None, "auto")).amax(dim=(1, 2, 3)).tolist() == [0, 255]


@pytest.mark.parametrize("depth", ["auto", "float32"])
@pytest.mark.parametrize("holdout", [None, SHARE])
def test_where_no_file_can_be_read(depth: str, holdout: float | None, tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(b"none")
    options = {"data.range": "auto", "data.depth": depth}
    source = open_source(f"folder:{tmp_path}", DataAccess(skip_bad=True, holdout=holdout, options=options))
    with pytest.raises(ValueError, match="none of the 3 images can be read"):
        source.open((8, 8), None, "auto")


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("layout", ["folders", "side by side"])
def test_of_two_domains(paired: bool, layout: str, tmp_path: Path) -> None:
    """Partners are held out together, and domains that are no pairs each by themselves."""
    purposes = ("", "") if paired else ("A", "B")
    splits = [[part.tolist() for part in split_indices(COUNT, SHARE, 0, purpose)] for purpose in purposes]
    sides = [pictures_with_odd_ones("uint16", others) for _, others in splits]
    if layout == "folders":
        for name, pictures in zip("AB", sides, strict=True):
            write_16_bits(tmp_path, pictures, name)
        expected = np.concatenate([side[own] for side, (own, _) in zip(sides, splits, strict=True)])
    else:
        write_16_bits(tmp_path, np.concatenate(sides, axis=2), "AB")
        in_both = sorted({*splits[0][0]} & {*splits[1][0]})
        expected = np.concatenate([side[in_both] for side in sides])
    access = DataAccess(holdout=SHARE, options={"data.range": "auto"})
    ends = expected[..., 0].min(), expected[..., 0].max()
    assert open_source(f"folder:{tmp_path}", access).found_options(paired).range == ends
    source = open_source(f"folder:{tmp_path}", access)
    assert isinstance(source, DomainSource)
    domains = source.open_domains((8, 8), None, "crop", paired)
    assert domains.a.units is not None and domains.a.units.range == ends
    if layout == "folders":
        trained = np.concatenate([fetched(side).numpy() for side in (domains.a, domains.b)])
        assert (trained.min(), trained.max()) == ends, "of what is trained on"


def test_a_run_asks_for_the_range_of_its_task(tmp_path: Path) -> None:
    splits = {name: split_indices(COUNT, SHARE, 0, name) for name in "AB"}
    for name, (_, others) in splits.items():
        write_16_bits(tmp_path, pictures_with_odd_ones("uint16", others.tolist()), name)
    flags = {"data": f"folder:{tmp_path}", "holdout": SHARE, "image_size": (8, 8), "data.range": "auto"}
    assert resolve({**flags, "arch": "cyclegan"}).settings.options["data.range"][1] < 3000
    assert resolve({**flags, "arch": "pix2pix"}).settings.options["data.range"][1] > 3000


def test_the_range_of_a_run_stays_that_of_its_config(
    gans: Gans, workplace: Path, refused: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also that of a run of before, when held-out images were looked at; the line that refuses says how."""
    spec = write_npy(workplace, pictures_with_odd_ones("float32"))
    line = (
        f"run --arch dcgan --loss bce --data {spec} --holdout {SHARE} --image-size 8 --width 2 --batch-size 4"
    )
    with monkeypatch.context() as before:
        before.setattr(ArraySource, "holdout_split", property(lambda _: None, lambda _, split: None))
        assert gans(f"{line} --steps 1 --out run").status == 0
    settings = json.loads(Path("run/config.json").read_text())["settings"]
    assert (value := settings["data.range"]["value"])[1] > 3500
    refused(
        2,
        ("data.range:", "go on with the range of that run: gans run --resume run"),
        f"{line} --steps 1 --out run",
    )
    longer = gans("run --resume run --steps 2")
    assert longer.status == 0, longer.err
    assert json.loads(Path("run/config.json").read_text())["settings"]["data.range"]["value"] == value
    own = pictures_with_odd_ones("float32")[OWN]
    anew = gans(f"{line} --dry-run --out new")
    assert f"data.range is {own.min():g},{own.max():g}, of the training images" in " ".join(anew.err.split())
