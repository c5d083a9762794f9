"""Run folders as `gans run` and `gans evaluate` leave them, without the training."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.config.resolve import resolve
from experiments.runs.folder import RunFolder

MADE = {"extractor": "random-vgg", "weights": "e047", "resize_rule": "clean", "n": [500, 500]}
MADE |= {"distance": "fd-random-vgg", "quantization": "uint8", "reference": "472d", "seed": 0}
Make = Callable[..., RunFolder]


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
