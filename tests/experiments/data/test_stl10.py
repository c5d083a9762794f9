"""STL-10: the binary file is read exactly, and one that was cut off is not taken."""

from pathlib import Path

import numpy as np
import pytest

from experiments.data import stl10
from experiments.data.core.dataset import DataAccess
from experiments.data.stl10 import Stl10

FILE = "stl10_binary/unlabeled_X.bin"


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hides what this machine has, and makes the set a short one."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("GANS_CACHE", raising=False)
    monkeypatch.setenv("GANS_DATA", "")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stl10, "LENGTH", 3)


def install(root: Path) -> np.ndarray:
    """Writes three pictures as published, channel by channel and column by column; `(3, 96, 96, 3)`."""
    pictures = np.random.default_rng(0).integers(0, 256, (3, 96, 96, 3), dtype=np.uint8)
    (root / FILE).parent.mkdir(parents=True)
    (root / FILE).write_bytes(pictures.transpose(0, 3, 2, 1).tobytes())
    return pictures


def test_published_format_is_read_exactly(tmp_path: Path) -> None:
    pictures = install(tmp_path)
    native = Stl10("", DataAccess(tmp_path)).native()
    assert (native.size, native.channels) == ((96, 96), 3)
    data = Stl10("", DataAccess(tmp_path)).open(None, None, "auto")
    assert np.array_equal(data.samples.permute(0, 2, 3, 1).numpy(), pictures)
    assert data.samples.is_contiguous()
    assert data.labels is None
    assert data.classes == ()


def test_papers_take_it_at_48_pixels(tmp_path: Path) -> None:
    pictures = install(tmp_path).astype(float)
    small = Stl10("", DataAccess(tmp_path)).open((48, 48), 3, "auto").samples
    assert small.shape == (3, 3, 48, 48)
    blocks = pictures.reshape(3, 48, 2, 48, 2, 3).mean((2, 4)).transpose(0, 3, 1, 2)
    likeness = np.corrcoef(small.numpy().ravel(), blocks.ravel())[0, 1]
    assert likeness > 0.9  # upright: another order of the axes has none with noise


def test_the_file_is_left_as_it_is(tmp_path: Path) -> None:
    install(tmp_path)
    before = (tmp_path / FILE).read_bytes()
    Stl10("", DataAccess(tmp_path)).open(None, None, "auto").samples.zero_()
    assert (tmp_path / FILE).read_bytes() == before


def test_another_length_is_not_the_set(tmp_path: Path) -> None:
    install(tmp_path)
    whole = (tmp_path / FILE).read_bytes()
    for content in (whole[:-1], whole[: len(whole) * 2 // 3], b"", whole + b"x"):
        (tmp_path / FILE).write_bytes(content)
        problem = rf"{FILE} has {len(content):,} bytes instead of 82,944: fetch it with --download"
        with pytest.raises(ValueError, match=problem) as error:
            Stl10("", DataAccess(tmp_path)).native()
        assert "\n" not in str(error.value)
        with pytest.raises(ValueError, match=problem):
            Stl10("", DataAccess(tmp_path)).open(None, None, "auto")


def test_the_published_length() -> None:
    """The size of the file in the archive: 100,000 pictures."""
    assert stl10.SIDE**2 * 3 * 100_000 == 2_764_800_000
