"""Records of evaluations with odd values: left out by name, or compared, reported and diagnosed as others."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from benchmarks.file_readers import call
from benchmarks.mutations import ODD
from experiments.config.resolve import resolve
from experiments.runs.folder import RunFolder
from experiments.runs.scores import flatten_scores
from tests.conftest import long_but

MADE = {"extractor": "random-vgg", "distance": "fd-random-vgg", "weights": "e047", "resize_rule": "clean"}
MADE |= {"extractor_options": {"width": 3}, "n": [500, 500], "quantization": "uint8", "seed": 0}
MADE |= {"reference": "472d", "torch": "2.11.0", "pillow": "12.0.0", "split": "training", "protocol": None}
MODES = {"value": 3.0, "covered": 3.0, "high_quality": 0.5, "kl": 1.0, "ranges": {"covered": [0.0, 8.0]}}
RECORDS: dict[str, dict[str, Any]] = {
    "fd-random-vgg": {"value": 30.0},
    "kid": {"value": 0.1, "standard_error": 0.01, "options": {"subset_size": 100}},
    "class-modes": {**MODES, "options": {"share": 0.5}},
    "density-coverage": {"value": 0.1, "density": 0.1, "coverage": 0.1, "options": {"k": 3}},
    "modes": MODES,
}
STEPS = (200, 300, 400)
COMMANDS = ("compare a b", "compare b a --json --allow-mixed", "report a b --out r.html", "doctor b")


def write_run(name: str, score: str, record: Mapping[str, Any]) -> None:
    """Writes the files of scores of a run whose last three evaluations have this record."""
    folder = RunFolder(Path(name))
    good = flatten_scores({score: {**RECORDS[score]}})
    lines = [{"step": 25 * i, "kimg": 0.4 * i, "seconds": 1.0, "critic/real": 1.0} for i in range(1, 17)]
    lines = [line | (good if line["step"] in STEPS else {}) for line in lines]
    folder.scores_file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    entries = [{"step": step, "scores": {score: record}} for step in STEPS]
    folder.evaluation_file.write_text("".join(json.dumps(entry) + "\n" for entry in entries))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Two finished runs without scores, `a` and `b`, in the current folder."""
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("runs"))
    for name, loss in (("a", "bce"), ("b", "hinge")):
        folder = RunFolder(Path(name))
        folder.prepare()
        folder.write_config(resolve({"arch": "mlp", "data": "ring8", "steps": 400, "loss": loss}))
        folder.generator_file.write_bytes(b"weights")
    yield
    os.chdir(before)


@st.composite
def odd_records(draw: Any, score: str) -> dict[str, Any]:
    """Draws a record of which one part, or one value within a part, is odd."""
    record = {**MADE, **RECORDS[score]}
    key, odd = draw(st.sampled_from([*record, "new"])), draw(st.sampled_from(ODD))
    part = record.get(key)
    if isinstance(part, dict) and draw(st.booleans()):
        odd = {**part, draw(st.sampled_from([*part, "new"])): odd}
    elif isinstance(part, list) and draw(st.booleans()):
        odd = [part[0], odd] if draw(st.booleans()) else [odd, part[1]]
    return {**record, key: odd}


@pytest.mark.long
@pytest.mark.parametrize("score", long_but({"kid", "modes"}, RECORDS))
def test_no_odd_value_is_worse_than_one_clear_line(score: str, runs: None) -> None:
    write_run("a", score, {**MADE, **RECORDS[score]})

    @settings(
        max_examples=15,
        deadline=5000,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(odd_records(score), st.sampled_from(COMMANDS))
    def read(record: dict[str, Any], line: str) -> None:
        try:
            write_run("b", score, record)
        except (ValueError, RecursionError):  # what JSON does not hold
            return
        call(line)

    read()
