"""`gans evaluate`: a run's generator against its data, into the run's own scores."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiments import catalogue

Gans = Callable[..., Any]
SMALL = "--extractor random-vgg -n 12"
# Twelve images are too few for these: they are tested by themselves.
NEED_MORE = {"kid", "fid-infinity"}
SEVERAL = {"precision-recall": ("precision", "recall"), "density-coverage": ("density", "coverage")}
OF_FEATURES = [
    name for name in catalogue.names("metric") if catalogue.load("metric", name).takes == "vectors"
]
OF_POINTS = [name for name in catalogue.names("metric") if catalogue.load("metric", name).takes == "points"]


def lines(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "scores.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("name", sorted({*OF_FEATURES} - NEED_MORE - {"path-length"}))
def test_scores_go_where_they_belong(name: str, gans: Gans, trained: Path) -> None:
    before = lines(trained)
    outcome = gans(f"evaluate {trained} {SMALL} --metrics {name} --json")
    assert outcome.status == 0, outcome.err
    (key,) = found = json.loads(outcome.out)
    assert key == ("fd-random-vgg" if name == "fid" else name)
    assert found[key]["n"] == [12, 12] and found[key]["extractor"] == "random-vgg"
    assert {"weights", "resize_rule", "quantization", "seed", "reference", "torch"} <= found[key].keys()
    *earlier, last = lines(trained)
    assert earlier == before
    own = {name: found[key][name] for name in SEVERAL.get(key, ())} or {key: found[key]["value"]}
    numbers = {f"metric/{name}": value for name, value in own.items()}
    assert last == {"step": 3, "kimg": before[-1]["kimg"], **numbers}
    assert json.loads((trained / "evaluation.json").read_text())["3"] == found


def test_several_metrics_at_once_and_again(gans: Gans, trained: Path) -> None:
    both = json.loads(gans(f"evaluate {trained} {SMALL} --metrics fid,precision-recall --json").out)
    assert list(both) == ["fd-random-vgg", "precision-recall"]
    assert {"precision", "recall"} <= both["precision-recall"].keys()
    one = json.loads(gans(f"evaluate {trained} {SMALL} --metrics density-coverage --json").out)
    assert json.loads((trained / "evaluation.json").read_text())["3"] == both | one


def test_every_checkpoint(gans: Gans, trained: Path) -> None:
    found = json.loads(gans(f"evaluate {trained} {SMALL} --metrics fid --every-checkpoint --json").out)
    assert list(found) == ["1", "2", "3"]
    values = [scores["fd-random-vgg"]["value"] for scores in found.values()]
    assert len(set(values)) == 3
    last = json.loads(gans(f"evaluate {trained} {SMALL} --metrics fid --json").out)
    assert last["fd-random-vgg"]["value"] == pytest.approx(values[-1], rel=1e-6)
    assert [line["step"] for line in lines(trained)[-4:]] == [1, 2, 3, 3]


def test_an_evaluated_run_still_resumes(gans: Gans, trained: Path) -> None:
    gans(f"evaluate {trained} {SMALL} --metrics fid")
    outcome = gans(f"run --resume {trained} --steps 5 --force")
    assert outcome.status == 0, outcome.err


def test_inceptions_score_is_torch_fidelitys(gans: Gans, trained: Path, weights: Path) -> None:
    """On the very pictures that `gans sample` writes."""
    from torch_fidelity import calculate_metrics

    gans(f"sample {trained} -n 30 --out pictures-made/")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.cpu_count", lambda: 1)
        expected = calculate_metrics(
            input1="pictures-made",
            isc=True,
            cuda=False,
            verbose=False,
            cache=False,
            feature_extractor_weights_path=str(weights),
        )
    outcome = gans(f"evaluate {trained} --metrics is -n 30 --weights {weights} --json")
    assert outcome.status == 0, outcome.err
    found = json.loads(outcome.out)["is"]
    assert found["value"] == pytest.approx(expected["inception_score_mean"], rel=1e-4)
    assert found["deviation"] == pytest.approx(expected["inception_score_std"], rel=1e-2)


@pytest.mark.parametrize(
    ("name", "mentions"),
    [
        ("is", ["random-vgg", "inception"]),
        ("inception-score", ["random-vgg", "inception"]),
        ("class-modes", ["needs classes", "pictures"]),
        ("stacked-mnist", ["random-vgg", "gans train-classifier"]),
    ],
)
def test_classes_need_an_extractor_that_knows_some(
    name: str, mentions: list[str], refused: Any, trained: Path
) -> None:
    refused(2, (name, *mentions), f"evaluate {trained} {SMALL} --metrics {name}")


@pytest.mark.parametrize("name", OF_POINTS)
def test_points_are_not_images(name: str, refused: Any, trained: Path) -> None:
    refused(2, (name, "points"), f"evaluate {trained} {SMALL} --metrics {name}")


@pytest.mark.parametrize(
    ("flags", "mentions"),
    [
        ("--metrics fdi", ["fdi", "fid"]),
        ("--metrics kid", ["kid", "1,000"]),
        ("--metrics fid -n 1", ["-n"]),
        ("--metrics fid --resize-rule lanczos", ["lanczos", "clean"]),
    ],
)
def test_bad_input(flags: str, mentions: list[str], refused: Any, trained: Path) -> None:
    before = lines(trained)
    refused(2, tuple(mentions), f"evaluate {trained} --extractor random-vgg {flags}")
    assert lines(trained) == before
    assert not (trained / "evaluation.json").exists()


def test_a_run_on_points_counts_its_modes(gans: Gans, refused: Any, finished: Path) -> None:
    outcome = gans(f"evaluate {finished} -n 500 --json")
    assert outcome.status == 0, outcome.err
    (modes,) = json.loads(outcome.out).values()
    assert modes["value"] == modes["covered"] and 0 <= modes["covered"] <= 8 and modes["kl"] > 0
    assert (modes["quantization"], modes["extractor"]) == ("none", "none")
    assert {"metric/covered", "metric/high_quality", "metric/kl"} <= lines(finished)[-1].keys()
    both = json.loads(gans(f"evaluate {finished} -n 500 --metrics fid,precision-recall --json").out)
    assert list(both) == ["fd-points", "precision-recall"]
    same = json.loads(gans(f"fid {finished} ring8 -n 500 --json").out)
    assert same["fd-points"]["value"] == pytest.approx(both["fd-points"]["value"], rel=1e-9)
    refused(2, ("random-vgg", "points"), f"evaluate {finished} {SMALL}")
    refused(2, ("is", "ring8"), f"evaluate {finished} --metrics is")
    refused(2, ("--plot", "points"), f"evaluate {finished} --plot")
