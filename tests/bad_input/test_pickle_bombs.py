"""Pickles that take memory or time for what they do not hold, in each reader of pickles."""

import io
import pickle
import struct
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from experiments.data.core import cifar
from metrics.core import pickles
from metrics.core.torch_files import LEGACY_MAGIC, LEGACY_PROTOCOL, load_torch_file
from tests.commands.helpers import little_memory

LATIN1 = b"X\x06\0\0\0latin1"
TWICE = b"q\x00h\x00\x86"  # a tuple of the last value, twice
MANY = b")" + TWICE * 60  # 2^60 tuples within one another
CALLS = b"q\x010](" + b"h\x00h\x01R" * 5000 + b"e."  # of what was remembered first, with the last value
EACH = b"h\x00Ns" * 20_000  # the value that was remembered, as a key


def claim(code: bytes, form: str, size: int) -> bytes:
    return b"\x80\x05" + code + struct.pack(form, size) + b"."


def text(size: int) -> bytes:
    return b"X" + struct.pack("<I", size) + b"x" * size


BOMBS = {
    "bytearray": claim(pickle.BYTEARRAY8, "<Q", 8 * 10**8),
    "bytes": claim(pickle.BINBYTES8, "<Q", 8 * 10**8),
    "fewer bytes": claim(pickle.BINBYTES, "<I", 8 * 10**8),
    "text": claim(pickle.BINUNICODE8, "<Q", 8 * 10**8),
    "fewer text": claim(pickle.BINUNICODE, "<I", 8 * 10**8),
    "text of Python 2": claim(pickle.BINSTRING, "<i", 8 * 10**8),
    "number": claim(pickle.LONG4, "<i", 8 * 10**8),
    "frame": claim(pickle.FRAME, "<Q", 8 * 10**8),
    "place in the memo": b"\x80\x02Nr\xff\xff\xff\x7f]" + b"Na" * 9 + b"h\x00.",
    "buffer": b"\x80\x05\x97.",
    "buffer to read": b"\x80\x05N\x98.",
    "large key": b"\x80\x02(" + b"K\x01" * 20_000 + b"tq\x000}" + EACH + b".",
    "large number": b"\x80\x02L0x" + b"f" * 200_000 + b"L\nq\x000}" + EACH + b".",
    "keys of one hash": b"\x80\x02}("
    + b"".join(b"\x8a\x0a" + ((2**61 - 1) * n).to_bytes(10, "little") + b"N" for n in range(40_000))
    + b"u.",
    "slow key": b"\x80\x02}" + MANY + b"Ns.",
    "slow keys": b"\x80\x02}(" + MANY + b"Nu.",
    "slow key of protocol 0": b"(" + MANY + pickle.NONE + pickle.DICT + pickle.STOP,
    "slow key of a set": b"\x80\x04\x8f(" + MANY + b"\x90.",
    "slow key of a frozen set": b"\x80\x04(" + MANY + b"\x91.",
    "slow key of a set that is called for": b"\x80\x02c__builtin__\nset\n]" + MANY + b"a\x85R.",
    "slow key of an ordered dict": b"\x80\x02ccollections\nOrderedDict\n]]" + MANY + b"aNaa\x85R.",
    "same text": b"\x80\x02c_codecs\nencode\nq\x00" + text(10**5) + LATIN1 + b"\x86" + CALLS,
    "same set": b"\x80\x02c__builtin__\nset\nq\x00](" + b"K\x01" * 10**4 + b"e\x85" + CALLS,
    "many sets": b"\x80\x04](" + b"\x8f" * 500_000 + b"e.",
    "many memories": b"\x80\x04N" + b"\x94" * 500_000 + b".",
    "many calls": b"\x80\x02ccollections\nOrderedDict\nq\x00](" + b"h\x00)R" * 50_000 + b"e.",
    "an item of a list": b"\x80\x02]NaK\x00" + MANY + b"s.",
    "an encoding that fills the screen": b"\x80\x02c_codecs\nencode\nX\0\0\0\0" + MANY + b"\x86R.",
    "a name": b"\x80\x02cbuiltins\n" + b"x" * 10**6 + b"\n.",
    "duplicates": b"\x80\x02]" + b"2a" * 60 + b".",
    "an object": b"\x80\x02cbuiltins\nobject\n)\x81.",
    "an instance": b"(ibuiltins\nobject\n.",
    "an extension": b"\x80\x02\x82\x01.",
}  # fmt: skip
ARRAY_BOMBS = {
    "same array": b"\x80\x02cnumpy\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87Rq\x00](h\x00(K\x01J"
    + struct.pack("<i", 10**5)
    + b"\x85cnumpy\ndtype\nX\x02\0\0\0u1\x85R\x89"
    + text(10**5)
    + b"tq\x01b0("
    + b"cnumpy\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87Rh\x01b" * 1000
    + b"e.",
    "numbers of a list": b"\x80\x02cnumpy\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87RK\x00"
    + MANY
    + b"s.",
    "a type of types": b"\x80\x02cnumpy\ndtype\n" + MANY + b"\x85R.",
    "an array of types": b"\x80\x02cnumpy\n_frombuffer\n(X\0\0\0\0" + MANY + b")X\x01\0\0\0CtR.",
}


def read_plain(content: bytes, folder: Path) -> Any:
    return pickles.PlainUnpickler(io.BytesIO(content)).load()


def read_tensors(content: bytes, folder: Path) -> Any:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", content)
    return load_torch_file(file)


def read_tensors_of_old(content: bytes, folder: Path) -> Any:
    start = [pickle.dumps(part, 2) for part in (LEGACY_MAGIC, LEGACY_PROTOCOL, {"little_endian": True})]
    return load_torch_file(io.BytesIO(b"".join(start) + content + pickle.dumps([], 2)))


def read_arrays(content: bytes, folder: Path) -> Any:
    (folder / "pickled").write_bytes(content)
    return cifar.load_plain_pickle(folder / "pickled")


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each ends soon, and within less memory than a pickle may take, for the suite's sake."""
    monkeypatch.setattr(pickles, "MOST_MEMORY", 24 * 2**20)
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("read", [read_plain, read_tensors, read_tensors_of_old, read_arrays])
def test_bombs_are_refused(read: Callable[[bytes, Path], Any], bomb: str, tmp_path: Path) -> None:
    with little_memory(), pytest.raises((ValueError, pickle.UnpicklingError)) as refusal:
        read(BOMBS[bomb], tmp_path)
    assert len(str(refusal.value)) < 1000
    if BOMBS[bomb].startswith(b"\x80\x05") and len(BOMBS[bomb]) > 6 and bomb != "number":
        assert "claims more bytes than it has" in str(refusal.value)


@pytest.mark.parametrize("bomb", ARRAY_BOMBS)
def test_bombs_of_arrays_are_refused(bomb: str, tmp_path: Path) -> None:
    reason = "far more than it holds" if bomb == "same array" else "it asks for|it builds"
    with little_memory(), pytest.raises(ValueError, match=reason):
        read_arrays(ARRAY_BOMBS[bomb], tmp_path)


@pytest.mark.parametrize("keys", [b"\x80\x02]" + MANY + b"a.", b"\x80\x02" + MANY + b"."])
def test_names_of_storages_that_are_none(keys: bytes, tmp_path: Path) -> None:
    start = [pickle.dumps(part, 2) for part in (LEGACY_MAGIC, LEGACY_PROTOCOL, {"little_endian": True}, None)]
    with little_memory(), pytest.raises(ValueError, match="its storages have no names"):
        load_torch_file(io.BytesIO(b"".join(start) + keys))


def test_directories_of_archives_are_bounded() -> None:
    """Each entry of 50 bytes takes 700; torch's have as many as there are storages."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(None, 2))
    content = file.getvalue()
    start, end = content.index(b"PK\1\2"), content.index(b"PK\5\6")
    entry = content[start:end]
    entries = entry * (20 * 2**20 // len(entry))
    tail = content[end : end + 12] + struct.pack("<II", len(entries), start) + content[end + 20 :]
    with little_memory(), pytest.raises(ValueError, match="its directory has more than 16,777,216 bytes"):
        load_torch_file(io.BytesIO(content[:start] + entries + tail))


VALUES = [
    *(None, True, False, 0, -1, 2**31, -(2**40), 2**200, 1.5, float("inf"), "", "text", "Ünï", b"", b"\xff"),
    *(
        [],
        [[]],
        (),
        ((1,), [2]),
        {"a": {1: [2.5]}, b"b": ()},
        {1, 2},
        set(),
        bytearray(b"abc"),
        [b"x" * 10**5],
    ),
]


@pytest.mark.parametrize("protocol", range(6))
def test_plain_values_of_every_protocol_are_read(protocol: int, tmp_path: Path) -> None:
    for value in VALUES:
        if b"builtin" in (pickled := pickle.dumps(value, protocol)):  # names that the base does not know
            continue
        found = read_plain(pickled, tmp_path)
        assert found == value and type(found) is type(value)
    shared = ["once"]
    one, other = read_plain(pickle.dumps([shared, shared], protocol), tmp_path)
    assert one is other


def test_values_of_python_2_are_read(tmp_path: Path) -> None:
    """Numbers of more than 32 bits as text, and text as bytes."""
    content = b"\x80\x02]q\x01(I140737488355328\nI01\nU\x03abcL5L\nF1.5\n\x8a\x05\x00\x00\x00\x00\x01e."
    assert read_plain(content, tmp_path) == [2**47, True, "abc", 5, 1.5, 2**32]


def test_what_a_pickle_may_take_grows_with_its_file(tmp_path: Path) -> None:
    """A file beyond the allowance is read, and a small one that describes as much is not."""
    long = pickle.dumps(b"x" * 32 * 2**20, 2)  # bytes as text, which is copied
    assert len(long) > pickles.MOST_MEMORY and read_plain(long, tmp_path) == pickle.loads(long)
    with pytest.raises(pickle.UnpicklingError, match="far more than it holds"):
        read_plain(BOMBS["many sets"], tmp_path)
