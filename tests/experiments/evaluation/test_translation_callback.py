"""Evaluation of a translator while it trains: the command's scores, and the best checkpoint by direction."""

import json
from pathlib import Path
from typing import Any

import pytest

from experiments.evaluation.evaluate import Evaluator
from tests.conftest import long_but
from tests.experiments.evaluation.helpers import DIRECTIONS, FEW, SMALL, Gans, alike, ended

EVALUATE = "--evaluate-kimg 0.004 --evaluate-samples 20 --extractor random-vgg"  # every second step


@pytest.mark.parametrize("arch", long_but({"swap"}, DIRECTIONS))
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
    fewer = EVALUATE.replace("--evaluate-samples 20", "--evaluate-samples 8")
    command = f"run --arch swap {SMALL} --image-size 16 {fewer} --evaluate-metrics fid,l1,psnr"
    outcome = gans(f"{command} --steps 6 --best-metric {best} --out run")
    assert outcome.status == 0, outcome.err
    assert [path.name for path in Path("run/best").glob("*.pt")] == [f"step-{step:08}.pt"]


@pytest.mark.parametrize("best", ["l1/to-C", "kid/to-B"])
def test_a_best_that_is_not_evaluated(best: str, refused: Any) -> None:
    mentions = (f"--best-metric {best}", "l1", "/to-A or /to-B")
    refused(2, mentions, f"run --arch swap {SMALL} --image-size 16 {EVALUATE} --best-metric {best} --out run")
    assert not Path("run").exists()
