"""SVHN: a real .mat file is read exactly."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat

from experiments.data.core.dataset import DataAccess
from experiments.data.svhn import Svhn

FILE = "train_32x32.mat"


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hides what this machine has."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("GANS_CACHE", raising=False)
    monkeypatch.setenv("GANS_DATA", "")
    monkeypatch.chdir(tmp_path)


def pixels(count: int = 4) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (32, 32, 3, count), dtype=np.uint8)


def save(file: Path, labels: list[int], pixels: np.ndarray, **more: np.ndarray) -> None:
    """As published: compressed, in Matlab's order, labels as a column."""
    content = {"X": np.asfortranarray(pixels), "y": np.array(labels, np.uint8)[:, None], **more}
    savemat(file, content, do_compression=True)


def test_published_format_is_read_exactly(tmp_path: Path) -> None:
    save(tmp_path / FILE, [1, 9, 10, 10], pixels())
    native = Svhn("", DataAccess(tmp_path)).native()
    assert (native.size, native.channels) == ((32, 32), 3)
    data = Svhn("", DataAccess(tmp_path)).open(None, None, "auto")
    for number in range(4):
        assert np.array_equal(data.samples[number].permute(1, 2, 0).numpy(), pixels()[..., number])
    assert data.samples.is_contiguous()
    assert data.labels is not None
    assert data.labels.tolist() == [1, 9, 0, 0]  # Matlab's class 10 is the digit 0
    assert data.labels.dtype == torch.int64
    assert data.classes[9] == "9"


def test_one_picture_is_a_set_too(tmp_path: Path) -> None:
    save(tmp_path / FILE, [10], pixels(1))
    assert Svhn("", DataAccess(tmp_path)).open((16, 16), 1, "auto").samples.shape == (1, 1, 16, 16)


def test_damage_is_named(tmp_path: Path) -> None:
    file = tmp_path / FILE
    save(file, [1, 2, 3, 4], pixels())
    whole = file.read_bytes()
    for length in (0, 100, 1000, len(whole) - 1):  # a download that broke off
        file.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=rf"{file} is damaged or .*fetch it anew") as error:
            Svhn("", DataAccess(tmp_path)).open(None, None, "auto")
        assert "\n" not in str(error.value)
    for labels, array, problem in (
        ([1, 2, 3], pixels(), "holds 3 labels for 4"),
        ([1, 2, 3, 0], pixels(), "not from 1 to 10"),
        ([1, 2, 3, 11], pixels(), "not from 1 to 10"),
        ([1, 2, 3, 4], pixels().transpose(3, 2, 0, 1), "not hold pictures of 32×32×3"),
        ([1, 2, 3, 4], pixels() / 255, "not hold pictures of 32×32×3 bytes"),
    ):
        save(file, labels, array)
        with pytest.raises(ValueError, match=f"{file} .*{problem}"):
            Svhn("", DataAccess(tmp_path)).open(None, None, "auto")
    savemat(file, {"X": pixels()})
    with pytest.raises(ValueError, match=rf"{file} is damaged or cannot be read \('y'\)"):
        Svhn("", DataAccess(tmp_path)).open(None, None, "auto")
