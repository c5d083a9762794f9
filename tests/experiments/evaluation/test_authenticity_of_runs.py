"""Authenticity looks for copies: it compares with training images, whatever the other scores compare with."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from experiments.data.core.holdout import split_indices
from experiments.runs.folder import RunFolder
from experiments.runs.scores import read_evaluation_scores
from gans.dcgan import Generator
from tests.experiments.evaluation.test_audited_images import copier

COUNT = 100
EVALUATED = (
    "--evaluate-kimg 0.008 --evaluate-metrics authenticity,fid --evaluate-samples 12 --extractor random-vgg"
)


@pytest.fixture
def pixels() -> torch.Tensor:
    random = torch.Generator().manual_seed(0)
    return torch.randint(256, (COUNT, 1, 16, 16), generator=random, dtype=torch.uint8)


def test_a_copier_is_told_whatever_the_reference(
    gans: Any, refused: Any, pixels: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save("set.npy", pixels[:, 0].numpy())
    command = (
        "run --arch dcgan --loss bce --data npy:set.npy --image-size 16 --batch-size 8 --width 4 --steps 1"
    )
    outcome = gans(f"{command} --holdout 0.4 --out run {EVALUATED} --best-metric authenticity")
    assert outcome.status == 0, outcome.err
    assert "compared with all 60 training samples" in outcome.err
    ((_, scores),) = read_evaluation_scores(RunFolder(Path("run")))
    assert list(scores) == ["authenticity", "fd-random-vgg/held-out"]
    assert scores["authenticity"]["n"] == [12, 60] and scores["authenticity"]["split"] == "training"
    assert scores["fd-random-vgg/held-out"]["n"] == [12, 12]
    training, held_out = split_indices(COUNT, 0.4, 0)
    found: dict[tuple[str, str], Any] = {}
    for made, images in (("copies", pixels[training]), ("honest", pixels[held_out])):
        monkeypatch.setattr(Generator, "forward", copier(images))
        for reference in ("train", "both", "held-out")[0 if made == "copies" else 2 :]:
            words = f"evaluate run --metrics fid,authenticity --reference {reference} -n 20 --json"
            outcome = gans(f"{words} --extractor random-vgg")
            assert outcome.status == 0, outcome.err
            found[made, reference] = json.loads(outcome.out)
            assert found[made, reference]["authenticity"]["n"] == [20, 60]
        numbers = {scores["authenticity"]["value"] for (of, _), scores in found.items() if of == made}
        assert len(numbers) == 1 and (max(numbers) < 0.05 if made == "copies" else min(numbers) > 0.2)
    assert list(found["copies", "both"]) == ["fd-random-vgg", "fd-random-vgg/held-out", "authenticity"]
    refused(
        2,
        ("authenticity/held-out is not evaluated",),
        f"{command} --holdout 0.4 --out other {EVALUATED}",
        "--best-metric",
        "authenticity/held-out",
    )


def test_a_translator_on_held_out_images_is_refused(gans: Any, refused: Any) -> None:
    run = "run --arch cyclegan --data shapes-styles --image-size 16 --width 4 --steps 1 --out run"
    assert gans(run).status == 0
    told = "evaluate run --metrics authenticity -n 10 --extractor random-vgg"
    refused(2, ("authenticity looks for copies", "--reference train"), told)
    assert gans(f"{told} --reference train").status == 0
