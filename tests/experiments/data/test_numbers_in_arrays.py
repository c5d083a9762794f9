"""Npy and npz of numbers beyond 8 bits: the values, range, units and remarks of a folder of .npy files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from experiments.config.resolve import resolve
from experiments.data.core import array_images, value_surveys
from experiments.data.core.array_images import ArrayDataSet
from experiments.data.core.batch_stream import data_bytes
from experiments.data.core.dataset import DataAccess, DataSet, Fit, load_into_memory
from experiments.data.core.sources import open_source
from tests.conftest import Gans
from tests.experiments.data.helpers import fetched

pytestmark = pytest.mark.usefixtures("image_cache")

VALUES = np.random.default_rng(0).normal(280, 10, (6, 5, 12, 10)).astype(np.float32)
WHOLE = np.random.default_rng(1).integers(0, 4096, (6, 2, 12, 10)).astype(np.uint16)


def save(root: Path, values: NDArray[Any], form: str = "npy", **others: NDArray[Any]) -> str:
    """Writes pictures, and further arrays into a .npz; the spec of the file."""
    root.mkdir(exist_ok=True)
    if form == "npy":
        np.save(root / "maps.npy", values)
        return f"npy:{root}/maps.npy"
    write: Any = np.savez if form == "stored" else np.savez_compressed
    write(root / "maps.npz", images=values, **others)
    return f"npz:{root}/maps.npz"


def access(**options: str) -> DataAccess:
    return DataAccess(options={f"data.{name}": value for name, value in options.items()})


def opened(spec: str, size: tuple[int, int] = (12, 10), fit: Fit = "crop", **options: str) -> DataSet:
    return open_source(spec, access(**options)).open(size, None, fit)


@pytest.mark.parametrize("form", ["npy", "stored", "compressed"])
@pytest.mark.parametrize("values", [VALUES, WHOLE], ids=["float32", "uint16"])
def test_numbers_are_those_of_a_folder_of_files(tmp_path: Path, form: str, values: NDArray[Any]) -> None:
    """At every size, with the same units and remarks, whether channels come first or last."""
    (tmp_path / "folder").mkdir()
    for number, picture in enumerate(values):
        np.save(tmp_path / f"folder/{number}.npy", picture)
    specs = [
        save(tmp_path / "first", values, form),
        save(tmp_path / "last", values.transpose(0, 2, 3, 1), form),
    ]
    assert np.array_equal(fetched(opened(specs[0])).numpy(), values)
    for options in ({}, {"range": "p5,p95"}, {"range": "auto,each"}, {"range": "0,300", "depth": "float32"}):
        fits: tuple[Fit, ...] = ("crop", "pad", "stretch")
        for fit, size in ((fits[0], (12, 10)), *((fit, (8, 6)) for fit in fits)):
            expected = opened(f"folder:{tmp_path}/folder", size, fit, **options)
            for spec in specs:
                data = opened(spec, size, fit, **options)
                assert isinstance(data, ArrayDataSet) and data.units == expected.units
                found = fetched(data)
                assert found.dtype == fetched(expected).dtype and torch.equal(found, fetched(expected))
                assert [each for each in expected.remarks if "cut to their middle" not in each] == [
                    *data.remarks
                ]


def test_known_values_are_known_values_of_networks(tmp_path: Path) -> None:
    levels = np.full((4, 8, 8), 3000, np.uint16)
    levels[:, 0, :3] = 1000, 5000, 9000
    data = opened(save(tmp_path, levels), (8, 8), range="1000,5000")
    assert data.units is not None and data.units == (1000, 5000, "uint16")
    assert data.units.to_networks(fetched(data))[0, 0, 0, :4].tolist() == [-1, 1, 1, 0]
    assert data.units.to_depth(data.units.to_networks(fetched(data)))[0, 0, 0, :4].tolist() == [
        1000,
        5000,
        5000,
        3000,
    ]


@pytest.mark.parametrize("kind", ["f2", "f8", ">f4", "i2", "i4", "u4", "i8", ">u2"])
def test_other_numbers_are_held_as_float32(tmp_path: Path, kind: str) -> None:
    values = np.arange(-200, 184).reshape(6, 8, 8).clip(0 if "u" in kind else None).astype(kind)
    data = opened(save(tmp_path, values), (8, 8))
    assert data.units is not None and data.units == (
        values.min(),
        183,
        "uint16" if kind == ">u2" else "float32",
    )
    assert np.array_equal(fetched(data)[:, 0].numpy(), values.astype(data.units.depth))


def test_bytes_are_numbers_only_where_that_is_asked(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(256, size=(5, 8, 8), dtype=np.uint8)
    spec = save(tmp_path, pixels)
    assert opened(spec, (8, 8)).units is None and fetched(opened(spec, (8, 8))).dtype == torch.uint8
    for options in ({"range": "10,200"}, {"range": "10,200", "depth": "float32"}):
        data = opened(spec, (8, 8), **options)
        assert data.units == (10, 200, "float32") and np.array_equal(fetched(data)[:, 0].numpy(), pixels)
    asked = opened(spec, (8, 8), range="10,200", depth="uint8")
    assert asked.units is None and "so data.range changes nothing" in asked.remarks[0]
    found = open_source(spec, access()).found_options()
    assert (found.range, found.depth) == ((), "uint8")
    config = resolve({"arch": "mlp", "data": spec, "batch_size": 2}).settings.to_dict()
    of_earlier_version = {
        key: value for key, value in config.items() if key not in ("data.range", "data.depth")
    }
    again = resolve({}, file=of_earlier_version, file_name="config.json").settings
    assert again.to_dict() == config
    many = save(tmp_path, np.tile(pixels[:, None], (1, 6, 1, 1)))
    with pytest.raises(ValueError, match=r"8 bits have 1, 3 or 4 channels, .*--set data\.depth=float32"):
        opened(many, (8, 8))
    assert opened(many, (8, 8), depth="float32").sample_shape == (6, 8, 8)


def test_a_range_is_found_said_and_the_same_on_resume(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = {"arch": "mlp", "data": save(tmp_path, VALUES), "batch_size": 2}
    with caplog.at_level("INFO", "gans"):
        settings = resolve({**flags, "data.range": "p1,p99"}).settings
    assert settings.options["data.range"] == pytest.approx(np.percentile(VALUES, [1, 99]))
    assert settings.options["data.depth"] == "float32" and settings.channels == 5
    assert "maps.npy: data.range=p1,p99 is 25" in caplog.text
    save(tmp_path, VALUES * 2)
    again = resolve({}, file=settings.to_dict(), file_name="config.json").settings
    assert again.options == settings.options
    monkeypatch.setattr(value_surveys, "MOST_VALUES", 3 * VALUES[0].size)
    part = resolve({**flags, "data.range": "p1,p99"}).settings.options["data.range"]
    assert part == pytest.approx(np.percentile(2 * VALUES[::2], [1, 99])), "of evenly spread pictures"
    extremes = resolve(flags).settings.options["data.range"]
    assert extremes == (2 * VALUES.min(), 2 * VALUES.max()), "of all"


@pytest.mark.parametrize("fill", [-1e20, float(np.finfo(np.float32).min), 2.0**70])
def test_an_end_of_a_range_that_is_a_huge_whole_number_is_mapped(tmp_path: Path, fill: float) -> None:
    """Fill values of rasters: torch takes no such number in Python's whole ones."""
    values = np.random.default_rng(0).random((6, 8, 8)).astype(np.float32)
    values[:, 0, 0] = fill
    data = opened(save(tmp_path, values), (8, 8))
    assert data.units is not None and data.units.range == (min(values.min(), fill), max(values.max(), fill))
    seen = data.units.to_networks(fetched(data))
    end = 1 if fill > 0 else -1
    assert (seen[:, 0, 0, 0] == end).all() and (seen[:, 0, 1:] + end).abs().max() < 1e-6


@pytest.mark.parametrize("form", ["npy", "folder"])
def test_levels_that_float32_has_not_are_said(tmp_path: Path, form: str) -> None:
    """Near 10,000 its numbers are 2⁻¹⁰ apart, near 2³⁰ they are 128 apart; with the remedy all are there."""
    fine = np.random.default_rng(0).uniform(0, 2.0**-9, (6, 8, 8))
    whole = np.arange(6 * 8 * 8, dtype=np.int32).reshape(6, 8, 8) % 256
    for values, levels in ((10_000 + fine, 2), (2**30 + whole, 2)):
        spec = save(tmp_path, values)
        if form == "folder":
            for number, picture in enumerate(values):
                (tmp_path / "folder").mkdir(exist_ok=True)
                np.save(tmp_path / f"folder/{number}.npy", picture)
            spec = f"folder:{tmp_path}/folder"
        data = opened(spec, (8, 8))
        assert data.units is not None and data.units.range == (values.min(), values.max()), "not of float32"
        (remark,) = data.remarks
        assert remark.startswith(f"float32, which holds the values, has {levels} levels from {values.min()} ")
        assert remark.endswith(
            f"type {values.dtype.name} has more: subtract {values.min()} from all, and save them anew"
        )
        mended = opened(save(tmp_path, values - values.min()), (8, 8))
        assert mended.remarks == () and mended.units is not None
        seen = mended.units.to_networks(fetched(mended))[:, 0].double().numpy()
        expected = 2 * (values - values.min()) / (values.max() - values.min()) - 1
        assert np.abs(seen - expected).max() < 1e-6
    for values in (10_000 + fine.astype(np.float32), 1e5 + 1000 * np.random.default_rng(0).random((6, 8, 8))):
        assert opened(save(tmp_path, values), (8, 8)).remarks == (), "nothing lost, or nothing that matters"
    assert opened(save(tmp_path, whole << 22), (8, 8)).remarks == ()


def test_what_a_range_clips_and_constant_channels_are_said(tmp_path: Path) -> None:
    values = VALUES.copy()
    values[:, 1] = 7
    clips, constant, view = opened(save(tmp_path, values), range="275,285").remarks
    assert "data.range 275,285 clips" in clips and "--set data.range=p0.5,p99.5" in clips
    assert "channel 2 of 5 is constant (7)" in constant and "pictures show the first three" in view
    with pytest.raises(
        ValueError, match=r"picture 0 \(counted .*no different values in channel 2 \(only 7\)"
    ):
        opened(save(tmp_path, values), range="auto,each")


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
@pytest.mark.parametrize("options", [{}, {"range": "p1,p99"}, {"range": "250,310"}])
def test_values_that_are_not_finite_are_refused_by_their_picture(
    tmp_path: Path, wrong: float, options: dict[str, str]
) -> None:
    values = VALUES.copy()
    values[3, 0, 0, :3] = wrong
    spec = save(tmp_path, values, "stored", labels=np.arange(6) % 2)
    words = (
        r"^picture 3 \(counted from 0\) of array images in .*maps\.npz .*: 3 of its 600 values are not finite"
    )
    with pytest.raises(ValueError, match=words + r".*fill them in, by numpy\.nan_to_num; or take --skip-bad"):
        opened(spec, **options)
    longer, stated = save(tmp_path, np.tile(values, (20, 1, 1, 1))), {"data.range": "250,310"}
    with pytest.raises(ValueError, match=r"^picture 3 \(counted"):  # which no survey looks at
        opened(longer, range="250,310")
    data = open_source(longer, DataAccess(stream=True, options=stated)).open((12, 10), None, "crop")
    with pytest.raises(ValueError, match=r"^picture 3 \(counted"):
        fetched(data)
    skipping = DataAccess(skip_bad=True, options=access(**options).options)
    kept = open_source(spec, skipping).open((12, 10), None, "crop")
    assert np.array_equal(fetched(kept).numpy(), np.delete(VALUES, 3, axis=0))
    assert kept.labels is not None and kept.labels.tolist() == [0, 1, 0, 0, 1]
    assert kept.remarks[0] == "skipped 1 of 6 pictures, with values not finite or too large: 3"


@pytest.mark.parametrize(
    ("array", "options", "words"),
    [
        (
            np.zeros((5, 8, 8), bool),
            {},
            "is of bool, and pictures are real numbers: save it as uint8, uint16",
        ),
        (np.zeros((5, 8, 8), "U3"), {}, "is of str96, and pictures are real numbers"),
        (np.zeros((5, 8, 8), "f4,f4"), {}, "and pictures are real numbers"),
        (VALUES[:, 0, 0], {}, "no pictures"),
        (np.zeros((5, 3, 8, 4), np.float32), {}, "of which either side may be channels"),
        (np.zeros((5, 8, 8), np.float32), {}, r"nothing to learn; or give --set data\.range=LOW,HIGH"),
        (VALUES, {"depth": "uint16"}, r"type float32, which data\.depth uint16 cannot hold"),
        (WHOLE, {"depth": "uint8"}, r"type uint16, which data\.depth uint8 cannot hold"),
        (WHOLE, {"range": "0,1,0,1,0,1"}, r"is of 3 channels, and the images have 2"),
    ],
)
def test_arrays_that_cannot_be_taken(
    tmp_path: Path, array: NDArray[Any], options: dict[str, str], words: str
) -> None:
    with pytest.raises(ValueError, match=words) as error:
        opened(save(tmp_path, array), (8, 8), **options)
    assert "\n" not in str(error.value)


def test_other_channels_and_sizes_are_refused(tmp_path: Path) -> None:
    source = open_source(save(tmp_path, VALUES))
    with pytest.raises(ValueError, match=r"maps\.npy has 5 channels, not 3: .*take --channels 5"):
        source.open((12, 10), 3, "crop")
    with pytest.raises(ValueError, match="is 12×10, not 8×8: choose --fit crop"):
        source.open((8, 8), None, "error")


def test_values_count_in_their_own_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, held = save(tmp_path, VALUES), VALUES.nbytes
    data = opened(spec)
    assert data_bytes(data) == held and not data.on_demand
    assert load_into_memory(data, torch.device("cpu")).samples.nbytes == held
    monkeypatch.setattr(array_images, "HELD_BYTES", held - 1)
    assert opened(spec).on_demand
    whole: Any = data.pictures.values if isinstance(data, ArrayDataSet) else None
    while not isinstance(whole, np.memmap):
        whole = whole.base
        assert whole is not None, "it is in memory"


def test_the_part_for_tests_has_the_units_of_training(tmp_path: Path) -> None:
    np.save(tmp_path / "x_train.npy", WHOLE)
    np.save(tmp_path / "x_test.npy", WHOLE + 1)
    spec = f"npy:{tmp_path}/x_train.npy"
    held_out = open_source(spec).open_held_out((12, 10), None, "crop")
    assert held_out.units == (WHOLE.min(), WHOLE.max(), "uint16")
    assert np.array_equal(fetched(held_out).numpy(), WHOLE + 1)
    np.save(tmp_path / "x_test.npy", VALUES[:, :2])
    with pytest.raises(ValueError, match=r"of type float32, and .*x_train\.npy is held as uint16: save both"):
        open_source(spec).open_held_out((12, 10), None, "crop")
    data = open_source(spec, access(depth="float32")).open_held_out((12, 10), None, "crop")
    assert np.array_equal(fetched(data).numpy(), VALUES[:, :2])


def test_a_run_is_in_original_units_from_training_to_scores(gans: Gans, workplace: Path) -> None:
    """With a share held out; samples of a network that has hardly learnt lie amid the range."""
    levels = np.full((40, 8, 8), 3000, np.uint16)
    levels[:, 0, :2] = 1000, 5000
    np.save("maps.npy", levels)
    line = "run --arch mlp --loss bce --data npy:maps.npy --set data.range=auto --holdout 0.25 --width 4"
    done = gans(f"{line} --batch-size 4 --steps 1 --track local --out run")
    assert done.status == 0, done.err
    settings = json.loads(Path("run/config.json").read_text())["settings"]
    assert settings["data.range"]["value"] == [1000, 5000] and settings["data.depth"]["value"] == "uint16"
    assert gans("run --resume run --steps 2").status == 0
    assert gans("sample run -n 4 --out x.npy").status == 0
    samples = np.load("x.npy")
    assert samples.dtype == np.uint16 and samples.shape == (4, 1, 8, 8)
    assert 1000 <= samples.min() < samples.max() <= 5000 and abs(np.median(samples) - 3000) < 1000
    scored = gans("evaluate run --reference held-out --metrics power-spectrum --json")
    assert scored.status == 0, scored.err
    (score,) = json.loads(scored.out).values()
    assert score["quantization"] == "none"
    refused = gans("prepare npy:maps.npy --out maps.zip")
    assert refused.status == 2 and "is held as uint16 in a range" in refused.err
