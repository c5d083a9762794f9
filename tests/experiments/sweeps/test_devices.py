"""Sweep runs on several GPUs, which are made up here: processes write down what they would see."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.commands.sweep import make_engine
from experiments.core import device as device_module
from experiments.core.errors import RunError, UsageError
from experiments.runs.folder import RunFolder
from experiments.sweeps import engines, processes, queue
from experiments.sweeps.devices import gpus_to_share, visible_gpus
from experiments.sweeps.engines import LocalEngine, default_jobs
from experiments.sweeps.queue import run_tasks
from experiments.sweeps.search_space import Sweep
from experiments.sweeps.worker import Evaluation, SweepTask
from experiments.training.trainer import Interrupted

# A worker that writes down when it sees which GPUs, and trains nothing.
WORKER = """
import json, os, pathlib, sys, time
task = json.loads(sys.stdin.readline())
with open(pathlib.Path(task["folder"]).parent / "log", "a") as log:
    print(json.dumps(["begin", os.environ["CUDA_VISIBLE_DEVICES"]]), file=log, flush=True)
    time.sleep(0.1)
    print(json.dumps(["end", os.environ["CUDA_VISIBLE_DEVICES"]]), file=log, flush=True)
"""


def set_gpus(monkeypatch: pytest.MonkeyPatch, count: int, words: str | None = None) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if words is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", words)


@pytest.mark.parametrize(
    ("count", "words", "names"),
    [
        (3, None, ["0", "1", "2"]),
        (2, "5,2", ["5", "2"]),
        (2, "GPU-8932f937, MIG-1b", ["GPU-8932f937", "MIG-1b"]),
        (1, "3,-1,2", ["3"]),  # what stands after an invalid one is hidden
        (0, None, []),
        (0, "", []),
    ],
)
def test_gpus_are_those_that_this_process_may_use(
    monkeypatch: pytest.MonkeyPatch, count: int, words: str | None, names: list[str]
) -> None:
    set_gpus(monkeypatch, count, words)
    assert visible_gpus() == names


@pytest.mark.parametrize(
    ("gpus", "jobs", "count", "most"),
    [(["4", "GPU-b"], 2, 1, 1), (["0", "1"], 4, 1, 2), (["0", "1", "2"], 3, 1, 1), (list("abcd"), 2, 2, 1)],
)
def test_each_job_has_gpus_of_its_own_and_a_freed_one_goes_to_the_next(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, gpus: list[str], jobs: int, count: int, most: int
) -> None:
    monkeypatch.setattr(engines, "WORKER", (sys.executable, "-S", "-c", WORKER))
    monkeypatch.setattr(queue, "POLL_SECONDS", 0.01)
    tasks = {
        name: SweepTask(str(tmp_path / name), {}, {}, {}, Evaluation(count=0), processes=count)
        for name in map(str, range(2 * jobs + 1))
    }
    states = run_tasks(tasks, LocalEngine(jobs, 1, gpus), lambda states: None)
    assert set(states.values()) == {"done"}
    busy, seen = dict.fromkeys(gpus, 0), []
    for line in (tmp_path / "log").read_text().splitlines():
        event, words = json.loads(line)
        own = words.split(",")
        assert len(set(own)) == count, "as many as it has processes, and different ones"
        for name in own:
            busy[name] += 1 if event == "begin" else -1
            assert busy[name] <= most, "too many on one GPU while another is free"
        seen += own * (event == "begin")
    assert len(seen) == len(tasks) * count and set(seen) == set(gpus)


def engine_for(monkeypatch: pytest.MonkeyPatch, out: Path, device: str, **flags: Any) -> Any:
    monkeypatch.setattr(device_module, "resolve_device", lambda name: "cuda" if name == "auto" else name)
    plan = Sweep(flags.pop("choices", {}), [0], base={} if device == "auto" else {"device": device})
    return make_engine({"engine": "local", "jobs": None, "processes": 1, **flags}, out, plan)


@pytest.mark.parametrize(
    ("device", "flags", "jobs", "gpus"),
    [
        ("auto", {}, 4, ["0", "1", "2", "3"]),
        ("cuda", {"jobs": 8}, 8, ["0", "1", "2", "3"]),
        ("cuda", {"processes": 2}, 2, ["0", "1", "2", "3"]),
        ("cuda", {"processes": 3}, 1, ["0", "1", "2", "3"]),
        ("cuda:1", {}, 1, []),  # by its name, which runs resolve themselves
        ("cuda:1", {"jobs": 2}, 2, []),
        ("auto", {"choices": {"device": ["cuda:0", "cuda:2"]}}, 1, []),
        ("mps", {}, 1, []),
    ],
)
def test_jobs_by_device(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    device: str,
    flags: dict[str, Any],
    jobs: int,
    gpus: list[str],
) -> None:
    set_gpus(monkeypatch, 4)
    engine = engine_for(monkeypatch, tmp_path / "sweep", device, **flags)
    assert (engine.jobs, list(engine.pool.load)) == (jobs, gpus)


def test_jobs_on_cores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """On CPUs a run of two processes takes two cores, whatever GPUs there are."""
    set_gpus(monkeypatch, 4)
    monkeypatch.setattr(engines.os, "cpu_count", lambda: 8)
    assert gpus_to_share("cpu", 2) == []
    assert (default_jobs("cpu"), default_jobs("cpu", processes=2), default_jobs("cpu", processes=16)) == (
        8,
        4,
        1,
    )
    engine = engine_for(monkeypatch, tmp_path / "sweep", "cpu", processes=2, jobs=2)
    assert (engine.jobs, engine.threads, engine.pool.load) == (2, 2, {})


@pytest.mark.parametrize(
    ("device", "count", "mentions"),
    [
        ("cuda", 3, "more than the 2 GPUs"),
        ("cuda:1", 2, "take --device cuda"),
        ("mps", 2, "one device"),
        ("swept", 2, "--set device exclude"),
    ],
)
def test_too_many_devices_per_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, device: str, count: int, mentions: str
) -> None:
    set_gpus(monkeypatch, 2)
    choices = {"device": ["cuda:0", "cpu"]} if device == "swept" else {}
    with pytest.raises(UsageError, match=mentions):
        engine_for(
            monkeypatch,
            tmp_path / "sweep",
            "auto" if choices else device,
            processes=count,
            choices=choices,
        )
    assert not (tmp_path / "sweep").exists()


def test_batches_that_processes_cannot_share_are_told_before_anything_runs(
    gans: Callable[..., Any], here: list[Any]
) -> None:
    line = "sweep --arch mlp --data ring8 --steps 2 --device cpu --devices-per-run 2 --set batch_size=8,9"
    outcome = gans(f"{line} --jobs 1 --seeds 1 --out sweep")
    assert outcome.status == 2 and here == []
    told = "batch_size=9-seed-0: --batch-size 9 is not shared out evenly to 2 processes; take 8, or another"
    assert told in outcome.err


def two_processes(folder: Path, **flags: Any) -> SweepTask:
    own = {"arch": "mlp", "data": "ring8", "batch_size": 16, "width": 8, "steps": 3, "device": "cpu"}
    evaluation = Evaluation(("modes",), 50)
    return SweepTask(str(folder), {**own, "track": ("local",), **flags}, {}, {}, evaluation, processes=2)


@pytest.mark.long
def test_two_processes_train_the_run_of_one(tmp_path: Path) -> None:
    """torchrun itself, with two processes on CPUs: the same weights in float64, and one evaluation."""
    from experiments.sweeps.worker import run_task

    tasks = [two_processes(tmp_path / name, precision="fp64") for name in ("both", "alone")]
    assert run_task(tasks[0]) == 0, RunFolder(tmp_path / "both").state
    assert run_task(SweepTask(**{**vars(tasks[1]), "processes": 1})) == 0
    both, alone = (
        RunFolder(tmp_path / name).checkpoints().newest()["game"]
        for name in ("both", "alone")  # type: ignore[index]
    )
    weights = [name for name, value in alone.items() if isinstance(value, torch.Tensor)]
    assert weights and both.keys() == alone.keys()
    for name in weights:
        torch.testing.assert_close(both[name], alone[name], rtol=1e-12, atol=1e-12)
    assert len(RunFolder(tmp_path / "both").evaluation_file.read_text().splitlines()) == 1


@pytest.fixture
def torchrun(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes torchrun a script that trains nothing; its run folder is `folder`."""

    def make(script: str) -> None:
        words = f"import json, os, pathlib, sys\ntask = json.loads(os.environ['GANS_SWEEP_TASK'])\n{script}"
        folder = "folder = pathlib.Path(task['folder']); folder.mkdir(exist_ok=True)\n"
        monkeypatch.setattr(processes, "TORCHRUN", (sys.executable, "-c", words.replace("#", folder)))

    return make


def test_why_one_of_several_processes_failed_is_why_the_run_failed(
    torchrun: Callable[[str], None], tmp_path: Path
) -> None:
    torchrun(
        "#(folder / 'ended.txt').write_text('failed: step 3: critic/adversarial is not finite')\nsys.exit(1)"
    )
    with pytest.raises(RunError, match=r"^step 3: critic/adversarial is not finite$"):
        processes.train_in_processes(two_processes(tmp_path / "run"))
    torchrun("sys.exit(9)")
    with pytest.raises(RunError, match=r"ended with status 9; see .*log\.txt"):
        processes.train_in_processes(two_processes(tmp_path / "other"))


def test_a_worker_that_is_asked_to_stop_closes_the_pipe_of_its_processes(
    torchrun: Callable[[str], None], tmp_path: Path
) -> None:
    """They end with 0 once they have saved, and the run is unfinished, not failed."""
    torchrun("os.kill(os.getppid(), 2)\nsys.exit(9 if sys.stdin.read() else 0)")
    with pytest.raises(Interrupted):
        processes.train_in_processes(two_processes(tmp_path / "run"))
    assert not (tmp_path / "run" / "ended.txt").exists()


def test_processes_that_stopped_by_themselves_have_not_finished(
    torchrun: Callable[[str], None], tmp_path: Path
) -> None:
    torchrun("assert os.environ['CUDA_VISIBLE_DEVICES'] == ''")
    with pytest.raises(Interrupted):
        processes.train_in_processes(two_processes(tmp_path / "run"))
