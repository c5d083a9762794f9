"""Files of published weights: NVlabs' snapshots, files of `torch.save`, and safetensors."""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from torch import Tensor

from experiments.core import registry
from experiments.core.errors import RunError, UsageError
from experiments.core.files import open_regular_file, parse_json
from experiments.core.paths import require_path
from experiments.runs.export import METADATA_KEY, NETWORK_KEY
from experiments.runs.published.snapshot import load_snapshot, networks_of
from gans.core.published_format import PublishedNetwork
from metrics.core.safetensors_files import read_safetensors
from metrics.core.torch_files import load_torch_file

MOST_BYTES = 4 * 2**30  # of a file; the largest snapshots of StyleGAN2 have 0.4
ZIP = b"PK\3\4"
PICKLE = b"\x80"
BEFORE_ZIP = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # how torch.save began before PyTorch 1.6
LICENCES = ("license", "licence", "LICENSE")
MOST_LICENCE = 4096  # characters that are kept
UNTOLD = ("image_size", "attributes")  # settings beside options
# Names of networks, before those of their tensors in a state dict of several: G_ema, D, G_A, …
NETWORK = re.compile(r"[GD](_[A-Za-z]{1,9})?")
STATE_KEYS = ("state_dict", "params_ema", "params", "model")  # of a network alone in a dictionary


@dataclass(frozen=True)
class PublishedFile:
    """The content of a file of published weights.

    Attributes:
        name: of the file.
        sha256: hash of its content.
        form: what it is, in words.
        networks: the networks in it.
        licence: what it says of its licence.
        settings: of the networks, by name, and options by key, which neither names nor shapes tell, in a file
            with published names that was exported from here.
    """

    name: str
    sha256: str
    form: str
    networks: tuple[PublishedNetwork, ...]
    licence: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


def read_published_file(path: Path) -> PublishedFile:
    """Reads the networks in a file; nothing in it is executed.

    Raises UsageError for a file that cannot be opened, that is too large, damaged, or names what weights do
    not need; RunError where there is too little memory.
    """
    require_path(path, "a file of published weights")
    try:
        with open_regular_file(path.resolve()) as file:
            if file.seek(0, 2) > MOST_BYTES:
                raise ValueError(f"it has more than {MOST_BYTES >> 30} GiB")
            file.seek(0)
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            start = file.read(len(BEFORE_ZIP))
            file.seek(0)
            return _reader_of(start)(file, path, sha256)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error
    except MemoryError as error:
        raise RunError(f"{path}: not enough memory to read it; free some") from error
    except Exception as error:  # damaged files raise anything
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise UsageError(f"{path} cannot be read as published weights: {reason}") from error


def _reader_of(start: bytes) -> Callable[[BinaryIO, Path, str], PublishedFile]:
    """The reader of files that begin so."""
    if start.startswith((ZIP, BEFORE_ZIP)):
        return _read_torch
    return _read_snapshot if start.startswith(PICKLE) else _read_safetensors


def _read_snapshot(file: BinaryIO, path: Path, sha256: str) -> PublishedFile:
    formats = [registry.load("published-format", name) for name in registry.names("published-format")]
    content = load_snapshot(file, {name for each in formats for name in each.module_classes})
    networks = tuple(networks_of(content))
    return PublishedFile(path.name, sha256, "snapshot of a training", networks, _licence(content))


def _read_torch(file: BinaryIO, path: Path, sha256: str) -> PublishedFile:
    content = load_torch_file(file)
    if not isinstance(content, Mapping):
        raise ValueError("it holds no weights by name")
    found = _networks_in(content, path.stem)
    return PublishedFile(path.name, sha256, "PyTorch file", tuple(found), _licence(content))


def _read_safetensors(file: BinaryIO, path: Path, sha256: str) -> PublishedFile:
    try:
        metadata, tensors = read_safetensors(file.read())
    except ValueError as error:
        raise ValueError(
            f"it is no pickle, no file of torch.save, and none of safetensors ({error})"
        ) from error
    own = parse_json(metadata[METADATA_KEY]) if METADATA_KEY in metadata else {}
    own = own if isinstance(own, dict) else {}
    settings = {key: value for key, value in own.items() if "." in key or (key in UNTOLD and value)}
    name = own.get(NETWORK_KEY)
    networks = tuple(split_networks(tensors, name if isinstance(name, str) else path.stem))
    return PublishedFile(path.name, sha256, "safetensors", networks, _licence(metadata), settings)


def _networks_in(content: Mapping[Any, Any], name: str) -> list[PublishedNetwork]:
    """The networks in a state dict, or in a dictionary of state dicts."""
    tensors = {key: value for key, value in content.items() if isinstance(value, Tensor)}
    if tensors:
        return split_networks(tensors, name)
    below = {key: value for key, value in content.items() if isinstance(value, Mapping)}
    found = []
    for key, value in below.items():
        own = {name: tensor for name, tensor in value.items() if isinstance(tensor, Tensor)}
        found += split_networks(own, name if key in STATE_KEYS else str(key)) if own else []
    return found


def split_networks(tensors: Mapping[Any, Tensor], name: str) -> list[PublishedNetwork]:
    """Splits a state dict whose names may begin with those of several networks.

    Args:
        name: of a network alone.
    """
    if any(not isinstance(key, str) for key in tensors):
        raise ValueError("its weights have no names")
    if tensors and all(key.startswith("module.") for key in tensors):  # of DataParallel
        tensors = {key.removeprefix("module."): tensor for key, tensor in tensors.items()}
    if not tensors or not all(NETWORK.fullmatch(key.partition(".")[0]) for key in tensors):
        return [PublishedNetwork(name, tensors)]
    found: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        network, _, rest = key.partition(".")
        found.setdefault(network, {})[rest] = tensor
    return [PublishedNetwork(network, own) for network, own in found.items()]


def _licence(content: Mapping[Any, Any]) -> str | None:
    """The note of a file on its licence."""
    found = next((content[key] for key in LICENCES if key in content), None)
    return found[:MOST_LICENCE] if isinstance(found, str) else None
