"""Readers of files that hold a data set: for each, a folder with a whole file, and what reads it."""

import importlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.whole_files import DCGAN, make_pictures
from experiments.core.errors import usage_errors
from experiments.data.core.index_cache import CHECKSUM_BYTES

COUNT, SIZE = 4, (8, 8)


def read_data(spec: str, skip_bad: bool = False) -> torch.Tensor:
    """Opens data, and fetches all its samples. Raises UsageError for what the commands refuse."""
    from experiments.data.core.dataset import DataAccess
    from experiments.data.core.sources import open_source

    source = open_source(spec, DataAccess(stream=True, skip_bad=skip_bad))
    with usage_errors():
        data = source.open(SIZE, 3, "crop")
        return data.fetch(torch.arange(len(data)))


def reads_of(spec: str) -> tuple[str | Callable[[], object], ...]:
    """The ways to read a data spec: as a source, and by the commands."""
    line = f"run {DCGAN} --data {spec} --fit crop --force --out out"
    return (
        lambda: read_data(spec),
        lambda: read_data(spec, skip_bad=True),
        line,
        f"{line} --skip-bad --conditional",
        f"run {DCGAN} --data {spec} --dry-run",
    )


def make_pixels() -> np.ndarray:
    """Pixels of pictures, uint8 `(N, H, W, 3)`."""
    return np.random.default_rng(0).integers(256, size=(COUNT, *SIZE, 3), dtype=np.uint8)


def encode(pixels: np.ndarray) -> bytes:
    """Encodes a picture as PNG."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def make_array() -> None:
    """Makes an array of pictures, with labels beside it."""
    np.save("images.npy", make_pixels())
    np.save("labels.npy", np.arange(COUNT) % 2)


def make_arrays() -> None:
    """Makes a file of arrays: pictures and their labels."""
    np.savez("set.npz", images=make_pixels(), labels=np.arange(COUNT) % 2)


def make_tar() -> None:
    """Makes a tar file of samples, with labels of both kinds, and a name that takes a header of its own."""
    with tarfile.open("set.tar", "w", format=tarfile.GNU_FORMAT) as tar:
        for number, pixels in enumerate(make_pixels()):
            stem = f"{number}" + "x" * 120 * (number == 2)
            label = json.dumps({"label": number % 2}) if number == 1 else str(number % 2)
            for name, content in (
                (f"{stem}.png", encode(pixels)),
                (f"{stem}.{'json' if number == 1 else 'cls'}", label.encode()),
            ):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))


def make_database() -> None:
    """Makes a database of pictures with labels, in a tree of two levels; one picture has pages of its own."""
    lmdb = importlib.import_module("lmdb")
    with lmdb.open("set", map_size=2**22) as environment, environment.begin(write=True) as writing:
        for number in range(60):
            pixels = np.random.default_rng(number).integers(256, size=(8, 8, 3), dtype=np.uint8)
            if number == 7:
                pixels = np.random.default_rng(number).integers(256, size=(50, 50, 3), dtype=np.uint8)
            writing.put(f"image-{number:03}".encode(), encode(pixels))
            writing.put(f"label-{number:03}".encode(), str(number % 2).encode())
    Path("set/lock.mdb").unlink()


def make_table() -> None:
    """Makes a data set of Hugging Face: pictures and classes in a parquet file."""
    datasets = importlib.import_module("datasets")
    datasets.config.HF_DATASETS_CACHE = str(Path("hf-cache").resolve())  # none of ours
    features = datasets.Features(image=datasets.Image(), label=datasets.ClassLabel(names=["cat", "dog"]))
    rows = {
        "image": [{"bytes": encode(pixels), "path": None} for pixels in make_pixels()],
        "label": [number % 2 for number in range(COUNT)],
    }
    Path("set/data").mkdir(parents=True)
    table = datasets.Dataset.from_dict(rows, features=features)
    table.to_parquet("set/data/train-00000-of-00001.parquet")


def make_index() -> None:
    """Makes a tar file and a folder, and the indices of both in the cache."""
    make_tar()
    make_pictures("pictures")
    for number, spec in enumerate(("wds:set.tar", "folder:pictures")):
        shutil.rmtree(Path(os.environ["GANS_CACHE"], "indices"), ignore_errors=True)
        read_pictures_of(spec)
        shutil.copy(find_index(is_of_tar=number == 0), f"index-{number}")


def find_index(is_of_tar: bool) -> Path:
    """Finds the index of a tar file in the cache, which has a row for each image, or that of headers."""
    files = sorted(Path(os.environ["GANS_CACHE"], "indices").iterdir())
    rows = {file: json.loads(file.read_bytes()[CHECKSUM_BYTES:]) for file in files}
    return next(file for file in files if isinstance(rows[file][0], list) == is_of_tar)


def read_pictures_of(spec: str) -> torch.Tensor:
    """Reads data whose files are all checked at the start."""
    from experiments.data.core.dataset import DataAccess
    from experiments.data.core.sources import open_source

    source = open_source(spec, replace(DataAccess(), stream=True))
    size = source.native().first
    data = source.open(size, 3, "auto")
    return data.fetch(torch.arange(len(data)))


def read_index(number: int, spec: str) -> Callable[[], object]:
    """Reads data with damaged indices in the cache; the samples must be those without any."""
    from benchmarks.file_readers import FaultError

    def read() -> None:
        folder = Path(os.environ["GANS_CACHE"], "indices")
        shutil.rmtree(folder, ignore_errors=True)
        expected = read_pictures_of(spec)
        shutil.copy(f"index-{number}", find_index(is_of_tar=number == 0))
        if not torch.equal(read_pictures_of(spec), expected):
            raise FaultError("other samples from a damaged index")

    return read
