"""Sets of numbers beyond 8 bits are compared in one range, which stands in the record."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from tests.conftest import Gans

SMALL = "--extractor random-vgg --json"


@pytest.fixture(scope="module")
def numbers() -> NDArray[np.float32]:
    """Pictures `(N, H, W, C)` of numbers whose extremes are 0 and 1."""
    values = np.random.default_rng(7).random((24, 16, 16, 3)).astype(np.float32)
    values[0, 0, 0], values[1, 0, 0] = 0, 1
    return values


def scored(outcome: Any) -> dict[str, Any]:
    assert outcome.status == 0, outcome.err
    (score,) = json.loads(outcome.out).values()
    return dict(score)


@pytest.fixture
def expected(gans: Gans, workplace: Path, numbers: NDArray[np.float32]) -> float:
    """Distance of A in [0, 1] to B = 2·A, both of them brought by 0 to 2: levels of A end at 127.5."""
    np.save("a.npy", numbers)
    np.save("b.npy", 2 * numbers)
    np.save("halved.npy", (127.5 * numbers + 0.0).astype(np.float32))
    np.save("whole.npy", (255 * numbers).astype(np.float32))
    found = scored(gans(f"fid npy:halved.npy npy:whole.npy {SMALL} --set data.range=0,255"))
    assert found["range"] == [0, 255] and found["value"] > 1
    return float(found["value"])


def test_both_sides_are_brought_by_one_range(gans: Gans, expected: float) -> None:
    told = gans(f"fid npy:a.npy npy:b.npy {SMALL}")
    found = scored(told)
    assert found["value"] == pytest.approx(expected, rel=1e-3) and found["range"] == [0, 2]
    assert "npy:a.npy and npy:b.npy are compared in one range, 0,2, that of both together" in told.err
    stated = scored(gans(f"fid npy:a.npy npy:b.npy {SMALL} --set data.range=0,2"))
    assert stated["value"] == pytest.approx(found["value"], rel=1e-6)
    by_channel = scored(gans(f"fid npy:a.npy npy:b.npy {SMALL} --set data.range=auto,each"))
    assert by_channel["range"] == [0, 2] * 3 and by_channel["value"] == pytest.approx(expected, rel=1e-3)


def test_statistics_know_their_range(gans: Gans, refused: Any, expected: float) -> None:
    made = gans(f"stats npy:b.npy --out b.npz {SMALL}")
    assert json.loads(made.out)["range"] == [0, 2]
    told = gans(f"fid npy:a.npy b.npz {SMALL}")
    assert scored(told)["value"] == pytest.approx(expected, rel=1e-3)
    assert "in the range of b.npz, 0,2" in told.err
    assert gans(f"stats npy:a.npy --out a.npz {SMALL}").status == 0
    refused(
        2, ("a.npz and b.npz were not made alike (data.range: 0,1 and 0,2)", "--force"), "fid a.npz b.npz"
    )
    refused(2, ("data.range: 0,1 and 0,2",), f"fid npy:a.npy b.npz {SMALL} --set data.range=0,1")
    assert scored(gans("fid a.npz b.npz --json --force"))["value"] < 1e-6
    with np.load("b.npz") as file:
        record = {**json.loads(str(file["provenance"])), "range": [2, 0]}
        np.savez("bad.npz", mu=file["mu"], sigma=file["sigma"], provenance=np.array(json.dumps(record)))
    refused(2, ("bad.npz: its provenance", "2,0"), f"fid npy:a.npy bad.npz {SMALL}")


def test_files_of_16_bits_and_of_floats(gans: Gans, workplace: Path, numbers: NDArray[np.float32]) -> None:
    for name, gain in (("low", 10_000), ("high", 40_000)):
        Path(name).mkdir()
        for number, picture in enumerate(numbers[..., 0]):
            Image.fromarray((gain * picture).astype(np.uint16)).save(f"{name}/{number:02}.png")
    told = scored(gans(f"fid folder:low folder:high {SMALL} --set data.range=auto"))
    assert told["range"] == [0, 40_000]
    stated = scored(gans(f"fid folder:low folder:high {SMALL} --set data.range=0,40000"))
    assert stated["value"] == pytest.approx(told["value"], rel=1e-6) and told["value"] > 1
    for name, gain in (("one", 1.0), ("four", 4.0)):
        Path(name).mkdir()
        for number, picture in enumerate(numbers[..., 0]):
            tifffile.imwrite(f"{name}/{number:02}.tif", gain * picture)
    floats = scored(gans(f"fid folder:one folder:four {SMALL}"))
    assert floats["range"] == [0, 4] and floats["value"] == pytest.approx(told["value"], rel=1e-2)


def test_what_has_no_range_in_common_is_refused(gans: Gans, refused: Any, expected: float) -> None:
    np.save("bytes.npy", np.random.default_rng(0).integers(256, size=(24, 16, 16, 3), dtype=np.uint8))
    told = refused(
        2,
        ("npy:bytes.npy has 8 bits and npy:a.npy has values from 0,1",),
        f"fid npy:a.npy npy:bytes.npy {SMALL}",
    )
    assert "--set data.range=LOW,HIGH" in told
    assert scored(gans(f"fid npy:a.npy npy:bytes.npy {SMALL} --set data.range=0,1"))["range"] == [0, 1]
    words = "--set data.range=auto --set data.depth=uint8"
    refused(
        2, ("by a range of its own", "--set data.range=LOW,HIGH"), f"fid npy:a.npy npy:b.npy {SMALL} {words}"
    )


def test_data_takes_the_range_of_a_generator(gans: Gans, refused: Any, expected: float) -> None:
    tiny = "--image-size 16 --width 2 --z-dim 4 --batch-size 4 --steps 1 --track local --preset laptop"
    assert gans(f"run --arch dcgan --loss bce --data npy:b.npy {tiny} --out run").status == 0
    told = gans(f"fid npy:b.npy run {SMALL} -n 12")
    own = json.loads(gans(f"evaluate run {SMALL} -n 12 --metrics fid").out)["fd-random-vgg"]
    found = scored(told)
    assert found["range"] == [0, 2] and found["value"] == pytest.approx(own["value"], rel=1e-6)
    other = scored(gans(f"fid npy:a.npy run {SMALL} -n 12"))
    assert other["range"] == [0, 2] and other["value"] != pytest.approx(found["value"], rel=1e-3)
    refused(2, ("data.range: 0,1 and 0,2",), f"fid npy:a.npy run {SMALL} -n 12 --set data.range=0,1")
