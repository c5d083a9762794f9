"""The processes of one command, started by torchrun: how they join, agree, and end together.

A process is known by its rank. What happens once, such as writing a file, is done by the first. With one
process everything here does nothing.
"""

import hashlib
import importlib
import logging
import os
import pickle
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import (
    AbstractContextManager,
    ExitStack,
    contextmanager,
    nullcontext,
    redirect_stdout,
    suppress,
)
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from experiments.core.console import describe_error
from experiments.core.errors import RunError, UsageError
from experiments.core.named_values import JsonObject
from gans.core.player import Scores
from losses.core.batch_parts import (
    WHOLE,
    BatchPart,
    map_tensors,
    process_part,
    set_process_part,
    whole_batches,
)
from losses.core.ranks import mean_over_ranks

log = logging.getLogger("gans")

Item = TypeVar("Item")
Result = TypeVar("Result")

SECONDS_TO_JOIN = 120.0
SECONDS_TO_CLAIM, PAUSE = 3.0, 0.02
SECONDS_TO_WAIT = 3600.0  # for what one process does while the others wait
LOST = "a process of this run was lost; the same command, or torchrun's restart, goes on from its checkpoint"
CUT = re.compile(
    r"connection (closed|reset)|closed by peer|timed out|timeout|broken pipe|remote process", re.I
)
CLAIMS = "claims"  # key of the number of processes that have failed
_by_itself = False  # whether this process does what no other may wait for
_store: PrefixStore | None = None  # through which the processes can still talk where one of them is lost


def is_first() -> bool:
    """Whether this is the process that writes, tracks and prints."""
    return process_part().index == 0


def processes_here() -> int:
    """Number of the processes that compute together on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1")) if process_part().count > 1 else 1


@contextmanager
def joined_processes() -> Iterator[None]:
    """Context in which the processes that torchrun has started compute together.

    Raises RunError where they do not find each other, and where one of them is lost.
    """
    global _store
    rank, count = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    # Imported while there is a group, as by an optimizer, it would keep that in default arguments. Threads of
    # a group that is still there as Python ends abort the process, now and then.
    importlib.import_module("torch.distributed.nn.functional")
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", rank)) % torch.cuda.device_count())
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    try:
        found = rendezvous("env://", timeout=timedelta(seconds=SECONDS_TO_JOIN))
        store, rank, count = next(iter(found))
        store = _fresh_store(store, rank, count)
        _store = PrefixStore("gans", store)
        dist.init_process_group(
            backend,
            store=PrefixStore("engine", store),
            rank=rank,
            world_size=count,
            timeout=timedelta(seconds=SECONDS_TO_WAIT),
        )
    except (RuntimeError, ValueError) as error:
        raise RunError(f"the {count} processes do not find each other: {error}") from error
    set_process_part(BatchPart(rank, count))
    leave_together = False
    try:
        with _silence() if rank > 0 else nullcontext():
            yield
        leave_together = True
    except SystemExit:  # all leave so, as after Ctrl-C
        leave_together = True
        raise
    except RuntimeError as error:
        if is_loss(error):
            raise RunError(LOST) from error
        raise
    finally:
        set_process_part(WHOLE)
        if leave_together or not torch.cuda.is_available():  # NCCL would wait for the others
            dist.destroy_process_group()


def _fresh_store(store: Store, rank: int, count: int) -> Store:
    """The part of a store that belongs to the processes that are here now.

    After a restart by torchrun it still has the addresses of those of before, and machines count restarts
    each for itself. So the first process answers a number that each of the others has just drawn with one of
    its own, until all have met it.

    Raises RuntimeError where that takes too long.
    """
    own = uuid4().hex
    if rank > 0:
        store.set(f"drawn by {rank}", own)
        first = store.get(f"answer to {own}").decode()  # waits for it
        store.set(f"{first} met by {rank}", "")
        return PrefixStore(first, store)
    others, end = set(range(1, count)), time.monotonic() + SECONDS_TO_JOIN
    while others:
        for other in sorted(others):
            if store.check([f"{own} met by {other}"]):
                others.remove(other)
            elif store.check([f"drawn by {other}"]):
                store.set(f"answer to {store.get(f'drawn by {other}').decode()}", own)
        if time.monotonic() > end:
            raise RuntimeError(f"{len(others)} are missing")
        time.sleep(0.01 if others else 0)
    return PrefixStore(own, store)


@contextmanager
def _silence() -> Iterator[None]:
    """Context in which a process prints nothing but errors."""
    log.setLevel(logging.ERROR)
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        yield


def is_loss(error: BaseException) -> bool:
    """Whether an error tells that another process is gone, in the engine's words."""
    words = str(error)
    is_engines = isinstance(error, dist.DistError) or "gloo" in words or "NCCL" in words
    return is_engines and CUT.search(words) is not None


def claim_error_line(line: str) -> bool:
    """Whether no other process has told this line; of equal errors one line is enough."""
    if _store is None:
        return True
    try:
        is_claimed = _store.add(hashlib.sha256(line.encode()).hexdigest(), 1) == 1
        _store.add(CLAIMS, 1)
        return is_claimed
    except RuntimeError:  # the process that keeps the store is gone
        return True


def await_claims() -> None:
    """Waits a moment in the first process, with which the store ends: others that fail alike claim lines."""
    if _store is None or os.environ.get("RANK") != "0":
        return
    end = time.monotonic() + SECONDS_TO_CLAIM
    with suppress(RuntimeError):
        while _store.add(CLAIMS, 0) < int(os.environ["WORLD_SIZE"]) and time.monotonic() < end:
            time.sleep(PAUSE)


def any_over_ranks(asks: bool) -> bool:
    """Whether any process asks for something, such as to stop."""
    if process_part().count == 1:
        return asks
    votes = torch.tensor(int(asks))
    dist.all_reduce(votes)
    return bool(votes)


def min_over_ranks(number: int) -> int:
    """The least of the numbers that the processes have."""
    if process_part().count == 1:
        return number
    least = torch.tensor(number)
    dist.all_reduce(least, dist.ReduceOp.MIN)
    return int(least)


def from_first(make: Callable[[], Result]) -> Result:
    """Makes something in the first process; all get it, or the error that it was."""
    if process_part().count == 1:
        return make()
    _check_others_come()
    made: list[Any] = [None]
    with agreement():
        if is_first():
            made[0] = make()
    dist.broadcast_object_list(made)
    found: Result = made[0]
    return found


@contextmanager
def agreement() -> Iterator[None]:
    """Context that ends alike for all processes: where it fails in one, all raise the error of the first.

    Nothing within it may wait for other processes.
    """
    global _by_itself
    if process_part().count == 1:
        yield
        return
    _check_others_come()
    own: Exception | None = None
    _by_itself = True
    try:
        yield
    except Exception as error:
        own = error
    finally:
        _by_itself = False
    if any_over_ranks(own is not None):
        errors: list[Exception | None] = [None] * process_part().count
        dist.all_gather_object(errors, _as_sent(own))
        failed = next(rank for rank, error in enumerate(errors) if error is not None)
        if failed == process_part().index and own is not None:
            raise own
        raise errors[failed] or RunError(LOST)


def _as_sent(error: Exception | None) -> Exception | None:
    """The error as it can be sent to other processes: itself, or else its description."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # what is in it is anyone's
        return RunError(describe_error(error)) if error else None
    return error


def _check_others_come() -> None:
    """Checks that this process may wait for the others. Raises RuntimeError within an agreement."""
    if _by_itself:
        raise RuntimeError("a process waits for others within an agreement, where they may not come")


def check_alike(values: JsonObject) -> None:
    """Checks that values are the same in all processes, such as the data of all machines.

    Raises UsageError for the first that differs.
    """
    first = from_first(lambda: values)
    with agreement():
        for name, value in values.items():
            if value != first[name]:
                raise UsageError(f"the processes have other {name}: {value} and {first[name]}")


@contextmanager
def entered_by_first(context: Callable[[], AbstractContextManager[Any]]) -> Iterator[None]:
    """Context that the first process enters, such as the lock of a folder; an error of it is that of all."""
    with ExitStack() as stack:
        with agreement():
            if is_first():
                stack.enter_context(context())
        yield


def first_on_each_machine(make: Callable[[], Result]) -> Result:
    """Makes something in each process, first in one of every machine, so that the others find its files."""
    if process_part().count == 1:
        return make()
    is_early, made = os.environ.get("LOCAL_RANK", "0") == "0", list[Result]()
    for turn in (True, False):
        with agreement():
            if is_early is turn:
                made.append(make())
    return made[0]


def share_out(compute: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Computes something of each item, the processes in turn; yields all results to all, in the items' order.

    All processes must ask for all results, which come on the CPU.
    """
    part = process_part()
    if part.count == 1:
        yield from map(compute, items)
        return
    _check_others_come()
    left = iter(items)
    while turn := list(islice(left, part.count)):
        found: list[Any] = [None] * part.count
        with agreement(), whole_batches():
            own = map_tensors(Tensor.cpu, compute(turn[part.index])) if part.index < len(turn) else None
        dist.all_gather_object(found, own)
        yield from found[: len(turn)]


def average_scores(scores: Scores) -> Scores:
    """Averages scalars over all processes; each computes them for its samples."""
    if process_part().count == 1 or not scores:
        return scores
    device = list(scores.values())[-1].device
    means = mean_over_ranks(torch.stack([value.to(device, torch.float64) for value in scores.values()]))
    return {name: mean.to(value.dtype) for (name, value), mean in zip(scores.items(), means, strict=True)}
