"""The background writer keeps the order, bounds what waits, and hands errors to its owner."""

import logging
import threading
import time

import pytest

from experiments.core.background_writer import MOST_JOBS, BackgroundWriter
from experiments.core.errors import RunError


def fail() -> None:
    raise RunError("no space left")


def test_jobs_are_done_in_order_in_a_thread_of_their_own_and_reported_in_the_owners() -> None:
    done: list[tuple[str, int, bool]] = []

    def note(what: str, number: int) -> None:
        if what == "written" and number == 0:
            time.sleep(0.05)
        done.append((what, number, threading.current_thread() is threading.main_thread()))

    with BackgroundWriter() as writer:
        for number in range(5):
            writer.submit(lambda n=number: note("written", n), lambda n=number: note("reported", n))  # type: ignore[misc]
    assert [number for what, number, _ in done if what == "written"] == [0, 1, 2, 3, 4]
    assert [number for what, number, _ in done if what == "reported"] == [0, 1, 2, 3, 4]
    assert all(is_main is (what == "reported") for what, _, is_main in done)
    assert all(done.index(("reported", n, True)) > done.index(("written", n, False)) for n in range(5))


def test_no_more_jobs_are_in_memory_than_said() -> None:
    """One more waits in its owner's thread until the first is done."""
    release, begun = threading.Event(), threading.Event()
    with BackgroundWriter() as writer:
        writer.submit(lambda: begun.set() or release.wait(5))
        begun.wait(5)
        for _ in range(MOST_JOBS - 1):
            writer.submit(lambda: None)
        began = time.monotonic()
        threading.Timer(0.1, release.set).start()
        writer.submit(lambda: None)
        assert time.monotonic() - began > 0.05


def test_an_error_is_raised_by_the_next_call_once() -> None:
    with BackgroundWriter() as writer:
        reported: list[int] = []
        writer.submit(fail, lambda: reported.append(1))
        with pytest.raises(RunError, match="no space"):
            writer.wait()
        writer.wait()
        writer.submit(fail)
        while not writer._jobs[0].written.done():
            time.sleep(0.001)
        with pytest.raises(RunError, match="no space"):
            writer.submit(lambda: reported.append(2))
        with pytest.raises(RunError, match="no space"):
            writer.submit(fail)
            time.sleep(0.05)
            writer.poll()
    assert reported == [], "nothing is reported that was not written"


def test_the_context_raises_an_error_or_logs_it_beside_another(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(RunError, match="no space"), BackgroundWriter() as writer:
        writer.submit(fail)
    written: list[int] = []
    with (
        caplog.at_level(logging.WARNING, "gans"),
        pytest.raises(ValueError, match="other"),
        BackgroundWriter() as writer,
    ):
        writer.submit(lambda: time.sleep(0.05) or fail())
        writer.submit(lambda: written.append(1))
        raise ValueError("other")
    assert caplog.messages == ["no space left"]
    assert written == [1], "it ends when everything is written"
