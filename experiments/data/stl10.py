"""STL-10: 100,000 RGB 96×96 photographs without labels; papers take them at 48×48."""

from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from experiments.data.core.named_sets import Files, InMemoryNamedSet, Pictures, torchvision_datasets
from metrics.core.input_files import open_input_file

SIDE = 96
LENGTH = 100_000


class Stl10(InMemoryNamedSet):
    """STL-10 source: the unlabelled split (Coates et al. 2011).

    SNGAN (Miyato et al. 2018) and papers after it shrink it with `--image-size 48`. Without that it takes 2.8
    GB of memory.
    """

    name: ClassVar[str] = "stl10"
    size: ClassVar[tuple[int, int]] = (SIDE, SIDE)
    channels: ClassVar[int] = 3
    folder: ClassVar[str] = "stl10_binary"
    files: ClassVar[tuple[str, ...]] = ("unlabeled_X.bin",)

    def fault(self, files: Files) -> str:
        """Says that the file has a wrong length: nothing else in it would tell that it was cut off."""
        length = files[0].stat().st_size
        if length == LENGTH * 3 * SIDE * SIDE:
            return ""
        return f"{files[0]} has {length:,} bytes instead of {LENGTH * 3 * SIDE * SIDE:,}"

    def fetch(self, root: Path, below: Path) -> None:
        datasets = torchvision_datasets()
        published = datasets.STL10
        datasets.utils.download_url(published.url, root, published.filename, published.tgz_md5)
        datasets.utils.extract_archive(root / published.filename, below)

    def read(self, files: Files) -> Pictures:
        # Mapped, so that what is resized need not be in memory as a whole. "c" because tensors are writable.
        with open_input_file(files[0]) as stream:
            pixels = np.memmap(stream, np.uint8, "c").reshape(-1, 3, SIDE, SIDE)
        return Pictures(torch.from_numpy(pixels.transpose(0, 1, 3, 2)))  # stored column by column
