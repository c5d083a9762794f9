"""Hostile snapshots: nothing in them runs, nothing is written, little memory is taken."""

import io
import pickle
import struct
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.commands.helpers import Refused, little_memory
from tests.experiments.runs.published.snapshots import (
    Persistent,
    generator,
    numbers_of,
    official_modules,
    persistent,
    write_snapshot,
)
from tests.gans.published.numbers import FOLDER

START = b"\x80\x03}(X\x01\x00\x00\x00G"  # a dictionary, whose first value is to follow
END = b"u."


def named(module: str, name: str, argument: bytes = b"X\x0b\x00\x00\x00touch PWNED") -> bytes:
    """A call of a name with one argument."""
    return b"c" + f"{module}\n{name}\n".encode() + argument + b"\x85R"


def text(words: str) -> bytes:
    return b"X" + struct.pack("<I", len(words)) + words.encode()


CALLS = {
    "os.system": named("os", "system"),
    "builtins.eval": named("builtins", "eval"),
    "builtins.getattr": named("builtins", "getattr"),
    "torch.load": named("torch", "load"),
    "torch._utils._import_dotted_name": named("torch._utils", "_import_dotted_name"),
    "torch.serialization.load": named("torch.serialization", "load"),
    "torch.storage.UntypedStorage": named("torch.storage", "UntypedStorage", b"J\xff\xff\xff\x7f"),
    "torch_utils.persistence.import_hook": named("torch_utils.persistence", "import_hook"),
    "dnnlib.util.call_func_by_name": named("dnnlib.util", "call_func_by_name"),
    "numpy.load": named("numpy", "load"),
    "builtins.set.__class__": b"\x93".join([text("builtins") + text("set.__class__"), b")R"]),
}
OPERATIONS = {
    "INST": b"(X\x01\x00\x00\x00aios\nsystem\n",
    "OBJ": b"(cbuiltins\nset\no",
    "EXT1": b"\x82\x01",
    "PERSID": b"Pa\n",
    "BINPERSID": b"X\x01\x00\x00\x00aQ",
    "BYTEARRAY8": b"\x96" + struct.pack("<Q", 1) + b"a",
    "NEXT_BUFFER": b"\x97",
    "FROZENSET": b"(K\x01\x91",
    "NEWOBJ_EX": b"cdnnlib.util\nEasyDict\n)}\x92",
    "NEWOBJ of a function": b"cbuiltins\nset\n)\x81",
    "EasyDict called": b"cdnnlib.util\nEasyDict\n)R",
    "BUILD of a dictionary": b"}}b",
    "a call of a number": b"K\x01)R",
    "a key of a tuple": b"}K\x01\x85K\x01s",
    "bytes of a terabyte": b"\x8e" + struct.pack("<Q", 2**40),
    "text of a terabyte": b"\x8d" + struct.pack("<Q", 2**40),
    "an unknown operation": b"\xf0",
    "a type of objects": b"cnumpy\ndtype\nX\x01\x00\x00\x00O\x85R",
    "a number without bytes": b"cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\n"
    b"X\x02\x00\x00\x00f8\x85RC\x01a\x86R",
    "an object without state": b"ctorch_utils.persistence\n_reconstruct_persistent_obj\n}\x85R",
    "a cut": b"X\xff\x00\x00\x00a",
}


def storage(content: bytes) -> bytes:
    """A tensor whose storage is these bytes."""
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n(ctorch.storage\n_load_from_bytes\n"
        b"B"
        + struct.pack("<I", len(content))
        + content
        + b"\x85RK\x00K\x01\x85K\x01\x85\x89ccollections\nOrderedDict\n)RtR"
    )


def saved(value: object) -> bytes:
    file = io.BytesIO()
    torch.save(value, file, _use_new_zipfile_serialization=False)
    return file.getvalue()


class Evil:
    """An object whose pickle is a call."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("PWNED"),)


STORAGES = {
    "a command in a storage": lambda: saved(Evil()),
    "a list in the place of a storage": lambda: saved([1, 2]),
    "no storage": lambda: b"nothing",
    "a snapshot in a storage": lambda: START + b"K\x01" + END,
}


@pytest.fixture(autouse=True)
def _nothing_happens(workplace: Path) -> Any:
    began = time.monotonic()
    yield
    assert {path.name for path in workplace.iterdir()} <= {"s.pkl", "cache", "config"}
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("file", sorted(FOLDER.glob("hostile_*.pkl")), ids=lambda file: file.stem)
def test_the_files_of_the_fixtures(file: Path, refused: Refused) -> None:
    refused(2, (file.name, "it asks for "), f"import {file} --out here")


@pytest.mark.parametrize("name", CALLS)
def test_names_are_refused_by_name(name: str, refused: Refused) -> None:
    Path("s.pkl").write_bytes(START + CALLS[name] + END)
    refused(2, ("s.pkl cannot be read", f"it asks for {name}"), "import s.pkl --out here")


@pytest.mark.parametrize("what", OPERATIONS)
def test_other_operations_are_refused(what: str, refused: Refused) -> None:
    Path("s.pkl").write_bytes(START + OPERATIONS[what] + END)
    with little_memory():
        refused(2, ("s.pkl cannot be read as published weights: ",), "import s.pkl --out here")


@pytest.mark.parametrize("what", STORAGES)
def test_storages_hold_numbers(what: str, refused: Refused) -> None:
    Path("s.pkl").write_bytes(START + storage(STORAGES[what]()) + END)
    refused(2, ("s.pkl cannot be read as published weights: ",), "import s.pkl --out here")


def nested(levels: int, make: Callable[[Any], Any], value: Any) -> Any:
    for _ in range(levels):
        value = make(value)
    return value


def module(below: dict[str, Any], **parts: Any) -> Persistent:
    return Persistent("Module", {"_modules": below, **parts})


def deep_modules(depth: int) -> bytes:
    """Modules within one another, deeper than Python's own pickler goes."""
    meta = b"".join(text(word) + value for word, value in (("type", text("class")), ("version", b"K\x06")))
    begin = (
        b"ctorch_utils.persistence\n_reconstruct_persistent_obj\n}(" + meta + text("class_name") + text("M")
    )
    begin += text("state") + b"}" + text("_modules") + b"}" + text("a")
    return begin * depth + b"N" + b"ssu\x85R" * depth


def many_modules() -> Any:
    """Nine thousand modules, under which each has fifty with names of 199 characters."""
    below = nested(50, lambda value: module({"x" * 199: value}), module({}))
    return module({str(number): below for number in range(9_000)})


BOMBS: dict[str, Callable[[], Any]] = {
    "lists that hold one another": lambda: nested(60, lambda value: [value, value], []),
    "modules that hold one another": lambda: nested(
        60, lambda value: module({"a": value, "b": value}), module({})
    ),
    "modules as deep as they are many": lambda: deep_modules(5_000),
    "long names in many modules": many_modules,
    "a name of a megabyte": lambda: module({"x" * 2**20: module({})}),
    "many sets": lambda: [set() for _ in range(250_000)],
    "many dictionaries": lambda: [OrderedDict() for _ in range(200_000)],
}


@pytest.mark.parametrize("what", BOMBS)
def test_bombs(what: str, refused: Refused) -> None:
    value = BOMBS[what]()
    with official_modules():
        content = value if isinstance(value, bytes) else pickle.dumps(value, 3)[2:-1]
    Path("s.pkl").write_bytes(START + content + END)
    with little_memory():
        refused(2, ("s.pkl",), "import s.pkl --out here")


def test_tensors_lie_within_their_storages(refused: Refused) -> None:
    """A stride of 0 makes a terabyte of four bytes."""
    weights = numbers_of("generator").group("weights/")
    network = persistent("Generator", weights | {"mapping.fc0.weight": torch.ones(7, 11)}, {})
    content = write_snapshot(Path("s.pkl"), {"G_ema": network}).read_bytes()
    size = b"K\x07K\x0b\x86"
    assert content.count(size) == 1
    large = b"J" + struct.pack("<i", 2**30)
    Path("s.pkl").write_bytes(content.replace(size, large + large + b"\x86"))
    refused(2, ("reaches beyond its storage",), "import s.pkl --out here")
    end = content.index(size) + len(size)
    stride = content.index(b"K\x0bK\x01\x86", end)
    spread = content[: end - len(size)] + large + large + b"\x86" + content[end:stride] + b"K\x00K\x00\x86"
    Path("s.pkl").write_bytes(spread + content[stride + 5 :])
    with little_memory():
        refused(2, ("far more than it holds",), "import s.pkl --out here")


def test_the_source_of_a_module_is_not_looked_at(refused: Refused) -> None:
    """The writer of the tests puts a command there; here it is no text at all."""
    network = generator(numbers_of("generator"))
    network.meta["module_src"] = "open('PWNED', 'w')"
    write_snapshot(Path("s.pkl"), {"D": network, "E": network})
    refused(2, ("2 generators",), "import s.pkl --out here")
