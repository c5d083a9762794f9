"""Hostile snapshots: nothing in them runs, nothing is written, little memory is taken."""

import io
import pickle
import struct
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.commands.helpers import Refused, little_memory
from tests.experiments.runs.published.r3gan_snapshots import authors_modules
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
    "subprocess.Popen": b"csubprocess\nPopen\n)\x81}b",
    "torch.nn.modules.module.Module": b"ctorch.nn.modules.module\nModule\n)\x81}b",
    "R3GAN.Networks.math": b"cR3GAN.Networks\nmath\n)\x81}b",
    "R3GAN.Networks.Generator.__init__": named("R3GAN.Networks", "Generator.__init__"),
    "training.networks.copy": named("training.networks", "copy"),
    "builtins.set.__class__": b"\x93".join([text("builtins") + text("set.__class__"), b")R"]),
}
MODULE = b"ctraining.networks\nGenerator\n)\x81"  # an object of a plain module
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
    "NEWOBJ of a plain module with arguments": b"ctraining.networks\nGenerator\nK\x01\x85\x81",
    "NEWOBJ of an object": MODULE + b")\x81",
    "NEWOBJ of a type of numbers": b"ctorch\nfloat32\n)\x81",
    "NEWOBJ_EX of a plain module": b"ctraining.networks\nGenerator\n)}\x92",
    "INST of a plain module": b"X\x01\x00\x00\x00a(itraining.networks\nGenerator\n",
    "a plain module called": b"ctraining.networks\nGenerator\n)R",
    "a type of numbers called": b"ctorch\nfloat32\nK\x01\x85R",
    "BUILD of a class": b"ctraining.networks\nGenerator\n}b",
    "BUILD without attributes": MODULE + b"Nb",
    "BUILD with slots": MODULE + b"}}\x86b",
    "BUILD with a list": MODULE + b"]b",
    "BUILD a second time": MODULE + b"}X\x01\x00\x00\x00aNsb}b",
    "BUILD with a key of a tuple": MODULE + b"})Nsb",
    "a plain module as a dictionary": MODULE + b"X\x01\x00\x00\x00aNs",
    "a plain module as arguments": b"ccollections\nOrderedDict\n" + MODULE + b"R",
    "attributes within themselves": MODULE + b"}q\x01X\x01\x00\x00\x00ah\x01sb",
    "a plain module within itself": MODULE + b"q\x01}X\x01\x00\x00\x00ah\x01sb",
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
    began = time.process_time()
    yield
    assert {path.name for path in workplace.iterdir()} <= {"s.pkl", "cache", "config"}
    assert time.process_time() - began < 10


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


def test_words_that_python_knows_are_attributes_like_others(refused: Refused) -> None:
    state = b"}(" + b"".join(text(f"__{word}__") + MODULE for word in ("setstate", "class", "reduce")) + b"u"
    Path("s.pkl").write_bytes(START + MODULE + state + b"b" + END)
    refused(2, ("no network with weights",), "import s.pkl --out here")


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


def deep_plain_modules(depth: int) -> bytes:
    """Plain modules within one another."""
    return (MODULE + b"}" + text("_modules") + b"}" + text("a")) * depth + b"N" + b"ssb" * depth


def copied_attributes(copies: int) -> bytes:
    """Plain modules, each with the same thousand attributes."""
    attributes = b"}q\x01(" + b"".join(text(str(number)) + b"N" for number in range(1_000)) + b"u0"
    return attributes + b"](" + (MODULE + b"h\x01b") * copies + b"e"


def one_module_a_thousand_times() -> bytes:
    """A plain module of 64 kB under a thousand names."""
    with authors_modules():
        stage: Any = sys.modules["R3GAN.Networks"].GeneratorStage()  # type: ignore[attr-defined]
        stage.weight = torch.nn.Parameter(torch.ones(16_000))
        whole: Any = sys.modules["training.networks"].Generator()  # type: ignore[attr-defined]
        whole._modules = dict.fromkeys(map(str, range(1_000)), stage)
        return pickle.dumps(whole, 3)[2:-1]


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
    "plain modules as deep as they are many": lambda: deep_plain_modules(5_000),
    "attributes of many plain modules": lambda: copied_attributes(5_000),
    "one plain module a thousand times": one_module_a_thousand_times,
    "many plain modules": lambda: (
        b"](" + (b"ctraining.networks\nGenerator\nq\x010" + b"h\x01)\x81" * 300_000) + b"e"
    ),
    "many sets": lambda: [set() for _ in range(250_000)],
    "many dictionaries": lambda: [OrderedDict() for _ in range(200_000)],
}


REASONS = ("far more than it holds", "nested too deeply", "has a name that cannot be")


@pytest.mark.parametrize("what", BOMBS)
def test_bombs(what: str, refused: Refused) -> None:
    value = BOMBS[what]()
    with official_modules():
        content = value if isinstance(value, bytes) else pickle.dumps(value, 3)[2:-1]
    Path("s.pkl").write_bytes(START + content + END)
    with little_memory():
        line = refused(2, ("s.pkl",), "import s.pkl --out here")
    assert any(reason in line for reason in REASONS), "it was told by its claims, not by what it took"


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
