"""Progress on stderr: how long a piece of work will take, and how far it is, also without a terminal."""

import json
import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiments.core import console
from experiments.core.console import ProgressRemarks, describe_error, describe_seconds, format_json


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize("repeats", [True, False])
def test_the_time_is_said_first_and_the_progress_now_and_then(
    repeats: bool, clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    """50 a second, of 6,400: 128 s in all."""
    caplog.set_level(logging.INFO, "gans")
    remarks = ProgressRemarks("run", 6400, repeats)
    for batch in range(1, 101):
        clock[0] = 1.28 * batch
        remarks.advance(64)
    first, *others = caplog.messages
    assert first == "run: 6,400 in all, about 2 min"
    assert len(others) == (12 if repeats else 0)
    if repeats:
        assert others[0] == "run: 576 of 6,400, about 2 min left"
        assert others[-1].endswith(" s left")


def test_what_is_done_at_once_needs_no_remark(clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gans")
    remarks = ProgressRemarks("run", 128, repeats=True)
    for _ in range(2):
        clock[0] += 0.1
        remarks.advance(64)
    clock[0] += 100
    remarks.advance(0)
    assert not caplog.messages


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (89, "89 s"), (95, "2 min"), (3600, "1 h 0 min"), (7500, "2 h 5 min")],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert describe_seconds(seconds) == words


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: 4 bytes"
        ),
        RuntimeError("std::bad_alloc"),
        RuntimeError("Storage size calculation overflowed with sizes=[4000000000000000000, 8]"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        OSError(12, "Cannot allocate memory"),
    ],
    ids=str,
)
def test_memory_that_is_not_there_has_one_remedy(error: Exception) -> None:
    assert describe_error(error).startswith("not enough memory; take a smaller --batch-size")


def test_an_overflow_of_numbers_is_not_called_memory() -> None:
    assert describe_error(OverflowError("the sum overflowed")).startswith("OverflowError")


def test_an_evaluation_says_its_progress_without_a_terminal(
    gans: Callable[..., Any], finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "FIRST_SECONDS", 0.0)
    monkeypatch.setattr(console, "REMARK_SECONDS", 0.0)
    outcome = gans(f"evaluate {finished} --metrics fid -n 500 --json")
    assert list(json.loads(outcome.out)) == ["fd-points"]
    assert "500 samples against 500 training points of ring8" in outcome.err
    assert "run: 500 in all, about 1 s" in outcome.err
    assert "run: 448 of 500, about 1 s left" in outcome.err


def test_json_is_strict() -> None:
    """NaN and Infinity are no JSON: a browser and `jq` refuse the whole line."""
    content = {"fid": math.nan, "bounds": (0.0, math.inf), "of": [{"low": -math.inf, "n": 3, "name": "NaN"}]}
    assert format_json(content) == (
        '{"fid": null, "bounds": [0.0, null], "of": [{"low": null, "n": 3, "name": "NaN"}]}'
    )
