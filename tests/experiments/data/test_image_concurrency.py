"""Threads and processes that read one image set: what they get, and the cache that they fill together."""

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from experiments.data.core import image_files
from tests.experiments.data.helpers import fetched, make, opened

pytestmark = pytest.mark.usefixtures("image_cache")


def test_fetch_works_from_many_threads(tmp_path: Path, large: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_files, "WINDOW", 9)  # several in a batch
    pixels = make(tmp_path, 40)
    data = opened(tmp_path)
    orders = [torch.randperm(40, generator=torch.Generator().manual_seed(n))[:30] for n in range(24)]
    with ThreadPoolExecutor(8) as pool:
        for order, samples in zip(orders, pool.map(data.fetch, orders), strict=True):
            assert torch.equal(samples, pixels[order])


def test_errors_reach_the_thread_that_fetches(tmp_path: Path, large: None) -> None:
    """The first in the order asked for, whichever fails first; and the set goes on working."""
    pixels = make(tmp_path, 20)
    for number in (4, 11):
        (tmp_path / f"{number:03}.png").write_text("<html>")
    data = opened(tmp_path, "crop")
    with ThreadPoolExecutor(1) as pool:
        failed = pool.submit(data.fetch, torch.arange(19, -1, -1))
        with pytest.raises(ValueError, match=r"011\.png is not an image"):
            failed.result()
    assert torch.equal(data.fetch(torch.arange(3)), pixels[:3])


def in_a_fork(work: Callable[[], bool]) -> int:
    """Starts `work` in a forked process, whose status is 0 when it says yes."""
    child = os.fork()
    if child:
        return child
    signal.alarm(30)  # a child that waits for threads left behind in its parent ends with a status of its own
    status = 1
    try:
        status = 0 if work() else 1
    finally:
        os._exit(status)


def status_of(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_two_processes_fill_one_cache(tmp_path: Path, large: None, decoded: list[str]) -> None:
    pixels = make(tmp_path, 60)
    data = opened(tmp_path)
    data.fetch(torch.arange(8))
    backwards = torch.arange(59, -1, -1)
    children = [
        in_a_fork(lambda: torch.equal(fetched(opened(tmp_path)), pixels)),
        in_a_fork(lambda: torch.equal(opened(tmp_path).fetch(backwards), pixels[backwards])),
    ]
    assert torch.equal(fetched(data), pixels)
    assert [status_of(child) for child in children] == [0, 0]
    decoded.clear()
    assert torch.equal(fetched(opened(tmp_path)), pixels)
    assert decoded == []


def test_a_kill_leaves_a_cache_that_is_right(
    tmp_path: Path, large: None, image_cache: Path, decoded: list[str]
) -> None:
    pixels = make(tmp_path, 200)
    opened(tmp_path)

    def fill() -> bool:
        data = opened(tmp_path)
        for index in range(200):
            data.fetch(torch.tensor([index]))
            time.sleep(0.01)
        return True

    child = in_a_fork(fill)
    (kept,) = image_cache.glob("*.checksums")
    while kept.stat().st_size < 4 * 20:
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    assert status_of(child) == -signal.SIGKILL
    assert torch.equal(fetched(opened(tmp_path)), pixels)
    assert 0 < len(decoded) <= 180
