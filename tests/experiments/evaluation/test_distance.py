"""`gans fid` and `gans stats`: the numbers of the references, with a record of how they were made."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter
from torch import Tensor

from experiments.core.images import to_pillow
from experiments.data.shapes import Shapes
from metrics.extractors.core.extractor import Features
from metrics.extractors.random_vgg import RandomVGG

Gans = Callable[..., Any]
SMALL = "--extractor random-vgg"


@pytest.fixture(autouse=True)
def _few_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.data.shapes.LENGTH", 160)


def folder_of(name: str, count: int, seed: int, mode: str = "RGB") -> Path:
    folder = Path(name)
    folder.mkdir()
    random = np.random.default_rng(seed)
    for number in range(count):
        coarse = random.integers(256, size=(5, 5, 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize((20, 20), Image.Resampling.BICUBIC).convert(mode)
        picture.save(folder / f"{number:03}.png")
    return folder


def value_of(outcome: Any, name: str = "fd-random-vgg") -> float:
    assert outcome.status == 0, outcome.err
    (key,) = found = json.loads(outcome.out)
    assert key == name
    return float(found[key]["value"])


@pytest.mark.long  # a square root of 2,048 × 2,048 numbers
@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_fid_is_torch_fidelitys(gans: Gans, workplace: Path, weights: Path) -> None:
    """The whole way: files with colours and grey ones, resizing, network, statistics, distance."""
    from torch_fidelity import calculate_metrics

    a, b = folder_of("a", 3, 1), folder_of("b", 4, 2, "L")
    expected = calculate_metrics(
        input1=str(a),
        input2=str(b),
        fid=True,
        cuda=False,
        batch_size=16,
        verbose=False,
        save_cpu_ram=True,  # no worker processes
        cache=False,
        feature_extractor_weights_path=str(weights),
    )["frechet_inception_distance"]
    found = json.loads(gans(f"fid folder:a folder:b --weights {weights} --json").out)["fid"]
    assert found["value"] == pytest.approx(expected, rel=1e-4)
    assert (found["n"], found["extractor"], found["resize_rule"]) == ([3, 4], "inception", "tf1")


def test_a_set_is_at_no_distance_from_itself_and_halves_are_close(gans: Gans, workplace: Path) -> None:
    for name, count, seed in (("a", 60, 1), ("b", 60, 2)):
        folder_of(name, count, seed)
    assert value_of(gans(f"fid folder:a folder:a {SMALL} --json")) < 1e-9
    halves = value_of(gans(f"fid folder:a folder:b {SMALL} --json"))
    far = value_of(gans(f"fid folder:a shapes --image-size 20 {SMALL} --json"))
    assert 0 < halves < far / 3


def noisy(picture: Image.Image, level: int) -> Image.Image:
    pixels = np.asarray(picture).astype(float)
    pixels += np.random.default_rng(level).normal(0, 10 * level**2, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def blurred(picture: Image.Image, level: int) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(level))


@pytest.mark.parametrize("change", [noisy, blurred])
def test_more_damage_is_farther(
    change: Callable[[Image.Image, int], Image.Image], gans: Gans, workplace: Path
) -> None:
    folder_of("clean", 40, 1)
    found = []
    for level in range(4):
        damaged = folder_of(f"level{level}", 40, 1)
        for file in damaged.iterdir():
            change(Image.open(file), level).save(file)
        found.append(value_of(gans(f"fid folder:clean folder:{damaged} {SMALL} --json")))
    assert found == sorted(found) and len(set(found)) == 4


def test_fewer_classes_are_farther(gans: Gans, workplace: Path) -> None:
    """Shapes against those of all six classes, of three and of one."""
    shapes = Shapes("").open((20, 20), 3, "auto")
    assert shapes.labels is not None
    found = []
    for kept in (6, 3, 1):
        folder = Path(f"kept{kept}")
        folder.mkdir()
        for index in (shapes.labels < kept).nonzero().flatten().tolist():
            to_pillow(shapes.fetch(torch.tensor([index]))[0]).save(folder / f"{index:03}.png")
        found.append(value_of(gans(f"fid folder:{folder} shapes --image-size 20 {SMALL} --json")))
    assert found == sorted(found) and len(set(found)) == 3


def test_the_size_of_batches_does_not_matter(
    gans: Gans, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_of("a", 40, 1), folder_of("b", 30, 2)
    whole = value_of(gans(f"fid folder:a folder:b {SMALL} --json"))
    monkeypatch.setattr("experiments.evaluation.sample_sets.BATCH", 7)
    monkeypatch.setenv("GANS_CACHE", "other")
    assert value_of(gans(f"fid folder:a folder:b {SMALL} --json")) == pytest.approx(whole, rel=1e-6)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images each call of the extractor was shown."""
    counts: list[int] = []
    call = RandomVGG.__call__

    def count(self: RandomVGG, images: Tensor) -> Features:
        counts.append(len(images))
        return call(self, images)

    monkeypatch.setattr(RandomVGG, "__call__", count)
    return counts


def test_references_are_kept_and_made_anew_when_anything_changes(
    gans: Gans, workplace: Path, seen: list[int]
) -> None:
    folder_of("a", 30, 1), folder_of("b", 30, 2)
    command = f"fid folder:a folder:b {SMALL} --json"
    first = value_of(gans(command))
    assert sum(seen) == 60
    # Statistics that were kept take another way to the root, and end in other bits.
    assert value_of(gans(command)) == pytest.approx(first, rel=1e-9)
    assert sum(seen) == 60, "nothing was extracted again"
    pixels = np.array(Image.open("a/007.png"))
    pixels[3, 4, 1] ^= 1
    Image.fromarray(pixels).save("a/007.png")
    assert value_of(gans(command)) != pytest.approx(first, rel=1e-9)
    assert sum(seen) == 90, "one bit of one pixel"
    gans(f"{command} -n 20")
    assert sum(seen) == 130, "another number of images"
    gans(f"{command} --image-size 16")
    assert sum(seen) == 190, "another size"


def test_a_damaged_cache_is_made_anew(gans: Gans, workplace: Path, seen: list[int]) -> None:
    folder_of("a", 30, 1), folder_of("b", 30, 2)
    command = f"fid folder:a folder:b {SMALL} --json"
    first = value_of(gans(command))
    kept = sorted((workplace / "cache" / "references").glob("*.npz"))
    assert len(kept) == 2
    content = bytearray(kept[0].read_bytes())
    content[len(content) // 2] ^= 255
    kept[0].write_bytes(bytes(content))
    damaged = kept[0].read_bytes()
    kept[1].write_bytes(kept[1].read_bytes()[:100])
    assert value_of(gans(command)) == pytest.approx(first, rel=1e-9)
    assert sum(seen) == 120
    assert kept[0].read_bytes() != damaged


def test_statistics_files_stand_for_their_images(gans: Gans, workplace: Path) -> None:
    folder_of("a", 30, 1), folder_of("b", 30, 2)
    direct = value_of(gans(f"fid folder:a folder:b {SMALL} --json"))
    assert gans(f"stats folder:a --out a.npz {SMALL}").status == 0
    assert value_of(gans(f"fid a.npz folder:b {SMALL} --json")) == pytest.approx(direct, rel=1e-9)
    with np.load("a.npz") as file:
        np.savez("bare.npz", mu=file["mu"], sigma=file["sigma"])  # as pytorch-fid writes them
    bare = gans(f"fid bare.npz folder:b {SMALL} --json")
    assert value_of(bare) == pytest.approx(direct, rel=1e-9)
    assert "bare.npz does not say which extractor made it" in bare.err


def test_what_was_not_made_alike_is_not_compared(gans: Gans, workplace: Path, weights: Path) -> None:
    folder_of("a", 3, 1)
    assert gans(f"stats folder:a --out tf1.npz {SMALL} --resize-rule tf1").status == 0
    assert gans(f"stats folder:a --out clean.npz {SMALL}").status == 0
    outcome = gans("fid tf1.npz clean.npz --json")
    assert outcome.status == 2 and "resize_rule: tf1, clean" in outcome.err and "--force" in outcome.err
    assert value_of(gans("fid tf1.npz clean.npz --json --force")) > 0
    assert gans(f"stats folder:a --out inception.npz --weights {weights}").status == 0
    assert gans(f"fid inception.npz folder:a {SMALL}").status == 2


def test_a_generator_is_compared_in_the_form_of_its_samples(gans: Gans, trained: Path) -> None:
    """The data at 8×8 pixels, as the critic saw it, whichever side comes first."""
    whole = gans(f"fid folder:pictures {trained} {SMALL} -n 12 --json")
    assert json.loads(whole.out)["fd-random-vgg"]["n"] == [12, 12]
    alone = gans(f"fid {trained}/generator.safetensors folder:pictures {SMALL} -n 12 --json")
    assert value_of(alone) == pytest.approx(value_of(whole), rel=1e-9)
    other = gans(f"fid folder:pictures {trained} {SMALL} -n 12 --image-size 12 --json")
    assert value_of(other) != pytest.approx(value_of(whole), rel=1e-3)
    for flags in ("--channels 3", "--fit crop", "--image-size 8"):  # each leaves the others to the generator
        told = gans(f"fid folder:pictures {trained} {SMALL} -n 12 {flags} --json")
        assert value_of(told) == pytest.approx(value_of(whole), rel=1e-9)
    same = json.loads(gans(f"evaluate {trained} {SMALL} -n 12 --metrics fid --json").out)
    assert same["fd-random-vgg"]["value"] == pytest.approx(value_of(whole), rel=1e-9)


def test_a_collapsed_generator_has_a_finite_distance(gans: Gans, workplace: Path) -> None:
    folder_of("a", 30, 1)
    same = Path("same")
    same.mkdir()
    for number in range(30):
        Image.new("RGB", (20, 20), "grey").save(same / f"{number}.png")
    value = value_of(gans(f"fid folder:a folder:same {SMALL} --json"))
    assert np.isfinite(value) and value > 0


def test_few_images_are_remarked_upon(gans: Gans, workplace: Path) -> None:
    folder_of("a", 30, 1)
    outcome = gans(f"fid folder:a folder:a {SMALL} --json")
    assert "64 features but only 30 images: biased upwards" in outcome.err
    assert "different sizes" not in outcome.err


def test_images_of_two_sizes_are_remarked_upon(gans: Gans, workplace: Path) -> None:
    for name, size in (("a", (20, 20)), ("b", (16, 24))):
        Path(name).mkdir()
        for level in range(4):
            Image.new("L", size, 60 * level).save(f"{name}/{level}.png")
    told = gans(f"fid folder:a folder:b {SMALL}").err
    assert "of different sizes, folder:a 20×20 and folder:b 24×16; bring both to one, by --image-size" in told
    assert "different sizes" not in gans(f"fid folder:a folder:b {SMALL} --image-size 16 --fit crop").err


NOT_FINITE = '''"""An extractor that sees nothing."""
from metrics.extractors import Features as _Features
from metrics.extractors.random_vgg import RandomVGG as _Vgg

class Blind(_Vgg):
    name, distance = "blind", "fd-blind"
    def __call__(self, images):
        return _Features(super().__call__(images).vectors * float("nan"), None)
'''


@pytest.mark.parametrize(
    ("command", "status", "mentions"),
    [
        ("fid folder:empty folder:a", 2, ["no images", "empty"]),
        ("fid folder:one folder:a", 2, ["1"]),
        ("fid folder:mixed folder:a", 2, ["--fit"]),
        ("fid nowhere folder:a", 2, ["nowhere"]),
        ("fid a folder:a", 2, ["folder:a"]),
        ("fid shapes fields", 2, ["shapes", "--image-size"]),
        ("fid ring8 folder:a", 2, ["--extractor random-vgg", "points"]),
        ("fid wrong.npz folder:a", 2, ["wrong.npz"]),
        ("fid missing.npz folder:a", 2, ["missing.npz"]),
        ("fid narrow.npz folder:a", 2, ["3", "64"]),
        ("fid folder:a folder:a --extractor inceptoin", 2, ["inceptoin", "inception"]),
        ("fid folder:a folder:a --extractor inception", 2, ["weights-inception-2015-12-05", "--weights"]),
        ("fid folder:a folder:a --weights none.pth", 2, ["none.pth"]),
        ("fid folder:a folder:a --plugin blind.py --extractor blind", 2, ["not finite"]),
        ("fid folder:a folder:a -n 1", 2, ["-n"]),
        ("stats folder:a --out a.npy", 2, ["a.npy", ".npz"]),
        ("stats folder:a --out a/000.png/x.npz", 1, ["a/000.png"]),
        ("evaluate a", 2, ["a"]),
        ("evaluate nowhere", 2, ["nowhere"]),
    ],
)
def test_bad_input(
    command: str, status: int, mentions: list[str], refused: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", "nothing")
    folder_of("a", 5, 1), folder_of("one", 1, 1), folder_of("mixed", 3, 1)
    Path("empty").mkdir()
    Image.new("RGB", (7, 9)).save("mixed/other.png")
    np.savez("wrong.npz", a=np.zeros(3))
    np.savez("narrow.npz", mu=np.zeros(3), sigma=np.eye(3))
    Path("blind.py").write_text(NOT_FINITE)
    if "--weights" not in command and "--extractor" not in command and "evaluate" not in command:
        command += f" {SMALL}"
    refused(status, tuple(mentions), command)
    assert not Path("a.npy").exists()


@pytest.mark.long
def test_the_extractor_that_was_chosen_is_named(
    gans: Gans, workplace: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(workplace / "torch"))
    monkeypatch.setattr("metrics.extractors.inception.HASH", "")  # of the published file
    monkeypatch.setattr("metrics.extractors.efflite0.EfficientNetLite0.is_at_hand", lambda *weights: False)
    folder_of("a", 2, 1)
    without = gans("fid folder:a folder:a")
    assert "extractor random-vgg: " in without.err and without.out.startswith("fd-random-vgg ")
    place = workplace / "torch" / "hub" / "checkpoints" / "weights-inception-2015-12-05-6726825d.pth"
    place.parent.mkdir(parents=True)
    place.symlink_to(weights)
    found = gans("fid folder:a folder:a")
    assert "extractor inception: its weights are on this machine" in found.err
    assert found.out.startswith("fid ")


def test_torch_is_untouched(gans: Gans, workplace: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    folder_of("a", 5, 1)
    gans(f"fid folder:a folder:a {SMALL}")
    assert torch.equal(torch.rand(2), expected)
