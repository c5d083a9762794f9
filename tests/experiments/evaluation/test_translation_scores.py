"""Scores of translators in every direction: against the truth of drawn scenes that no training has seen."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from experiments.core.images import to_uint8
from experiments.data.core import drawn
from experiments.data.core.drawn import held_out_scenes
from experiments.data.shapes_attributes import AttributeShapes, attributes_at, draw_with
from experiments.data.shapes_styles import draw_light, draw_print
from experiments.evaluation import tasks
from experiments.evaluation.sample_sets import DataSamples
from experiments.evaluation.tasks import ToAttributes
from gans.cyclegan import Generators
from gans.stargan import Generator
from metrics.psnr import LARGEST
from tests.experiments.evaluation.helpers import DIRECTIONS, EACH, OF_FEATURES, OF_PIXELS, SIZE, alike, ended


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


def test_a_generator_of_some_attributes_leaves_the_others(
    few: Tensor, run: Any, evaluated: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked for its own, in its order, and the truth has all others as they were."""
    known = attributes_at(few)
    asked = [known.column_names.index(name) for name in ("filled", "hue=red", "hue=green", "hue=blue")]
    images = draw_with(few, known.table, SIZE, 3)
    scenes = {image.numpy().tobytes(): index for index, image in enumerate(images)}

    def draw_anew(self: Any, images: Tensor, rows: Tensor) -> Tensor:
        at = [scenes[image.numpy().tobytes()] for image in to_uint8(images)]
        whole = known.table[at]
        whole[:, asked] = rows
        return draw_with(few[at], whole, SIZE, 3) / 127.5 - 1

    folder = run("stargan", "--image-size 16 --attributes filled,hue")
    monkeypatch.setattr(Generator, "translate", draw_anew)
    assert evaluated(folder)["l1"]["value"] == 0


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


def test_pixels_alone_ask_no_extractor(run: Any, evaluated: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from metrics.extractors.random_vgg import RandomVGG

    folder = run("pix2pix")
    both = evaluated(folder)
    monkeypatch.setattr(RandomVGG, "__call__", lambda *_: pytest.fail("an image was extracted"))
    assert evaluated(folder, "--metrics l1,psnr") == {key: both[key] for key in ("l1/to-B", "psnr/to-B")}
