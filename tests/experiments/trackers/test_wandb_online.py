"""Weights & Biases online, against a server on this machine that knows just enough of its protocol."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from experiments.runs import wandb_upload
from experiments.runs.folder import RunFolder

Gans = Callable[..., Any]
SHORT = "run --arch mlp --loss bce --data ring8 --batch-size 16 --width 8 --steps 30 --sample-kimg 0.48"
KEY = "0123456789" * 4


class Server(ThreadingHTTPServer):
    """Remembers what it was sent. `mood` is how it answers: well, `refuse` (401), or `hang` over uploads."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.mood = ""
        self.over = threading.Event()
        self.asked: list[str] = []
        self.history: list[dict[str, Any]] = []
        self.files: dict[str, bytes] = {}
        self.run: dict[str, Any] = {}

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients hang up when they like."""


class Answer(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing of this is for the console."""

    def do_PUT(self) -> None:
        self.server.files[self.path.removeprefix("/upload/")] = self.body()
        self.answer({})

    def do_POST(self) -> None:
        sent = json.loads(self.body() or b"{}")
        if self.server.mood == "refuse":
            self.answer({"errors": [{"message": "permission denied"}]}, 401)
        elif self.path == "/graphql":
            self.server.asked.append(sent.get("operationName", ""))
            self.answer({"data": self.data(sent.get("operationName"), sent.get("variables") or {})})
        else:
            if self.server.mood == "hang":
                self.server.over.wait(60)
            lines = sent.get("files", {}).get("wandb-history.jsonl", {}).get("content", [])
            self.server.history += map(json.loads, lines)
            self.answer({})

    def data(self, operation: str | None, asked: dict[str, Any]) -> dict[str, Any]:
        entity = {"id": "RQ==", "name": "me"}
        if operation == "RunResumeStatus":
            return {
                "model": {"id": "UA==", "name": asked["project"], "entity": entity, "bucket": self.known()}
            }
        if operation == "UpsertBucket":
            self.server.run |= {name: value for name, value in asked.items() if value is not None}
            project = {"name": asked["project"], "entity": entity}
            bucket = {"id": "QQ==", "name": asked["name"], "project": project, "config": "{}"}
            return {"upsertBucket": {"bucket": bucket, "inserted": True}}
        if operation == "CreateRunFiles":
            files = [{"name": n, "uploadUrl": f"{self.server.address}/upload/{n}"} for n in asked["files"]]
            return {"createRunFiles": {"runID": "QQ==", "uploadHeaders": [], "files": files}}
        return {"serverInfo": None, "viewer": {"id": "VQ==", "entity": "me", "flags": "{}"}}

    def known(self) -> dict[str, Any] | None:
        """What a process that goes on with the run must know of it: above all, how many lines there are."""
        history = self.server.history
        if not history:
            return None
        counts = {f"{kind}LineCount": 0 for kind in ("log", "events")}
        tail = json.dumps([json.dumps(history[-1])])
        return {
            "id": "QQ==",
            "name": self.server.run["name"],
            **counts,
            "historyLineCount": len(history),
            "historyTail": tail,
            "eventsTail": "[]",
            "summaryMetrics": "{}",
            "config": "{}",
            "wandbConfig": json.dumps({"t": 1}),
            "tags": [],
        }

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, content: dict[str, Any], status: int = 200) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def server(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server at which the user is logged in."""
    server = Server()
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    monkeypatch.setenv("WANDB_BASE_URL", server.address)
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()


def warnings(err: str) -> list[str]:
    return [line for line in err.splitlines() if line.startswith("tracker ")]


def test_who_is_logged_in_is_tracked(gans: Gans, server: Server) -> None:
    outcome = gans(f"{SHORT} --project p --group g --tags a,b --out run")
    assert (outcome.status, outcome.out) == (0, "run\n")
    (line,) = warnings(outcome.err)
    assert line.startswith(f"tracker wandb: {server.address}/me/p/runs/")
    scores = [json.loads(line) for line in Path("run/scores.jsonl").read_text().splitlines()]
    uploaded = [line for line in server.history if "step" in line]
    assert [{n: line[n] for n in own} for line, own in zip(uploaded, scores, strict=True)] == scores
    (picture,) = [line["samples"] for line in server.history if "samples" in line]
    assert server.files[picture["path"]] == Path("run/samples/kimg-000000.480.png").read_bytes()
    asked = server.run
    assert (asked["project"], asked["groupName"], asked["displayName"]) == ("p", "g", "run")
    assert sorted(asked["tags"]) == ["a", "b"]
    config = json.loads(asked["config"])
    assert config["batch_size"] == {"value": 16}
    assert {"python_version", "cli_version"} <= config["_wandb"]["value"].keys(), "what readers look for"


def test_offline_asks_nobody(gans: Gans, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    outcome = gans(f"{SHORT} --out run")
    assert (outcome.status, server.asked) == (0, [])
    assert len(warnings(outcome.err)) == 1
    assert len(list(Path("run/wandb").glob("offline-run-*"))) == 1


@pytest.mark.parametrize("fault", ["refuse", "malformed key", "nobody there", "no answer"])
def test_a_run_does_not_wait_for_a_login_that_fails(
    fault: str, gans: Gans, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tracked offline instead, after a few seconds at most."""
    server.mood = fault
    if fault == "malformed key":
        monkeypatch.setenv("WANDB_API_KEY", "guess")
    if fault == "nobody there":
        monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    if fault == "no answer":
        monkeypatch.setattr(Answer, "data", lambda *words: server.over.wait(60))
    began = time.monotonic()
    outcome = gans(f"{SHORT} --track wandb --set wandb.init_seconds=1 --out run")
    assert time.monotonic() - began < 15, "W&B's own patience is a minute and a half"
    assert (outcome.status, outcome.out) == (0, "run\n")
    (line,) = warnings(outcome.err)
    assert "it writes offline" in line
    assert len(list(Path("run/wandb").glob("offline-run-*"))) == 1
    assert len(Path("run/scores.jsonl").read_text().splitlines()) == 3


def test_a_run_does_not_wait_for_an_upload_that_does_not_end(gans: Gans, server: Server) -> None:
    server.mood = "hang"
    began = time.monotonic()
    outcome = gans(f"{SHORT} --track wandb --set wandb.finish_seconds=1 --out run")
    assert time.monotonic() - began < 15
    assert (outcome.status, outcome.out) == (0, "run\n")
    assert "did not end within 1 s" in warnings(outcome.err)[-1]
    remedy = warnings(outcome.err)[-1].partition("wandb sync --include-online ")[2].partition(";")[0]
    assert len(list(Path(remedy).glob("*.wandb"))) == 1


# --- gans sync ---------------------------------------------------------------------------------------


@pytest.fixture
def offline(gans: Gans, server: Server, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sweep's folder with two runs: one evaluated after its end, and one not tracked at all."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert gans(f"{SHORT} --track wandb --out sweep/one").status == 0
    assert gans("evaluate sweep/one -n 20").status == 0
    assert gans(f"{SHORT} --track local --out sweep/two").status == 0
    return Path("sweep")


def test_what_was_written_offline_is_uploaded_once(gans: Gans, server: Server, offline: Path) -> None:
    outcome = gans("sync", offline)
    url = f"{server.address}/me/gans/runs/{Path('sweep/one/wandb/run-id').read_text().strip()}"
    assert (outcome.status, outcome.out) == (0, f"sweep/one 2 parts uploaded {url}\n"), outcome.err
    scores = [json.loads(line) for line in Path("sweep/one/scores.jsonl").read_text().splitlines()]
    sent = [line for line in server.history if "step" in line]
    assert [{name: line[name] for name in score} for score, line in zip(scores, sent, strict=True)] == scores
    assert sent[-1]["evaluation/modes/n"] == [20, 20]
    assert [line["_step"] for line in server.history] == list(range(len(server.history))), (
        "none in another's place"
    )
    assert {path.name for path in Path().iterdir()} <= {"home", "cache", "sweep"}
    again = json.loads(gans("sync", offline, "sweep/one", "--json").out)
    assert again == {"runs": [{"run": "sweep/one", "parts": 0, "url": ""}], "failures": []}


def test_what_a_server_does_not_take_stays(gans: Gans, server: Server, offline: Path, refused: Gans) -> None:
    server.mood = "refuse"
    refused(1, ("sweep/one: not uploaded", server.address, "permission denied"), "sync", offline)
    server.mood = ""
    assert gans("sync", offline).status == 0


@pytest.mark.long
def test_a_server_that_is_not_there(offline: Path, refused: Gans, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wandb_upload, "RETRIES", 1)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    refused(1, ("sweep/one: not uploaded", "connection refused"), "sync", offline)


def test_what_cannot_be_uploaded(offline: Path, refused: Gans, monkeypatch: pytest.MonkeyPatch) -> None:
    refused(2, ("home is not a run folder", "none in it"), "sync sweep/one home")
    refused(2, ("nowhere does not exist",), "sync nowhere")
    refused(2, ("sweep/two: nothing to upload", "--track wandb"), "sync sweep/two")
    with RunFolder(offline / "one").lock():
        refused(1, ("sweep/one: another process",), "sync", offline)
    monkeypatch.delenv("WANDB_API_KEY")
    refused(2, ("not logged in to http://127.0.0.1", "wandb login"), "sync", offline)
