"""Commands on data of five channels and of 16 bits: training, samples, scores, translations in its units."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from experiments.runs.export import METADATA_KEY, open_export
from tests.commands.helpers import Refused
from tests.conftest import Gans

RUN = "run --arch dcgan --loss wgan-gp --data fields --image-size 16 --steps 2 --batch-size 8 --width 4"


@pytest.fixture
def run(gans: Gans) -> Path:
    result = gans(f"{RUN} --out run")
    assert result.status == 0, result
    return Path("run")


@pytest.mark.long
def test_five_channels_go_through_every_command(gans: Gans, run: Path, refused: Refused) -> None:
    for line in (
        "sample run -n 4 --out a.npy",
        "sample run -n 4 --out files/",
        "sample run -n 4 --out view.png",
        "interpolate run --from 1 --to 2 --frames 2 --out i.png",
        "export run --out g.safetensors",
        "export run --out g.onnx",
        "sample g.safetensors -n 4 --out b.npy",
        "report run --out r.html",
        "doctor run",
        "plan --arch dcgan --loss wgan-gp --data fields --image-size 16",
        "evaluate run -n 40 --plot",
    ):
        assert gans(line).status == 0, line
    samples = np.load("a.npy")
    assert samples.dtype == np.float32 and samples.shape == (4, 5, 16, 16) and np.abs(samples).max() <= 4
    assert np.array_equal(samples, np.load("b.npy"))
    files = [tifffile.imread(path) for path in sorted(Path("files").iterdir())]
    assert np.array_equal(np.stack(files).transpose(0, 3, 1, 2), samples)
    assert Image.open("view.png").mode == Image.open("run/samples/real.png").mode == "RGB"
    assert list(run.glob("plots/*-spectra.png"))
    outcome = gans("evaluate run -n 40 --json")
    score = json.loads(outcome.out)["power-spectrum"]
    assert score["value"] == score["log_spectral_distance"] > 0 and score["quantization"] == "none"
    refused(2, ("fid needs features", "--metrics power-spectrum"), "evaluate run -n 40 --metrics fid")
    error = refused(2, ("1, 3, 4 channels, not 5",), "evaluate run -n 40 --extractor random-vgg")
    assert "train-classifier" not in str(error), "fields have no classes"
    for line in ("fid fields run -n 40 --image-size 16", "stats fields -n 40 --image-size 16 --out s.npz"):
        refused(2, ("no extractor sees 5 channels", "gans evaluate RUN --metrics power-spectrum"), line)


def test_exports_carry_range_type_and_channels(gans: Gans, run: Path) -> None:
    import onnx

    gans("export run --out g.onnx")
    (entry,) = onnx.load("g.onnx").metadata_props
    assert entry.key == METADATA_KEY
    described = json.loads(entry.value)
    assert described["units"] == [-4, 4, "float32"] and described["channels"] == 5
    settings = open_export(run / "generator.safetensors").settings
    assert settings.options["data.range"] == (-4, 4) and settings.options["data.depth"] == "float32"


def test_a_resumed_run_has_the_range_that_was_found(gans: Gans, workplace: Path) -> None:
    random = np.random.default_rng(0)
    Path("scans").mkdir()
    for number in range(8):
        np.save(f"scans/{number}.npy", random.normal(300, 50, (2, 8, 8)).astype(np.float32))
    line = "run --arch mlp --loss bce --data folder:scans --image-size 8 --batch-size 4 --width 4"
    assert gans(f"{line} --set data.range=p5,p95 --steps 4 --out whole").status == 0
    assert gans(f"{line} --set data.range=p5,p95 --steps 2 --out part").status == 0
    assert gans("run --resume part --steps 4").status == 0
    gans("sample whole -n 2 --out a.npy")
    gans("sample part -n 2 --out b.npy")
    low, high = json.loads(Path("whole/config.json").read_text())["settings"]["data.range"]["value"]
    first = np.load("a.npy")
    assert first.shape == (2, 2, 8, 8) and low <= first.min() and first.max() <= high
    assert np.array_equal(first, np.load("b.npy"))


def test_channels_with_units_of_their_own_come_back_in_these(gans: Gans, workplace: Path) -> None:
    """Temperatures in kelvin and shares between 0 and 1, in samples, files and exports."""
    random = np.random.default_rng(0)
    Path("scans").mkdir()
    for number in range(8):
        planes = random.uniform(250, 310, (8, 8)), random.uniform(0, 1, (8, 8))
        np.save(f"scans/{number}.npy", np.stack(planes).astype(np.float32))
    line = "run --arch mlp --loss bce --data folder:scans --image-size 8 --batch-size 4 --width 4 --steps 2"
    assert gans(f"{line} --set data.range=auto,each --out run").status == 0
    ends = json.loads(Path("run/config.json").read_text())["settings"]["data.range"]["value"]
    assert [round(end) for end in ends] == [250, 310, 0, 1]
    for out in ("a.npy", "files/"):
        assert gans(f"sample run -n 6 --out {out}").status == 0
    samples = np.load("a.npy")
    for plane, low, high in ((samples[:, 0], *ends[:2]), (samples[:, 1], *ends[2:])):
        assert low - 1e-4 <= plane.min() < plane.max() <= high + 1e-4
        assert plane.max() - plane.min() > (high - low) / 20
    files = [tifffile.imread(path) for path in sorted(Path("files").iterdir())]
    assert np.array_equal(
        np.stack(files)[0].reshape(samples[0].transpose(1, 2, 0).shape), samples[0].transpose(1, 2, 0)
    )
    assert gans("export run --out g.safetensors").status == 0
    assert gans("sample g.safetensors -n 6 --out b.npy").status == 0
    assert np.array_equal(np.load("b.npy"), samples)
    assert gans("evaluate run -n 8").status == 0


def write_scans(low: int, high: int) -> np.random.Generator:
    """Writes four pictures of 16 bits of each of two domains; returns what drew them, to go on with."""
    random = np.random.default_rng(0)
    for side in "AB":
        Path(f"scans/{side}").mkdir(parents=True)
        for number in range(4):
            picture = random.integers(low, high, (16, 16)).astype(np.uint16)
            Image.fromarray(picture).save(f"scans/{side}/{number}.png")
    return random


def test_translations_of_16_bits_are_in_16_bits(gans: Gans, workplace: Path, refused: Refused) -> None:
    random = write_scans(100, 4000)
    line = (
        "run --arch pix2pix --data folder:scans --image-size 16 --width 4 --steps 1 --batch-size 2 --out run"
    )
    assert gans(line, "--set", "data.range=0,4095").status == 0
    picture = random.integers(100, 4000, (20, 17)).astype(np.uint16)
    Image.fromarray(picture).save("wide.png")
    outcome = gans("translate run wide.png --to B --out made")
    assert outcome.status == 0, outcome
    made = tifffile.imread("made/wide.tif")
    assert made.dtype == np.uint16 and made.shape == (20, 17) and made.max() <= 4095
    np.save("three.npy", np.zeros((3, 16, 16), np.float32))
    refused(2, ("three.npy has 3 channels, and the run has 1",), "translate run three.npy --to B --out other")


@pytest.mark.parametrize("arch", ["cyclegan", "stargan"])
def test_other_translators_write_16_bits_in_their_units(gans: Gans, workplace: Path, arch: str) -> None:
    """Of 12 bits that begin at 100, in a range that no picture of 8 bits has."""
    random = write_scans(3000, 3900)
    line = (
        f"run --arch {arch} --data folder:scans --image-size 16 --width 4 --steps 1 --batch-size 2 --out run"
    )
    assert gans(line, "--set", "data.range=3000,4000").status == 0
    picture = random.integers(3000, 3900, (16, 16)).astype(np.uint16)
    Image.fromarray(picture).save("one.png")
    target = "B" if arch == "cyclegan" else "class=B"
    outcome = gans(f"translate run one.png --to {target} --out made")
    assert outcome.status == 0, outcome
    made = tifffile.imread("made/one.tif")
    assert made.dtype == np.uint16 and made.shape == (16, 16)
    assert 3000 <= made.min() < made.max() <= 4000
    assert len(np.unique(made)) > 100 and len(np.unique(made & 0xFF)) > 50, "not 256 steps of a range"


def test_8_bits_stay_what_they_are(gans: Gans, workplace: Path) -> None:
    line = (
        "run --arch mlp --loss bce --data shapes --image-size 8 --steps 1 --batch-size 4 --width 4 --out run"
    )
    assert gans(line).status == 0
    gans("sample run -n 2 --out a.npy")
    assert np.load("a.npy").dtype == np.uint8
    assert "units" not in json.dumps(open_export(Path("run/generator.safetensors")).settings.to_dict())
