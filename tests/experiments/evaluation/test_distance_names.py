"""Only the distance between features of Inception is called fid, wherever one is printed or kept."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiments.runs.scores import distance_name, usual_name

Gans = Callable[..., Any]
IMAGES = "run --arch dcgan --loss bce --image-size 8 --width 2 --z-dim 4 --batch-size 4 --steps 4 --out run"
EVALUATE = "--evaluate-kimg 0.008 --evaluate-samples 12"


@pytest.mark.parametrize("distance", ["fid", "fd-random-vgg", "fd-classifier:mnist", "fd-points"])
@pytest.mark.parametrize("metric", ["fid", "fid-infinity", "kid", "precision-recall"])
def test_names_of_scores_and_back(distance: str, metric: str) -> None:
    name = distance_name(metric, distance)
    assert ("fid" in name) == (metric.startswith("fid") and distance == "fid")
    assert usual_name(f"{name}/to-B", {"distance": distance}) == f"{metric}/to-B"


def test_a_run_prints_its_scores_by_these_names(gans: Gans, pictures: Path) -> None:
    """Each evaluation a line, and at the end the best score with its checkpoint."""
    outcome = gans(
        f"{IMAGES} --data folder:{pictures} {EVALUATE} --extractor random-vgg --evaluate-metrics fid"
    )
    assert outcome.status == 0, outcome.err
    assert not re.search(r"\bfid\b", outcome.err)
    entries = [json.loads(line) for line in Path("run/evaluation.jsonl").read_text().splitlines()]
    values = {entry["step"]: entry["scores"]["fd-random-vgg"]["value"] for entry in entries}
    for step, value in values.items():
        assert re.search(
            rf"^step {step}, [0-9.]+ kimg: fd-random-vgg {value:.4g}$", outcome.err, re.MULTILINE
        )
    best = min(values, key=values.__getitem__)
    assert f"best fd-random-vgg {values[best]:.4g}: run/best/step-{best:08}.pt" in outcome.err


def test_features_of_inception_keep_the_name(gans: Gans, pictures: Path, weights: Path) -> None:
    gans(f"{IMAGES} --data folder:{pictures}")
    outcome = gans(f"evaluate run --weights {weights} --metrics fid -n 2")
    assert outcome.out.startswith("fid "), outcome.err


def test_a_chosen_number_is_printed_as_the_best(gans: Gans, workplace: Path) -> None:
    points = "run --arch mlp --loss bce --data ring8 --batch-size 16 --width 8 --steps 4 --out run"
    flags = "--evaluate-kimg 0.064 --evaluate-samples 50 --evaluate-metrics fid,pr --best-metric recall"
    outcome = gans(f"{points} {flags}")
    assert re.search(r"^best precision-recall/recall [0-9.]+: run/best/", outcome.err, re.MULTILINE), (
        outcome.err
    )
