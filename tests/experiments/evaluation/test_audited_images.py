"""Audits of images, by the command: copies of training images are flagged, at every depth of pixels alike."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from experiments.core.images import from_uint8
from experiments.core.labelled_sheets import SheetRow, draw_sheet
from experiments.data.core.holdout import split_indices
from experiments.evaluation.audit.audit import PAIRS
from experiments.evaluation.audit.planting import noised
from experiments.evaluation.audit.sides import describe_more, open_data
from experiments.evaluation.candidates import open_candidate
from gans.dcgan import Generator

SMALL = "--image-size 16 --batch-size 8 --width 4 --steps 1"
COUNT = 200
RANGES = {"uint8": "", "uint16": "--set data.range=0,65535", "float32": "--set data.range=200,300"}


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.evaluation.audit.calibration.RESAMPLES", 200)
    for module in ("copying", "variety"):
        monkeypatch.setattr(f"experiments.evaluation.audit.{module}.PLANTED", 60)


@pytest.fixture
def pixels() -> Tensor:
    """Grey pictures of soft blotches, uint8 `(COUNT, 1, 16, 16)`."""
    coarse = torch.rand(COUNT, 1, 5, 5, generator=torch.Generator().manual_seed(0))
    soft = torch.nn.functional.interpolate(coarse, (16, 16), mode="bicubic", align_corners=True)
    return soft.mul(255).round().clamp(0, 255).to(torch.uint8)


def as_values(pixels: Tensor, depth: str) -> np.ndarray[Any, Any]:
    """The same pictures in other units."""
    values = pixels.numpy()
    if depth == "uint16":
        return values.astype(np.uint16) * 257
    return values if depth == "uint8" else (200 + values / 255 * 100).astype(np.float32)


def copier(images: Tensor) -> Callable[..., Tensor]:
    """The forward function of a generator that returns these images, uint8, which one the latent decides."""

    def forward(self: Generator, z: Tensor, *label: Tensor) -> Tensor:
        return from_uint8(images[z[:, 0].mul(1e6).long().abs() % len(images)])

    return forward


@pytest.mark.long
def test_a_generator_that_returns_training_images_is_flagged_at_every_depth(
    gans: Any, pixels: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    training, _ = split_indices(COUNT, 0.5, 0)
    audits, drawn = {}, list[Tensor]()

    def draw(rows: Sequence[SheetRow], heading: str) -> Image.Image:
        drawn.append(torch.cat([row.images for row in rows]))
        return draw_sheet(rows, heading)

    monkeypatch.setattr("experiments.evaluation.audit.audit.draw_sheet", draw)
    for depth, options in RANGES.items():
        np.save(f"{depth}.npy", as_values(pixels[:, 0], depth))
        run = f"run --arch dcgan --loss bce --data npy:{depth}.npy {SMALL} --holdout 0.5 {options}"
        outcome = gans(f"{run} --out {depth}")
        assert outcome.status == 0, outcome.err
        with monkeypatch.context() as patch:
            patch.setattr(Generator, "forward", copier(pixels[training]))
            outcome = gans(f"audit {depth} --extractor random-vgg --json")
        assert outcome.status == 0, outcome.err
        audits[depth] = found = json.loads(outcome.out)
        assert found["flagged"] and found["copies"] == "copies", (depth, found["verdict"])
        assert Path(found["picture"]).is_file()
    for images in drawn:  # pairs of a generated image and the one that it copies
        assert images.dtype == torch.uint8 and len(images) == 2 * PAIRS
        assert torch.equal(images[::2], images[1::2]) and set(images.unique().tolist()) <= set(
            pixels.unique().tolist()
        )
    of_bytes = audits["uint8"]["copying"]
    assert all(of_bytes["exchange"]["found"][kind] for kind in ("exact", "noised", "shifted"))
    for depth in ("uint16", "float32"):
        for name, found in audits[depth]["copying"].items():
            assert found["found"] == of_bytes[name]["found"], (depth, name)
            for kind, medians in found["medians"].items():
                expected = pytest.approx(of_bytes[name]["medians"][kind], rel=0.05, abs=0.02)
                assert medians == expected, (depth, name, kind)


def test_noise_on_images_with_units_is_not_rounded_and_stays_in_the_range() -> None:
    pixels = torch.full((4, 1, 32, 32), 128.0)
    noise = noised(pixels, torch.Generator().manual_seed(0)) - 128
    assert noise.dtype == torch.float32 and 3.8 < noise.std() < 4.2
    assert (noise != noise.round()).double().mean() > 0.9
    white = noised(pixels + 127, torch.Generator().manual_seed(0))
    assert white.max() <= 255 and white.min() < 250


def test_what_no_audit_can_be_of_says_what_else_to_use(gans: Any, refused: Any) -> None:
    fields = "run --arch dcgan --loss bce --data fields --image-size 16 --batch-size 8 --width 4 --steps 1"
    assert gans(f"{fields} --out fields").status == 0
    for extractor in ("", "--extractor random-vgg"):
        told = refused(2, ("1, 3, 4 channels, not 5",), f"audit fields {extractor}")
        assert "train-classifier" not in told  # there are no classes
        advised = told.rpartition("gans ")[2]
        assert advised == "evaluate fields --metrics power-spectrum"
    assert gans(f"{advised} -n 20").status == 0
    exported = "fields/generator.safetensors does not say which data it was trained on; give its run folder"
    for command in ("audit", "evaluate"):
        refused(2, (exported,), f"{command} fields/generator.safetensors")
        shown = gans(f"{command} --help").out
        assert "RUN is a run folder, or a checkpoint in one" in " ".join(shown.split())


def test_what_would_let_an_audit_see_more_can_be_typed(gans: Any, pixels: Tensor) -> None:
    np.save("set.npy", pixels[:, 0].numpy())
    run = f"run --arch dcgan --loss bce --data npy:set.npy {SMALL}"
    assert gans(f"{run} --holdout 0.2 --out run").status == 0
    candidate = open_candidate("run")
    for count, ways in ((None, ""), (100, "give a larger -n, or ")):
        training, held_out = open_data(candidate, count, 0)
        words = describe_more(candidate, training, len(held_out))
        train = "train anew with gans run --config run/config.json --holdout 0.4 --out run-held-out"
        assert words == f"{ways}{train}, or take another --extractor (gans list extractors)"
    many = describe_more(candidate, training, 2000)
    assert "holdout" not in many  # no more of them would be compared
    assert gans(train.partition("gans ")[2]).status == 0 and gans("list extractors").status == 0
