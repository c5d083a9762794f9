"""Engines, which start the runs of a sweep: as processes of this machine, or as tasks of a Ray cluster."""

import logging
import os
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from experiments.core.errors import RunError, UsageError
from experiments.core.files import TO_APPEND, make_parent_folders, open_regular_file
from experiments.core.registry import ROOT
from experiments.sweeps.devices import VISIBLE, GpuPool
from experiments.sweeps.worker import INTERRUPTED, SweepTask

WORKER = (sys.executable, "-m", "experiments.sweeps.worker")
RETRIES = 8  # of a sweep run whose Ray worker died


class Job(ABC):
    """Run of a sweep that an engine has started."""

    @abstractmethod
    def poll(self) -> int | None:
        """Exit status of the run, negative for the signal that ended it; None while it works."""

    @abstractmethod
    def stop(self) -> None:
        """Asks the run to save and stop."""


class Engine(ABC):
    """Starter of sweep runs, up to `jobs` at once.

    Attributes:
        jobs: number of runs that it takes at once.
    """

    jobs: int

    @abstractmethod
    def start(self, task: SweepTask) -> Job:
        """Starts the run of a task."""


class LocalEngine(Engine):
    """Engine that starts processes of this machine, each with its share of the cores and of the GPUs.

    Args:
        jobs: number of runs at once.
        threads: number of threads of each process.
        gpus: GPUs that the runs share out among them, in the words of CUDA_VISIBLE_DEVICES; none where each
            run sees all that this process sees.
    """

    def __init__(self, jobs: int, threads: int, gpus: Sequence[str] = ()) -> None:
        self.jobs, self.threads, self.pool = jobs, threads, GpuPool(gpus)

    def start(self, task: SweepTask) -> Job:
        """Starts the run of a task as a process of this machine, on the GPUs with the fewest runs."""
        gpus = self.pool.take(task.processes)
        return _LocalJob(start_worker(task, self.threads, gpus), gpus, self.pool)


class _LocalJob(Job):
    """Process of this machine; closing its standard input stops the run."""

    def __init__(self, process: "subprocess.Popen[bytes]", gpus: Sequence[str], pool: GpuPool) -> None:
        self.process, self.gpus, self.pool = process, gpus, pool

    def poll(self) -> int | None:
        status = self.process.poll()
        if status is not None:
            self.pool.give_back(self.gpus)
            self.gpus = ()
        return status

    def stop(self) -> None:
        assert self.process.stdin is not None
        with suppress(OSError):
            self.process.stdin.close()


def default_jobs(device: str, gpus: Sequence[str] = (), processes: int = 1) -> int:
    """Default number of sweep runs at once: one for each core of a CPU, one for each GPU.

    Args:
        gpus: GPUs that the runs share; none for a device that is one alone.
        processes: number of processes of each run, each on a core or GPU of its own.
    """
    places = (os.cpu_count() or 1) if device == "cpu" else len(gpus)
    return max(1, places // processes)


def threads_per_job(jobs: int) -> int:
    """Number of threads of each process, where this many processes share the cores."""
    return max(1, (os.cpu_count() or 1) // jobs)


def start_worker(task: SweepTask, threads: int, gpus: Sequence[str] = ()) -> "subprocess.Popen[bytes]":
    """Starts the process of a sweep run, in a session of its own.

    Ctrl-C on the terminal reaches it through the sweep alone. Raises RunError where its log cannot be made.

    Args:
        threads: number of threads of each process of the run.
        gpus: GPUs that it sees; none for those that this process sees.
    """
    log_file = Path(task.folder) / "log.txt"
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {"OMP_NUM_THREADS": str(threads), "PYTHONPATH": os.pathsep.join(paths)}
    if gpus:
        environment[VISIBLE] = ",".join(gpus)
    with make_parent_folders(log_file):
        log = open_regular_file(log_file, TO_APPEND)
    with log:
        process = subprocess.Popen(
            WORKER,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=os.environ | environment,
            start_new_session=True,
        )
    assert process.stdin is not None
    with suppress(OSError):  # it ended at once, and its status says so
        process.stdin.write(task.to_line().encode())
        process.stdin.flush()
    return process


class RayEngine(Engine):
    """Engine that starts tasks of a Ray cluster, whose nodes share the folder of the sweep.

    A run whose worker or node dies goes on elsewhere, from its last checkpoint.

    Args:
        jobs: number of runs at once; None for as many as there is room for.
        threads: number of threads of each process; processes: number of processes of each run; gpus: number
            of GPUs that each run has for itself. Ray hides those that nobody asks for.

    Raises UsageError without Ray, RunError without a cluster.
    """

    def __init__(self, jobs: int | None, threads: int, gpus: int, processes: int = 1) -> None:
        try:
            import ray  # type: ignore[import-not-found,unused-ignore]
        except ImportError as error:
            raise UsageError(
                '--engine ray needs the package ray; get it with: pip install "gans[ray]"'
            ) from error
        self.ray, self.threads = ray, threads
        if not ray.is_initialized():
            try:
                ray.init(
                    address="auto", log_to_driver=False, logging_level=logging.ERROR, configure_logging=False
                )
            except ConnectionError as error:
                raise RunError("--engine ray: no cluster found; start one with: ray start --head") from error
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call,unused-ignore]
        cores = threads * processes
        rooms = [_capacity(node, cores, gpus) for node in nodes]
        if not any(rooms):
            needs = f"{cores} core{'s' * (cores > 1)}"
            needs += f" and {gpus} GPUs" if gpus > 1 else " and a GPU" * gpus
            raise RunError(
                f"--engine ray: no node of the cluster has {needs}; take more --jobs and another --out, or "
                "--device cpu"
            )
        self.jobs = jobs or sum(rooms)
        self._member = ray.remote(num_cpus=cores, num_gpus=gpus, max_retries=RETRIES)(_run_on_ray)

    def start(self, task: SweepTask) -> Job:
        """Starts the run of a task as a task of the Ray cluster."""
        return _RayJob(self.ray, self._member.remote(task.to_line(), self.threads, str(ROOT)))


def _capacity(node: Mapping[str, float], cores: int, gpus: int) -> int:
    """Number of sweep runs that fit on a node of the cluster."""
    fit = int(node.get("CPU", 0)) // cores
    return min(fit, int(node.get("GPU", 0)) // gpus) if gpus else fit


class _RayJob(Job):
    """Task of a Ray cluster; cancelling it stops the run."""

    def __init__(self, ray: Any, reference: Any) -> None:
        self.ray, self.reference = ray, reference

    def poll(self) -> int | None:
        done, _ = self.ray.wait([self.reference], timeout=0)
        if not done:
            return None
        try:
            return int(self.ray.get(self.reference))
        except self.ray.exceptions.TaskCancelledError:
            return INTERRUPTED
        except self.ray.exceptions.RayError:
            return 1

    def stop(self) -> None:
        self.ray.cancel(self.reference, recursive=False)


def _run_on_ray(line: str, threads: int, root: str) -> int:
    """Starts the process of a sweep run on a Ray worker, and waits for it; it ends with the worker."""
    if root not in sys.path:
        sys.path.insert(0, root)
    from experiments.sweeps.engines import start_worker
    from experiments.sweeps.worker import SweepTask

    return start_worker(SweepTask.from_line(line), threads).wait()
