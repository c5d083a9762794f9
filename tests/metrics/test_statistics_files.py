"""Files of statistics: what is none is refused in one line, and no claim of a file takes memory."""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from metrics.core.statistics import Statistics

EYE = np.eye(3)
BROKEN = {
    "no sigma": {"mu": np.zeros(3)},
    "no mu and no sigma": {"features": np.zeros(3)},
    "mean of shape (3,) with covariance (2, 2)": {"mu": np.zeros(3), "sigma": np.eye(2)},
    "mean of shape (1, 3)": {"mu": np.zeros((1, 3)), "sigma": EYE},
    "NaN": {"mu": np.array([0, np.nan, 0]), "sigma": EYE},
    "NaN or infinity": {"mu": np.zeros(3), "sigma": np.full((3, 3), np.inf)},
    "not symmetric": {"mu": np.zeros(3), "sigma": EYE + np.eye(3, k=1)},
    "negative variance": {"mu": np.zeros(3), "sigma": -EYE},
    "mu or sigma are no real numbers": {"mu": np.array(["a", "b", "c"]), "sigma": EYE},
    "no real numbers": {"mu": np.zeros(3) + 1j, "sigma": EYE},
    "negative eigenvalue": {"mu": np.zeros(3), "sigma": 0.6 * EYE - 0.5},
    "its count is -5": {"mu": np.zeros(3), "sigma": EYE, "count": np.array(-5)},
    "its count is 2.5": {"mu": np.zeros(3), "sigma": EYE, "count": np.array(2.5)},
    "its count is [1 2]": {"mu": np.zeros(3), "sigma": EYE, "count": np.array([1, 2])},
    "provenance is no text": {"mu": np.zeros(3), "sigma": EYE, "provenance": np.array(["{}"])},
    "another extractor than": {"mu": np.zeros(3), "sigma": EYE, "provenance": np.array('{"extractor": 5}')},
    "another weights than": {"mu": np.zeros(3), "sigma": EYE, "provenance": np.array('{"weights": [1]}')},
    "another extractor_options": {
        "mu": np.zeros(3),
        "sigma": EYE,
        "provenance": np.array('{"extractor_options": "x"}'),
    },
    "nested too deeply": {"mu": np.zeros(3), "sigma": EYE, "provenance": np.array("[" * 100_000)},
    "provenance is no object": {"mu": np.zeros(3), "sigma": EYE, "provenance": np.array("[]")},
}


@pytest.mark.parametrize("problem", BROKEN)
def test_files_that_are_no_statistics_are_refused_in_a_line(problem: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "bad.npz", **BROKEN[problem])
    refused(tmp_path / "bad.npz", problem)


def test_a_covariance_of_float32_is_one(tmp_path: Path) -> None:
    """Rounding leaves eigenvalues beneath zero: here of a matrix of rank 5 in 200 dimensions."""
    half = np.random.default_rng(0).normal(size=(5, 200)).astype(np.float32)
    np.savez(tmp_path / "float32.npz", mu=np.zeros(200, np.float32), sigma=half.T @ half)
    assert np.linalg.eigvalsh((half.T @ half).astype(np.float64)).min() < 0
    assert Statistics.load(tmp_path / "float32.npz").count == 0


def test_what_a_file_claims_is_looked_at_before_memory_is_taken(tmp_path: Path) -> None:
    """A header of 200 bytes may claim a matrix of any size."""
    header = io.BytesIO()
    claim = {"descr": "<f8", "fortran_order": False, "shape": (10**6, 10**6)}
    np.lib.format.write_array_header_1_0(header, claim)
    with zipfile.ZipFile(tmp_path / "claim.npz", "w") as archive:
        archive.writestr("mu.npy", header.getvalue())
    refused(tmp_path / "claim.npz", "mu claims (1000000, 1000000) of float64")
    os.mkfifo(tmp_path / "pipe.npz")
    refused(tmp_path / "pipe.npz", "is no regular file")


@pytest.mark.parametrize(("asymmetry", "right"), [(0.9e-5, True), (1.1e-5, False)])
def test_files_in_float32_may_be_a_little_asymmetric(asymmetry: float, right: bool, tmp_path: Path) -> None:
    """By 1e-5 of the largest entry; and as little beneath zero. The mean of both halves is taken."""
    sigma = 100 * np.eye(3)
    sigma[0, 1] = 100 * asymmetry
    np.savez(tmp_path / "skew.npz", mu=np.zeros(3), sigma=sigma)
    flat = np.diag([100.0, 1.0, 100 * asymmetry / 1.05])
    rotation, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))
    largest = np.diag(rotation @ flat @ rotation.T).max()
    below = rotation @ np.diag([100.0, 1.0, -asymmetry * largest]) @ rotation.T
    np.savez(tmp_path / "below.npz", mu=np.zeros(3), sigma=(below + below.T) / 2)
    if right:
        found = Statistics.load(tmp_path / "skew.npz").covariance
        assert found[0, 1].item() == found[1, 0].item() == pytest.approx(50 * asymmetry)
        Statistics.load(tmp_path / "below.npz")
    else:
        refused(tmp_path / "skew.npz", "the covariance is not symmetric")
        refused(tmp_path / "below.npz", "negative eigenvalue")


def test_arrays_in_fortran_order_and_of_other_types_are_read(tmp_path: Path) -> None:
    """And a file whose counts and variances are zero."""
    half = np.arange(6.0).reshape(2, 3)
    np.savez(tmp_path / "f.npz", mu=np.array([1, 2, 3], np.int16), sigma=np.asfortranarray(half.T @ half))
    found = Statistics.load(tmp_path / "f.npz")
    assert found.mean.tolist() == [1, 2, 3]
    assert torch.equal(found.covariance, torch.from_numpy(half.T @ half))
    np.savez(tmp_path / "zero.npz", mu=np.zeros(2), sigma=np.zeros((2, 2)), count=np.array(0))
    assert Statistics.load(tmp_path / "zero.npz").count == 0


@pytest.mark.parametrize("seed", range(40))
def test_any_flipped_bit_is_noticed_or_changes_nothing(seed: int, tmp_path: Path) -> None:
    """Checksums hold the arrays; what is left is in names and dates of the archive."""
    random = np.random.default_rng(seed)
    np.savez(tmp_path / "whole.npz", mu=np.arange(4.0), sigma=np.eye(4), count=np.array(7))
    content = bytearray((tmp_path / "whole.npz").read_bytes())
    for _ in range(20):
        place = int(random.integers(len(content)))
        content[place] ^= 1 << int(random.integers(8))
        (tmp_path / "flipped.npz").write_bytes(content)
        try:
            found = Statistics.load(tmp_path / "flipped.npz")
        except ValueError as error:
            assert "flipped.npz" in str(error)
        else:
            assert found.mean.tolist() == [0, 1, 2, 3] and torch.equal(
                found.covariance, torch.eye(4).double()
            )


def test_files_that_are_no_npz_are_refused_in_a_line(tmp_path: Path) -> None:
    refused(tmp_path / "missing.npz", "does not exist")
    np.save(tmp_path / "array.npy", np.zeros(3))
    refused(tmp_path / "array.npy", "is a single array")
    (tmp_path / "text.npz").write_text("hello")
    refused(tmp_path / "text.npz", "is not a readable .npz")
    (tmp_path / "empty.npz").write_bytes(b"")
    refused(tmp_path / "empty.npz", "")
    np.savez(tmp_path / "half.npz", mu=np.zeros(500), sigma=np.eye(500))
    whole = (tmp_path / "half.npz").read_bytes()
    (tmp_path / "half.npz").write_bytes(whole[: len(whole) // 2])
    refused(tmp_path / "half.npz", "")
    refused(tmp_path, "")


def refused(path: Path, problem: str) -> None:
    with pytest.raises(ValueError) as failure:
        Statistics.load(path)
    line = str(failure.value)
    assert line.startswith(f"statistics {path}")
    assert problem in line
    assert "give a .npz with mu (D,) and sigma (D, D)" in line
    assert "\n" not in line
