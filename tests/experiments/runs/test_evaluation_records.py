"""Records of evaluation scores: each part is checked as it is read, from files and from W&B alike."""

import json
from pathlib import Path
from typing import Any

import pytest

from experiments.runs.evaluation_records import MOST_SAMPLES, read_evaluations, record_fault
from experiments.runs.scores import parse_scores
from experiments.trackers.core.tracker import PROVENANCE

GOOD: dict[str, Any] = {"value": 30.0, "standard_error": 0.5, "extractor": "random-vgg", "weights": "e047"}
GOOD |= {"resize_rule": "clean", "n": [500, 400], "options": {"subset_size": 100, "sizes": [1, 2]}, "seed": 0}
GOOD |= {"extractor_options": {"width": 3}, "ranges": {"covered": [0.0, 8.0]}, "protocol": "fid50k-full"}
ODD = [
    *[("n", value) for value in (5, True, [None, None], ["a", "b"], [1], [1, 2, 3], [0, 5], [1.0, 5])],
    *[("n", value) for value in ([MOST_SAMPLES + 1, 5], "12", {}, [True, 5])],
    *[(name, v) for name in ("options", "extractor_options") for v in (5, "x", [0, 0], {"a b": 1}, True)],
    *[("options", value) for value in ({"k": {}}, {"k": [[]]}, {"k": float("nan")}, {"k": "\x1b[2J"})],
    *[("standard_error", value) for value in ("x", {}, True, -0.1, [1])],
    *[(name, v) for name in ("extractor", "resize_rule", "protocol", "reference") for v in (5, [], "", "\n")],
    *[("ranges", value) for value in (5, [], {"covered": 8}, {"covered": [0, "x"]})],
    *[("seed", value) for value in (1.5, "x", True)],
]


@pytest.mark.parametrize(("name", "odd"), ODD, ids=repr)
def test_a_part_that_cannot_be_leaves_its_score_out_by_name(name: str, odd: Any, tmp_path: Path) -> None:
    file, remarks = tmp_path / "evaluation.jsonl", []
    scores = {"kid": {**GOOD, name: odd}, "fid": GOOD}
    file.write_text(json.dumps({"step": 7, "scores": scores}) + "\n")
    assert read_evaluations(file, remarks.append) == [(7, {"fid": GOOD})]
    assert remarks == [f"{file}, line 1: kid (its {name} cannot be) is left out"]


def test_whatever_is_unsaid_or_unknown_is_no_fault() -> None:
    for name in GOOD.keys() - {"value"}:
        assert record_fault({**GOOD, name: None, "new": [1]}) == ""


@pytest.mark.parametrize("name", ["", "\x1b[2J", "x" * 201, "\ud800"])
def test_names_that_cannot_be_printed_are_left_out(name: str, tmp_path: Path) -> None:
    file, remarks = tmp_path / "evaluation.jsonl", []
    scores = {name: GOOD, "kid": {**GOOD, name: 1.0}, "fid": GOOD}
    file.write_text(json.dumps({"step": 7, "scores": scores}) + "\n")
    assert read_evaluations(file, remarks.append) == [(7, {"fid": GOOD})]
    assert len(remarks) == 2


def test_a_server_is_believed_no_more_than_a_file() -> None:
    """W&B keeps objects as text."""

    def flat(name: str, record: dict[str, Any]) -> dict[str, Any]:
        return {f"{PROVENANCE}{name}/{key}": value for key, value in record.items()}

    as_text = {**GOOD, "options": json.dumps(GOOD["options"])}
    line = flat("fid", as_text) | flat("kid", {**GOOD, "options": "{"}) | flat("modes", {**GOOD, "n": 5})
    assert parse_scores(line) == {"fid": GOOD}
