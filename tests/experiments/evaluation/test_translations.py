"""`gans evaluate` of runs that translate: in every direction, on images that no training has seen."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from experiments.core.images import to_uint8
from experiments.data.core import drawn
from experiments.data.core.drawn import held_out_scenes
from experiments.data.shapes_attributes import AttributeShapes, attributes_at, draw_with
from experiments.data.shapes_styles import draw_light, draw_print
from experiments.evaluation import tasks
from experiments.evaluation.evaluate import Evaluator
from experiments.evaluation.sample_sets import DataSamples
from experiments.evaluation.tasks import ToAttributes
from gans.cyclegan import Generators
from gans.pix2pix import UNet
from gans.stargan import Generator
from metrics.psnr import LARGEST

Gans = Callable[..., Any]
SMALL = "--width 2 --batch-size 2 --steps 4 --preset laptop --track local"
FEW = "--extractor random-vgg -n 20"
SIZE = (16, 16)
OF_FEATURES, OF_PIXELS = ["fd-random-vgg", "precision-recall"], ["l1", "psnr", "ssim"]
DIRECTIONS = {"pix2pix": ["to-B"], "cyclegan": ["to-A", "to-B"], "swap": ["to-A", "to-B"], "stargan": [""]}
EACH = pytest.mark.parametrize("arch", DIRECTIONS)


def ended(name: str, way: str) -> str:
    return f"{name}/{way}" if way else name


def alike(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """The same to the last bits, which the addresses of arrays may decide in a matrix root."""
    assert [(key, score.keys()) for key, score in one.items()] == [(k, s.keys()) for k, s in other.items()]
    return all(
        value == (pytest.approx(other[key][name], rel=1e-9) if isinstance(value, float) else other[key][name])
        for key, score in one.items()
        for name, value in score.items()
    )


@pytest.fixture
def run(gans: Gans) -> Callable[..., Path]:
    """A tiny run of an architecture on its own data, or on what the flags say."""

    def train(arch: str, flags: str = f"--image-size {SIZE[0]}") -> Path:
        outcome = gans(f"run --arch {arch} {SMALL} {flags} --out {arch}")
        assert outcome.status == 0, outcome.err
        return Path(arch)

    return train


@pytest.fixture
def evaluated(gans: Gans) -> Callable[..., dict[str, Any]]:
    def evaluate(run: Path, flags: str = "") -> dict[str, Any]:
        outcome = gans(f"evaluate {run} {FEW} {flags} --json")
        assert outcome.status == 0, outcome.err
        return json.loads(outcome.out)

    return evaluate


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> Tensor:
    """The only twenty scenes that are held out, in several batches."""
    monkeypatch.setattr(tasks, "BATCH", 8)
    monkeypatch.setattr(drawn, "HELD_OUT", 20)
    scenes = held_out_scenes()
    return torch.arange(scenes.start, scenes.stop)


def lookup(images: Tensor, answers: Tensor) -> Callable[[Tensor], Tensor]:
    """The answer to each image, in [−1, 1], and nothing for one that is not among them."""
    table = {image.numpy().tobytes(): answer for image, answer in zip(images, answers, strict=True)}

    def answer(asked: Tensor) -> Tensor:
        return torch.stack([table[image.numpy().tobytes()] for image in to_uint8(asked)]) / 127.5 - 1

    return answer


@EACH
def test_every_direction_has_its_scores(arch: str, run: Any, evaluated: Any) -> None:
    folder = run(arch)
    found = evaluated(folder)
    names = OF_FEATURES + OF_PIXELS
    assert list(found) == [ended(name, way) for way in DIRECTIONS[arch] for name in names]
    for key, score in found.items():
        assert (score["n"], score["split"], score["seed"]) == ([20, 20], "held-out", 0)
        assert ("extractor" in score) == (key.partition("/")[0] in OF_FEATURES)
        assert {"quantization", "reference", "torch"} <= score.keys()
    last = json.loads((folder / "scores.jsonl").read_text().splitlines()[-1])
    numbers = [name for name in names if name != "precision-recall"]
    expected = {f"metric/{ended(name, way)}" for name in numbers for way in DIRECTIONS[arch]}
    for way in DIRECTIONS[arch]:
        expected |= {f"metric/{ended('precision-recall', way)}/{each}" for each in ("precision", "recall")}
    assert last.keys() == {"step", "kimg"} | expected
    assert last["step"] == 4
    assert alike(evaluated(folder), found), "the dropout of pix2pix draws the same"


def test_a_perfect_translation(
    few: Tensor, run: Any, evaluated: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each direction is asked for its own domain, and compared with the partner of the very image."""
    light, printed = draw_light(few, SIZE, 3), draw_print(few, SIZE, 3)
    to = {"A": lookup(printed, light), "B": lookup(light, printed)}
    folder = run("cyclegan")
    monkeypatch.setattr(Generators, "translate", lambda self, images, to_domain: to[to_domain](images))
    found = evaluated(folder)
    for way in ("to-A", "to-B"):
        assert found[f"fd-random-vgg/{way}"]["value"] == pytest.approx(0, abs=1e-6)
        assert found[f"precision-recall/{way}"]["precision"] == 1
        assert found[f"l1/{way}"]["value"] == 0
        assert found[f"psnr/{way}"]["value"] == LARGEST
        assert found[f"ssim/{way}"]["value"] == pytest.approx(1, abs=1e-4)


def test_no_translation_at_all(
    few: Tensor, run: Any, evaluated: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scores are then those between the domains themselves, on images that no training has seen."""
    light, printed = (draw(few, SIZE, 3).double() / 127.5 - 1 for draw in (draw_light, draw_print))
    monkeypatch.setattr(Generators, "translate", lambda self, images, to: images)
    found = evaluated(run("cyclegan"))
    errors = (light - printed).square().mean(dim=(1, 2, 3))
    for way in ("to-A", "to-B"):
        assert found[f"l1/{way}"]["value"] == pytest.approx((light - printed).abs().mean().item(), rel=1e-6)
        assert found[f"psnr/{way}"]["value"] == pytest.approx(
            (10 * (4 / errors).log10()).mean().item(), rel=1e-6
        )
    to_a, to_b = (found[f"fd-random-vgg/{way}"]["value"] for way in ("to-A", "to-B"))
    assert to_a == pytest.approx(to_b, rel=1e-6) and to_a > 1


def test_a_part_of_the_held_out_images(run: Any, evaluated: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 5,000 twenty, which the seed chooses: the same scenes on both sides."""
    scenes = torch.arange(held_out_scenes().start, held_out_scenes().stop)
    answer = lookup(draw_light(scenes, SIZE, 3), draw_print(scenes, SIZE, 3))
    folder = run("cyclegan")
    monkeypatch.setattr(Generators, "translate", lambda self, images, to: answer(images))
    monkeypatch.setattr(Generators, "targets", ("B",))
    one, other = evaluated(folder), evaluated(folder, "--seed 1")
    assert one["l1/to-B"]["value"] == other["l1/to-B"]["value"] == 0
    assert one["fd-random-vgg/to-B"]["value"] == pytest.approx(0, abs=1e-6)
    assert one["l1/to-B"]["reference"] != other["l1/to-B"]["reference"]


def test_a_perfect_change_of_attributes(
    few: Tensor, run: Any, evaluated: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The truth is the same scene, drawn with the attributes that were asked for."""
    own = attributes_at(few).table
    scenes = {
        image.numpy().tobytes(): scene for image, scene in zip(draw_with(few, own, SIZE, 3), few, strict=True)
    }

    def draw_anew(self: Any, images: Tensor, rows: Tensor) -> Tensor:
        asked = torch.stack([scenes[image.numpy().tobytes()] for image in to_uint8(images)])
        return draw_with(asked, rows, SIZE, 3) / 127.5 - 1

    folder = run("stargan")
    monkeypatch.setattr(Generator, "translate", draw_anew)
    assert evaluated(folder)["l1"]["value"] == 0
    monkeypatch.setattr(Generator, "translate", lambda self, images, rows: images)
    found = evaluated(folder)
    assert found["l1"]["value"] > 0.02, "attributes are asked for that images do not have"
    assert found["fd-random-vgg"]["value"] == pytest.approx(0, abs=1e-6), (
        "the reals are the images as they are"
    )


def test_attributes_are_those_of_other_images() -> None:
    data = AttributeShapes(range(200), SIZE, 3)
    data.attributes.table.copy_(torch.arange(200.0)[:, None].expand(-1, 6))  # each its number
    reals = DataSamples("numbers", data, 50, seed=3)
    asked = ToAttributes(reals, "held-out", "cpu").asked[reals.order][:, 0].long()
    assert (asked != reals.order).all()
    assert sorted(asked.tolist()) == reals.order.tolist(), "every image lends its own once"
    assert torch.equal(asked, ToAttributes(reals, "held-out", "cpu").asked[reals.order][:, 0].long())
    again = ToAttributes(DataSamples("numbers", data, 200, seed=4), "held-out", "cpu").asked[reals.order][
        :, 0
    ]
    assert not torch.equal(again.long(), asked)


def write(folder: Path, level: int, count: int = 20) -> None:
    """Images of about that level of grey."""
    folder.mkdir(parents=True)
    noise = np.random.default_rng(level)
    for number in range(count):
        pixels = noise.integers(level, level + 20, size=(*SIZE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02}.png")


@pytest.fixture
def domains(workplace: Path) -> Iterator[Path]:
    """Two domains, 100 / 127.5 apart; those in `test` are to be laid beside them, and 50 apart."""
    for name, level in (("A", 50), ("B", 150), ("testA", 60), ("testB", 110)):
        write(workplace / "data" / name, level, 20 if len(name) == 1 else 12)
    for name in ("testA", "testB"):
        shutil.move(workplace / "data" / name, workplace / name)
    yield workplace / "data"


def test_a_folder_without_a_test_part(
    domains: Path, run: Any, gans: Gans, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = run("pix2pix", f"--data folder:{domains} --image-size 16")
    monkeypatch.setattr(UNet, "translate", lambda self, images, to: images)
    outcome = gans(f"evaluate {folder} {FEW} --json")
    score = json.loads(outcome.out)["l1/to-B"]
    assert (score["split"], score["n"]) == ("training", [20, 20])
    assert score["value"] == pytest.approx(100 / 127.5, abs=0.02)
    assert "has no images for judging" in outcome.err and "the training images are judged" in outcome.err


def test_a_folder_with_a_test_part(
    domains: Path, run: Any, gans: Gans, refused: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = run("pix2pix", f"--data folder:{domains} --image-size 16")
    monkeypatch.setattr(UNet, "translate", lambda self, images, to: images)
    shutil.move("testA", domains / "testA")
    refused(2, ("testA/", "testB/"), f"evaluate {folder} {FEW}")
    shutil.move("testB", domains / "testB")
    outcome = gans(f"evaluate {folder} {FEW} --json")
    score = json.loads(outcome.out)["l1/to-B"]
    assert (score["split"], score["n"]) == ("held-out", [12, 12])
    assert score["value"] == pytest.approx(50 / 127.5, abs=0.02)
    assert "training images" not in outcome.err


def test_names_alone_make_no_truth(domains: Path, run: Any, evaluated: Any, refused: Any) -> None:
    """Of a cyclegan's folder: the same name in both need not be the same at every pixel."""
    for name in ("testA", "testB"):
        shutil.move(name, domains / name)
    folder = run("cyclegan", f"--data folder:{domains} --image-size 16")
    assert list(evaluated(folder)) == [f"{name}/{way}" for way in ("to-A", "to-B") for name in OF_FEATURES]
    refused(2, ("metric l1", "nobody knows", "pix2pix"), f"evaluate {folder} {FEW} --metrics l1")


def test_classes_as_attributes_have_no_held_out_images(domains: Path, run: Any, gans: Gans) -> None:
    folder = run("stargan", f"--data folder:{domains} --image-size 16")
    outcome = gans(f"evaluate {folder} {FEW} --json")
    found = json.loads(outcome.out)
    assert list(found) == OF_FEATURES
    assert {score["split"] for score in found.values()} == {"training"}
    assert "keeps no images with attributes from training" in outcome.err


@EACH
def test_what_has_no_latents_is_refused(arch: str, run: Any, refused: Any) -> None:
    folder = run(arch)
    spec = (
        "shapes-styles"
        if arch in ("cyclegan", "swap")
        else f"shapes-{'paired' if arch == 'pix2pix' else 'attributes'}"
    )
    for line in (
        f"fid {folder} {spec} {FEW}",
        f"sample {folder} -n 4 --out x.png",
        f"interpolate {folder} --from 1 --to 2 --out x.png",
        f"directions {folder} --out x.png",
    ):
        refused(2, (arch, "from images, not from noise", "gans translate"), line)
    refused(2, ("metric path-length", "latents"), f"evaluate {folder} {FEW} --metrics path-length")
    refused(2, ("--plot", "translates"), f"evaluate {folder} {FEW} --plot")
    refused(2, ("which data",), f"evaluate {folder}/generator.safetensors {FEW}")
    assert not (folder / "evaluation.jsonl").exists()


def test_samples_from_noise_have_no_targets(trained: Path, refused: Any) -> None:
    refused(2, ("metric psnr", "nobody knows"), f"evaluate {trained} {FEW} --metrics fid,psnr")


def test_pixels_alone_ask_no_extractor(run: Any, evaluated: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from metrics.extractors.random_vgg import RandomVGG

    folder = run("pix2pix")
    both = evaluated(folder)
    monkeypatch.setattr(RandomVGG, "__call__", lambda *_: pytest.fail("an image was extracted"))
    assert evaluated(folder, "--metrics l1,psnr") == {key: both[key] for key in ("l1/to-B", "psnr/to-B")}


EVALUATE = "--evaluate-kimg 0.004 --evaluate-samples 20 --extractor random-vgg"  # every second step


@EACH
def test_on_the_way_it_scores_as_the_command_does(arch: str, gans: Gans, workplace: Path) -> None:
    """And changes nothing, although translations may draw at random."""
    command = f"run --arch {arch} {SMALL} --n-critic 1 --image-size 16"
    assert gans(f"{command} --out without").status == 0
    outcome = gans(f"{command} {EVALUATE} --out with --keep 9 --checkpoint-kimg 0.002")
    assert outcome.status == 0 and "not evaluated" not in outcome.err, outcome.err
    trained = [Path(run, "generator.safetensors").read_bytes() for run in ("without", "with")]
    assert trained[0] == trained[1]
    kept = {
        entry["step"]: entry["scores"]
        for entry in map(json.loads, Path("with/evaluation.jsonl").read_text().splitlines())
    }
    after = json.loads(gans(f"evaluate with {FEW} --every-checkpoint --json").out)
    assert list(kept) == [2, 4]
    assert all(alike(scores, after[str(step)]) for step, scores in kept.items())
    lines = [json.loads(line) for line in Path("with/scores.jsonl").read_text().splitlines()]
    key = f"metric/{ended('l1', DIRECTIONS[arch][0])}"
    assert [line["step"] for line in lines if key in line][:2] == [2, 4]


@pytest.mark.parametrize(
    ("best", "step"),
    [("l1", 4), ("l1/to-A", 2), ("l1/to-B", 6), ("fid/to-A", 6), ("fd-random-vgg", 4), ("psnr/to-A", 4)],
)
def test_the_best_in_one_direction_or_in_all(
    best: str, step: int, gans: Gans, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A metric's name means the mean over directions: 3.5, 3 and 3.25 here. The larger of the two would
    choose the last, the smaller the first."""
    found, original = [(1.0, 6.0), (2.4, 3.6), (3.5, 3.0)], Evaluator.__call__

    def pretend(self: Evaluator, candidate: Any) -> Any:
        scores = original(self, candidate)
        to_a, to_b = found.pop(0)
        for name, values in {"l1": (to_a, to_b), "fd-random-vgg": (-to_a, to_b + 2 * to_a)}.items():
            for way, value in zip(("to-A", "to-B"), values, strict=True):
                scores[f"{name}/{way}"]["value"] = value
        scores["psnr/to-A"]["value"] = 3 - abs(to_a - 2.4)
        return scores

    monkeypatch.setattr(Evaluator, "__call__", pretend)
    command = f"run --arch cyclegan {SMALL} --image-size 16 {EVALUATE} --evaluate-metrics fid,l1,psnr"
    outcome = gans(f"{command} --steps 6 --best-metric {best} --out run")
    assert outcome.status == 0, outcome.err
    assert [path.name for path in Path("run/best").glob("*.pt")] == [f"step-{step:08}.pt"]


@pytest.mark.parametrize("best", ["l1/to-C", "kid/to-B"])
def test_a_best_that_is_not_evaluated(best: str, refused: Any) -> None:
    mentions = (f"--best-metric {best}", "l1", "/to-A or /to-B")
    refused(2, mentions, f"run --arch swap {SMALL} --image-size 16 {EVALUATE} --best-metric {best} --out run")
    assert not Path("run").exists()
