"""What generated samples are compared with: training samples, held-out ones or both, and how many."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from experiments.data.shapes import Shapes
from tests.experiments.evaluation.helpers import FEW, SMALL
from tests.experiments.evaluation.test_evaluate import kept, lines

Gans = Callable[..., Any]
FD = "fd-random-vgg"
OF_FOLDER = "--image-size 8 --width 2 --z-dim 4 --batch-size 4 --steps 2"


def write_images(folder: Path, count: int, level: int) -> None:
    folder.mkdir(parents=True)
    noise = np.random.default_rng(level)
    for number in range(count):
        pixels = noise.integers(level, level + 60, size=(8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02}.png")


@pytest.fixture
def split(gans: Gans, workplace: Path) -> Path:
    """A run on the dark images of train/; those of test/ are light."""
    write_images(Path("data/train"), 20, 10)
    write_images(Path("data/test"), 14, 180)
    outcome = gans(f"run --arch dcgan --loss bce --data folder:data {OF_FOLDER} --out split")
    assert outcome.status == 0, outcome.err
    return Path("split")


def another_seed(gans: Gans, out: str) -> None:
    """A run as `split` with another seed, so that the two can be compared."""
    outcome = gans(f"run --arch dcgan --loss bce --data folder:data {OF_FOLDER} --seed 1 --out {out}")
    assert outcome.status == 0, outcome.err


def evaluated(gans: Gans, run: Path, flags: str) -> tuple[dict[str, Any], str]:
    outcome = gans(f"evaluate {run} --extractor random-vgg --json {flags}")
    assert outcome.status == 0, outcome.err
    return json.loads(outcome.out), outcome.err


def test_by_default_as_many_samples_as_training_images(gans: Gans, split: Path) -> None:
    found, err = evaluated(gans, split, "--metrics fid")
    assert list(found) == [FD]
    assert (found[FD]["n"], found[FD]["split"]) == ([20, 20], "training")
    assert "20 samples against 20 training images of folder:" in err
    assert gans("fid split folder:data/train --extractor random-vgg --json").out.count('"n": [20, 20]') == 1
    more, _ = evaluated(gans, split, "--metrics fid -n 30")
    assert more[FD]["n"] == [30, 20]


def test_the_distance_to_held_out_images_stands_beside_the_other(gans: Gans, split: Path) -> None:
    """Each is what `gans fid` finds for the same folder, and inception-score compares with neither."""
    found, err = evaluated(gans, split, "--metrics fid,precision-recall --reference both")
    assert list(found) == [FD, f"{FD}/held-out", "precision-recall", "precision-recall/held-out"]
    assert "20 samples against 20 training images and 14 held-out images of folder:" in err
    assert found[f"{FD}/held-out"]["n"] == [20, 14] and found[f"{FD}/held-out"]["split"] == "held-out"
    for key, folder in ((FD, "train"), (f"{FD}/held-out", "test")):
        same = json.loads(gans(f"fid split folder:data/{folder} -n 20 {FEW.split(' -n')[0]} --json").out)
        assert found[key]["value"] == pytest.approx(same[FD]["value"], rel=1e-6)
    assert found[f"{FD}/held-out"]["value"] > 1.5 * found[FD]["value"] or (
        found[FD]["value"] > 1.5 * found[f"{FD}/held-out"]["value"]
    )
    assert {f"metric/{FD}", f"metric/{FD}/held-out", "metric/precision-recall/held-out/recall"} <= lines(
        split
    )[-1].keys()
    assert kept(split)[-1]["scores"] == found
    alone, _ = evaluated(gans, split, "--metrics fid --reference held-out")
    assert list(alone) == [f"{FD}/held-out"] and alone[f"{FD}/held-out"]["n"] == [14, 14]


def test_samples_are_generated_once_for_both(
    gans: Gans, split: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from experiments.evaluation.sample_sets import GeneratedSamples

    drawn, original = [0], GeneratedSamples.batch_makers

    def count(self: GeneratedSamples) -> Any:
        drawn[0] += 1
        return original(self)

    monkeypatch.setattr(GeneratedSamples, "batch_makers", count)
    evaluated(gans, split, "--metrics fid,precision-recall --reference both")
    assert drawn == [1]


@pytest.mark.parametrize("flags", ["--reference held-out", "--reference both"])
def test_where_nothing_is_held_out_the_line_says_what_to_do(flags: str, refused: Any, trained: Path) -> None:
    words = ("--reference", "has no test/ beside a train/", "--reference train")
    refused(2, words, f"evaluate {trained} {FEW} --metrics fid {flags}")
    assert not (trained / "evaluation.jsonl").exists()


def test_points_are_held_out_too_and_modes_need_none(gans: Gans, finished: Path) -> None:
    outcome = gans(f"evaluate {finished} -n 300 --metrics modes,fid --reference both --json")
    found = json.loads(outcome.out)
    assert list(found) == ["modes", "fd-points", "fd-points/held-out"]
    assert "split" not in found["modes"]
    held_out, training = found["fd-points/held-out"], found["fd-points"]
    assert held_out["reference"] != training["reference"]
    assert held_out["value"] == pytest.approx(training["value"], rel=0.1)
    assert held_out["value"] != training["value"]


def test_the_published_protocol_takes_all_training_images(
    gans: Gans, refused: Any, trained: Path, split: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a set larger than the number of samples too; held-out images stand beside, where there are some."""
    from experiments.evaluation import protocols, tasks

    few = {"fid50k-full": protocols.Protocol(16, ("fid",))}
    monkeypatch.setattr(tasks, "MOST_SAMPLES", 10)
    monkeypatch.setattr("experiments.evaluation.evaluate.PROTOCOLS", few)
    monkeypatch.setattr(tasks, "PROTOCOLS", few)
    usual, _ = evaluated(gans, split, "--metrics fid")
    assert usual[FD]["n"] == [10, 10] and "protocol" not in usual[FD]
    found, err = evaluated(gans, split, "--protocol fid50k-full")
    assert list(found) == [FD, f"{FD}/held-out"]
    assert (found[FD]["n"], found[f"{FD}/held-out"]["n"]) == ([16, 20], [16, 14])
    assert {score["protocol"] for score in found.values()} == {"fid50k-full"}
    assert "by fid50k-full" in err
    alone, err = evaluated(gans, trained, "--protocol fid50k-full")
    assert list(alone) == [FD] and "no score against held-out images" in err
    words = ("fid50k-full is 16 samples, not 12", "leave -n out")
    refused(2, words, f"evaluate {split} --protocol fid50k-full -n 12 --extractor random-vgg")


def test_the_protocol_is_50000_samples() -> None:
    from experiments.evaluation.protocols import PROTOCOLS

    assert (PROTOCOLS["fid50k-full"].samples, PROTOCOLS["fid50k-full"].metrics) == (50_000, ("fid",))


def test_translators_are_scored_on_either_part(gans: Gans, refused: Any, workplace: Path) -> None:
    """Usually on held-out images, so that these keep the plain names."""
    gans(f"run --arch pix2pix {SMALL} --image-size 16 --out run")
    usual, _ = evaluated(gans, Path("run"), "-n 20 --metrics l1")
    same, _ = evaluated(gans, Path("run"), "-n 20 --metrics l1 --reference held-out")
    both, _ = evaluated(gans, Path("run"), "-n 20 --metrics l1 --reference both")
    alone, _ = evaluated(gans, Path("run"), "-n 20 --metrics l1 --reference train")
    assert usual == same and list(usual) == ["l1/to-B"]
    assert both == usual | alone and list(alone) == ["l1/to-B/train"]
    assert (usual["l1/to-B"]["split"], alone["l1/to-B/train"]["split"]) == ("held-out", "training")
    assert usual["l1/to-B"]["value"] != alone["l1/to-B/train"]["value"]
    refused(2, ("--protocol fid50k-full", "pix2pix"), "evaluate run --protocol fid50k-full")


def test_scores_of_other_references_counts_and_protocols_do_not_compare(
    gans: Gans, refused: Any, split: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line names both runs, and the command that it gives makes them comparable."""
    from experiments.evaluation import protocols, tasks

    few = {"fid50k-full": protocols.Protocol(20, ("fid",))}
    monkeypatch.setattr("experiments.evaluation.evaluate.PROTOCOLS", few)
    monkeypatch.setattr(tasks, "PROTOCOLS", few)
    another_seed(gans, "other")
    for first, second in (
        ("-n 12", "-n 14"),
        ("-n 12", ""),
        ("--protocol fid50k-full", "-n 20"),
        ("--reference held-out", "--reference both"),
    ):
        for run, flags in (("split", first), ("other", second)):
            Path(run, "evaluation.jsonl").unlink(missing_ok=True)
            evaluated(gans, Path(run), f"--metrics fid {flags}")
        line = refused(
            2, ("split", "other", "made alike", "gans evaluate other", "--allow-mixed"), "compare split other"
        )
        command = line.partition("by: gans ")[2].partition(", or ")[0]
        assert gans(command).status == 0, command
        assert gans("compare split other").status == 0, line


def test_a_score_that_one_lacks_is_made_by_the_command_in_the_line(
    gans: Gans, refused: Any, split: Path
) -> None:
    another_seed(gans, "other")
    evaluated(gans, split, "--metrics fid --reference held-out")
    evaluated(gans, Path("other"), "--metrics fid")
    for flags in ("", " --metric fid/held-out"):
        line = refused(
            2, ("other", "gans evaluate other", "--reference held-out"), f"compare split other{flags}"
        )
    assert gans(line.partition("with: gans ")[2]).status == 0
    assert gans("compare split other").status == 0


def test_old_scores_say_no_split_and_compare_with_new_ones(gans: Gans, split: Path) -> None:
    evaluated(gans, split, "--metrics fid")
    another_seed(gans, "old")
    evaluated(gans, Path("old"), "--metrics fid")
    file = Path("old/evaluation.jsonl")
    assert '"split": "training"' in file.read_text()
    file.write_text(file.read_text().replace(', "split": "training"', ""))
    assert gans("compare split old").status == 0


def test_held_out_shapes_are_further_scenes(gans: Gans, workplace: Path) -> None:
    gans(f"run --arch dcgan --loss bce --data shapes {OF_FOLDER.replace(' 8 ', ' 16 ')} --out run")
    found, err = evaluated(gans, Path("run"), "--metrics fid --reference held-out")
    count = len(Shapes().open_held_out((16, 16), 3, "auto"))
    assert found[f"{FD}/held-out"]["n"] == [count, count]
    assert f"{count} samples against {count} held-out images of shapes" in err


def test_a_run_may_choose_its_best_by_held_out_samples(gans: Gans, refused: Any, workplace: Path) -> None:
    points = "run --arch mlp --loss bce --data ring8 --batch-size 16 --width 8 --steps 4 --out run"
    refused(2, ("--evaluate-reference", "--evaluate-kimg"), f"{points} --evaluate-reference both")
    flags = "--evaluate-kimg 0.032 --evaluate-samples 60 --evaluate-metrics modes,fid"
    outcome = gans(f"{points} {flags} --evaluate-reference both --best-metric fid/held-out")
    assert outcome.status == 0, outcome.err
    scores = {entry["step"]: entry["scores"] for entry in kept(Path("run"))}
    assert list(scores[2]) == ["modes", "fd-points", "fd-points/held-out"]
    best = min(scores, key=lambda step: scores[step]["fd-points/held-out"]["value"])
    assert f"best fd-points/held-out {scores[best]['fd-points/held-out']['value']:.4g}: " in outcome.err
    assert Path(f"run/best/step-{best:08}.pt").exists()


def test_a_sweep_may_evaluate_against_held_out_samples(gans: Gans, here: list[Any], workplace: Path) -> None:
    points = "--arch mlp --data ring8 --batch-size 16 --width 8 --steps 4 --evaluate-samples 50 --track local"
    asked = "--evaluate-metrics fid --evaluate-reference held-out --seeds 1 --jobs 1 --out sweep"
    outcome = gans(f"sweep {points} {asked}")
    assert outcome.status == 0, outcome.err
    assert "fd-points/held-out" in outcome.out
