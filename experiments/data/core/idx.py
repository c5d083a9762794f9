"""Base of sets in idx files, the format of the original MNIST; several sets share even the file names."""

import gzip
import hashlib
import math
import struct
import zlib
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from experiments.data.core.named_sets import Files, InMemoryNamedSet, Pictures, torchvision_datasets
from metrics.core.input_files import open_input_file

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_FILES = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
LENGTH = 60_000  # of all these sets
MOST_BYTES = 64 * 2**20  # of a file, decompressed
# MD5 of the labels, unzipped. Kuzushiji-MNIST is told by being neither of these.
OWNERS = {
    "a25bea736e30d166cdddb491f175f624": "mnist",
    "9018921c3c673c538a1fc5bad174d6f9": "fashion-mnist",
}


class IdxSet(InMemoryNamedSet):
    """Base of the MNIST sources: 60,000 grey 28×28 pictures in ten classes, gzipped or not.

    Attributes:
        published: the name of torchvision's class.
    """

    size: ClassVar[tuple[int, int]] = (28, 28)
    channels: ClassVar[int] = 1
    files: ClassVar[tuple[str, ...]] = (IMAGES, LABELS)
    held_out_files: ClassVar[tuple[str, ...]] = TEST_FILES
    endings: ClassVar[tuple[str, ...]] = ("", ".gz")
    published: ClassVar[str]

    def fault(self, files: Files) -> str:
        """Says which other set the files are; damaged files are for `read` to complain of."""
        try:
            labels = read_idx(files[1], 1)
        except ValueError:
            return ""
        header = struct.pack(">BBBBI", 0, 0, 8, 1, len(labels))
        digest = hashlib.md5(header + labels.numpy().tobytes(), usedforsecurity=False).hexdigest()
        owner = OWNERS.get(digest)
        if owner is None and len(labels) == LENGTH and self.name in OWNERS.values():
            owner = "another set"
        return f"{files[1].parent} holds {owner}" if owner not in (None, self.name) else ""

    def fetch(self, root: Path, below: Path) -> None:
        datasets = torchvision_datasets()
        published = getattr(datasets, self.published)
        for name, checksum in published.resources:
            is_needed = name.removesuffix(".gz") in self.files  # the test part may be missing
            failures = []
            for mirror in published.mirrors:
                try:
                    datasets.utils.download_url(f"{mirror}{name}", below / self.folder, name, checksum)
                    break
                except Exception as error:
                    failures.append(f"{mirror}{name}: {error}")
            else:
                if is_needed:
                    raise RuntimeError("; ".join(failures))

    def read(self, files: Files) -> Pictures:
        images_file, labels_file = files
        images, labels = read_idx(images_file, 3), read_idx(labels_file, 1)
        if images.shape[1:] != self.size:
            raise ValueError(
                f"{images_file} holds pictures of {images.shape[1]}×{images.shape[2]}, not 28×28"
            )
        if len(images) != len(labels):
            raise ValueError(f"{labels_file} holds {len(labels)} labels for {len(images)} pictures")
        if labels.max() >= len(self.classes):
            raise ValueError(
                f"{labels_file} holds label {labels.max()}, but there are {len(self.classes)} classes"
            )
        return Pictures(images[:, None], labels.long(), self.classes)


def read_idx(file: Path, dimensions: int) -> Tensor:
    """Reads the uint8 tensor in an idx file (LeCun's MNIST format), gzipped if the name ends so.

    Raises ValueError, naming the file, when it is damaged or does not hold bytes in that many dimensions.
    """
    try:
        with open_input_file(file) as packed, gzip.open(packed) if file.suffix == ".gz" else packed as stream:
            # A plain file is as long as it says: a bounded read would take its bound.
            most = MOST_BYTES + 1 if file.suffix == ".gz" else min(MOST_BYTES, file.stat().st_size) + 1
            content = bytearray(stream.read(most))
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{file} is damaged or cannot be read ({error}): install it anew") from error
    if len(content) > MOST_BYTES:
        raise ValueError(f"{file} has more than {MOST_BYTES:,} bytes, more than any of these sets")
    start = 4 + 4 * dimensions
    if len(content) < start or content[:4] != bytes([0, 0, 8, dimensions]):
        raise ValueError(f"{file} is not an idx file of bytes in {dimensions} dimension(s)")
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    if len(content) != start + math.prod(shape):
        raise ValueError(
            f"{file} is damaged: {len(content)} bytes instead of {start + math.prod(shape)}; install it anew"
        )
    if not math.prod(shape):
        raise ValueError(f"{file} is empty")
    return torch.frombuffer(content, dtype=torch.uint8, offset=start).view(shape)
