"""Writing of files in a thread of its own, while the work that made them goes on."""

import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import NamedTuple, Self

from experiments.core.console import describe_error

log = logging.getLogger("gans")

MOST_JOBS = 3  # in memory at once: the one that is being written, and those that wait


class WriterJob(NamedTuple):
    """Job of a background writer, and what its owner does once it is done."""

    written: "Future[object]"
    then: Callable[[], None]


def do_nothing() -> None:
    """Does nothing."""


class BackgroundWriter:
    """Writes files in a thread, one after the other in the order in which they are given.

    An error of the thread is raised in its owner's, by the next call of a method here. Its context ends when
    everything is written; where it ends by another error, one of the thread is a line in the log.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "gans-writer")
        self._jobs: deque[WriterJob] = deque()

    def submit(self, write: Callable[[], object], then: Callable[[], None] = do_nothing) -> None:
        """Has something written; waits where there are MOST_JOBS already. Raises an error of earlier jobs.

        Args:
            write: called in the thread; nobody else changes what it reads.
            then: called in the owner's thread after that, when it next calls a method here.
        """
        self.poll()
        while len(self._jobs) >= MOST_JOBS:
            self._finish_first()
        self._jobs.append(WriterJob(self._thread.submit(write), then))

    def poll(self) -> None:
        """Finishes the jobs that are written, without waiting for others. Raises an error of theirs."""
        while self._jobs and self._jobs[0].written.done():
            self._finish_first()

    def wait(self) -> None:
        """Waits until everything is written. Raises an error of the thread."""
        while self._jobs:
            self._finish_first()

    def _finish_first(self) -> None:
        """Waits for the first job, and does what follows it. Raises its error."""
        written, then = self._jobs[0]
        error = written.exception()  # an interrupted wait leaves the job where it is
        self._jobs.popleft()
        if error is not None:
            raise error
        then()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.wait()
            while self._jobs:
                try:
                    self._finish_first()
                except Exception as own:
                    log.warning(describe_error(own))
        finally:
            self._thread.shutdown()
