"""Experiments read from a W&B project: from a fake of its API, whose shape is that of the real classes."""

import inspect
import json
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from experiments.analysis.comparison.groups import differing_settings
from experiments.analysis.comparison.wandb_reader import COUNTED, read_project, records_of
from experiments.core.errors import RunError, UsageError

SCORE = {"value": 8.0, "covered": 8.0, "n": [200, 100000], "extractor": "none", "seed": 0}
NUMBERS = {"metric/modes/covered": 8.0, "metric/fid/to-B": 3.5}
EVALUATED = {f"evaluation/modes/{name}": value for name, value in SCORE.items()}
EVALUATED |= {"evaluation/fid/to-B/value": 3.5, "evaluation/fid/to-B/extractor": "inception"}
CONFIG = {"arch": "mlp", "betas": [0.0, 0.9], "lr_critic": 1e-3, "width": 8, "novel": [1]}
ROWS: tuple[dict[str, Any], ...] = (
    {"step": 1, "kimg": 0.016, "critic/adversarial": 1.5},
    {"samples": {"_type": "image-file", "path": "media/x.png"}, "kimg": 0.2},
    {"step": 30, "kimg": 0.48, "critic/adversarial": 0.5, "images_per_second": None},
    {"step": 30, "kimg": 0.48, **NUMBERS, **EVALUATED, "evaluation/modes/split": None},
)


class FakeRun:
    """As `wandb.apis.public.Run` was seen to answer for a run of ours: W&B's columns beside our own, rows of
    pictures, and nulls where a chart had nothing."""

    def __init__(
        self, state: str = "finished", config: Any = CONFIG, rows: Sequence[dict[str, Any]] = ROWS
    ) -> None:
        self.name, self.id, self.state, self.config, self.rows = "run-7", "a1b2c3d4", state, config, rows
        self.rawconfig = {**config, "_wandb": {"python_version": "3.12.1", "cli_version": "0.31.0", "t": {}}}

    def scan_history(self) -> Iterator[dict[str, Any]]:
        for number, row in enumerate(self.rows):
            yield {"_step": number, "_timestamp": 1.7e9, "_runtime": 2.5, **row}


class FakeApi:
    """As `wandb.Api`, with what it finds in any project."""

    found: tuple[Any, ...] = (FakeRun(),)

    def __init__(self, timeout: int) -> None:
        self.timeout = timeout

    def runs(self, path: str, lazy: bool) -> tuple[Any, ...]:
        return self.found


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakeApi]:
    monkeypatch.setattr("wandb.Api", FakeApi)
    monkeypatch.setenv("WANDB_API_KEY", "0123456789" * 4)
    monkeypatch.setattr(FakeApi, "found", (FakeRun(),))
    return FakeApi


def test_the_fake_has_the_shape_of_the_real() -> None:
    import wandb
    from wandb.apis.public import Run

    for method, real in (("__init__", wandb.Api.__init__), ("runs", wandb.Api.runs)):
        fake = inspect.signature(getattr(FakeApi, method)).parameters
        assert set(fake) <= set(inspect.signature(real).parameters), method
    for name in ("name", "id", "state", "config", "rawconfig"):
        assert isinstance(inspect.getattr_static(Run, name), property), name
    assert callable(Run.scan_history)


def test_a_run_is_read_as_it_was_written(fake: type[FakeApi]) -> None:
    (record,) = read_project("me/p")
    assert (record.name, record.state, record.folder) == ("run-7 (a1b2c3d4)", "finished", None)
    assert record.settings == {
        "arch": "mlp",
        "optimizer.betas": (0.0, 0.9),
        "lr_critic": 1e-3,
        "width": 8,
        "novel": [1],
    }
    assert record.environment == {"python": "3.12.1", "wandb": "0.31.0"}
    assert record.lines == [
        {"step": 1, "kimg": 0.016, "critic/adversarial": 1.5},
        {"step": 30, "kimg": 0.48, "critic/adversarial": 0.5},
        {"step": 30, "kimg": 0.48, **NUMBERS},
    ]
    assert record.evaluations == [
        (0.48, {"modes": SCORE, "fid/to-B": {"value": 3.5, "extractor": "inception"}})
    ]


def test_what_a_resumed_run_wrote_again_counts_once() -> None:
    early, late = ({"step": step, "kimg": step / 10, "critic/fake": 0.1} for step in (25, 40))
    again, judged = {**early, "critic/fake": 0.2}, {"step": 25, "kimg": 2.5, **NUMBERS}
    (record,) = records_of([FakeRun(rows=[early, late, again, judged])])
    assert record.lines == [again, judged, late]


@pytest.mark.parametrize(
    "state", ["running running", "pending running", "crashed failed: crashed", "killed failed: killed"]
)
def test_states(state: str) -> None:
    theirs, _, ours = state.partition(" ")
    assert records_of([FakeRun(theirs)])[0].state == ours


@pytest.mark.parametrize("value", ["", [1], {}, 10**400, "x"])
@pytest.mark.parametrize("name", COUNTED)
def test_a_run_whose_numbers_cannot_be_is_left_out_by_name(
    name: str, value: object, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "gans"):
        (record,) = records_of([FakeRun(), FakeRun(config={**CONFIG, name: value})])
    assert record.settings["width"] == 8
    assert f"left out: run-7 (a1b2c3d4): {name}: " in caplog.text


def test_a_length_that_is_not_given_is_none() -> None:
    (record,) = records_of([FakeRun(config={**CONFIG, "steps": None, "kimg": 1.0})])
    assert (record.settings["steps"], record.settings["kimg"]) == (None, 1.0)


def test_values_that_are_objects_tell_runs_apart() -> None:
    records = records_of([FakeRun(config={**CONFIG, "width": value}) for value in ({"a": [1]}, {"a": [2]})])
    assert differing_settings(records)["width"] == [(("a", (1,)),), (("a", (2,)),)]


def test_runs_of_other_programs_are_left_out(fake: type[FakeApi], monkeypatch: pytest.MonkeyPatch) -> None:
    other = FakeRun(config={"model": "x"})
    monkeypatch.setattr(fake, "found", (other, FakeRun()))
    assert len(read_project("me/p")) == 1
    monkeypatch.setattr(fake, "found", (other,))
    with pytest.raises(UsageError, match="wandb:me/p holds no run that gans has written"):
        read_project("me/p")


@pytest.mark.parametrize("path", ["", "/p", "me/", "me/p/run"])
def test_what_is_no_project(path: str) -> None:
    with pytest.raises(UsageError, match=f"wandb:{path} is not a project of W&B; give wandb:ENTITY/PROJECT"):
        read_project(path)


# --- the real API, against a server on this machine --------------------------------------------------


class Answer(BaseHTTPRequestHandler):
    """Knows no project, or refuses everything."""

    status = 200

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing of this is for the console."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        content = {"data": {"project": None, "viewer": {"id": "V", "entity": "me"}, "serverInfo": None}}
        refusal = {"errors": [{"message": "permission denied"}]}
        data = json.dumps(content if self.status == 200 else refusal).encode()
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Answer]]:
    import wandb

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("WANDB_API_KEY", "0123456789" * 4)
    wandb.teardown()
    yield Answer
    wandb.teardown()
    server.shutdown()
    server.server_close()


def test_a_project_that_does_not_exist(server: type[Answer], capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="wandb:me/p: there is no such project that you can see at http://"):
        read_project("me/p")
    assert capfd.readouterr() == ("", "")


def test_a_server_that_refuses(
    server: type[Answer], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(server, "status", 403)
    with pytest.raises(RunError, match="wandb:me/p: ") as caught:
        read_project("me/p")
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_without_a_login(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("WANDB_API_KEY", "WANDB_BASE_URL", "NETRC", "WANDB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match=r"wandb:me/p: not logged in to https://.*: wandb login"):
        read_project("me/p")
