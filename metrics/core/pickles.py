"""Pickles of plain values, read within bounds and without calling anything that they name.

Base of all readers of pickles that others made. Python's own `pickle.Unpickler` calls whatever a file names;
even where it may find nothing, it takes the memory that a file claims, and the time of hashing keys that
hold one another many times over.
"""

import io
import pickle
import struct
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO, ClassVar

Operation = Callable[[Any], None]

MOST_MEMORY = 384 * 2**20  # bytes that a pickle may take, beside `MEMORY_PER_BYTE` for each byte of its file
MEMORY_PER_BYTE = 2
# Bytes that an operation takes at most: most push a small value, others make a set, remember a value, call.
PUSH_BYTES, SET_BYTES, MEMO_BYTES, CALL_BYTES = 64, 256, 160, 1024
TRUSTED_READ = 2**16  # bytes that are read without a look at how many are left
KEY_TYPES = (str, bytes, int)  # their hashes take no longer than they are long
MOST_KEY = 2**60  # of an integer: different ones have different hashes
MOST_BITS = 2048  # of an integer
MOST_NAME = 200  # characters in an error


def refuse(*_: Any) -> None:
    """Refuses an operation that pickles of plain values do not have. Raises UnpicklingError."""
    raise pickle.UnpicklingError("it builds objects of its own")


class PlainUnpickler(pickle._Unpickler):
    """Unpickler of plain values: None, bool, int, float, text, bytes, lists, tuples, dicts and sets of them.

    Only the operations that these need are known, and no names: subclasses find more in `find_class`, extend
    `dispatch`, and call `spend` where what they make may be larger than what it is made from. Keys are text,
    bytes or integers. It is Python's own unpickler: the one in C takes the memory that a pickle claims.

    Args:
        file: holds the pickle, seekable.
        encoding: of the text in pickles of Python 2.
        most_memory: bytes that it may take beside those of the file; None for MOST_MEMORY.

    Raises whatever a damaged file makes of it: mostly `pickle.UnpicklingError`.
    """

    dispatch: ClassVar[dict[int, Operation]] = dict.fromkeys(pickle._Unpickler.dispatch, refuse)

    def __init__(self, file: BinaryIO, encoding: str = "utf-8", most_memory: int | None = None) -> None:
        bounded = _BoundedFile(file)
        super().__init__(bounded, encoding=encoding)
        self._left = (MOST_MEMORY if most_memory is None else most_memory) + MEMORY_PER_BYTE * bounded.size

    def spend(self, size: int) -> None:
        """Counts memory, in bytes, that the pickle takes. Raises UnpicklingError where it is too much."""
        self._left -= size
        if self._left < 0:
            raise pickle.UnpicklingError("it describes far more than it holds")

    def find_class(self, module: str, name: str) -> Any:
        """Finds what a pickle may call: here only how Python 3 writes bytes for Python 2."""
        if (module, name) == ("_codecs", "encode"):
            return _encode
        raise pickle.UnpicklingError(f"it asks for {f'{module}.{name}'[:MOST_NAME]}")


class _BoundedFile:
    """A file of which no more is read at once than it has."""

    def __init__(self, file: BinaryIO) -> None:
        start = file.tell()
        self.size = file.seek(0, io.SEEK_END)
        file.seek(start)
        self._file = file
        self.readline = file.readline

    def read(self, count: int) -> bytes:
        if count > TRUSTED_READ and count > self.size - self._file.tell():
            raise pickle.UnpicklingError("it claims more bytes than it has")
        content = self._file.read(count)
        if len(content) != count:
            raise pickle.UnpicklingError("it has been cut off")
        return content


def _encode(text: str, encoding: str) -> bytes:
    """Makes the bytes that a pickle holds as text."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError("it asks for another encoding than latin1")
    return text.encode("latin1")


def check_keys(keys: Iterable[object]) -> None:
    """Checks that the keys of a dict or set are text, bytes or integers. Raises UnpicklingError."""
    for key in keys:
        if type(key) not in KEY_TYPES or (isinstance(key, int) and abs(key) >= MOST_KEY):
            raise pickle.UnpicklingError("a key is neither text, bytes nor a small integer")


def _last(unpickler: Any, kind: type) -> Any:
    """The last value on the stack, to which something is added. Raises UnpicklingError for another type."""
    if not isinstance(unpickler.stack[-1], kind):
        refuse()
    return unpickler.stack[-1]


def _append(unpickler: Any) -> None:
    value = unpickler.stack.pop()
    _last(unpickler, list).append(value)


def _append_all(unpickler: Any) -> None:
    values = unpickler.pop_mark()
    _last(unpickler, list).extend(values)


def _set_item(unpickler: Any) -> None:
    value, key = unpickler.stack.pop(), unpickler.stack.pop()
    check_keys([key])
    _last(unpickler, dict)[key] = value


def _set_all_items(unpickler: Any) -> None:
    items = unpickler.pop_mark()
    check_keys(items[::2])
    _last(unpickler, dict).update(zip(items[::2], items[1::2], strict=True))


def _push_dict(unpickler: Any) -> None:
    items = unpickler.pop_mark()
    check_keys(items[::2])
    unpickler.append(dict(zip(items[::2], items[1::2], strict=True)))


def _add_all(unpickler: Any) -> None:
    values = unpickler.pop_mark()
    check_keys(values)
    _last(unpickler, set).update(values)


def _push_bytearray(unpickler: Any) -> None:
    """Reads a bytearray, which is made only once its bytes are there."""
    (size,) = struct.unpack("<Q", unpickler.read(8))
    unpickler.append(bytearray(unpickler.read(size)))


def _short(push: Operation) -> Operation:
    """Makes an operation that pushes an integer written as text, if it is not too long."""

    def push_short(unpickler: Any) -> None:
        push(unpickler)
        if unpickler.stack[-1].bit_length() > MOST_BITS:
            raise pickle.UnpicklingError("it holds a number that is too long")

    return push_short


def _call(unpickler: Any) -> None:
    """Calls what `find_class` has found; arguments count as if the result were a copy of them."""
    arguments = unpickler.stack.pop()
    if not isinstance(arguments, tuple):
        refuse()
    for argument in (arguments, *arguments):
        if isinstance(argument, str | bytes | bytearray):
            unpickler.spend(len(argument))
        elif isinstance(argument, tuple | list | dict | set):
            unpickler.spend(PUSH_BYTES * len(argument))
    unpickler.stack[-1] = unpickler.stack[-1](*arguments)


def counted(operation: Operation, size: int) -> Operation:
    """Makes an operation that first counts the memory that it takes, in bytes."""

    def perform(unpickler: Any) -> None:
        unpickler.spend(size)
        operation(unpickler)

    return perform


_BY_PYTHON = pickle._Unpickler.dispatch
_UNCHANGED = {
    PUSH_BYTES: (
        *(pickle.PROTO, pickle.FRAME, pickle.STOP, pickle.MARK, pickle.POP, pickle.POP_MARK),
        *(pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE, pickle.FLOAT, pickle.BINFLOAT),
        *(pickle.BININT, pickle.BININT1, pickle.BININT2, pickle.LONG1),
        *(pickle.STRING, pickle.BINSTRING, pickle.SHORT_BINSTRING),
        *(pickle.BINBYTES, pickle.SHORT_BINBYTES, pickle.BINBYTES8),
        *(pickle.UNICODE, pickle.BINUNICODE, pickle.SHORT_BINUNICODE, pickle.BINUNICODE8),
        *(pickle.EMPTY_TUPLE, pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3),
        *(pickle.EMPTY_LIST, pickle.LIST, pickle.EMPTY_DICT, pickle.GET, pickle.BINGET, pickle.LONG_BINGET),
        *(pickle.GLOBAL, pickle.STACK_GLOBAL, pickle.BINPERSID),
    ),
    SET_BYTES: (pickle.EMPTY_SET,),
    MEMO_BYTES: (pickle.PUT, pickle.BINPUT, pickle.LONG_BINPUT, pickle.MEMOIZE),
}
_OPERATIONS = {code: (_BY_PYTHON[code[0]], size) for size, codes in _UNCHANGED.items() for code in codes} | {
    pickle.INT: (_short(_BY_PYTHON[pickle.INT[0]]), MOST_BITS // 8),
    pickle.LONG: (_short(_BY_PYTHON[pickle.LONG[0]]), MOST_BITS // 8),
    pickle.BYTEARRAY8: (_push_bytearray, PUSH_BYTES),
    pickle.APPEND: (_append, PUSH_BYTES),
    pickle.APPENDS: (_append_all, PUSH_BYTES),
    pickle.DICT: (_push_dict, PUSH_BYTES),
    pickle.SETITEM: (_set_item, MEMO_BYTES),
    pickle.SETITEMS: (_set_all_items, PUSH_BYTES),
    pickle.ADDITEMS: (_add_all, PUSH_BYTES),
    pickle.REDUCE: (_call, CALL_BYTES),
}
PlainUnpickler.dispatch |= {code[0]: counted(*operation) for code, operation in _OPERATIONS.items()}


def make_ordered_dict(pairs: Iterable[Any] = ()) -> "OrderedDict[Any, Any]":
    """Makes the ordered dict of a pickle, empty or, as Python 2 wrote it, from a list of pairs.

    Raises UnpicklingError for other keys than text, bytes or integers.
    """
    items = [tuple(pair) for pair in pairs if isinstance(pair, list | tuple) and len(pair) == 2]
    if not isinstance(pairs, list | tuple) or len(items) != len(pairs):
        refuse()
    check_keys(key for key, _ in items)
    return OrderedDict(items)


def make_set(values: Iterable[Any] = ()) -> set[Any]:
    """Makes the set of a pickle. Raises UnpicklingError for other values than text, bytes or integers."""
    if not isinstance(values, list | tuple):
        refuse()
    check_keys(values)
    return set(values)
