"""Progress display of a sweep: a table on a terminal; elsewhere a line for every change, and now and then."""

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

from experiments.core.console import describe_seconds
from experiments.core.word_lists import first_few
from experiments.runs.folder import RunFolder

log = logging.getLogger("gans")

REFRESH_SECONDS, REMARK_SECONDS = 1.0, 60.0  # between drawings of the table, and between lines elsewhere
ROWS = 30  # largest number of rows in the table
NAMED = 8  # largest number of runs in a line


class SweepProgress:
    """Display of the states of all sweep runs, with how far each has come.

    Args:
        out: folder of the sweep.
        evaluates: whether runs are evaluated when they end.
        lengths: kimg of each run at its end, by name; empty where that is decided on the way.
    """

    def __init__(self, out: Path, evaluates: bool = True, lengths: Mapping[str, float] = {}) -> None:
        self.out, self.evaluates, self.lengths = out, evaluates, lengths
        self.console = Console(stderr=True)
        self.states: dict[str, str] = {}
        self.ended: dict[str, str] = {}  # last progress of the runs that have ended
        self.evaluated: set[str] = set()  # runs whose evaluation was told of
        self.live = Live(console=self.console, auto_refresh=False, transient=False, redirect_stdout=False)
        self._drawn = self._began = self._remarked = time.monotonic()
        self._kimg_before = 0.0  # what an earlier call of the sweep has trained

    def __enter__(self) -> Self:
        self._kimg_before = self._trained_kimg()
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
        if time.monotonic() - self._remarked > REMARK_SECONDS:
            self._remarked = time.monotonic()
            log.info(self.remark())

    def remark(self) -> str:
        """Describes how far the runs at work are, and where lengths are known, the time left for all."""
        running = [name for name in self.states if self.states[name] == "running"]
        words = first_few([f"{name} at {self.progress(name) or '0 kimg'}" for name in running], NAMED)
        trained, total = self._trained_kimg(), sum(self.lengths.values())
        if trained <= self._kimg_before or not self.states.keys() <= self.lengths.keys():
            return f"running: {words}"
        seconds_per_kimg = (time.monotonic() - self._began) / (trained - self._kimg_before)
        left = describe_seconds(seconds_per_kimg * (total - trained))
        return f"running: {words}; {trained:,.4g} of {total:,.6g} kimg in all, about {left} left"

    def _trained_kimg(self) -> float:
        """Kimg that all runs of known length have shown."""
        return sum(min(self._read(name)[0], length) for name, length in self.lengths.items())

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
            return "" if state == "waiting" else self._read(name)[1]
        if name not in self.ended:
            self.ended[name] = self._read(name)[1]
        return self.ended[name]

    def _is_evaluated_now(self, name: str) -> bool:
        """Whether a run has ended its training, and is at work all the same."""
        is_running = self.evaluates and self.states.get(name) == "running"
        return is_running and RunFolder(self.out / name).generator_file.exists()

    def _read(self, name: str) -> tuple[float, str]:
        """Kimg of a sweep run, and its progress in words, from its scores."""
        lines = RunFolder(self.out / name).scores()
        if not lines:
            return 0.0, ""
        metrics = {key: value for line in lines for key, value in line.items() if key.startswith("metric/")}
        kimg = next((line["kimg"] for line in reversed(lines) if line.get("kimg") is not None), 0.0)
        words = f"{kimg:g} of {self.lengths[name]:g} kimg" if name in self.lengths else f"{kimg:g} kimg"
        if self._is_evaluated_now(name):
            return kimg, f"{words}, evaluating"
        score = [f"{key.removeprefix('metric/')} {value:.4g}" for key, value in [*metrics.items()][:1]]
        return kimg, ", ".join([words, *score])
