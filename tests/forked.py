"""Commands in processes of their own, forked from one that has imported everything and computed nothing.

They are real processes, to be killed and sent signals, without the seconds in which Python imports PyTorch.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing import forkserver
from pathlib import Path

import torch

import cli
from tests.shortcuts import take_shortcuts

ROOT = Path(__file__).resolve().parent.parent
CONTEXT = multiprocessing.get_context("forkserver")
ROOMS = ["cli", "experiments.training.run", "experiments.evaluation.evaluate", "experiments.data.zip"]
PARTS = ["gans.dcgan", "losses.adversarial.wgan", "tests.forked"]
CONTEXT.set_forkserver_preload([*ROOMS, *PARTS, "torch._dynamo"])  # which the first optimizer imports


class ForkedCommand:
    """A command in a forked process, with the methods of `subprocess.Popen`.

    Args:
        environment: all its variables.
        folder: the folder that it works in.
        code: Python code that is run in place of a command.
    """

    def __init__(
        self, words: Sequence[str], environment: Mapping[str, str], folder: Path, code: str = ""
    ) -> None:
        self._printed = tempfile.TemporaryDirectory()
        self._files = [str(Path(self._printed.name, name)) for name in ("out", "err")]
        arguments = (list(words), dict(environment), str(folder), self._files, code)
        self._process = CONTEXT.Process(target=_perform, args=arguments)
        with _at_the_root():
            self._process.start()
        self.pid = self._process.pid or 0

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("gans", timeout or 0.0)
        return self._process.exitcode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        self.wait(timeout)
        out, err = (Path(file).read_text() for file in self._files)
        return out, err

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self._process.kill()


def _perform(words: list[str], environment: dict[str, str], folder: str, files: list[str], code: str) -> None:
    """Performs the command, or the code; what it prints goes into the files."""
    for stream, file in enumerate(files, 1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # as Python starts
    os.environ.clear()  # the fork server has the variables of its own beginning
    os.environ.update(environment)
    os.chdir(folder)
    torch.set_num_threads(int(environment["OMP_NUM_THREADS"]))
    take_shortcuts(setattr)
    sys.argv = ["cli.py", *words]
    if code:
        exec(compile(code, "code of a test", "exec"), {})
    else:
        cli.main(words)


@contextmanager
def _at_the_root() -> Iterator[None]:
    """Where the fork server must start, to find what it imports."""
    before = Path.cwd()
    os.chdir(ROOT)
    try:
        forkserver.ensure_running()
        yield
    finally:
        os.chdir(before)
