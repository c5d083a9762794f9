"""Arrays, tar files and databases that cannot be used: one clear line of the command, and nothing written."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from tests.commands.helpers import IMAGES, Refused, everything_below

RUN = f"run {IMAGES} --out run --data"


@pytest.fixture
def files(workplace: Path) -> None:
    """Files of each kind that lack something."""
    np.save("images.npy", np.zeros((12, 8, 8, 3), np.uint8))
    np.save("float.npy", np.zeros((12, 8, 8), np.float32))
    np.save("nan.npy", np.full((12, 8, 8), np.nan, np.float32))
    np.save("complex.npy", np.zeros((12, 8, 8), np.complex64))
    Path("cut.npy").write_bytes(Path("images.npy").read_bytes()[:-1])
    np.save("objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.savez("other.npz", a=np.zeros(3), b=np.zeros(4))
    with tarfile.open("words.tar", "w") as tar:
        info = tarfile.TarInfo("1.png")
        info.size = 5
        tar.addfile(info, io.BytesIO(b"words"))
    Path("cut.tar").write_bytes(Path("words.tar").read_bytes()[:1024])
    Path("empty").mkdir()


@pytest.mark.parametrize(
    ("spec", "mentions"),
    [
        ("npy", ("npy:FILE",)),
        ("npy:nowhere.npy", ("nowhere.npy", "does not exist")),
        ("npy:float.npy", ("float.npy", "no different values", "data.range=LOW,HIGH")),
        ("npy:nan.npy", ("picture 0", "nan.npy", "not finite", "--skip-bad")),
        ("npy:complex.npy", ("complex.npy", "complex64", "float32")),
        ("npy:cut.npy", ("cut.npy", "cut short")),
        ("npy:objects.npy", ("objects.npy", "Python objects")),
        ("npy:empty", ("empty", "folder:")),
        ("npz:images.npy", ("images.npy", "not a .npz")),
        ("npz:other.npz", ("other.npz", "a, b", "data.image")),
        ("wds", ("wds:",)),
        ("wds:nowhere-*.tar", ("nowhere-*.tar", "no file")),
        ("wds:cut.tar", ("cut.tar", "cut short")),
        ("wds:words.tar", ("words.tar", "1.png", "not an image")),
        ("lmdb", ("lmdb",)),
        ("hf", ("hf",)),
        ("images.npy", ("an array", "npy:images.npy")),
        ("words.tar", ("a tar file", "wds:words.tar")),
    ],
)
def test_files_that_hold_no_data(files: None, refused: Refused, spec: str, mentions: tuple[str, ...]) -> None:
    def written() -> dict[str, bytes]:
        """All files but those of the cache, which keeps the index of a tar file whose images are bad."""
        found = everything_below(Path())
        return {path: content for path, content in found.items() if not path.startswith("cache/")}

    before = written()
    refused(2, mentions, RUN, spec)
    assert written() == before


def test_names_of_arrays_and_columns(files: None, refused: Refused) -> None:
    refused(2, ("data.image", "not c"), f"{RUN} npz:other.npz --set data.image=c")
    refused(2, ("data.nothing", "data.label"), f"{RUN} npy:images.npy --set data.nothing=c")
    refused(2, ("--class-balance", "no labels"), f"{RUN} npy:images.npy --class-balance")
