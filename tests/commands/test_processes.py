"""`torchrun -m gans run`: processes that train one run together, from the command line to its files.

They are started here with the variables that torchrun sets; `make soak` has torchrun itself.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import pytest
import torch
from torch.distributed import TCPStore

from cli import main
from experiments.runs.checkpoint import checkpoint_name, load_checkpoint, step_of
from experiments.runs.folder import RunFolder
from experiments.runs.scores import read_evaluation_scores
from tests.forked import ForkedCommand
from tests.house.house import ROOT

RUN = "run --arch dcgan --data shapes --image-size 16 --width 2 --batch-size 8 --precision fp64 --track local"
EVALUATED = "--evaluate-kimg 0.06 --evaluate-metrics fid,kid --evaluate-samples 20 --extractor random-vgg"
EVALUATED += " --set kid.subset_size=20"
THREADS_AFTER = """
import os, torch
from pathlib import Path
from experiments.core.processes import joined_processes
from losses.core.ranks import sum_over_ranks
with joined_processes():
    weight = torch.zeros(2, requires_grad=True)
    optimizer = torch.optim.Adam([weight])  # its imports must not keep the group of processes
    sum_over_ranks(weight).sum().backward()
    optimizer.step()
print([name for task in Path("/proc/self/task").iterdir() if "gloo" in (name := (task / "comm").read_text())])
"""
# The first process comes last: until then the store has but its address of the attempt before.
JOIN_LATE = """
import os, time
import torch
from experiments.core.processes import joined_processes
from losses.core.ranks import sum_over_ranks
time.sleep(3 if (os.environ["RANK"], os.environ["ATTEMPT"]) == ("0", "1") else 0)
with joined_processes():
    sum_over_ranks(torch.ones(1))  # the engine connects as it is first needed
"""
MOST_SECONDS = 120.0


Processes = Sequence["subprocess.Popen[str] | ForkedCommand"]


def start(
    words: str,
    count: int = 1,
    code: str = "",
    variables: Mapping[str, str] = MappingProxyType({}),
    forks: bool = True,
) -> list["subprocess.Popen[str] | ForkedCommand"]:
    """Starts a command, or other code, in so many processes, with further environment variables."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(count), **variables}
    found: list[subprocess.Popen[str] | ForkedCommand] = []
    for rank in range(count):
        own = {**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)} if count > 1 else {}
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **own}
        if forks:
            found.append(ForkedCommand(words.split(), environment, ROOT, code))
            continue
        command = [sys.executable, "-c", code]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        found.append(subprocess.Popen(command, cwd=ROOT, text=True, env=environment, **streams))
    return found


def finish(processes: Processes) -> tuple[list[int], str, str]:
    """Waits for processes: their exit statuses, and what all of them printed."""
    out, err = zip(*[process.communicate(timeout=MOST_SECONDS) for process in processes], strict=True)
    return [process.returncode for process in processes], "".join(out), "".join(err)


def await_checkpoint(folder: Path, processes: Processes) -> None:
    """Waits until a run has its first checkpoint."""
    began = time.monotonic()
    while not list((folder / "checkpoints").glob("*.pt")):
        assert all(process.poll() is None for process in processes), finish(processes)
        assert time.monotonic() < began + MOST_SECONDS
        time.sleep(0.1)


def test_two_processes_stop_together_and_one_goes_on(tmp_path: Path) -> None:
    """One is asked to stop: all stop at one step. 2 → 1 processes end with the weights of one alone.

    They evaluate together, to the scores of one.
    """
    both, alone = tmp_path / "both", tmp_path / "alone"
    processes = start(f"{RUN} {EVALUATED} --steps 100000 --checkpoint-kimg 0.08 --out {both}", 2)
    await_checkpoint(both, processes)
    processes[1].send_signal(signal.SIGTERM)
    status, _, err = finish(processes)
    assert status == [130, 130]
    assert err.count("stopped and saved at step") == 1, err
    step = max(step_of(file) for file in (both / "checkpoints").glob("*.pt")) + 3
    processes = start(f"run --resume {both} --steps {step} --force")
    processes += start(f"{RUN} {EVALUATED} --steps {step} --checkpoint-kimg 0.08 --out {alone}")
    status, out, err = finish(processes)
    assert status == [0, 0], err
    assert out.split() == [str(both), str(alone)]
    found, expected = (
        load_checkpoint(folder / "checkpoints" / checkpoint_name(step))["game"] for folder in (both, alone)
    )
    weights = [name for name, value in expected.items() if isinstance(value, torch.Tensor)]
    assert weights and found.keys() == expected.keys()
    for name in weights:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-12, atol=1e-12)
    scores, of_one = (read_evaluation_scores(RunFolder(folder)) for folder in (both, alone))
    assert [step for step, _ in scores] == [step for step, _ in of_one] and len(scores) > 1
    for (_, found_scores), (_, expected_scores) in zip(scores, of_one, strict=True):
        assert found_scores.keys() == expected_scores.keys()
        for key, score in expected_scores.items():
            assert found_scores[key]["value"] == pytest.approx(score["value"], rel=1e-4)


def test_processes_hold_the_same_images_out_and_lose_patience_together(tmp_path: Path) -> None:
    folders = [tmp_path / "both", tmp_path / "alone"]
    words = "run --arch mlp --data ring8 --width 8 --batch-size 16 --precision fp64 --track local --steps 400"
    words += " --evaluate-kimg 0.016 --evaluate-metrics fid,modes --best-metric covered --evaluate-samples 50"
    words += " --holdout 0.2 --patience 1"
    processes = start(f"{words} --out {folders[0]}", 2) + start(f"{words} --out {folders[1]}")
    status, _, err = finish(processes)
    assert status == [0, 0, 0], err
    both, alone = map(RunFolder, folders)
    assert both.is_finished and both.early_end == alone.early_end != ""
    found, expected = (dict(read_evaluation_scores(folder)) for folder in (both, alone))
    assert found.keys() == expected.keys()
    for step, scores in expected.items():
        assert scores.keys() == {"fd-points/held-out", "modes"}
        assert {key: score["reference"] for key, score in scores.items()} == {
            key: score["reference"] for key, score in found[step].items()
        }


@pytest.mark.long
def test_a_killed_process_ends_all_with_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    processes = start(f"{RUN} --steps 100000 --checkpoint-kimg 0.08 --out {folder}", 2)
    await_checkpoint(folder, processes)
    processes[1].kill()
    began = time.monotonic()
    status, _, err = finish(processes)
    assert time.monotonic() - began < 60
    assert status == [1, -signal.SIGKILL]
    assert err.count("was lost") == 1, err


def test_equal_errors_are_told_once(tmp_path: Path) -> None:
    status, _, err = finish(start(f"{RUN} --steps 4 --batch-size 7 --out {tmp_path / 'run'}", 2))
    assert status == [2, 2]
    line = "gans: --batch-size 7 is not shared out evenly to 2 processes; take 8, or start 1"
    assert err.count(line) == 1, err
    assert not (tmp_path / "run").exists()


def test_work_of_one_process_is_refused_in_several(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as end:
        main(["compare", "runs"])
    assert end.value.code == 2
    assert "gans compare is the work of one process; start it without torchrun" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="names of threads are read from /proc")
@pytest.mark.long
def test_no_thread_of_the_engine_is_left_as_python_ends() -> None:
    """Such a thread aborts the process, where it lets go of a tensor just then."""
    status, out, err = finish(start("", 2, THREADS_AFTER, forks=False))
    assert status == [0, 0], err
    assert out.split() == ["[]", "[]"]


@pytest.mark.long
def test_restarted_processes_do_not_look_for_those_of_before() -> None:
    """torchrun goes on with the store in which the processes of before have left their addresses."""
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    for attempt in range(2):
        variables = {"MASTER_PORT": str(store.port), "TORCHELASTIC_USE_AGENT_STORE": "True"}
        variables["ATTEMPT"] = str(attempt)  # torchrun's own count may differ between machines
        status, _, err = finish(start("", 2, JOIN_LATE, variables))
        assert status == [0, 0], err
