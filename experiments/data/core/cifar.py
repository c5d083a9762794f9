"""Base of the CIFAR sources: pictures in pickles, which are read without running their code."""

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from experiments.core.named_values import SettingValues
from experiments.data.core.named_sets import Files, InMemoryNamedSet, Pictures, torchvision_datasets
from metrics.core.pickles import CALL_BYTES, Operation, PlainUnpickler, counted, refuse

MOST_BYTES = 512 * 2**20  # of a file: CIFAR-100's has 155 MB


class CifarSet(InMemoryNamedSet):
    """Base of the CIFAR sources: 50,000 RGB 32×32 pictures, read from pickles.

    `files` are the batches, and last the file with the names of the classes.

    Attributes:
        published: name of torchvision's class.
        labels_key: key of the labels in a batch.
        classes_key: key of the class names in the last file.
    """

    size: ClassVar[tuple[int, int]] = (32, 32)
    channels: ClassVar[int] = 3
    published: ClassVar[str]
    labels_key: ClassVar[str]
    classes_key: ClassVar[str]

    def fault(self, files: Files) -> str:
        """Finds no fault cheaply: a batch that was cut off cannot be unpickled."""
        del files
        return ""

    def fetch(self, root: Path, below: Path) -> None:
        datasets = torchvision_datasets()
        published = getattr(datasets, self.published)
        datasets.utils.download_url(published.url, root, published.filename, published.tgz_md5)
        datasets.utils.extract_archive(root / published.filename, below)

    def class_names(self) -> Sequence[str]:
        return self.names_in(self.found()[-1])

    def names_in(self, file: Path) -> list[str]:
        """Reads the names of the classes. Raises ValueError where the file does not hold them."""
        names = load_plain_pickle(file, self.classes_key)[self.classes_key]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError(f"{file} does not hold the names of classes")
        return names

    def read(self, files: Files) -> Pictures:
        contents = [load_plain_pickle(file, "data", self.labels_key) for file in files[:-1]]
        classes = self.names_in(files[-1])
        for file, content in zip(files, contents, strict=False):
            pixels, labels = content["data"], content[self.labels_key]
            if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[1:] != (3072,):
                raise ValueError(f"{file} does not hold pictures of 3×32×32 bytes")
            if len(labels) != len(pixels):
                raise ValueError(f"{file} holds {len(labels)} labels for {len(pixels)} pictures")
            if not all(isinstance(label, int) and 0 <= label < len(classes) for label in labels):
                raise ValueError(f"{file} holds labels that are not those of the {len(classes)} classes")
        images = np.concatenate([content["data"] for content in contents]).reshape(-1, 3, 32, 32)
        labels = torch.tensor([label for content in contents for label in content[self.labels_key]])
        return Pictures(torch.from_numpy(images), labels, classes)


def load_plain_pickle(file: Path, *keys: str) -> SettingValues:
    """Loads the dictionary in a pickle of plain values and numpy arrays, written by Python 2 or 3.

    Raises ValueError, naming the file, when it is damaged, lacks one of `keys`, or asks for anything else.
    """
    try:
        if file.stat().st_size > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_BYTES:,} bytes, more than any of these sets")
        with file.open("rb") as stream:
            content = _ArrayUnpickler(stream, encoding="latin1").load()
    except Exception as error:  # damaged pickles raise anything
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{file} is damaged or cannot be read ({reason}): delete it and fetch it anew"
        ) from error
    if not isinstance(content, dict) or not content.keys() >= set(keys):
        raise ValueError(f"{file} is not a file of this set: it lacks {' and '.join(keys)}")
    return content


class _ArrayUnpickler(PlainUnpickler):
    """Unpickler that makes plain values and numpy arrays, so that a pickle cannot call anything else."""

    dispatch: ClassVar[dict[int, Operation]] = dict(PlainUnpickler.dispatch)

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("numpy") and name in _ARRAYS:  # the modules have moved between versions of numpy
            return _ARRAYS[name]
        return super().find_class(module, name)


def _empty_array(kind: str, shape: tuple[int, ...], code: bytes | str) -> NDArray[np.generic]:
    """Makes the empty array whose content follows in the pickle, as numpy's `_reconstruct` does."""
    if kind != "ndarray" or shape != (0,):
        raise pickle.UnpicklingError("it asks for an array of its own")
    return np.empty(0, np.int8)


def _plain_dtype(code: str, *_: Any) -> np.dtype[Any]:
    """Makes the type of an array of numbers."""
    if code not in ("u1", "i1", "b1", "i4", "i8", "f4", "f8"):
        raise pickle.UnpicklingError("it asks for an array of something else than numbers")
    return np.dtype(code)


def _array_of_bytes(
    content: bytes, kind: np.dtype[Any], shape: tuple[int, ...], order: Literal["C", "F"]
) -> NDArray[np.generic]:
    """Makes an array of bytes that the pickle holds, as numpy's `_frombuffer` does."""
    if not isinstance(kind, np.dtype) or not isinstance(content, bytes | bytearray):
        raise pickle.UnpicklingError("it asks for an array of its own")
    return np.frombuffer(content, kind).reshape(shape, order=order)


def _build(unpickler: Any) -> None:
    """Fills an array with its content; of types, only the order of bytes is left to say."""
    state, value = unpickler.stack.pop(), unpickler.stack[-1]
    if isinstance(value, np.ndarray) and isinstance(state[2], np.dtype):
        unpickler.spend(len(state[4]))  # text is copied into it
        value.__setstate__(state)  # checks that content and shape agree
    elif not isinstance(value, np.dtype) or state[1] not in ("|", "<", "="):
        refuse()


_ArrayUnpickler.dispatch[pickle.BUILD[0]] = counted(_build, CALL_BYTES)
_ARRAYS: dict[str, Any] = {
    "ndarray": "ndarray",  # the word is enough, and cannot be called
    "dtype": _plain_dtype,
    "_reconstruct": _empty_array,
    "_frombuffer": _array_of_bytes,
}
