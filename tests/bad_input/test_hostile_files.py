"""Files that claim more than they hold: refused in one line, before memory or time is taken."""

import gzip
import json
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from scipy.io import savemat

from experiments.config.files import parse_config
from experiments.data import svhn
from experiments.data.core import cifar, conversion, decoding, idx
from experiments.data.core.label_files import read_labels
from experiments.data.folder import Folder
from experiments.runs.checkpoint import load_checkpoint
from metrics.extractors.classifier import METADATA_KEY, ClassifierNetwork, read_classifier
from metrics.extractors.core.extractor import WeightsError
from tests.commands.helpers import POINTS, Gans, Refused, little_memory

LAUGHS = "\n".join(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]" for n in range(12))

# One mapping that takes over another 8,000 times: 24 million entries, were each one looked at.
MERGES = f"a: &a {{{', '.join(f'k{n}: 1' for n in range(3000))}}}\nb: {{<<: [{', '.join(['*a'] * 8000)}]}}"


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 20


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "content", "mention"),
    [
        ("c.yaml", f"a0: &a0 [1]\n{LAUGHS}\nseed: *a12", "far more than it holds"),
        ("c.yaml", "seed: &a [*a]", "within itself"),
        ("c.yaml", "seed: !!timestamp 99", "not what its tag says"),
        ("c.yaml", "seed: !!int ''", "not what its tag says"),
        ("c.yaml", "seed: !!float ''", "not what its tag says"),
        ("c.yaml", "!!bool q: 1", "not what its tag says"),
        ("c.yaml", "seed: 2001-99-99", "not YAML (month must be in 1..12)"),
        ("c.yaml", MERGES, "far more than it holds"),
        ("c.yaml", "crgh: {name: stylegan2}", "unknown setting 'crgh'"),
        ("c.yaml", "1: 2", "object of settings"),
        ("c.toml", "a." * 15_000 + "b = 1", "nested too deeply"),
        ("c.json", "[" * 60_000, "nested too deeply"),
        ("c.json", json.dumps({"arch": "x" * 100_000}), "too many for a config"),
        ("c.json", json.dumps({"seed": "x" * 50_000}), "seed: "),
        ("c.json", json.dumps({"kimg": 10**400}), "is not a number above 0"),
        (
            "c.json",
            json.dumps({"arch": {"name": "mlp", "hidden_layers": 10**9}}),
            "layers and weights, too many",
        ),
    ],
)
def test_configs(name: str, content: str, mention: str, refused: Refused, workplace: Path) -> None:
    Path(name).write_text(content)
    refused(2, (mention,), f"run --config {name} --dry-run")


def test_yaml_may_take_over_mappings() -> None:
    content = b"arch: &a {width: 2, hidden_layers: 3}\nkid: {<<: *a, hidden_layers: 4}"
    found = parse_config(Path("c.yaml"), content)
    assert found == {"arch.width": 2, "arch.hidden_layers": 3, "kid.width": 2, "kid.hidden_layers": 4}


def test_records_of_statistics_that_are_no_records(refused: Refused, workplace: Path) -> None:
    for name, record in (("a.npz", {"extractor": 5}), ("b.npz", {"extractor": {"a": 1}})):
        np.savez(name, mu=np.zeros(2), sigma=np.eye(2), provenance=np.array(json.dumps(record)))
    refused(2, ("a.npz", "another extractor than gans writes"), "fid a.npz b.npz")


def test_the_config_of_a_run_is_no_larger_than_a_config(gans: Gans, finished: Path) -> None:
    with (finished / "config.json").open("a") as file:
        file.write(" " * 2**20)
    for line in ("run --resume run", "sample run --out s.npy", "compare run"):
        assert gans(line).status
        assert "config.json" in gans(line).err


def test_an_export_that_claims_a_larger_network(refused: Refused, finished: Path) -> None:
    """Its settings would build 40 GB of weights; it holds those of a small one."""
    content = (finished / "generator.safetensors").read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    claim = json.loads(header["__metadata__"]["gans"]) | {"width": 100_000}
    header["__metadata__"]["gans"] = json.dumps(claim)
    text = json.dumps(header).encode()
    Path("x.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])
    with little_memory():
        refused(2, ("x.safetensors", "not those of a mlp generator"), "sample x.safetensors --out s.npy")


def test_a_config_that_claims_a_larger_network_than_the_checkpoint(
    refused: Refused, unfinished: Path
) -> None:
    config = json.loads((unfinished / "config.json").read_text())
    config["settings"]["width"]["value"] = 100_000
    (unfinished / "config.json").write_text(json.dumps(config))
    with little_memory():
        refused(1, ("step-00000004.pt does not fit the config",), "sample run --out s.npy")


def odd_checkpoint(path: Path, what: str) -> dict[str, Any]:
    """The content of a checkpoint in which one thing is odd."""
    content = load_checkpoint(path)
    game = content["game"]
    moments = next(value for name, value in game.items() if name.endswith("_extra_state"))["moments"]
    odd: dict[str, Callable[[], object]] = {
        "seen": lambda: content.update(seen="64"),
        "revision": lambda: content.update(revision=[1]),
        "rollbacks": lambda: content.update(rollbacks=-1),
        "step": lambda: content.update(step=True),
        "pending": lambda: content.update(
            scores={"pending": [{"critic/fake": torch.zeros(3)}], "seconds": 1.0}
        ),
        "seconds": lambda: content.update(scores={"pending": [], "seconds": "long"}),
        "no moments": lambda: moments.update({0: {}}),
        "short moments": lambda: moments[0].update(exp_avg=torch.zeros(1)),
        "moments of nothing": lambda: moments.update({99: moments[0]}),
    }
    odd[what]()
    return content


@pytest.mark.parametrize(
    "what",
    [
        "seen",
        "revision",
        "rollbacks",
        "step",
        "pending",
        "seconds",
        "no moments",
        "short moments",
        "moments of nothing",
    ],
)
def test_checkpoints_with_odd_parts(
    what: str, gans: Gans, unfinished: Path, seal: Callable[[Path], None]
) -> None:
    (unfinished / "checkpoints/step-00000004.pt").unlink()
    newest = unfinished / "checkpoints/step-00000003.pt"
    torch.save(odd_checkpoint(newest, what), newest)
    seal(newest)
    outcome = gans("run --resume run")
    assert outcome.status in (0, 1) and "step-00000003.pt" in outcome.err
    assert "--debug shows where" not in outcome.err, "nobody has thought of it"


def test_classifiers_of_more_classes_than_logits(tmp_path: Path) -> None:
    description = json.dumps({"name": "x", "classes": ["a"] * 1_000_000, "accuracy": 0.5})
    save_file(ClassifierNetwork(2).state_dict(), tmp_path / "x.safetensors", {METADATA_KEY: description})
    with little_memory(), pytest.raises(WeightsError, match="damaged"):
        read_classifier(tmp_path / "x.safetensors")


def test_idx_files_that_inflate(tmp_path: Path) -> None:
    """200 KB, which are 200 MB."""
    (tmp_path / "x.gz").write_bytes(gzip.compress(bytes(200 * 2**20), 1))
    with little_memory(), pytest.raises((ValueError, MemoryError)):
        idx.read_idx(tmp_path / "x.gz", 3)


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02Nr\xff\xff\xff\x7f.",  # remembers None under a number for which a list of 16 GB is made
        b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b".",  # bytes that are not there
        b"\x80\x02cnumpy\nndarray\nJ\x00\xca\x9a;\x85R.",  # an array of 10^9 numbers
        b"\x80\x02cnumpy\ndtype\nU\x02O8\x85R.",
    ],
)
def test_pickles_that_ask_for_memory(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(content)
    with little_memory(), pytest.raises(ValueError, match=r"damaged or cannot be read|lacks data"):
        cifar.load_plain_pickle(tmp_path / "x", "data")


def test_labels_that_are_mostly_brackets() -> None:
    """24 MB of text, half a megabyte in a zip file, 600 MB of lists."""
    content = b'{"labels": [' + b"[]," * 8_000_000 + b"[]]}"
    with little_memory(), pytest.raises(ValueError, match="more values than fit into memory"):
        read_labels("dataset.json", content, ["a.png"])


@pytest.mark.parametrize("name", ["attributes.csv", "list_attr_celeba.txt"])
def test_lists_of_more_images_than_there_are(name: str, tmp_path: Path) -> None:
    """Each row of eight bytes would take two hundred."""
    space = "," if name.endswith("csv") else " "
    head = f"file{space}x\n" if name.endswith("csv") else "2000000\nx\n"
    rows = "".join(f"{number:x}{space}1\n" for number in range(2_000_000))
    (tmp_path / name).write_text(head + rows)
    Image.new("L", (4, 4)).save(tmp_path / "1.png")
    with little_memory(), pytest.raises(ValueError, match=f"{name} has many more rows than there are images"):
        Folder(str(tmp_path)).attribute_groups()


def test_rows_that_are_too_long(tmp_path: Path) -> None:
    (tmp_path / "attributes.csv").write_text("file," + "a," * 10_000_000)
    Image.new("L", (4, 4)).save(tmp_path / "1.png")
    with little_memory(), pytest.raises(ValueError, match=r"a line of more than 1,048,576 characters"):
        Folder(str(tmp_path)).attribute_groups()


def test_matlab_files_that_claim_more_pictures_than_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(svhn, "MOST_NUMBERS", 2 * 3072)
    for count, mention in ((2, "'y'"), (3, "claims more numbers")):
        savemat(tmp_path / "x.mat", {"X": np.zeros((32, 32, 3, count), np.uint8)}, do_compression=True)
        with pytest.raises(ValueError, match=mention):
            svhn.Svhn().read((tmp_path / "x.mat",))


def png_of(width: int, height: int, colour: int = 6) -> bytes:
    """A picture of a few bytes that claims to be large."""
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b"")]
    written = (struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)


@pytest.mark.parametrize(("width", "height"), [(9000, 9000), (2**31 - 1, 2**31 - 1), (50_000_000, 1)])
def test_pictures_of_more_pixels_than_memory(width: int, height: int, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png_of(width, height))
    with little_memory(), pytest.raises(ValueError, match=r"pixels, too many|cannot be read"):
        Folder(str(tmp_path)).open((8, 8), 3, "crop")


@pytest.mark.parametrize("form", ["WEBP", "JPEG2000", "AVIF"])
def test_formats_whose_libraries_take_more_memory(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fewer pixels are allowed of these, by what their decoding was seen to take."""
    if form not in decoding.READABLE:
        pytest.skip("Pillow was built without it")
    monkeypatch.setattr(decoding, "MOST_DECODING_BYTES", 100 * 100 * 10)
    Image.new("RGB", (100, 100)).save(tmp_path / "a.png")
    assert len(Folder(str(tmp_path)).open((8, 8), 3, "crop")) == 1
    Image.new("RGB", (100, 100)).save(tmp_path / f"b{decoding.FORMATS[form][0]}", form)
    with pytest.raises(ValueError, match=r"has more than [\d,]+ pixels, too many"):
        Folder(str(tmp_path)).open((8, 8), 3, "crop")


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
@pytest.mark.parametrize("channels", [1, 3])
def test_transparency_is_laid_on_white_in_bands_as_at_once(mode: str, channels: int) -> None:
    pixels = np.random.default_rng(0).integers(256, size=(2 * conversion.BAND_ROWS + 7, 5, 4), dtype=np.uint8)
    image = Image.fromarray(pixels).convert(mode)
    if mode == "P":
        image.info["transparency"] = 3
    whole = image.convert("RGBA")
    laid = Image.alpha_composite(Image.new("RGBA", whole.size, "white"), whole)
    expected = laid.convert(conversion.MODES[channels])
    assert np.array_equal(np.asarray(conversion.convert(image, channels)), np.asarray(expected))


def test_lines_of_scores_that_are_no_lines(gans: Gans, finished: Path) -> None:
    with (finished / "scores.jsonl").open("a") as file:
        file.write(json.dumps({"step": 4, "x": [[]] * 600_000}) + "\n")
    outcome = gans("compare run")
    assert "line 3" in outcome.err and "bytes is left out" in outcome.err


def test_a_name_of_any_length_is_one_short_line(refused: Refused, workplace: Path) -> None:
    line = refused(2, ("mentions", "…"), f"run {POINTS} --data", "mentions" + "x" * 5000)
    assert len(line) < 1000
