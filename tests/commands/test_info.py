"""`gans info`: a run in its states, a sweep, a checkpoint, exported networks and published weights."""

import json
import re
from pathlib import Path
from typing import Any

from experiments.runs.folder import RunFolder, lock_folder
from tests.commands.helpers import POINTS, Gans, Refused
from tests.experiments.runs.published.snapshots import SNAPSHOT


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
    assert found["title"].startswith("run: mlp with hinge on ring8")
    assert re.fullmatch(r"finished, step 4, [\d.]+ kimg, .+ of training", found["state"][0])
    sizes = [sum(each.numel() for each in network.values()) for network in weights_of(workplace / "run")]
    assert found["networks"] == [f"generator {sizes[0]:,} parameters, critic {sizes[1]:,}"]
    assert {"--n-critic 2", "--set optimizer.betas=0.1,0.9", "--regularizers lecam=0.3"} <= set(
        found["settings"]
    )
    assert not [line for line in found["settings"] if re.match("--(arch|loss|data|seed|kimg) ", line)]
    assert any(line.startswith("modes") for line in found["scores"])
    assert found["pictures"] and Path(found["pictures"][0]).exists()
    for command in found["next"]:
        assert gans(command.removeprefix("gans ").replace("evaluate run", "evaluate run -n 60")).status == 0
    lines = gans("info run").out.splitlines()
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


def test_files_and_folders_of_runs(gans: Gans, workplace: Path) -> None:
    for seed in (0, 1):
        assert gans(f"run {POINTS} --steps 4 --seed {seed} --critic-ema-kimg 1 --out runs/{seed}").status == 0
    assert told(gans, "runs")["finished (2)"] == ["0", "1"]
    assert told(gans, "runs/0/generator.safetensors")["network"][0].startswith("generator of mlp, ")
    assert told(gans, "runs/0/critic.safetensors")["network"][0].startswith("critic of mlp, ")
    assert told(gans, "runs/0/checkpoints/step-00000004.pt")["step"][0].startswith("4, ")


def test_published_weights_and_their_import(gans: Gans, workplace: Path) -> None:
    found = told(gans, SNAPSHOT)
    assert [line.partition(" ")[0] for line in found["networks"]] == ["G", "D", "G_ema"]
    assert gans(f"import {SNAPSHOT} --out here").status == 0
    found = told(gans, "here")
    assert found["state"] == ["imported"] and found["next"][0] == "gans sample here"


def test_what_is_neither_is_refused(refused: Refused, workplace: Path) -> None:
    (workplace / "empty").mkdir()
    (workplace / "notes.txt").write_text("mine")
    refused(2, ("nothing does not exist", "run folder or a file"), "info nothing")
    refused(2, ("empty",), "info empty")
    refused(2, ("notes.txt",), "info notes.txt")
