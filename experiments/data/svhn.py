"""SVHN: 73,257 RGB 32×32 photographs of the digits of house numbers."""

import math
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from experiments.data.core.named_sets import Files, InMemoryNamedSet, Pictures, torchvision_datasets
from metrics.core.input_files import open_input_file

MOST_NUMBERS = 2**28  # bytes of pictures, 3072 each: the training split has 225 million


class Svhn(InMemoryNamedSet):
    """SVHN source: the training split of format 2, cropped digits (Netzer et al. 2011)."""

    name: ClassVar[str] = "svhn"
    size: ClassVar[tuple[int, int]] = (32, 32)
    channels: ClassVar[int] = 3
    folder: ClassVar[str] = ""
    files: ClassVar[tuple[str, ...]] = ("train_32x32.mat",)
    held_out_files: ClassVar[tuple[str, ...]] = ("test_32x32.mat",)
    classes: ClassVar[tuple[str, ...]] = tuple("0123456789")

    def fault(self, files: Files) -> str:
        """Finds no fault cheaply: a file that was cut off cannot be unpacked."""
        del files
        return ""

    def fetch(self, root: Path, below: Path) -> None:
        datasets = torchvision_datasets()
        address, name, checksum = datasets.SVHN.split_list["train"]
        datasets.utils.download_url(address, below, name, checksum)

    def read(self, files: Files) -> Pictures:
        from scipy.io import loadmat, whosmat  # type: ignore[import-untyped]

        file = files[0]
        try:
            with open_input_file(file) as stream:
                claimed = sum(math.prod(shape) for _, shape, _ in whosmat(stream))
                if claimed > MOST_NUMBERS:  # before it is inflated
                    raise ValueError("it claims more numbers than this set has")
                stream.seek(0)
                content = loadmat(stream, variable_names=["X", "y"])
            pixels, labels = np.asarray(content["X"]), np.asarray(content["y"]).reshape(-1)
        except Exception as error:  # damaged files raise anything
            reason = " ".join(str(error).split())
            raise ValueError(
                f"{file} is damaged or cannot be read ({reason}): delete it and fetch it anew"
            ) from error
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[:3] != (32, 32, 3):
            raise ValueError(f"{file} does not hold pictures of 32×32×3 bytes")
        if len(labels) != pixels.shape[3]:
            raise ValueError(f"{file} holds {len(labels)} labels for {pixels.shape[3]} pictures")
        if not np.isin(labels, np.arange(1, 11)).all():
            raise ValueError(f"{file} holds labels that are not from 1 to 10")
        images = torch.from_numpy(pixels.transpose(3, 2, 0, 1))
        # The files are Matlab's, where classes start at 1: there the digit 0 is class 10.
        return Pictures(images, torch.from_numpy(labels.astype(np.int64) % 10), self.classes)
