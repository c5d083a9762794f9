"""`gans evaluate`: a run's generator against its data, into the run's own scores."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiments.core import registry

Gans = Callable[..., Any]
SMALL = "--extractor random-vgg -n 12"
# Twelve images are too few for these: they are tested by themselves.
NEED_MORE = {"kid", "fid-infinity"}
SEVERAL = {"precision-recall": ("precision", "recall"), "density-coverage": ("density", "coverage")}
OF_FEATURES = [name for name in registry.names("metric") if registry.load("metric", name).takes == "vectors"]
OF_POINTS = [name for name in registry.names("metric") if registry.load("metric", name).takes == "points"]


def kept(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "evaluation.jsonl").read_text().splitlines()]


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
    own = {f"{key}/{name}": found[key][name] for name in SEVERAL.get(key, ())} or {key: found[key]["value"]}
    numbers = {f"metric/{name}": value for name, value in own.items()}
    assert last == {"step": 3, "kimg": before[-1]["kimg"], **numbers}
    assert kept(trained) == [{"step": 3, "scores": found}]


def test_several_metrics_at_once_and_again(gans: Gans, trained: Path) -> None:
    both = json.loads(gans(f"evaluate {trained} {SMALL} --metrics fid,precision-recall --json").out)
    assert list(both) == ["fd-random-vgg", "precision-recall"]
    assert {"precision", "recall"} <= both["precision-recall"].keys()
    one = json.loads(gans(f"evaluate {trained} {SMALL} --metrics density-coverage --json").out)
    assert kept(trained) == [{"step": 3, "scores": scores} for scores in (both, one)]


def test_every_checkpoint(gans: Gans, trained: Path) -> None:
    found = json.loads(gans(f"evaluate {trained} {SMALL} --metrics fid --every-checkpoint --json").out)
    assert list(found) == ["1", "2", "3"]
    values = [scores["fd-random-vgg"]["value"] for scores in found.values()]
    assert len(set(values)) == 3
    last = json.loads(gans(f"evaluate {trained} {SMALL} --metrics fid --json").out)
    assert last["fd-random-vgg"]["value"] == pytest.approx(values[-1], rel=1e-6)
    assert [line["step"] for line in lines(trained)[-3:]] == [1, 2, 3], "the same scores are kept once"
    gans(f"evaluate {trained} {SMALL} --metrics fid --seed 1")
    assert [line["step"] for line in lines(trained)[-4:]] == [1, 2, 3, 3]


def test_an_evaluated_run_still_resumes(gans: Gans, trained: Path) -> None:
    gans(f"evaluate {trained} {SMALL} --metrics fid")
    outcome = gans(f"run --resume {trained} --steps 5 --force")
    assert outcome.status == 0, outcome.err


@pytest.mark.long
def test_inceptions_score_is_torch_fidelitys(gans: Gans, trained: Path, weights: Path) -> None:
    """On the very pictures that `gans sample` writes."""
    from torch_fidelity import calculate_metrics

    gans(f"sample {trained} -n 20 --out pictures-made/")
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
    outcome = gans(f"evaluate {trained} --metrics is -n 20 --weights {weights} --json")
    assert outcome.status == 0, outcome.err
    found = json.loads(outcome.out)["inception-score"]
    assert found["value"] == pytest.approx(expected["inception_score_mean"], rel=1e-4)
    assert found["deviation"] == pytest.approx(expected["inception_score_std"], rel=1e-2)


@pytest.mark.parametrize(
    ("name", "mentions"),
    [
        ("is", ["inception-score", "random-vgg", "inception"]),
        ("inception-score", ["random-vgg", "inception"]),
        ("class-modes", ["needs classes", "pictures"]),
        ("stacked-mnist", ["stacked:mnist", "pictures"]),
    ],
)
def test_classes_need_an_extractor_that_knows_some(
    name: str, mentions: list[str], refused: Any, trained: Path
) -> None:
    refused(2, tuple(mentions), f"evaluate {trained} {SMALL} --metrics {name}")


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
    assert not (trained / "evaluation.jsonl").exists()


def test_a_run_on_points_counts_its_modes(gans: Gans, refused: Any, finished: Path) -> None:
    outcome = gans(f"evaluate {finished} -n 500 --json")
    assert outcome.status == 0, outcome.err
    (modes,) = json.loads(outcome.out).values()
    assert modes["value"] == modes["covered"] and 0 <= modes["covered"] <= 8 and modes["kl"] > 0
    assert (modes["quantization"], modes["extractor"]) == ("none", "none")
    assert {"metric/modes/covered", "metric/modes/high_quality", "metric/modes/kl"} <= lines(finished)[
        -1
    ].keys()
    both = json.loads(gans(f"evaluate {finished} -n 500 --metrics fid,precision-recall --json").out)
    assert list(both) == ["fd-points", "precision-recall"]
    same = json.loads(gans(f"fid {finished} ring8 -n 500 --json").out)
    assert same["fd-points"]["value"] == pytest.approx(both["fd-points"]["value"], rel=1e-9)
    refused(2, ("random-vgg", "points"), f"evaluate {finished} {SMALL}")
    refused(2, ("is", "ring8"), f"evaluate {finished} --metrics is")
    refused(2, ("--plot", "points"), f"evaluate {finished} --plot")


def test_a_score_belongs_to_the_generator_that_was_evaluated(gans: Gans, trained: Path) -> None:
    """Of an unfinished run whose newest checkpoint is damaged, it is the one before."""
    expected = json.loads(gans(f"evaluate {trained} {SMALL} --metrics fid --every-checkpoint --json").out)[
        "2"
    ]
    (trained / "generator.safetensors").unlink()
    damaged = trained / "checkpoints" / "step-00000003.pt"
    damaged.write_bytes(damaged.read_bytes() + b"x")
    outcome = gans(f"evaluate {trained} {SMALL} --metrics fid --json")
    assert outcome.status == 0 and "trying the one before" in outcome.err
    assert json.loads(outcome.out) == expected
    assert kept(trained)[-1] == {"step": 2, "scores": expected}
    every = gans(f"evaluate {trained} {SMALL} --metrics fid --every-checkpoint --json")
    assert list(json.loads(every.out)) == ["1", "2"] and "it is left out" in every.err


def test_a_run_is_evaluated_while_another_process_trains_it(gans: Gans, trained: Path) -> None:
    from experiments.runs.folder import RunFolder

    with RunFolder(trained).lock():
        assert gans(f"evaluate {trained} {SMALL} --metrics fid").status == 0
    assert len(kept(trained)) == 1


def test_damaged_records_are_passed_over(gans: Gans, trained: Path) -> None:
    (trained / "evaluation.jsonl").write_text('{"step": 1, "scores": 3}\n5\n{"step": 2}\n[1\n')
    with (trained / "scores.jsonl").open("a") as file:
        file.write('5\n{"step": 3}\n')
    assert gans(f"evaluate {trained} {SMALL} --metrics fid").status == 0
    assert gans(f"run --resume {trained} --steps 4 --force").status == 0


def test_small_sets_have_no_kid_unless_it_is_asked_for(gans: Gans, trained: Path) -> None:
    outcome = gans(f"evaluate {trained} {SMALL} --json")
    assert list(json.loads(outcome.out)) == ["fd-random-vgg", "precision-recall"]
    assert "kid is left out: it needs 1,000 samples" in outcome.err


def test_names_are_the_catalogues_and_counted_once(gans: Gans, trained: Path) -> None:
    outcome = gans(f"evaluate {trained} {SMALL} --metrics pr,precision-recall,pr --json")
    assert list(json.loads(outcome.out)) == ["precision-recall"]


def test_nothing_is_extracted_for_what_is_refused(
    refused: Any, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from metrics.extractors.random_vgg import RandomVGG

    monkeypatch.setattr(RandomVGG, "__call__", lambda *_: pytest.fail("an image was extracted"))
    refused(2, ("modes",), f"evaluate {trained} {SMALL} --metrics fid,modes")
    plot = f"evaluate {trained}/checkpoints/step-00000003.pt {SMALL} --metrics fid --plot"
    refused(2, ("--plot", "run folder"), plot)


def test_intervals_of_scores_are_those_of_means(gans: Gans, finished: Path) -> None:
    """The share of samples near a mode has the deviation of a binomial share."""
    outcome = gans(f"evaluate {finished} -n 400 --metrics modes,fid --intervals 200 --json")
    assert outcome.status == 0, outcome.err
    found = json.loads(outcome.out)
    assert found["modes"]["resamples"] == 200
    low, high = found["modes"]["intervals"]["high_quality"]
    share = found["modes"]["high_quality"]
    assert low <= share <= high and low >= 0 and high <= 1
    if 0.05 < share < 0.95:
        assert high - low == pytest.approx(2 * 1.96 * (share * (1 - share) / 400) ** 0.5, rel=0.25)
    below, above = found["fd-points"]["intervals"]["fid"]
    assert below < found["fd-points"]["value"] < above
    without = json.loads(gans(f"evaluate {finished} -n 400 --metrics modes,fid --json").out)
    assert (
        without["fd-points"]["value"] == found["fd-points"]["value"] and "intervals" not in without["modes"]
    )
    shown = gans(f"evaluate {finished} -n 400 --metrics fid --intervals").out
    assert shown.splitlines()[-1].startswith("in brackets: 95 % by a bootstrap over the samples (100 sets);")
    assert "bootstrap" not in gans(f"evaluate {finished} -n 400 --metrics fid").out
    assert shown.startswith("fd-points ") and " to " in shown
    assert json.loads((finished / "evaluation.jsonl").read_text().splitlines()[0])["scores"] == found
