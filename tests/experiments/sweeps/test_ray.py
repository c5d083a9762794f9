"""`gans sweep --engine ray` on a real cluster of two nodes, one of which dies."""

import sys
import time

import pytest

from experiments.core.errors import RunError
from experiments.runs.folder import RunFolder, run_folders
from experiments.sweeps.engines import RayEngine

POINTS = "--arch mlp --data ring8 --batch-size 16 --width 8 --track local --evaluate-samples 50"
LINE = f"sweep {POINTS} --kimg 2 --checkpoint-kimg 0.5 --seeds 2 --jobs 2"


@pytest.fixture
def hold(moody, tmp_path):
    """While there is this file, members wait in the middle of their training."""
    file = tmp_path / "hold"
    file.touch()
    moody(f"hold 100 {file}")
    return file


@pytest.fixture
def cluster(hold, monkeypatch):
    """A head that computes nothing, and two nodes with one core each."""
    pytest.importorskip("ray", reason="the extra [ray] is not installed")
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    soon = {
        "health_check_period_ms": 500,
        "health_check_failure_threshold": 4,
        "health_check_timeout_ms": 2000,
    }
    head = {"num_cpus": 0, "include_dashboard": False, "_system_config": soon}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    cluster.wait_for_nodes()
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    yield cluster, nodes
    import ray

    ray.shutdown()
    cluster.shutdown()


@pytest.mark.long
def test_members_survive_the_death_of_a_node(cluster, hold, start, gans, here, tmp_path):
    running, nodes = cluster
    line = f"{LINE} --plugin {tmp_path / 'moody.py'} --loss moody --out"
    process = start(f"{line} {tmp_path / 'sweep'} --engine ray")
    deadline = time.monotonic() + 120
    while len({file.parts[-3] for file in (tmp_path / "sweep").glob("*/checkpoints/*.sha256")}) < 2:
        assert process.poll() is None and time.monotonic() < deadline, (
            "no member came to its first checkpoint"
        )
        time.sleep(0.05)
    running.remove_node(nodes[0], allow_graceful=False)
    while all(run.is_locked for run in run_folders(tmp_path / "sweep")):
        assert time.monotonic() < deadline, "the member has not died with its node"
        time.sleep(0.05)
    hold.unlink()
    _, err = process.communicate(timeout=180)
    assert process.returncode == 0, err
    runs = run_folders(tmp_path / "sweep")
    assert [run.state for run in runs] == ["finished", "finished"]
    assert sum("resuming" in run.log_file.read_text() for run in runs) == 1, "one went on elsewhere"
    assert gans(line, tmp_path / "whole").status == 0
    for run in runs:
        whole = RunFolder(tmp_path / "whole" / run.path.name)
        assert run.generator_file.read_bytes() == whole.generator_file.read_bytes()


class MadeUpRay:
    """A cluster that is none: its nodes, and what members ask of them."""

    def __init__(self, *nodes):
        self.asked = {}
        self.is_initialized = lambda: True
        self.nodes = lambda: [{"Alive": True, "Resources": node} for node in nodes]
        self.remote = lambda **asked: lambda function: self.asked.update(asked)


@pytest.mark.parametrize(
    ("threads", "gpus", "jobs"), [(1, 0, 12), (4, 0, 2), (5, 0, 1), (1, 1, 4), (2, 1, 3)]
)
def test_members_have_room_on_the_nodes(threads, gpus, jobs, monkeypatch):
    nodes = MadeUpRay({"CPU": 8.0, "GPU": 2.0}, {"CPU": 2.0, "GPU": 2.0}, {"CPU": 2.0}, {})
    monkeypatch.setitem(sys.modules, "ray", nodes)
    assert RayEngine(None, threads, gpus).jobs == jobs
    assert (nodes.asked["num_cpus"], nodes.asked["num_gpus"]) == (threads, gpus)


def test_a_run_of_several_processes_asks_for_all_its_cores_and_gpus(monkeypatch):
    nodes = MadeUpRay({"CPU": 16.0, "GPU": 4.0}, {"CPU": 16.0, "GPU": 1.0})
    monkeypatch.setitem(sys.modules, "ray", nodes)
    assert RayEngine(None, 3, 2, 2).jobs == 2
    assert (nodes.asked["num_cpus"], nodes.asked["num_gpus"]) == (6, 2)
    with pytest.raises(RunError, match="10 cores and 5 GPUs"):
        RayEngine(None, 2, 5, 5)


@pytest.mark.parametrize(("threads", "gpus", "needs"), [(3, 0, "3 cores"), (1, 1, "1 core and a GPU")])
def test_no_node_is_large_enough(threads, gpus, needs, monkeypatch):
    """Ray would wait for one without end."""
    monkeypatch.setitem(sys.modules, "ray", MadeUpRay({"CPU": 2.0}))
    with pytest.raises(RunError, match=needs):
        RayEngine(None, threads, gpus)


def test_without_a_cluster(gans, monkeypatch, tmp_path):
    pytest.importorskip("ray", reason="the extra [ray] is not installed")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    refused = gans(f"{LINE} --loss bce --engine ray --out {tmp_path / 'sweep'}")
    assert refused.status == 1 and "ray start --head" in refused.err
