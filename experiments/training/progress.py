"""Progress display of a run: one live line on a terminal, plain lines elsewhere."""

import sys
import time
from datetime import timedelta
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Column

from experiments.training.callbacks import Progress
from gans.core.player import Scores

PLAIN_SECONDS = 10.0  # between plain lines
SAID_WAITING = 0.01  # share of the time that waiting for data takes, from which on it is shown
LEFT_OUT = ("real", "fake", "weight_gradient_norm")
SHORT = {"adversarial": "adv", "gradient_penalty": "gp", "gradient_norm": "‖∇‖"}


class ProgressLine:
    """Progress line of a run on stderr: steps, images/s, kimg, the latest scores and the time left."""

    def __init__(self, total_steps: int, start: int) -> None:
        self.console = Console(stderr=True)
        self.total_steps = total_steps
        self.start = start
        self._began = time.monotonic()
        self._last_plain = -PLAIN_SECONDS
        self._bar = Bar(
            TextColumn(
                "{task.completed:,.0f}/{task.total:,.0f}",
                table_column=Column(no_wrap=True, min_width=2 * len(f"{total_steps:,}") + 1),
            ),
            BarColumn(bar_width=12, table_column=Column(min_width=12)),
            TimeRemainingColumn(elapsed_when_finished=True, table_column=Column(no_wrap=True, min_width=7)),
            TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
            console=self.console,
            refresh_per_second=2,
            disable=not self.console.is_terminal,
            expand=True,
        )
        self._task = self._bar.add_task("", total=total_steps, completed=start)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def advance(self, progress: Progress, scores: Scores) -> None:
        """Moves the bar to the step; a callback."""
        self._bar.update(self._task, completed=progress.step)

    def show(self, line: dict[str, float]) -> None:
        """Shows a line of scores."""
        text = describe(line)
        if self.console.is_terminal:
            self._bar.update(self._task, description=text)
            return
        now = time.monotonic()
        step = int(line["step"])
        if now - self._last_plain >= PLAIN_SECONDS or step == self.total_steps:
            self._last_plain = now
            remaining = (now - self._began) / max(step - self.start, 1) * (self.total_steps - step)
            left = f"  {timedelta(seconds=round(remaining))} left"
            print(f"step {step:,}/{self.total_steps:,}  {text}{left}", file=sys.stderr, flush=True)


def describe(line: dict[str, float]) -> str:
    """Describes a line of scores: `12.3 kimg  850 img/s  critic adv −1.20 gp 0.10  generator adv 0.31`."""
    parts = [f"{line['kimg']:.1f} kimg", f"{line['images_per_second']:,.0f} img/s"]
    if (waiting := line.get("waiting_for_data", 0.0)) >= SAID_WAITING:
        parts.append(f"{waiting:.0%} waiting for data")
    player = ""
    for name, value in line.items():
        owner, _, term = name.partition("/")
        if term and term not in LEFT_OUT:
            parts.append(f"{owner if owner != player else ''} {SHORT.get(term, term)} {value:.3g}".strip())
            player = owner
    return "  ".join(parts)
