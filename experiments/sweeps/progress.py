"""Progress display of a sweep: a table on a terminal, a line for every change elsewhere."""

import logging
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from experiments.runs.folder import RunFolder

log = logging.getLogger("gans")

REFRESH_SECONDS = 1.0
ROWS = 30  # largest number of rows in the table


class SweepProgress:
    """Display of the states of all sweep runs, with how far each has come.

    Args:
        out: folder of the sweep.
        evaluates: whether runs are evaluated when they end.
    """

    def __init__(self, out: Path, evaluates: bool = True) -> None:
        self.out, self.evaluates = out, evaluates
        self.console = Console(stderr=True)
        self.states: dict[str, str] = {}
        self.ended: dict[str, str] = {}  # last progress of the runs that have ended
        self.evaluated: set[str] = set()  # runs whose evaluation was told of
        self.live = Live(console=self.console, auto_refresh=False, transient=False, redirect_stdout=False)
        self._drawn = 0.0

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.console.is_terminal:
            self.live.update(self.table(), refresh=True)
            self.live.stop()

    def show(self, states: Mapping[str, str]) -> None:
        """Shows the states of sweep runs, and what has changed since the last call."""
        changed = {name: state for name, state in states.items() if self.states.get(name, "waiting") != state}
        self.states |= states
        for name in changed:
            self.ended.pop(name, None)
            self.evaluated.discard(name)
        if self.console.is_terminal:
            if changed or time.monotonic() - self._drawn > REFRESH_SECONDS:
                self._drawn = time.monotonic()
                self.live.update(self.table(), refresh=True)
            return
        for name, state in changed.items():
            log.info(f"{name}: {state}" + (f" ({last})" if (last := self.progress(name)) else ""))
        for name in states:
            if name not in self.evaluated | changed.keys() and self._is_evaluated_now(name):
                self.evaluated.add(name)
                log.info(f"{name}: {self.progress(name)}")

    def table(self) -> Table:
        """Table of the sweep runs: name, state and progress, those at work first."""
        counts = Counter(state.partition(":")[0] for state in self.states.values())
        title = ", ".join(f"{count} {state}" for state, count in counts.items())
        table = Table(title=f"{len(self.states)} sweep runs: {title}", title_justify="left", box=None)
        for column in ("run", "state", "progress"):
            table.add_column(column, overflow="ellipsis", no_wrap=column != "state")
        order = sorted(self.states, key=lambda name: (self._rank(name), name))
        for name in order[:ROWS]:
            table.add_row(escape(name), escape(self.states[name]), escape(self.progress(name)))
        if len(order) > ROWS:
            table.add_row(f"… and {len(order) - ROWS} more", "", "")
        return table

    def _rank(self, name: str) -> int:
        """Place of a run's state in the order of the table."""
        word = self.states[name].partition(":")[0]
        return ["running", "failed", "stopped", "done", "waiting"].index(word)

    def progress(self, name: str) -> str:
        """Progress of a sweep run in words: its kimg, and the last value of its first metric.

        Files of runs that have ended are read once: there may be hundreds of them.
        """
        state = self.states[name]
        if state in ("waiting", "running"):
            return "" if state == "waiting" else self._read(name)
        if name not in self.ended:
            self.ended[name] = self._read(name)
        return self.ended[name]

    def _is_evaluated_now(self, name: str) -> bool:
        """Whether a run has ended its training, and is at work all the same."""
        is_running = self.evaluates and self.states[name] == "running"
        return is_running and RunFolder(self.out / name).generator_file.exists()

    def _read(self, name: str) -> str:
        """Progress of a sweep run in words, read from its scores."""
        lines = RunFolder(self.out / name).scores()
        if not lines:
            return ""
        metrics = {key: value for line in lines for key, value in line.items() if key.startswith("metric/")}
        first = next(iter(metrics.items()), None)
        kimg = next((line["kimg"] for line in reversed(lines) if line.get("kimg") is not None), 0.0)
        if self._is_evaluated_now(name):
            return f"{kimg:g} kimg, evaluating"
        return f"{kimg:g} kimg" + (f", {first[0].removeprefix('metric/')} {first[1]:.4g}" if first else "")
