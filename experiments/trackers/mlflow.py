"""MLflow: scores over the images shown, sample grids and settings, in the run folder or at a server."""

import json
import logging
import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

from experiments.core.files import parse_json, read_regular_file, write_atomically
from experiments.trackers.core.tracker import DocumentTracker, TrackedRun

LONGEST_VALUE = 500  # characters of a setting; recent versions take 6,000, older servers no more than this
MOST_MEMORY_BYTES = 2**16  # of the file with the id of a run
MOST_WORDS = 100  # settings and tags in one request
OTHER_SIGNS = re.compile(r"[^\w./ :-]")  # which it takes in no name
STATUS = {0: "FINISHED", 130: "KILLED"}
REMEDY = 'pip install "gans[mlflow]"'


class MlflowTracker(DocumentTracker):
    """Tracks a run in MLflow, in the experiment that `--project` names, under the id that the folder keeps.

    It goes to MLFLOW_TRACKING_URI, else to a SQLite file in the run folder's `mlflow/`, which `mlflow ui
    --backend-store-uri sqlite:///RUN/mlflow/mlflow.db` shows. The step is the number of images shown:
    MLflow knows whole numbers only. Of scores that a resumed run writes again, MLflow shows the later.
    A new SQLite file takes MLflow some seconds.
    """

    requires: ClassVar[Mapping[str, str]] = {"mlflow": REMEDY, "sqlalchemy": REMEDY, "alembic": REMEDY}

    def __init__(self, run: TrackedRun) -> None:
        os.environ.setdefault(
            "MLFLOW_DISABLE_TELEMETRY", "true"
        )  # it asks the network even with a local store
        from mlflow.tracking import MlflowClient

        logging.getLogger("mlflow").setLevel(logging.WARNING)  # else it tells how it makes its tables

        self._provenance = run.provenance
        self._home = run.folder.resolve() / "mlflow"
        self._home.mkdir(exist_ok=True)
        self._memory = self._home / "run.json"
        self._local = f"sqlite:///{self._home / 'mlflow.db'}"
        self._address = os.environ.get("MLFLOW_TRACKING_URI") or self._local
        self._client = MlflowClient(self._address)
        self._run_id = self._resumed(run) or self._begun(run)
        is_local = self._address == self._local
        show = f"mlflow ui --backend-store-uri {self._local}"
        run.say(f"tracker mlflow: {f'look at it with: {show}' if is_local else self._address}")

    def scores(self, scores: Mapping[str, float]) -> None:
        from mlflow.entities import Metric, RunTag

        now, images = round(time.time() * 1000), round(scores["kimg"] * 1000)
        metrics = [
            Metric(OTHER_SIGNS.sub("_", name), value, now, images)
            for name, value in scores.items()
            if name != "kimg"
        ]
        self._client.log_batch(self._run_id, metrics=metrics)
        record = self._provenance(scores)
        for tags in _batches([RunTag(name, _text(value)) for name, value in record.items()]):
            self._client.log_batch(self._run_id, tags=tags)

    def images(self, name: str, file: Path, kimg: float) -> None:
        self._client.log_artifact(self._run_id, str(file), name)

    def document(self, name: str, file: Path) -> None:
        self._client.log_artifact(self._run_id, str(file), name)

    def close(self, exit_status: int = 0) -> None:
        self._client.set_terminated(self._run_id, STATUS.get(exit_status, "FAILED"))

    def _resumed(self, run: TrackedRun) -> str:
        """The id of the run that this folder has at that address; empty where a new one is to begin."""
        kept = parse_json(read_regular_file(self._memory, MOST_MEMORY_BYTES)) if self._memory.exists() else {}
        if run.step == 0 or kept.get("address") != self._address:
            return ""
        pictures = self._client.get_run(kept["id"]).info.artifact_uri
        if self._address == self._local and not _is_within(pictures, self._home):
            raise RuntimeError(f"{self._home} would put pictures at {pictures}; remove that folder")
        self._client.update_run(kept["id"], status="RUNNING")
        return str(kept["id"])

    def _begun(self, run: TrackedRun) -> str:
        """Begins a new run, and returns its id."""
        from mlflow.entities import Param

        tags = dict.fromkeys(run.tags, "true") | ({"group": run.group} if run.group else {})
        name = run.folder.resolve().name
        begun = self._client.create_run(self._experiment(run.project), tags=tags, run_name=name)
        identity: str = begun.info.run_id
        for parameters in _batches([Param(name, _text(value)) for name, value in run.settings.items()]):
            self._client.log_batch(identity, params=parameters)
        content = {"address": self._address, "id": identity}
        write_atomically(self._memory, f"{json.dumps(content)}\n".encode())
        return identity

    def _experiment(self, name: str) -> str:
        """The id of an experiment, which is made where there is none."""
        location = (self._home / "artifacts").as_uri() if self._address == self._local else None
        found = self._client.get_experiment_by_name(name)
        if found is None:
            return str(self._client.create_experiment(name, artifact_location=location))
        if location not in (None, found.artifact_location):
            raise RuntimeError(f"{self._home} was moved, and MLflow keeps whole paths; remove that folder")
        return str(found.experiment_id)


def _is_within(address: str, folder: Path) -> bool:
    """Whether an address of files is below a folder; a stranger's database may name any."""
    parts = urlsplit(address)
    return parts.scheme == "file" and Path(unquote(parts.path)).resolve().is_relative_to(folder)


def _batches(items: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(items), MOST_WORDS):
        yield items[start : start + MOST_WORDS]


def _text(value: object) -> str:
    """Formats a value as MLflow keeps it, cut to the length that it takes."""
    words = value if isinstance(value, str) else json.dumps(value)
    return words[:LONGEST_VALUE]
