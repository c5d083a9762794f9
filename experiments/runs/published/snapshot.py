"""Snapshots of NVlabs' training code: pickles of networks, read without calling anything that they name.

A network of NVlabs is pickled as a call of `torch_utils.persistence._reconstruct_persistent_obj` with its
class name, its state, and the source text of its module, which the official loader executes. Here it becomes
an inert record, and the source is not looked at. Others, such as R3GAN's, are plain modules of PyTorch: a new
object of a class, whose attributes follow. Where a format names the class they become such records too.
"""

import io
import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from gans.core.published_format import PublishedNetwork
from metrics.core.nested_values import check_tree_size
from metrics.core.pickles import (
    MEMO_BYTES,
    SET_BYTES,
    Operation,
    PlainUnpickler,
    make_ordered_dict,
    make_set,
    refuse,
)
from metrics.core.torch_files import KNOWN as OF_TENSORS
from metrics.core.torch_files import MOST_SHARING, Storage, load_torch_file

MOST_MEMORY = 64 * 2**20  # bytes beside those of the file; released snapshots take 10 MB
MOST_STORAGE_MEMORY = 2**20  # the same of one storage within
MOST_PATHS = 32 * 2**20  # bytes that the paths of tensors and values of a network take
PATH = 100  # bytes that a path takes beside its characters
MOST_NAME = 200  # characters of a name within a module
MOST_LIST = 64  # entries of a list that is kept
USUAL_ORDERS = (("|",), ("<",), ("=",))  # of the bytes of numbers
NUMBERS = ("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "b1")
Plain = str | int | float | bool | None


class ModuleRecord(NamedTuple):
    """An inert object of a snapshot: what its class was called, and its attributes."""

    class_name: str
    state: dict[str, Any]


@dataclass(frozen=True)
class ModuleClass:
    """A class of plain modules that a snapshot may name: no more than its name."""

    name: str


def load_snapshot(file: BinaryIO, module_classes: Iterable[str] = ()) -> dict[str, Any]:
    """Loads the dictionary of a snapshot, whose networks are records, from a seekable file.

    Memory is bounded by the size of the file. Raises `pickle.UnpicklingError` for a file that names anything
    else than snapshots need, and whatever a damaged one makes of it.

    Args:
        module_classes: full names of classes whose objects become records; none of them is looked for.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    content = _SnapshotUnpickler(file, module_classes).load()
    check_tree_size(content, MOST_SHARING * size, lambda leaf: leaf.nbytes if isinstance(leaf, Tensor) else 0)
    if not isinstance(content, dict):
        raise ValueError("it holds no networks by name")
    return content


def networks_of(content: Mapping[str, Any]) -> list[PublishedNetwork]:
    """Lists the networks of a snapshot. Raises ValueError for modules that describe more than they hold."""
    return [_flatten(str(name), value) for name, value in content.items() if isinstance(value, ModuleRecord)]


class _SnapshotUnpickler(PlainUnpickler):
    """Unpickler of networks, which become records, with tensors and numbers of numpy in them."""

    dispatch: ClassVar[dict[int, Operation]] = dict(PlainUnpickler.dispatch)

    def __init__(self, file: BinaryIO, module_classes: Iterable[str]) -> None:
        super().__init__(file, most_memory=MOST_MEMORY)
        self._module_classes = {name: ModuleClass(name.rpartition(".")[2]) for name in module_classes}

    def find_class(self, module: str, name: str) -> Any:
        if (full := f"{module}.{name}") in self._module_classes:
            return self._module_classes[full]
        known = (module.replace("numpy._core.", "numpy.core."), name)  # which numpy 2 has renamed
        return ALLOWED[known] if known in ALLOWED else super().find_class(module, name)


def _make_record(meta: dict[str, Any]) -> ModuleRecord:
    """Makes the record of a persistent object. Its `module_src` is left where it is."""
    kinds = {"class_name": str, "type": str, "version": int, "state": dict}
    if not isinstance(meta, dict) or not all(isinstance(meta.get(key), kind) for key, kind in kinds.items()):
        raise ValueError("a persistent object has no class name, type, version or state")
    return ModuleRecord(meta["class_name"], meta["state"])


def _read_storage(content: bytes) -> Storage:
    """Reads the storage of a tensor from the bytes that `torch.save` wrote within the pickle."""
    if not isinstance(content, bytes):
        raise ValueError("a storage is no bytes")
    storage = load_torch_file(io.BytesIO(content), MOST_STORAGE_MEMORY)
    if not isinstance(storage, Storage):
        raise ValueError("a storage holds something else")
    return storage


def _make_number_type(code: str, *_: Any) -> np.dtype[Any]:
    """Makes the type of a number of numpy."""
    if code not in NUMBERS:
        raise ValueError("it holds numbers of another type than numpy's")
    return np.dtype(code)


def _make_number(kind: np.dtype[Any], content: bytes) -> Plain:
    """Makes a number of numpy, as one of Python."""
    if not isinstance(kind, np.dtype) or not isinstance(content, bytes) or len(content) != kind.itemsize:
        raise ValueError("a number of numpy has not the bytes of its type")
    number: Plain = np.frombuffer(content, kind)[0].item()
    return number


def _new_object(unpickler: Any) -> None:
    """Makes an EasyDict or the record of a plain module, whose attributes follow; no other has objects."""
    arguments, made = unpickler.stack.pop(), unpickler.stack.pop()
    if arguments != () or not (made is EASY_DICT or isinstance(made, ModuleClass)):
        refuse()
    unpickler.spend(SET_BYTES)
    unpickler.append({} if made is EASY_DICT else ModuleRecord(made.name, {}))


def _set_state(unpickler: Any) -> None:
    """Sets the attributes of a plain module, once, or the order of bytes of a number type."""
    state = unpickler.stack.pop()
    owner = unpickler.stack[-1]
    if isinstance(owner, ModuleRecord) and isinstance(state, dict) and not owner.state:
        unpickler.spend(MEMO_BYTES * len(state))
        owner.state.update(state)
    elif not isinstance(owner, np.dtype) or not isinstance(state, tuple) or state[1:2] not in USUAL_ORDERS:
        refuse()


for _code in (pickle.BYTEARRAY8, pickle.BINPERSID):
    _SnapshotUnpickler.dispatch[_code[0]] = refuse
_SnapshotUnpickler.dispatch[pickle.NEWOBJ[0]] = _new_object
_SnapshotUnpickler.dispatch[pickle.BUILD[0]] = _set_state

EASY_DICT = object()  # which cannot be called
ALLOWED: dict[tuple[str, str], Callable[..., Any] | object] = {
    ("torch_utils.persistence", "_reconstruct_persistent_obj"): _make_record,
    ("dnnlib.util", "EasyDict"): EASY_DICT,
    ("collections", "OrderedDict"): make_ordered_dict,
    ("torch._utils", "_rebuild_tensor_v2"): OF_TENSORS["torch._utils", "_rebuild_tensor_v2"],
    ("torch._utils", "_rebuild_parameter"): OF_TENSORS["torch._utils", "_rebuild_parameter"],
    ("torch.storage", "_load_from_bytes"): _read_storage,
    ("numpy.core.multiarray", "scalar"): _make_number,
    ("numpy", "dtype"): _make_number_type,
    ("builtins", "set"): make_set,
    **{name: known for name, known in OF_TENSORS.items() if isinstance(known, torch.dtype)},
}


def _flatten(name: str, network: ModuleRecord) -> PublishedNetwork:
    """Gathers the tensors and values of a network from its modules, by their paths, as `state_dict` does."""
    tensors: dict[str, Tensor] = {}
    values: dict[str, Any] = {}
    modules, room = [("", network)], MOST_PATHS
    while modules:
        path, module = modules.pop()
        hidden = module.state.get("_non_persistent_buffers_set") or ()
        own = [*_items(module, "_parameters"), *_items(module, "_buffers")]
        tensors |= {path + key: v for key, v in own if isinstance(v, Tensor) and key not in hidden}
        plain, below = list(_plain_values(module.state)), list(_items(module, "_modules"))
        values |= {path + key: value for key, value in plain}
        modules += [(f"{path}{key}.", value) for key, value in below if isinstance(value, ModuleRecord)]
        room -= sum(PATH + len(path) + len(key) for key, _ in (*own, *plain, *below))
        if room < 0:
            raise ValueError("a network describes far more than it holds")
    return PublishedNetwork(name, tensors, network.class_name, values)


def _items(module: ModuleRecord, key: str) -> Iterator[tuple[str, Any]]:
    """Entries of a dictionary of a module. Raises ValueError for names that cannot be."""
    found = module.state.get(key, {})
    if not isinstance(found, dict):
        raise ValueError(f"{key} of a module is no dictionary")
    for name, value in found.items():
        if not isinstance(name, str) or len(name) > MOST_NAME:
            raise ValueError(f"{key} of a module has a name that cannot be")
        yield name, value


def _plain_values(state: Mapping[str, Any], path: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Plain values of a module by their names, and of what it was made with."""
    for name, value in state.items():
        if not isinstance(name, str) or len(name) > MOST_NAME:
            continue
        if isinstance(value, dict) and depth < 3 and (depth or name == "_init_kwargs"):
            yield from _plain_values(value, f"{path}{name}.", depth + 1)
        elif _is_plain(value):
            yield f"{path}{name}", value


def _is_plain(value: object) -> bool:
    """Whether a value is a number, a word, None, or a short list of them."""
    parts = value if isinstance(value, list) and len(value) <= MOST_LIST else [value]
    return all(isinstance(part, Plain) for part in parts)
