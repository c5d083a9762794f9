"""Files of `torch.save`, read within bounds and without calling anything that they name.

`torch.load(weights_only=True)` calls nothing either, but takes the memory that a file claims: for entries
that inflate a thousandfold, for tensors larger than what they are stored in, for a `bytearray(10**10)`.
"""

import io
import pickle
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterable
from math import prod
from typing import Any, BinaryIO, ClassVar, NamedTuple

import torch
from torch import Tensor

from metrics.core.nested_values import check_tree_size
from metrics.core.pickles import (
    MEMO_BYTES,
    Operation,
    PlainUnpickler,
    counted,
    make_ordered_dict,
    make_set,
    refuse,
)
from metrics.core.zip_directories import check_directory

MOST_SHARING = 4  # times the size of the file: tensors under several names are stored once
MOST_DIRECTORY_BYTES = 16 * 2**20  # of an archive: a hundred thousand storages have 10 MB
MOST_DIMENSIONS = 64  # of a tensor
LEGACY_MAGIC, LEGACY_PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
}
NO_BYTES = torch.empty(0, dtype=torch.uint8)


class Storage(NamedTuple):
    """The bytes that tensors are views of, uint8 `(size,)`, and the type of their numbers."""

    content: Tensor
    dtype: torch.dtype


class StorageType(NamedTuple):
    """The type of a storage; of an untyped one, it is the type of bytes."""

    dtype: torch.dtype


def load_torch_file(file: BinaryIO, most_memory: int | None = None) -> Any:
    """Loads what `torch.save` wrote, onto the CPU and without gradients, from a seekable file.

    Tensors, parameters, plain values and their containers are admitted. Memory is bounded by the size of the
    file: entries are as long as they say and stored as they are, and tensors lie within their storages.

    Args:
        most_memory: bytes that containers may take, beside those of the file; None for the usual.

    Raises ValueError, or what the readers of zip files and pickles raise, for any other file.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    is_archive = file.read(4) == b"PK\3\4"
    file.seek(0)
    content = (_load_archive if is_archive else _load_legacy)(file, size, most_memory)
    check_tree_size(content, MOST_SHARING * size, lambda leaf: leaf.nbytes if isinstance(leaf, Tensor) else 0)
    return content


def _load_archive(file: BinaryIO, size: int, most_memory: int | None) -> Any:
    """Loads the present form: a zip file that holds a pickle, and an entry for each storage."""
    storages: dict[str, Tensor] = {}
    check_directory(file, MOST_DIRECTORY_BYTES)
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        roots = [each.filename for each in members if each.filename.endswith("/data.pkl")]
        if not roots:
            raise ValueError("it is a zip file, but none of torch.save")
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise ValueError("its entries are compressed, which torch.save never does")
        if sum(member.file_size for member in members) > size:
            raise ValueError("its entries claim more bytes than the file has")
        root = roots[0].removesuffix("data.pkl")
        if (
            f"{root}byteorder" in archive.namelist()
            and archive.read(f"{root}byteorder") != sys.byteorder.encode()
        ):
            raise ValueError("it comes from a machine with another order of bytes")

        def storage(key: str, length: int) -> Tensor:
            if key not in storages:
                content = bytearray(archive.read(f"{root}data/{key}"))
                # A copy, which lies where tensors do: kernels may depend on that to the last bit.
                storages[key] = torch.frombuffer(content, dtype=torch.uint8).clone() if content else NO_BYTES
            if len(storages[key]) != length:
                raise ValueError("a storage has another length than its entry")
            return storages[key]

        content = io.BytesIO(archive.read(f"{root}data.pkl"))
        return _TensorUnpickler(content, storage, most_memory).load()


def _load_legacy(file: BinaryIO, size: int, most_memory: int | None) -> Any:
    """Loads the form before PyTorch 1.6: pickles one after another, then the bytes of all storages."""
    storages: dict[str, Tensor] = {}
    left = size

    def storage(key: str, length: int) -> Tensor:
        nonlocal left
        if key not in storages:
            left -= length
            if left < 0:
                raise ValueError("its storages claim more bytes than the file has")
            storages[key] = torch.empty(length, dtype=torch.uint8)
        if len(storages[key]) != length:
            raise ValueError("a storage has two lengths")
        return storages[key]

    def load() -> Any:
        return _TensorUnpickler(file, storage, most_memory).load()

    if load() != LEGACY_MAGIC or load() != LEGACY_PROTOCOL or load().get("little_endian") is not True:
        raise ValueError("it is no file of torch.save")
    content, keys = load(), load()
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise ValueError("its storages have no names")
    for key in keys:
        file.read(8)  # its length, which is known
        if len(storages[key]) and file.readinto(storages[key].numpy().data) != len(storages[key]):  # type: ignore[attr-defined]
            raise ValueError("it has been cut off")
    return content


class _TensorUnpickler(PlainUnpickler):
    """Unpickler that builds tensors and plain containers and knows no other name.

    Args:
        file: holds the pickle.
        storage: finds the bytes of a storage by its key; the length is the one that they must have.
    """

    dispatch: ClassVar[dict[int, Operation]] = dict(PlainUnpickler.dispatch)

    def __init__(
        self, file: BinaryIO, storage: Callable[[str, int], Tensor], most_memory: int | None
    ) -> None:
        super().__init__(file, most_memory=most_memory)
        self._storage = storage

    def find_class(self, module: str, name: str) -> Any:
        if module in ("torch", "torch.storage") and name in DTYPES:
            return StorageType(DTYPES[name])
        if (module, name) in KNOWN:
            return KNOWN[module, name]
        return super().find_class(module, name)

    def persistent_load(self, pid: Any) -> Storage:
        kind, (dtype,), key, _, count, *_ = pid
        if kind != "storage" or not isinstance(key, str) or not isinstance(count, int) or count < 0:
            raise pickle.UnpicklingError("it asks for something else than a storage")
        return Storage(self._storage(key, count * dtype.itemsize), dtype)


def _set_versions(unpickler: Any) -> None:
    """Gives a state dict the versions of its modules, the only attribute that it has."""
    state = unpickler.stack.pop()
    if not isinstance(unpickler.stack[-1], OrderedDict) or state.keys() != {"_metadata"}:
        refuse()
    unpickler.stack[-1]._metadata = state["_metadata"]


_TensorUnpickler.dispatch[pickle.BUILD[0]] = counted(_set_versions, MEMO_BYTES)


def _rebuild_tensor(
    storage: Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any
) -> Tensor:
    """Makes a tensor in a storage, as `torch._utils._rebuild_tensor_v2` does, but never beyond its end."""
    return _view(storage.content, storage.dtype, offset, size, stride)


def _rebuild_typed_tensor(
    storage: Storage,
    offset: int,
    size: tuple[int, ...],
    stride: tuple[int, ...],
    _: Any,
    __: Any,
    dtype: torch.dtype,
    *___: Any,
) -> Tensor:
    """Makes a tensor in an untyped storage, as `torch._utils._rebuild_tensor_v3` does."""
    return _view(storage.content, dtype, offset, size, stride)


def _view(
    content: Tensor, dtype: torch.dtype, offset: int, size: tuple[int, ...], stride: tuple[int, ...]
) -> Tensor:
    numbers = content.view(dtype)
    whole = all(type(number) is int and number >= 0 for number in (offset, *size, *stride))
    if not whole or len(size) != len(stride) or len(size) > MOST_DIMENSIONS:
        raise ValueError("a tensor has no such shape")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if prod(size) and last >= len(numbers):
        raise ValueError("a tensor reaches beyond its storage")
    return numbers.as_strided(size, stride, offset if prod(size) else 0)


def _rebuild_parameter(data: Tensor, *_: Any) -> Tensor:
    """Makes a parameter, as its plain tensor."""
    return data


def _make_size(numbers: Iterable[int]) -> torch.Size:
    if not isinstance(numbers, tuple) or not all(type(number) is int for number in numbers):
        raise ValueError("a size is no tuple of numbers")
    return torch.Size(numbers)


def _make_device(*words: str | int) -> torch.device:
    if not all(isinstance(word, str | int) for word in words):
        raise ValueError("a device has no name")
    return torch.device(*words)


KNOWN: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): make_ordered_dict,
    ("torch", "Size"): _make_size,
    ("torch", "device"): _make_device,
    ("torch._utils", "_rebuild_tensor"): _rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v3"): _rebuild_typed_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    ("torch.storage", "UntypedStorage"): StorageType(torch.uint8),
    ("torch", "UntypedStorage"): StorageType(torch.uint8),
    ("builtins", "set"): make_set,
    ("__builtin__", "set"): make_set,
    **{("torch", name): dtype for name, dtype in vars(torch).items() if isinstance(dtype, torch.dtype)},
}
