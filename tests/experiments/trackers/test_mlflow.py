"""MLflow's local store, read back with its own client."""

import contextlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiments.runs.folder import RunFolder
from experiments.runs.scores import read_evaluation_scores
from experiments.trackers.mlflow import OTHER_SIGNS

pytest.importorskip("sqlalchemy", reason="needs gans[mlflow]")
mlflow = pytest.importorskip("mlflow.tracking", reason="needs gans[mlflow]")


Gans = Callable[..., Any]
POINTS = "run --arch mlp --loss bce --data ring8 --batch-size 16 --width 8 --track mlflow"
SHORT = f"{POINTS} --steps 30 --sample-kimg 0.16 --out run"


@pytest.fixture(autouse=True)
def _no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="session")
def _empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store, which takes seconds to make."""
    file = tmp_path_factory.mktemp("mlflow") / "empty.db"
    mlflow.MlflowClient(f"sqlite:///{file}").search_experiments()
    return file


@pytest.fixture
def store(_empty: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The user's own, as MLflow's client."""
    address = f"sqlite:///{shutil.copy(_empty, workplace / 'ours.db')}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    return mlflow.MlflowClient(address)


def runs_of(client: Any, project: str = "gans") -> list[Any]:
    experiment = client.get_experiment_by_name(project)
    return client.search_runs([experiment.experiment_id], order_by=["attributes.start_time"])


def curve(client: Any, run: Any, name: str) -> dict[int, float]:
    return {point.step: point.value for point in client.get_metric_history(run.info.run_id, name)}


def scores_of(run: str = "run") -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(run, "scores.jsonl").read_text().splitlines()]


@pytest.mark.long
def test_what_is_written_is_what_was_said(gans: Gans) -> None:
    outcome = gans(f"{SHORT} --project p --group g --tags a,b")
    assert (outcome.status, outcome.out) == (0, "run\n"), outcome.err
    (line,) = [line for line in outcome.err.splitlines() if line.startswith("tracker ")]
    assert "sqlite:///" in line and "INFO" not in outcome.err
    client = mlflow.MlflowClient(f"sqlite:///{Path('run/mlflow/mlflow.db').resolve()}")
    (run,) = runs_of(client, "p")
    assert (run.info.run_name, run.info.status) == ("run", "FINISHED")
    assert {name: run.data.tags[name] for name in ("group", "a", "b")} == {
        "group": "g",
        "a": "true",
        "b": "true",
    }
    settings = json.loads(Path("run/config.json").read_text())["settings"]
    values = {name: entry["value"] for name, entry in settings.items()}
    written = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
    assert run.data.params == written
    for name in ("critic/adversarial", "seconds", "step"):
        assert curve(client, run, name) == {round(line["kimg"] * 1000): line[name] for line in scores_of()}
    (picture, *_) = client.list_artifacts(run.info.run_id, "samples")
    kept = Path("run/mlflow/artifacts", run.info.run_id, "artifacts", picture.path)
    assert kept.read_bytes() == Path("run", picture.path).read_bytes()
    assert {path.name for path in Path().iterdir()} == {"run", "home"}, "nothing beside it"


def test_how_scores_were_made_are_tags(gans: Gans, store: Any) -> None:
    gans(f"{SHORT} --evaluate-kimg 0.24 --evaluate-samples 20")
    (run,) = runs_of(store)
    kept = dict(read_evaluation_scores(RunFolder(Path("run"))))
    judged = {240: kept[15]["modes"]["covered"], 480: kept[30]["modes"]["covered"]}
    assert curve(store, run, "metric/modes/covered") == judged
    for name, value in kept[30]["modes"].items():
        tag = run.data.tags[f"evaluation/modes/{name}"]
        assert tag == (value if isinstance(value, str) else json.dumps(value))


@pytest.mark.parametrize("mood", ["SIGINT 27", "fail 27"])
def test_a_resumed_run_is_the_same(gans: Gans, store: Any, moody: Callable[[str], None], mood: str) -> None:
    command = f"{SHORT} --plugin moody.py --loss moody --checkpoint-kimg 0.32"
    moody(mood)
    stopped = gans(command).status
    assert [run.info.status for run in runs_of(store)] == ["KILLED" if stopped == 130 else "FAILED"]
    moody("calm")
    assert gans(command).status == 0
    (run,) = runs_of(store)
    assert run.info.status == "FINISHED"
    assert curve(store, run, "critic/fake") == {
        round(line["kimg"] * 1000): line["critic/fake"] for line in scores_of()
    }


def test_a_run_that_starts_anew_is_another(gans: Gans, store: Any, moody: Callable[[str], None]) -> None:
    command = f"{SHORT} --plugin moody.py --loss moody --checkpoint-kimg 9"
    moody("fail 2")
    gans(command)
    moody("calm")
    gans(command)
    assert [run.info.status for run in runs_of(store)] == ["FAILED", "FINISHED"]


def test_runs_meet_in_a_store_of_the_users_own(gans: Gans, store: Any) -> None:
    """What is long is cut to what every server takes."""
    for name in ("one", "two"):
        outcome = gans(f"{POINTS} --steps 2 --tags {'x' * 900} --out {name}")
        assert f"tracker mlflow: {os.environ['MLFLOW_TRACKING_URI']}" in outcome.err
    assert [run.info.run_name for run in runs_of(store)] == ["one", "two"]
    assert len(runs_of(store)[0].data.params["tags"]) == 500
    assert not Path("one/mlflow/mlflow.db").exists()


def test_a_folder_that_was_moved(gans: Gans, moody: Callable[[str], None]) -> None:
    """MLflow would write into the old place."""
    moody("SIGINT 3")
    gans(f"{SHORT} --plugin moody.py --loss moody")
    Path("run").rename("moved")
    moody("calm")
    outcome = gans("run --resume moved")
    assert outcome.status == 0 and "was moved" in outcome.err and "goes on without it" in outcome.err
    assert not Path("run").exists()


@pytest.mark.long
def test_a_strangers_store_puts_no_picture_elsewhere(
    gans: Gans, moody: Callable[[str], None], tmp_path: Path
) -> None:
    moody("SIGINT 27")
    gans(f"{SHORT} --plugin moody.py --loss moody")
    with contextlib.closing(sqlite3.connect("run/mlflow/mlflow.db")) as store:
        store.execute("update runs set artifact_uri = ?", ((tmp_path / "elsewhere").as_uri(),))
        store.commit()
    moody("calm")
    outcome = gans("run --resume run")
    assert outcome.status == 0 and "elsewhere; remove that folder" in outcome.err
    assert not (tmp_path / "elsewhere").exists()


def test_names_of_classes_are_written_as_it_takes_them() -> None:
    from mlflow.utils.validation import _validate_metric_name

    name = "metric/fid-random-vgg/class/tench, Tinca tinca (it's a fish) + more"
    taken = OTHER_SIGNS.sub("_", name)
    _validate_metric_name(taken)
    assert taken.startswith("metric/fid-random-vgg/class/tench_ Tinca tinca ")
