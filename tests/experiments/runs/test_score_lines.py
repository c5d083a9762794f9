"""Lines of scores: what is a score is read, and all else is left out by name."""

import json
import math
from pathlib import Path

import pytest

from experiments.runs.evaluation_records import read_evaluations
from experiments.runs.score_lines import MOST_REMARKS, read_scores

GOOD = '{"step": 7, "kimg": 0.5, "seconds": 1.5, "critic/real": 2.0}'


@pytest.mark.parametrize(
    "line",
    ["[]", "3", "null", "{", "[" * 100_000, '{"kimg": 1}']
    + [f'{{"step": {step}, "kimg": 1}}' for step in ("-1", "true", "1.5", "null", '"1"', "1" + "0" * 400)],
    ids=lambda line: line[:24],
)
def test_a_line_that_is_none_is_left_out(line: str, tmp_path: Path) -> None:
    file, remarks = tmp_path / "scores.jsonl", []
    file.write_text(f"{GOOD}\n{line}\n{GOOD}\n")
    assert read_scores(file, remarks.append) == [json.loads(GOOD)] * 2
    assert len(remarks) == 1 and f"{file}, line 2" in remarks[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name in ("critic/real", "kimg", "seconds") for value in ("true", '"x"', "[1]", "{}")]
    + [("critic/real", "null"), ("critic/real", "1" + "0" * 400), ("seconds", "null")]
    + [(name, value) for name in ("kimg", "seconds") for value in ("NaN", "Infinity", "-1", "1e300")]
    + [("\\u001b[31m", "1"), ("\\ud800", "1")],
)
def test_a_value_that_is_none_is_left_out(name: str, value: str, tmp_path: Path) -> None:
    file, remarks = tmp_path / "scores.jsonl", []
    file.write_text(f'{{"step": 7, "generator/fake": 1.0, "{name}": {value}}}\n')
    assert read_scores(file, remarks.append) == [{"step": 7, "generator/fake": 1.0}]
    assert len(remarks) == 1 and f"{file}, line 1" in remarks[0]


def test_a_score_that_is_not_finite_tells_of_a_divergence(tmp_path: Path) -> None:
    (tmp_path / "a").write_text('{"step": 1, "kimg": null, "critic/real": NaN}\n')
    (line,) = read_scores(tmp_path / "a")
    assert math.isnan(line["critic/real"]) and line["kimg"] is None


def test_a_line_that_is_being_written_is_no_fault(tmp_path: Path) -> None:
    remarks: list[str] = []
    (tmp_path / "a").write_text(f"{GOOD}\n{GOOD}")
    assert len(read_scores(tmp_path / "a", remarks.append)) == 1
    assert read_scores(tmp_path / "absent", remarks.append) == [] and remarks == []


def test_many_remarks_are_counted(tmp_path: Path) -> None:
    remarks: list[str] = []
    (tmp_path / "a").write_text("x\n" * (MOST_REMARKS + 30))
    read_scores(tmp_path / "a", remarks.append)
    assert len(remarks) == MOST_REMARKS + 1 and "30 more" in remarks[-1]


@pytest.mark.parametrize("score", ["null", "3", "{}", '{"value": "x"}', '{"value": true}', '{"value": null}'])
def test_a_score_of_an_evaluation_that_is_none_is_left_out(score: str, tmp_path: Path) -> None:
    file, remarks = tmp_path / "evaluation.jsonl", []
    file.write_text(f'{{"step": 7, "scores": {{"kid": {score}, "fid": {{"value": 3.0}}}}}}\n{{"step": 8}}\n')
    assert read_evaluations(file, remarks.append) == [(7, {"fid": {"value": 3.0}})]
    assert [remark.split(":")[0] for remark in remarks] == [f"{file}, line {number}" for number in (1, 2)]
    assert "kid" in remarks[0]
