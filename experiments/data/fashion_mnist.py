"""Fashion-MNIST: 60,000 grey 28×28 pictures of clothes in ten classes."""

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from experiments.data import Fit, Held, Kind, Native, Source
from experiments.data._arguments import refuse_argument

CLASSES = (
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
SIDE = 28
DEBIAN = Path("/usr/share/datasets/fashion-mnist")


class FashionMnist(Source):
    """The training split, found by itself where it is installed.

    The first folder that holds it is taken: those in the environment variable GANS_DATA (separated as in
    PATH), Debian's, `~/.cache/gans` and `./data`, each either directly or as torchvision lays it out
    (`FashionMNIST/raw`), gzipped or not.
    """

    kind: ClassVar[Kind] = "images"

    def native(self) -> Native:
        refuse_argument("fashion-mnist", self.argument)
        _find()
        return Native(size=(SIDE, SIDE), channels=1)

    def open(self, size: tuple[int, int] | None, channels: int | None, fit: Fit) -> Held:
        """Uint8 `(60000, channels, *size)`, resized once; grey is repeated, alpha is 255.

        Raises ValueError when the files are missing, truncated or of another kind, and for another size
        than 28×28 with `fit` "error".
        """
        refuse_argument("fashion-mnist", self.argument)
        images_file, labels_file = _find()
        images, labels = read_idx(images_file, 3), read_idx(labels_file, 1)
        if images.shape[1:] != (SIDE, SIDE):
            raise ValueError(
                f"{images_file} holds pictures of {images.shape[1]}×{images.shape[2]}, not 28×28"
            )
        if len(images) != len(labels):
            raise ValueError(f"{labels_file} holds {len(labels)} labels for {len(images)} pictures")
        if len(labels) and labels.max() >= len(CLASSES):
            raise ValueError(
                f"{labels_file} holds label {labels.max()}, but there are {len(CLASSES)} classes"
            )
        samples = _with_channels(_resize(images[:, None], size or (SIDE, SIDE), fit), channels or 1)
        return Held(samples, labels.long(), CLASSES)


def read_idx(file: Path, dimensions: int) -> Tensor:
    """The uint8 tensor in an idx file (LeCun's MNIST format), gzipped if the name ends so.

    Raises ValueError, naming the file, when it is damaged or does not hold bytes in that many dimensions.
    """
    try:
        content = bytearray(gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{file} is damaged or cannot be read ({error}): install it anew") from error
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


def _find() -> tuple[Path, Path]:
    """The files of images and labels, or ValueError with the places searched."""
    named = [
        Path(folder).expanduser() for folder in os.environ.get("GANS_DATA", "").split(os.pathsep) if folder
    ]
    raw = Path("FashionMNIST", "raw")
    cache = Path("~/.cache/gans").expanduser()
    places = [place for folder in named for place in (folder, folder / raw)]
    # Not ./data itself: the original MNIST, which may lie there, has the same file names.
    places += [DEBIAN, cache, cache / raw, Path("data") / raw]
    for place in places:
        found = [
            next((file for file in (place / name, place / f"{name}.gz") if file.is_file()), None)
            for name in (IMAGES, LABELS)
        ]
        if found[0] and found[1]:
            return found[0], found[1]
    raise ValueError(
        f"Fashion-MNIST ({IMAGES} and {LABELS}, .gz or not) is not in {', '.join(map(str, places))}: "
        "apt-get install dataset-fashion-mnist, or set GANS_DATA=FOLDER to the folder that holds it"
    )


def _resize(images: Tensor, size: tuple[int, int], fit: Fit) -> Tensor:
    """Images `(N, 1, 28, 28)` at `size`; "crop" keeps the aspect and cuts off what is too much, evenly."""
    if size == (SIDE, SIDE):
        return images
    if fit == "error":
        raise ValueError(
            f"fashion-mnist is {SIDE}×{SIDE}, not {size[0]}×{size[1]}: choose --fit crop or stretch"
        )
    scaled = size if fit == "stretch" else (max(size), max(size))  # the source is square
    top, left = (scaled[0] - size[0]) // 2, (scaled[1] - size[1]) // 2
    resized = torch.empty(len(images), 1, *size, dtype=torch.uint8)
    for start in range(0, len(images), 1024):
        part = slice(start, start + 1024)
        whole = interpolate(images[part].float(), scaled, mode="bilinear", antialias=True)
        resized[part] = whole[:, :, top : top + size[0], left : left + size[1]].round_().clamp_(0, 255)
    return resized


def _with_channels(images: Tensor, channels: int) -> Tensor:
    if channels == 1:
        return images
    grey = images.expand(-1, 3, -1, -1)
    if channels == 3:
        return grey.contiguous()
    if channels == 4:
        return torch.cat([grey, torch.full_like(images, 255)], dim=1)
    raise ValueError(f"fashion-mnist has 1, 3 or 4 channels, not {channels}")
