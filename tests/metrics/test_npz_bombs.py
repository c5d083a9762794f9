"""Files of arrays that take memory or time for what they do not hold."""

import io
import struct
import time
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from metrics.core import statistics_files
from metrics.core.npz_arrays import read_npz
from metrics.core.statistics import Statistics
from tests.commands.helpers import little_memory

MIB = 2**20


@pytest.fixture(autouse=True)
def _soon() -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 5


def npy(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def packed(folder: Path, *members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(folder / "x.npz", "w", method, compresslevel=1) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return folder / "x.npz"


def refused(path: Path, problem: str) -> None:
    with little_memory(), pytest.raises(ValueError, match=problem) as refusal:
        Statistics.load(path)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(("method", "size"), [(zipfile.ZIP_BZIP2, 100 * MIB), (zipfile.ZIP_LZMA, MIB)])
def test_only_what_numpy_writes_is_inflated(method: int, size: int, tmp_path: Path) -> None:
    """Bzip2 inflates all that it has read at once: 100 MB from a hundred bytes."""
    refused(packed(tmp_path, ("mu.npy", bytes(size)), method=method), "mu .*compressed as numpy does not")


@pytest.mark.parametrize(("version", "length"), [(1, "<H"), (2, "<I")])
def test_headers_are_no_longer_than_headers(version: int, length: str, tmp_path: Path) -> None:
    claimed = 60_000 if version == 1 else 100 * MIB
    content = b"\x93NUMPY" + bytes([version, 0]) + struct.pack(length, claimed) + b" " * claimed
    refused(packed(tmp_path, ("mu.npy", content)), "mu has a header of more than 10,000 bytes")


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_headers_of_both_versions_are_read(version: tuple[int, int], tmp_path: Path) -> None:
    content = io.BytesIO()
    np.lib.format.write_array(content, np.arange(6.0).reshape(2, 3), version)
    found = read_npz(packed(tmp_path, ("a.npy", content.getvalue())), MIB)
    assert found["a"].tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("kind", ["u1", "f2", "f8"])
def test_matrices_of_small_numbers_are_bounded_by_their_shape(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As numbers of 8 bytes they take eight times what they are in the file."""
    assert statistics_files.MOST_FEATURES == 4096
    monkeypatch.setattr(statistics_files, "MOST_FEATURES", 100)
    for features in (100, 101):
        sigma = np.eye(features).astype(kind)
        path = packed(tmp_path, ("mu.npy", npy(sigma[0])), ("sigma.npy", npy(sigma)))
        if features == 100:
            assert Statistics.load(path).covariance.trace() == 100
        else:
            refused(path, "has 101 features, more than the 100 allowed")


def test_shapes_are_compared_before_numbers_are_made_wider(tmp_path: Path) -> None:
    sigma = np.zeros((1, 8 * MIB), "u1")
    refused(packed(tmp_path, ("mu.npy", npy(sigma[0])), ("sigma.npy", npy(sigma))), "mean of shape")


def test_a_matrix_is_read_in_few_copies(tmp_path: Path) -> None:
    """The largest has 128 MB, and the promise is 500."""
    path = packed(tmp_path, ("mu.npy", npy(np.zeros(1500))), ("sigma.npy", npy(np.eye(1500))))
    tracemalloc.start()  # numpy's arrays; torch has two more of its own
    Statistics.load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2.2 * 8 * 1500**2


def test_arrays_together_are_bounded(tmp_path: Path) -> None:
    part = npy(np.zeros(MIB // 8))
    path = packed(tmp_path, *((f"{number}.npy", part) for number in range(3)))
    assert len(read_npz(path, 3 * MIB)) == 3
    with pytest.raises(ValueError, match=r"2 claims \(131072,\) of float64"):
        read_npz(path, 3 * MIB - 1)


def test_arrays_are_few_and_have_names_of_their_own(tmp_path: Path) -> None:
    one = npy(np.zeros(1))
    assert len(read_npz(packed(tmp_path, *((f"{n}.npy", one) for n in range(16))), MIB)) == 16
    refused(packed(tmp_path, *((f"{n}.npy", one) for n in range(17))), "has 17 arrays, more than the 16")
    refused(
        packed(tmp_path, *((f"{n}.npy", one) for n in range(5000))), "directory has more than 65,536 bytes"
    )
    refused(packed(tmp_path, ("mu.npy", one), ("mu", one)), "has mu twice")
