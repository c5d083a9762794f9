"""A path that does not exist is refused in one and the same words by every command."""

from pathlib import Path

import pytest

import gans as api
from tests.commands.helpers import POINTS, Gans, Refused

INTO = "--data ring8 --arch mlp --init-from"


@pytest.mark.parametrize(
    "line",
    [
        *("info {}", "doctor {}", "audit {}", "evaluate {}", "evaluate {} --every-checkpoint", "sample {}"),
        *("compare {}", "sync {}", "explore {}", "translate {} x.png --to A --out out", "mix {} --out x.png"),
        *("run --resume {}", f"run {INTO} {{}}", "run --config {}", "import {} --out out"),
        *("sample {}.safetensors", "sample {}.pt", f"run {INTO} {{}}.safetensors", f"run {INTO} {{}}.pt"),
        *("fid {}.npz ring8", "prepare folder:{} --out set.zip", "prepare zip:{}.zip --out set.zip"),
        "export {} --format onnx --out x.onnx",
    ],
)
def test_every_command_says_that_a_path_does_not_exist(line: str, refused: Refused, workplace: Path) -> None:
    told = refused(2, ("nowhere", " does not exist"), line.format("nowhere"))
    word = next(word for word in line.format("nowhere").split() if "nowhere" in word)
    assert f"{word.rpartition(':')[2]} does not exist" in told and "config.json" not in told


def test_the_library_says_the_same(workplace: Path) -> None:
    with pytest.raises(api.UsageError, match=r"^nowhere does not exist; give a run folder, a checkpoint"):
        api.load("nowhere")
    Path("empty").mkdir()
    with pytest.raises(api.UsageError, match="empty is not a run folder"):
        api.load("empty")


def test_a_folder_of_runs_names_them(gans: Gans, refused: Refused, workplace: Path) -> None:
    for seed in range(2):
        assert gans(f"run {POINTS} --seed {seed} --out sweep/{seed}").status == 0
    for command in ("sample sweep --out x.npy", "doctor sweep", "evaluate sweep"):
        refused(2, ("sweep is a folder of runs; give one of them: sweep/0, sweep/1",), command)
