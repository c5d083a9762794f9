"""Worker that does the newest request of each client, and drops those that were superseded before."""

import logging
import time
from collections.abc import Callable, Hashable
from threading import Condition, Thread
from typing import NamedTuple

log = logging.getLogger("gans")


class _Request(NamedTuple):
    """A request that waits: when it may begin at the earliest, and what is to be done."""

    begin: float
    work: Callable[[], None]


class NewestOnly:
    """A thread that does requests, one for each client at the most; a new one takes the place of the last.

    However fast a slider moves, no queue grows: there are never more requests than clients.

    Args:
        name: of the thread.
        rest_seconds: how long a client must have asked nothing new before its request begins.
    """

    def __init__(self, name: str, rest_seconds: float = 0.0) -> None:
        self.rest_seconds, self.done, self.dropped = rest_seconds, 0, 0
        self._waiting: dict[Hashable, _Request] = {}
        self._changed = Condition()
        self._is_open = True
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, client: Hashable, work: Callable[[], None]) -> None:
        """Asks for work on behalf of a client; what it asked before and has not begun is dropped."""
        with self._changed:
            self.dropped += self._waiting.pop(client, None) is not None
            self._waiting[client] = _Request(time.monotonic() + self.rest_seconds, work)
            self._changed.notify()

    def forget(self, client: Hashable) -> None:
        """Drops what a client waits for."""
        with self._changed:
            self._waiting.pop(client, None)

    @property
    def waiting(self) -> int:
        """Number of requests that have not begun."""
        with self._changed:
            return len(self._waiting)

    def close(self) -> None:
        """Ends the thread after what it does now, which is not waited for long."""
        with self._changed:
            self._is_open = False
            self._waiting.clear()
            self._changed.notify()
        self._thread.join(timeout=1.0)

    def _run(self) -> None:
        while (work := self._next()) is not None:
            try:
                work()
            except Exception:
                log.exception("a request of the page failed")
            self.done += 1

    def _next(self) -> Callable[[], None] | None:
        """The request whose time has come and that waits longest; None when the thread is to end."""
        with self._changed:
            while self._is_open:
                now = time.monotonic()
                client = min(self._waiting, key=lambda each: self._waiting[each].begin, default=None)
                if client is None:
                    self._changed.wait()
                elif (left := self._waiting[client].begin - now) > 0:
                    self._changed.wait(left)
                else:
                    return self._waiting.pop(client).work
        return None
