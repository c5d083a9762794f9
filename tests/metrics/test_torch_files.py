"""Files of torch.save: read as torch reads them, and never into more memory than they have bytes."""

import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from metrics.core.nested_values import check_tree_size
from metrics.core.torch_files import load_torch_file
from tests.commands.helpers import little_memory
from tests.conftest import ROOT

OLD = sorted((ROOT / "tests/old_runs").glob("*/checkpoints/*.pt"))
LARGE = 2**28  # bytes: four times what `little_memory` leaves
CONTENT = {
    "float": torch.randn(3, 4),
    "turned": torch.randn(3, 4).T,
    "part": torch.arange(10)[2:5],
    "empty": torch.zeros(0, 2),
    "number": torch.tensor(3),
    "half": torch.ones(3).half(),
    "bool": torch.tensor([True, False]),
    "parameter": nn.Parameter(torch.randn(2).bfloat16()),
    "network": nn.Linear(2, 2).state_dict(),
    "plain": [1, 2.5, None, True, "text", b"bytes", (0.5, (0.9, 0.99)), {3}, torch.Size([1]), torch.float32],
}


def same(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor):
        return a.dtype == b.dtype and a.stride() == b.stride() and torch.equal(a, b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return bool(a == b) and type(a) is type(b)


@pytest.mark.parametrize("file", OLD, ids=lambda file: file.parent.parent.name)
def test_checkpoints_are_read_as_torch_reads_them(file: Path) -> None:
    with file.open("rb") as stream:
        assert same(torch.load(file, weights_only=True), load_torch_file(stream))


@pytest.mark.parametrize("is_archive", [True, False], ids=["archive", "before 1.6"])
def test_all_that_state_dicts_hold(is_archive: bool) -> None:
    found = load_torch_file(saved(CONTENT, is_archive))
    assert same({k: v.data if isinstance(v, nn.Parameter) else v for k, v in CONTENT.items()}, found)
    assert found["network"]._metadata == CONTENT["network"]._metadata  # type: ignore[attr-defined]
    shared = torch.randn(5)
    one, other = load_torch_file(saved([shared, shared[1:]], is_archive))
    one[1] = 7
    assert other[0] == 7, "views of one storage stay so"


def saved(content: object, is_archive: bool = True) -> io.BytesIO:
    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=is_archive)
    return file


def deflated() -> io.BytesIO:
    """Entries that torch never writes: of 256 KiB, and 256 MiB when they are read."""
    file = io.BytesIO()
    with zipfile.ZipFile(saved({"x": torch.zeros(LARGE // 4)})) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name), zipfile.ZIP_DEFLATED)
    return file


def claiming() -> io.BytesIO:
    """Entries that the directory says are larger than the file."""
    content = bytearray(saved({"x": torch.zeros(4)}).getvalue())
    start = content.index(b"PK\1\2")
    content[start + 20 : start + 28] = (LARGE).to_bytes(4, "little") * 2
    return io.BytesIO(content)


class Call:
    """An object that unpickling makes by a call."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


def tensor_of(size: tuple[int, ...], stride: tuple[int, ...], offset: int = 0) -> Call:
    numbers = torch.zeros(4).untyped_storage()
    storage = torch.storage.TypedStorage(wrap_storage=numbers, dtype=torch.float32, _internal=True)
    return Call(torch._utils._rebuild_tensor_v2, storage, offset, size, stride, False, {})


def laughs() -> list[Any]:
    """A list of 2^60 entries, in less than a kilobyte."""
    content: list[Any] = []
    for _ in range(60):
        content = [content, content]
    return content


def slow_key() -> dict[Any, int]:
    """A key that is 2^60 tuples, whose hash no machine finishes."""
    key: Any = ()
    for _ in range(3):  # its own hash must be found here
        key = (key, key)
    return {key: 1}


def within_itself() -> list[Any]:
    content: list[Any] = []
    content.append(content)
    return content


def deep() -> io.BytesIO:
    pickled = b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b"."
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
    return file


BOMBS: dict[str, Callable[[], io.BytesIO]] = {
    "deflated": deflated,
    "claiming": claiming,
    "deep": deep,
    "beyond its storage": lambda: saved(tensor_of((LARGE,), (1,))),
    "before its storage": lambda: saved(tensor_of((2,), (1,), -4)),
    "one number over and over": lambda: saved(torch.zeros(1).expand(LARGE)),
    "bytearray": lambda: saved(Call(bytearray, LARGE)),
    "laughs": lambda: saved(laughs()),
    "slow key": lambda: saved(slow_key()),
    "within itself": lambda: saved(within_itself()),
    "a class": lambda: saved(Call(Path, "x")),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_are_refused_before_they_take_memory(bomb: str) -> None:
    file = BOMBS[bomb]()
    with little_memory(), pytest.raises((ValueError, pickle.UnpicklingError)):
        load_torch_file(file)


@pytest.mark.parametrize("is_archive", [True, False])
def test_cut_files_are_refused(is_archive: bool) -> None:
    content = saved({"x": torch.randn(50)}, is_archive).getvalue()
    for end in range(0, len(content), 50):
        with pytest.raises(Exception):  # noqa: B017  (of zip files and pickles: anything)
            load_torch_file(io.BytesIO(content[:end]))


def test_sizes_are_those_of_trees() -> None:
    assert check_tree_size([1, (2, 3), {"a": [4]}], 100) == 9
    assert check_tree_size([torch.zeros(3)] * 2, 100, lambda leaf: 12) == 27
    shared = [1, 2]
    assert check_tree_size([shared, shared], 100) == 7
    for content in (laughs(), within_itself()):
        with pytest.raises(ValueError):
            check_tree_size(content, 1e15)
