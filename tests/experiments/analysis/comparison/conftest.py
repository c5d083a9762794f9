"""Run folders as `gans run` and `gans evaluate` leave them, without the training, and reports of them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from experiments.analysis.comparison.html_report import render_report
from experiments.analysis.comparison.read import read_records
from experiments.analysis.comparison.result import Comparison
from experiments.analysis.comparison.terminal_table import compare
from experiments.analysis.page.document import write_page
from experiments.config.resolve import resolve
from experiments.runs.folder import RunFolder

MADE = {"extractor": "random-vgg", "weights": "e047", "resize_rule": "clean", "n": [500, 500]}
MADE |= {"distance": "fd-random-vgg", "quantization": "uint8", "reference": "472d", "seed": 0}
Make = Callable[..., RunFolder]

# Of the sweep that reports are written of.
FD = "fd-random-vgg"
SCORES = {"bce": (30.0, 31.0, 32.5), "wgan-gp": (60.0, 61.0), "hinge": (33.0, 29.0, 36.0)}
FAILURE = "failed: </script><b>not finite</b>"


def run_maker(place: Path) -> Make:
    """Makes a function that writes run folders into a place.

    `make_run("a", {"fd-random-vgg": 30.0}, loss="bce", seed=1)` → the folder of a finished run; `kimg` and
    what was `made` otherwise may be given.
    """

    def make(name, scores=None, kimg=8.0, made=None, root=place, **flags):
        folder = RunFolder(root / name)
        folder.prepare()
        folder.write_config(
            resolve({"arch": "dcgan", "batch_size": 16, "kimg": 8.0, "device": "cpu", **flags})
        )
        lines = [{"step": 1, "kimg": 0.016, "critic/adversarial": 1.0}]
        lines += [{"step": 500, "kimg": kimg, "critic/adversarial": 0.5, "generator/adversarial": 0.7}]
        folder.scores_file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        if scores is not None:
            entry = {key: {"value": value, **MADE, **(made or {})} for key, value in scores.items()}
            folder.evaluation_file.write_text(json.dumps({"step": 500, "scores": entry}) + "\n")
        folder.generator_file.write_bytes(b"weights")
        return folder

    return make


@pytest.fixture
def make_run(tmp_path: Path) -> Make:
    """A function that writes run folders, as `run_maker` does."""
    return run_maker(tmp_path)


def make_sweep(root: Path) -> Path:
    """Three losses with two or three seeds, three grids of samples each, and a run that failed."""
    make_run = run_maker(root)
    for loss, scores in SCORES.items():
        for seed, score in enumerate(scores):
            run = make_run(f"{loss}-{seed}", {FD: score}, loss=loss, seed=seed)
            lines = [
                {
                    "step": step,
                    "kimg": step / 10,
                    "seconds": step / 2,
                    f"metric/{FD}": score * (4 - step / 27),
                }
                | {"critic/adversarial": step * score / 1000, "critic/weight_gradient_norm": score + step}
                for step in range(1, 80)
            ]
            run.scores_file.write_text("".join(json.dumps(line) + "\n" for line in lines))
            for number, kimg in enumerate((1, 2, 8)):
                picture = Image.new("RGB", (16, 16), (80 * number, 40 * seed, 0))
                picture.save(run.samples / f"kimg-{kimg:06d}.png")
            Image.new("RGB", (16, 16), (0, 0, 200)).save(run.samples / "real.png")
    broken = make_run("broken", loss="wgan-gp", seed=9)
    broken.ended_file.write_text(f"{FAILURE}\n")
    return root


def write_report_of(root: Path, file: Path, **compared: Any) -> Comparison:
    """Writes the report of a folder of runs; returns its comparison."""
    records = read_records([str(root)])
    comparison = compare(records, **compared)
    write_page(file, render_report(records, comparison))
    return comparison


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Comparison]:
    """The report of the sweep, and its comparison."""
    place = tmp_path_factory.mktemp("report")
    file = place / "report.html"
    return file, write_report_of(make_sweep(place / "sweep"), file)


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """The sweep of reports, for a test that changes it."""
    return make_sweep(tmp_path / "sweep")
