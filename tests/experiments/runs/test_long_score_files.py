"""Files of scores that are long: bounded in lines and memory, and read on as they grow."""

import json
from pathlib import Path

import pytest

from experiments.core.errors import RunError
from experiments.runs import evaluation_records, score_lines
from experiments.runs.evaluation_records import read_evaluations
from experiments.runs.folder import RunFolder
from experiments.runs.score_lines import GrowingScores, read_score_lines, read_scores


def lines(count: int, evaluated: int = 0) -> str:
    """Lines of training, of which every so manieth has a score of an evaluation."""
    entries = [{"step": step, "kimg": step / 10, "seconds": 1.0, "critic/real": 0.5} for step in range(count)]
    for entry in entries[3::evaluated] if evaluated else ():
        entry["metric/fid"] = 3.0
    return "".join(json.dumps(entry) + "\n" for entry in entries)


def test_of_too_many_lines_some_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In memory for 200 of them: every sixth of 1,000, the first, the last, and those of evaluations."""
    file, remarks = tmp_path / "scores.jsonl", []
    file.write_text(lines(1000, evaluated=100))
    monkeypatch.setattr(score_lines, "MOST_VALUES", 200 * 7)
    found = [line["step"] for line in read_scores(file, remarks.append)]
    assert {0, 999, *range(3, 1000, 100)} <= set(found) and 1000 // 6 <= len(found) <= 180
    assert found == sorted(set(found))
    assert len(remarks) == 1 and "1,000 lines: one in 6 is read" in remarks[0]


def test_a_file_as_long_as_runs_write_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(lines(5000))
    remarks: list[str] = []
    assert len(read_scores(tmp_path / "a", remarks.append)) == 5000 and not remarks
    values = score_lines.count_lines(tmp_path / "a")[1]
    assert values == 5000 * 7 and 100_000 * (15 + score_lines.LINE_VALUES) < score_lines.MOST_VALUES


def test_values_that_thinning_does_not_bound_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a score of an evaluation in every line."""
    (tmp_path / "a").write_text(lines(1000, evaluated=1))
    monkeypatch.setattr(score_lines, "MOST_VALUES", 1000)
    with pytest.raises(RunError, match="more than 2,000 values"):
        read_scores(tmp_path / "a")


@pytest.mark.parametrize("read", [read_scores, read_evaluations, lambda file: list(read_score_lines(file))])
def test_more_lines_than_any_run_has_are_refused(read, tmp_path, monkeypatch) -> None:
    (tmp_path / "a").write_text('{"step":1}\n' * 101)
    monkeypatch.setattr(score_lines, "MOST_LINES", 100)
    with pytest.raises(RunError, match="a has more than 100 lines"):
        read(tmp_path / "a")


def test_evaluations_beyond_memory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = {"step": 1, "scores": {"fid": {"value": 1.0, "n": [5, 5]}}}
    (tmp_path / "a").write_text(f"{json.dumps(record)}\n" * 100)
    assert len(read_evaluations(tmp_path / "a")) == 100
    monkeypatch.setattr(evaluation_records, "MOST_VALUES", 600)
    with pytest.raises(RunError, match="a has more than 600 values"):
        read_evaluations(tmp_path / "a")


def test_a_long_line_is_left_out_alone(tmp_path: Path) -> None:
    remarks: list[str] = []
    long = json.dumps({"step": 2, "x": "y" * 3 * score_lines.MOST_LINE_BYTES})
    (tmp_path / "a").write_text(f"{lines(1)}{long}\n{lines(2)}{long}")
    assert [line["step"] for line in read_scores(tmp_path / "a", remarks.append)] == [0, 0, 1]
    assert len(remarks) == 1 and "line 2: what has more than" in remarks[0]


def test_rewinding_drops_no_line_that_reading_thins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunFolder(tmp_path)
    folder.scores_file.write_text(lines(100) + '{"torn')
    monkeypatch.setattr(score_lines, "MOST_VALUES", 10)
    folder.rewind_scores(89)
    assert folder.scores_file.read_text() == lines(90)


def test_a_growing_file_is_read_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line is parsed once, also one that was being written; what is no score is left out."""
    file = tmp_path / "scores.jsonl"
    growing, parsed, parse = GrowingScores(file), [], score_lines.parse_json
    monkeypatch.setattr(score_lines, "parse_json", lambda text: parsed.append(text) or parse(text))
    assert growing.read() == []
    text = lines(3) + 'x\n{"step": 3, "critic/real": "x", "kimg": 1.0}\n' + lines(50)
    for end in (0, 10, 200, 201, 400, len(text)):
        file.write_text(text[:end])
        assert growing.read() == parse_all(file)
    assert len(parsed) == text.count("\n")


def parse_all(file: Path) -> list[dict[str, object]]:
    """All lines of a file, by a reader of its own."""
    fresh = GrowingScores(file)
    own = score_lines.parse_json
    try:
        score_lines.parse_json = json.loads
        return list(fresh.read())
    finally:
        score_lines.parse_json = own


def test_a_growing_file_that_is_another_by_now_is_read_anew(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.scores_file.write_text(lines(100))
    growing = GrowingScores(folder.scores_file)
    assert len(growing.read()) == 100
    folder.rewind_scores(49)
    assert [line["step"] for line in growing.read()] == list(range(50))
    folder.scores_file.write_text(lines(7))
    assert len(growing.read()) == 7
