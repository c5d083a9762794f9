"""Ctrl-C and SIGTERM as requests that a loop honours after its present step."""

import signal
from types import FrameType, TracebackType
from typing import Self


class StopSignal:
    """Turns the first Ctrl-C (or SIGTERM) into a request that a loop honours after the step it is in.

    The second one interrupts at once.
    """

    def __init__(self) -> None:
        self.requested = False
        self._previous: dict[int, object] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._request)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _request(self, number: int, frame: FrameType | None) -> None:
        """Notes the first signal; raises KeyboardInterrupt at the second."""
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
