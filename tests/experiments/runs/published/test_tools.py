"""Every tool on imported weights."""

import json
from pathlib import Path

import pytest

from tests.commands.helpers import Gans, Refused
from tests.experiments.runs.published.snapshots import SNAPSHOT


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import cli

    folder = tmp_path_factory.mktemp("imported") / "here"
    cli.main(["import", str(SNAPSHOT), "--out", str(folder)])
    return folder


LINES = (
    "sample {} -n 2 --truncation 0.5 --out s.png",
    "interpolate {} --from 0 --to 1 --frames 2 --out f.gif",
    "mix {} --rows 1 --cols 1 --out m.png",
    "directions {} -k 1 --out d.png",
    "project {} s.npy --help",
    "export {} --out e.safetensors",
    "fid {} shapes -n 8 --extractor random-vgg --json",
    "compare {} --help",
    "report {} --out r.html",
)


def test_every_tool_reads_the_folder(imported: Path, gans: Gans, workplace: Path) -> None:
    for line in LINES:
        done = gans(line.format(imported))
        assert done.status == 0, f"{line}: {done.err}"


def test_evaluations_are_kept(imported: Path, gans: Gans, workplace: Path) -> None:
    done = gans(f"evaluate {imported} -n 8 --metrics fid --extractor random-vgg --json")
    assert done.status == 0 and "fd-random-vgg" in json.loads(done.out)
    assert "fd-random-vgg" in (imported / "evaluation.jsonl").read_text()
    assert gans(f"compare {imported}").status == 0


def test_doctor_says_that_there_was_no_training(imported: Path, gans: Gans, workplace: Path) -> None:
    done = gans(f"doctor {imported}")
    assert done.status == 0 and "imported" in done.out and "too early" not in done.out


@pytest.mark.parametrize("line", ["run --resume {}", "run --resume {} --kimg 99999", "run --out {} --force"])
def test_there_is_nothing_to_resume(line: str, imported: Path, refused: Refused, workplace: Path) -> None:
    before = (imported / "generator.safetensors").read_bytes()
    refused(2, ("holds imported weights",), line.format(imported))
    assert (imported / "generator.safetensors").read_bytes() == before


def test_no_checkpoints_to_evaluate(imported: Path, refused: Refused, workplace: Path) -> None:
    refused(2, ("leave out --every-checkpoint",), f"evaluate {imported} --every-checkpoint")
