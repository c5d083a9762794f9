"""Progress of a sweep is told, as a table or by lines."""

import json

from experiments.runs.folder import RunFolder
from experiments.sweeps.progress import SweepProgress


def test_an_evaluation_is_shown_while_it_lasts(tmp_path, caplog):
    """It may take longer than the training, and nothing else says that the run is at work."""
    run = RunFolder(tmp_path / "a")
    run.path.mkdir()
    run.scores_file.write_text(json.dumps({"step": 1, "kimg": 2.0}) + "\n")
    caplog.set_level("INFO", logger="gans")
    with SweepProgress(tmp_path) as board:
        board.show({"a": "running"})
        run.generator_file.touch()
        for _ in range(3):
            board.show({"a": "running"})
        board.show({"a": "done"})
    assert caplog.messages == ["a: running (2 kimg)", "a: 2 kimg, evaluating", "a: done (2 kimg)"]


def test_time_left_is_told_where_no_table_is_drawn(tmp_path, caplog, monkeypatch):
    """Of what is trained since this call, for what is left of all runs."""

    def write(name: str, kimg: float) -> None:
        (tmp_path / name).mkdir(exist_ok=True)
        RunFolder(tmp_path / name).scores_file.write_text(json.dumps({"step": 1, "kimg": kimg}) + "\n")

    now = [1000.0]
    monkeypatch.setattr("experiments.sweeps.progress.time.monotonic", lambda: now[0])
    caplog.set_level("INFO", logger="gans")
    write("a", 4.0)
    with SweepProgress(tmp_path, lengths={"a": 10.0, "b": 20.0, "c": 10.0}) as board:
        board.show({"a": "running", "b": "running", "c": "waiting"})
        write("a", 6.0), write("b", 4.0)
        now[0] += 59.0
        board.show({"a": "running", "b": "running", "c": "waiting"})
        assert len(caplog.messages) == 2
        now[0] += 61.0
        board.show({"a": "running", "b": "running", "c": "waiting"})
    told = "running: a at 6 of 10 kimg, b at 4 of 20 kimg; 10 of 40 kimg in all, about 10 min left"
    assert caplog.messages[2:] == [told], "6 kimg in 2 min, and 30 left"
    board.lengths = {}
    assert board.remark() == "running: a at 6 kimg, b at 4 kimg"


def test_members_that_have_ended_are_read_once(scored, monkeypatch):
    laboratory, members = scored((0.5,), (0.1,))
    board, reads = SweepProgress(laboratory.out), []
    monkeypatch.setattr(RunFolder, "scores", lambda folder: reads.append(folder.path.name) or [])
    first, second = (member.name for member in members)
    for state in ("running", "done", "running", "done"):
        reads.clear()
        board.show({first: state, second: "running"})
        assert reads.count(first) == 1, "it came further"
        reads.clear()
        board.table(), board.table()
        assert (reads.count(first), reads.count(second)) == (2 if state == "running" else 0, 2), state
