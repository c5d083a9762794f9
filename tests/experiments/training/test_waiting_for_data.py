"""The share of a run's time that is spent waiting for data: measured where data is read while training."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from experiments.training.metric_logging import MetricLogger
from experiments.training.progress import describe

RUN = "run --arch mlp --loss bce --data folder:set --image-size 8 --batch-size 4 --width 4 --steps 26"


def test_it_is_a_share_of_the_time_since_the_line_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the time of evaluations; what was waited for before the logger began does not count."""
    clock, waited = [100.0], [7.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    lines: list[dict[str, float]] = []
    tracker: Any = SimpleNamespace(scores=lines.append)
    logger = MetricLogger(tracker, lambda line: None, lambda: waited[0])
    for step, (seconds, waiting) in enumerate([(10.0, 1.0), (20.0, 0.0), (4.0, 4.0)], start=1):
        clock[0] += seconds
        waited[0] += waiting
        with logger.paused_clock():
            clock[0] += 1000.0
        progress: Any = SimpleNamespace(
            step=step, seen=8 * step, previous_seen=8 * step - 8, ends_line=True, kimg=0.008 * step
        )
        logger(progress, {})
    assert [line["waiting_for_data"] for line in lines] == pytest.approx([0.1, 0.0, 1.0])


def test_it_is_shown_where_it_is_worth_a_word() -> None:
    line = {"step": 1, "kimg": 1.0, "images_per_second": 10.0}
    assert describe({**line, "waiting_for_data": 0.25}) == "1.0 kimg  10 img/s  25% waiting for data"
    assert describe({**line, "waiting_for_data": 0.001}) == describe(line)


def test_scores_of_a_run_have_it_where_files_are_streamed(gans: Callable[..., Any], workplace: Path) -> None:
    Path("set").mkdir()
    for number in range(8):
        pixels = np.random.default_rng(number).integers(256, size=(8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(f"set/{number}.png")
    for flags, is_measured in (("--stream", True), ("", False)):
        assert gans(f"{RUN} {flags} --out run{flags}").status == 0
        rows = [json.loads(line) for line in Path(f"run{flags}/scores.jsonl").read_text().splitlines()]
        shares = [row["waiting_for_data"] for row in rows if "waiting_for_data" in row]
        assert len(shares) == (3 if is_measured else 0) and all(0 <= share <= 1 for share in shares)
