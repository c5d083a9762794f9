"""What the tests of trackers share: a user of their own, plug-in trackers, and W&B's files read back."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import pytest

MATPLOTLIB = matplotlib.get_cachedir()  # a user without one waits while matplotlib looks at every font

RECORDER = '''"""A tracker that writes down what it is told."""
from experiments.trackers import Tracker

class Recorder(Tracker):
    def __init__(self, run):
        self.file = (run.folder / "told.txt").open("a")
        self.tell("open", run.step, run.kimg, run.project, run.group, run.tags, run.settings["width"])

    def tell(self, *words):
        print(*words, file=self.file, flush=True)

    def scores(self, scores):
        self.tell("scores", scores["step"], scores["kimg"])

    def images(self, name, file, kimg):
        self.tell("images", name, file.name, kimg)

    def close(self, exit_status):
        self.tell("close", exit_status)
'''

FAULTY = '''"""A tracker that fails where the environment says, and from then on always."""
import os
from experiments.trackers import Tracker

class Faulty(Tracker):
    def __init__(self, run):
        self.fault = os.environ["FAULT"]
        self.fail("construction")

    def fail(self, place):
        if self.fault in (place, "always"):
            self.fault = "always"
            raise OSError(f"no luck\\nin {place}.")

    def scores(self, scores):
        self.fail("scores")

    def images(self, name, file, kimg):
        self.fail("images")

    def close(self, exit_status):
        self.fail("close")
'''


class Part(NamedTuple):
    """What one process wrote about a run for W&B."""

    run: dict[str, Any]
    config: dict[str, Any]
    history: list[dict[str, Any]]
    summary: dict[str, Any]
    metrics: list[dict[str, Any]]
    exit_codes: list[int]

    @property
    def scores(self) -> list[dict[str, Any]]:
        """The lines of scores, without what W&B adds."""
        lines = [line for line in self.history if "step" in line]
        return [{name: value for name, value in line.items() if name[0] != "_"} for line in lines]

    @property
    def pictures(self) -> list[dict[str, Any]]:
        return [line for line in self.history if "samples._type" in line]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user who is not logged in anywhere, and has set nothing."""
    for name in [name for name in os.environ if name.startswith("WANDB_")] + ["NETRC"]:
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("MPLCONFIGDIR", MATPLOTLIB)
    return folder


@pytest.fixture
def plugins(workplace: Path) -> str:
    """The flag that brings the trackers `recorder` and `faulty`."""
    (workplace / "recorder.py").write_text(RECORDER)
    (workplace / "faulty.py").write_text(FAULTY)
    return "--plugin recorder.py,faulty.py"


@pytest.fixture
def parts() -> Callable[[Path], list[Part]]:
    """`parts(run)`: what W&B's own reader finds in a run folder, oldest first."""

    def read(run: Path) -> list[Part]:
        folders = sorted(run.glob("wandb/*run-2*"), key=lambda folder: folder.name.partition("run-")[2])
        return [_part(read_records(next(folder.glob("*.wandb")))) for folder in folders]

    return read


def _part(records: list[dict[str, Any]]) -> Part:
    of = {kind: [r[kind] for r in records if kind in r] for kind in ("run", "history", "metric", "exit")}
    summaries = [r["summary"].get("update", {}) for r in records if "summary" in r]
    run = of["run"][0]
    return Part(
        run=run,
        config={name: value for name, value in run["config"]["update"].items() if name != "_wandb"},
        history=[record["item"] for record in of["history"]],
        summary={name: value for update in summaries for name, value in update.items()},
        metrics=of["metric"],
        exit_codes=[record.get("exit_code", 0) for record in of["exit"]],
    )


def read_records(file: Path) -> list[dict[str, Any]]:
    """Every record in a `.wandb` file as W&B reads it: what `wandb leet inspect --json` runs, without the two
    seconds of its start; or a class, in versions that have no such command."""
    try:
        from wandb.sdk.internal.datastore import DataStore
    except ImportError:
        from wandb.util import get_core_path

        reader = [get_core_path(), "leet", "inspect", "--json", "--no-observability", "--run-file", str(file)]
        lines = subprocess.run(reader, check=True, capture_output=True, text=True).stdout
        return [json.loads(line) for line in lines.splitlines()]
    store = DataStore()
    store.open_for_scan(str(file))
    return list(map(_as_json, iter(store.scan_data, None)))


def _as_json(data: bytes) -> dict[str, Any]:
    from google.protobuf.json_format import MessageToDict
    from wandb.proto.wandb_internal_pb2 import Record

    def plain(value: Any) -> Any:
        if isinstance(value, list) and value and "value_json" in value[0]:
            named = {".".join(item.get("nested_key") or [item["key"]]): item for item in value}
            return {name: json.loads(item["value_json"]) for name, item in named.items()}
        return {n: plain(v) for n, v in value.items()} if isinstance(value, dict) else value

    record: dict[str, Any] = plain(MessageToDict(Record.FromString(data), preserving_proto_field_name=True))
    return record
