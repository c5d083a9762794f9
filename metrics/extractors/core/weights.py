"""Weights files, read without running what is in them, and checked before they are used."""

import hashlib
import io
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from metrics.core.torch_files import load_torch_file
from metrics.extractors.core.extractor import WeightsError

BYTES_PER_NUMBER, SPARE_BYTES = 8, 2**24  # of a file: twice float32, and what is beside the tensors
State = dict[str, Tensor]
Shapes = Mapping[str, tuple[int, ...]]


def read(path: Path, network: str, shapes: Shapes, hash_start: str = "") -> tuple[State, str]:
    """Reads a weights file: the tensors named in `shapes`, float32, and the SHA-256 of the file's bytes.

    Raises:
        WeightsError: the file is missing or damaged, its hash does not start as it should, it is not a
            state dict of this network, or it holds numbers that are not finite.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: there is no such weights file")
    try:
        with path.open("rb") as file:
            most = BYTES_PER_NUMBER * sum(map(math.prod, shapes.values())) + SPARE_BYTES
            if file.seek(0, io.SEEK_END) > most:
                raise WeightsError(f"{path}: has more than {most:,} bytes, more than those of {network}")
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            if not digest.startswith(hash_start):
                raise WeightsError(
                    f"{path}: damaged: its SHA-256 does not start with {hash_start}; delete it and get it "
                    "again"
                )
            state = load_torch_file(file)
    except WeightsError:
        raise
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror or error}") from error
    except Exception as error:  # whatever a damaged or hostile file makes of the zip and pickle readers
        raise WeightsError(
            f"{path}: no weights of {network}: damaged, or not a state dict of plain tensors "
            f"({type(error).__name__})"
        ) from error
    fault = _misfit(state, shapes)
    if fault:
        raise WeightsError(f"{path}: these are not the weights of {network}: {fault}")
    return {name: state[name].float() for name in shapes}, digest


def tensor_hash(tensors: Iterable[Tensor]) -> str:
    """SHA-256 of the numbers of tensors, in the order given."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.detach().cpu().contiguous().numpy().data)
    return digest.hexdigest()


def _misfit(state: object, shapes: Shapes) -> str:
    """Fault of a state dict in words; empty where there is none.

    Batch norm's counters are of no use here, and optional.
    """
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        return "no dictionary of tensors"
    names = {str(name) for name in state if not str(name).endswith(".num_batches_tracked")}
    missing, unknown = sorted(shapes.keys() - names), sorted(names - shapes.keys())
    if missing or unknown:
        example = f"{missing[0]} is missing" if missing else f"{unknown[0]} is unknown"
        return f"{len(missing)} of {len(shapes)} tensors are missing, {len(unknown)} unknown; {example}"
    for name, shape in shapes.items():
        found = tuple(state[name].shape)
        if found != shape:
            return f"{name} has shape {found}, not {shape}"
        if not state[name].is_floating_point() or not math.isfinite(state[name].sum(dtype=torch.float64)):
            return f"{name} holds numbers that are not finite floats"
    return ""
