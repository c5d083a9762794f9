"""Pictures that several threads read at once."""

import ast
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.data.core.array_files import read_header, read_values
from experiments.data.folder import Folder
from metrics.core.npz_arrays import read_npy


def test_headers_of_arrays_are_parsed_by_one_thread_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python 3.11's parser, by which numpy reads them, fails where a finalizer lets another thread in."""
    parse, within, most = ast.literal_eval, [0], [0]

    def slowly(text: Any) -> Any:
        within[0] += 1
        most[0] = max(most[0], within[0])
        time.sleep(0.002)
        within[0] -= 1
        return parse(text)

    def read(_: int) -> None:
        assert read_values(store, "a.npy").shape == tuple(read_header(store, "a.npy")) == (8, 8, 3)
        assert read_npy(tmp_path / "a.npy", 10_000).shape == (8, 8, 3)

    np.save(tmp_path / "a.npy", np.zeros((8, 8, 3), np.float32))
    store = Folder(str(tmp_path)).typed_store
    monkeypatch.setattr(ast, "literal_eval", slowly)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(read, range(16)))
    assert most == [1]
