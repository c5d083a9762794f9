"""`gans info`: a run in its states, a sweep, a checkpoint, exported networks and published weights."""

import json
import re
import shlex
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from experiments.runs.folder import RunFolder, lock_folder
from experiments.runs.scores import flatten_scores, read_evaluation_scores
from tests.commands.helpers import POINTS, Gans, Refused, read_scores
from tests.experiments.runs.published.snapshots import SNAPSHOT
from tests.pages.stock import make_photos


def told(gans: Gans, path: object) -> dict[str, Any]:
    outcome = gans(f"info {path} --json")
    assert outcome.status == 0, outcome.err
    found: dict[str, Any] = json.loads(outcome.out)
    return found


def test_a_finished_run_in_a_screenful(gans: Gans, workplace: Path) -> None:
    chosen = "--n-critic 2 --set optimizer.betas=0.1,0.9 --lecam 0.3"
    run = f"run {POINTS} {chosen} --loss hinge --seed 3 --steps 4 --out run"
    assert gans(run).status == 0
    assert gans("evaluate run -n 60").status == 0
    found = told(gans, "run")
    assert re.fullmatch("run: mlp with hinge on ring8, laptop, seed 3", found["title"])
    assert re.fullmatch(r"finished, step 4, [\d.]+ kimg, .+ of training", found["state"][0])
    sizes = [sum(each.numel() for each in network.values()) for network in weights_of(workplace / "run")]
    assert found["networks"] == [f"generator {sizes[0]:,} parameters, critic {sizes[1]:,}"]
    assert {"--n-critic 2", "--set optimizer.betas=0.1,0.9", "--regularizers lecam=0.3"} <= set(
        found["settings"]
    )
    assert not [line for line in found["settings"] if re.match("--(arch|loss|data|seed|kimg) ", line)]
    assert any(line.startswith("modes") for line in found["scores"])
    assert found["pictures"] and Path(found["pictures"][0]).exists()
    assert not [command for command in found["next"] if command.startswith("gans evaluate")]  # has been done
    for command in found["next"]:
        assert gans(command.removeprefix("gans ")).status == 0
    assert told(gans, "run")["next"][1] == "gans evaluate run"  # as the last of them trained it longer
    assert_is_a_screenful(gans, "run")


def assert_is_a_screenful(gans: Gans, path: str) -> None:
    lines = gans(f"info {path}").out.splitlines()
    assert len(lines) <= 30 and max(map(len, lines)) <= 100


def weights_of(run: Path) -> list[dict[str, Any]]:
    """The parameters of both networks, from the newest checkpoint."""
    state = RunFolder(run).checkpoints().newest()
    assert state is not None
    return [
        {
            key: value
            for key, value in state["game"].items()
            if re.match(rf"{player}\.network\..*(weight|bias|original)$", key)
        }
        for player in ("generator", "critic")
    ]


def test_the_best_checkpoint_has_its_score(gans: Gans, workplace: Path) -> None:
    evaluated = "--evaluate-kimg 0.016 --evaluate-samples 60 --best-metric high_quality"
    assert gans(f"run {POINTS} {evaluated} --out run").status == 0
    (path,) = RunFolder(workplace / "run").best.paths()
    step = int(path.stem.partition("-")[2])
    scores = dict(read_evaluation_scores(RunFolder(workplace / "run")))[step]
    number = flatten_scores(scores)["metric/modes/high_quality"]
    assert told(gans, "run")["best"] == [
        f"step {step}, modes/high_quality {number:.4g}: run/best/{path.name}"
    ]


def test_the_best_generator_is_offered_where_it_is_not_the_end(gans: Gans, workplace: Path) -> None:
    """Else what comes next is done with the end, which is worse, without a word."""
    assert gans(f"run {POINTS} --evaluate-kimg 1 --evaluate-samples 60 --out run").status == 0
    folder = RunFolder(workplace / "run")
    earlier, end = folder.checkpoints().paths()
    for path, is_offered in ((end, False), (earlier, True)):
        shutil.rmtree(folder.best.folder, ignore_errors=True)
        folder.best.folder.mkdir()
        for file in path.parent.glob(f"{path.name}*"):  # with its hash
            shutil.copy(file, folder.best.folder)
        offered = [each for each in told(gans, "run")["next"] if "best" in each]
        assert offered == [f"gans sample run/best/{path.name}"] * is_offered
    assert gans(offered[0].removeprefix("gans ")).status == 0


def test_a_run_that_was_scored_by_held_out_images_is_scored_so_again(gans: Gans, workplace: Path) -> None:
    make_photos(workplace / "photos", 40)
    small = "run --arch dcgan --data folder:photos --image-size 16 --width 2 --batch-size 8 --steps 2"
    scored = "--evaluate-kimg 1 --evaluate-metrics fid --evaluate-samples 20 --extractor random-vgg"
    outcome = gans(f"{small} --holdout 0.5 {scored} --out run")
    assert outcome.status == 0
    assert "next: gans evaluate run --reference held-out" in outcome.err.splitlines()


def test_a_run_that_is_not_finished(gans: Gans, workplace: Path) -> None:
    assert gans(f"run {POINTS} --steps 4 --out run").status == 0
    (workplace / "run/generator.safetensors").unlink()
    found = told(gans, "run")
    assert found["state"][0].startswith("unfinished, step 4")
    scores = workplace / "run/scores.jsonl"
    lines = [line for line in scores.read_text().splitlines() if json.loads(line)["step"] <= 2]
    scores.write_text("\n".join([*lines, json.dumps({"step": 2, "kimg": 0.1, "seconds": 1.0}), ""]))
    assert told(gans, "run")["state"][0].startswith("unfinished, step 4, scores to step 2, 0.1 kimg, 1")
    scores.unlink()
    assert told(gans, "run")["state"] == ["unfinished, step 4"]
    assert found["next"][0] == "gans run --resume run" and gans("run --resume run").status == 0
    with lock_folder(workplace / "run", "run folder"):
        (workplace / "run/generator.safetensors").unlink()
        assert told(gans, "run")["next"] == ["gans doctor run --watch"]


def test_a_folder_of_runs_and_their_files(gans: Gans, workplace: Path) -> None:
    """Two seeds of a loss with scores, and a run of another without."""
    for name, chosen in {"a": "--seed 0", "b": "--seed 1", "c": "--seed 1 --loss hinge"}.items():
        run = f"run {POINTS} --steps 4 --n-critic 1 --critic-ema-kimg 1 --width 6 {chosen} --out runs/{name}"
        assert gans(run).status == 0
        assert name == "c" or gans(f"evaluate runs/{name} -n 60").status == 0
    found = told(gans, "runs")
    kimg = read_scores(workplace / "runs/a")[-1]["kimg"]
    assert 0 < kimg < 0.1
    score = flatten_scores(read_evaluation_scores(RunFolder(workplace / "runs/a"))[-1][1])[
        "metric/modes/covered"
    ]
    assert found["finished (3)"][0].split() == ["a", f"{kimg:.3g}", "kimg", "modes/covered", f"{score:.4g}"]
    assert re.search("kimg +no score$", found["finished (3)"][2])
    assert found["settings that differ"] == ["--loss bce | hinge", "--seed 0 | 1"]
    assert found["next"] == [
        "gans evaluate runs/c",
        "gans compare runs",
        "gans report runs --out report.html",
    ]
    assert gans("evaluate runs/c -n 60").status == gans("compare runs").status == 0
    assert told(gans, "runs")["next"][0] == "gans compare runs"
    assert_is_a_screenful(gans, "runs")
    _check_files(gans, workplace)


def _check_files(gans: Gans, workplace: Path) -> None:
    """The checkpoint and the exports of a run tell its settings, its scores and what may be typed next."""
    assert told(gans, "runs/a/critic.safetensors")["network"][0].startswith("critic of mlp, ")
    checkpoint = "runs/a/checkpoints/step-00000004.pt"
    assert told(gans, checkpoint)["step"][0].startswith("4, ")
    assert told(gans, checkpoint)["title"].endswith("checkpoint of mlp with bce on ring8, laptop, seed 0")
    exported = "runs/a/generator.safetensors"
    assert told(gans, exported)["network"][0].startswith("generator of mlp, ")
    for file in (checkpoint, exported):
        found = told(gans, file)
        assert found["scores"][0] == "at step 4" and any("covered" in line for line in found["scores"])
        assert "--width 6" in found["settings"] and found["run"][0].endswith("runs/a")
        assert gans(f"sample {file} -n 4 --out four.npy --force").status == 0
        assert found["next"] == [
            f"gans sample {file}",
            f"gans run --arch mlp --init-from {file} --data folder:DIR",
        ]
        assert_is_a_screenful(gans, file)
    earlier = "runs/a/checkpoints/step-00000003.pt"  # which has no scores
    assert told(gans, earlier)["next"][1] == f"gans evaluate {earlier}"
    shutil.copy(workplace / exported, workplace / "alone.safetensors")
    found = told(gans, "alone.safetensors")
    assert "--width 6" in found["settings"] and "scores" not in found
    assert found["next"] == [
        "gans sample alone.safetensors",
        "gans run --arch mlp --init-from alone.safetensors --data folder:DIR",
    ]


def test_published_weights_and_their_import(gans: Gans, workplace: Path) -> None:
    found = told(gans, SNAPSHOT)
    assert [line.partition(" ")[0] for line in found["networks"]] == ["G", "D", "G_ema"]
    assert gans(f"import {SNAPSHOT} --out here").status == 0
    found = told(gans, "here")
    assert found["state"] == ["imported"] and found["next"][0] == "gans sample here"


def test_what_is_neither_is_refused(refused: Refused, workplace: Path) -> None:
    (workplace / "empty").mkdir()
    (workplace / "notes.txt").write_text("mine")
    refused(2, ("nothing does not exist", "give a run folder"), "info nothing")
    refused(2, ("empty",), "info empty")
    refused(2, ("notes.txt",), "info notes.txt")


def test_images_are_counted_by_every_door(gans: Gans, workplace: Path) -> None:
    make_photos(workplace / "my photos/cats", 3)
    make_photos(workplace / "my photos/dogs", 5)
    whole = workplace / "my photos/dogs/00.png"
    (whole.parent / "cut.png").write_bytes(whole.read_bytes()[:20])
    Image.open(whole).crop((0, 0, 10, 18)).save(whole)
    for word in ("my photos", "folder:my photos"):
        outcome = gans("", "info", word, "--json")
        found = json.loads(outcome.out)
        assert found["title"] == "folder:my photos: images"
        assert found["images"] == ["8 of 2 sizes, from 18×10 to 20×24 (height × width), 3 channels"]
        assert found["classes"] == ["2: dogs 5 (0.62), cats 3 (0.38)"]
        assert found["broken"][0].startswith("1 that cannot be read")
        (command,) = found["next"]
        assert gans("", *shlex.split(command)[1:], "--batch-size", "4").status == 0
    words = ("--skip-bad", "--image-size", "16", "--fit", "crop", "--out", "p.zip")
    assert gans("", "prepare", "folder:my photos", *words).status == 0
    assert told(gans, "p.zip")["images"] == ["8 of 16×16 (height × width), 3 channels"]
    np.save("five.npy", np.arange(4 * 5 * 6 * 7, dtype=np.uint16).reshape(4, 5, 6, 7))
    assert told(gans, "five.npy")["images"] == ["4 of 6×7 (height × width), 5 channels"]
    assert told(gans, "ring8")["next"] == ["gans run --data ring8 --dry-run"]
    assert_is_a_screenful(gans, "shapes")


def test_what_is_near_a_run_or_an_image_names_it(gans: Gans, refused: Refused, workplace: Path) -> None:
    assert gans(f"run {POINTS} --out run").status == 0
    for part in ("config.json", "scores.jsonl", "checkpoints"):
        refused(2, (f"run/{part}", "gans info run"), f"info run/{part}")
    make_photos(workplace / "photos", 2)
    refused(2, ("photos/00.png", "gans info photos"), "info photos/00.png")
    with zipfile.ZipFile("text.zip", "w") as archive:
        archive.writestr("notes.txt", "mine")
    refused(2, ("text.zip", "no images"), "info text.zip")
