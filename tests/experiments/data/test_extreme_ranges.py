"""Ranges at the ends of what float32 holds: scaled as float64 does, or refused in one line."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from experiments.data.core.dataset import DataAccess, DataSet
from experiments.data.core.picture_options import plain_number
from experiments.data.core.sources import open_source

Values = NDArray[np.float32]


def opened(root: Path, values: Values, value_range: str | None = None) -> DataSet:
    np.save(root / "a.npy", values)
    options = {} if value_range is None else {"data.range": value_range}
    return open_source(f"npy:{root / 'a.npy'}", DataAccess(options=options)).open(None, None, "auto")


def pictures(*levels: float) -> Values:
    """Two pictures `(2, 6, 6)` of these values in turn."""
    return np.resize(np.array(levels, np.float32), (2, 6, 6))


def test_a_whole_number_is_one_only_where_integers_hold_it() -> None:
    found: list[Any] = [plain_number(value) for value in (2.0, np.float32(-3), 2.0**53, -1e20, 0.5)]
    assert found == [2, -3, 2.0**53, -1e20, 0.5]
    assert [type(each) for each in found] == [int, int, float, float, float]


@pytest.mark.parametrize("low", [-1e20, -3.4e38, -(2.0**63), -(2.0**80)])
def test_values_that_stand_for_none_are_scaled(low: float, tmp_path: Path) -> None:
    """The smallest is a whole number that no int64 holds, as `nodata` of rasters is."""
    data = opened(tmp_path, values := pictures(low, 0, 0.5 * low, 1))
    assert data.units is not None and data.units.range == (np.float32(low), 1)
    scaled = data.units.to_networks(data.fetch(torch.arange(2)))
    exact = 2 * (values.astype(np.float64) - values.min()) / (1 - float(values.min())) - 1
    np.testing.assert_allclose(scaled[:, 0].numpy(), exact, atol=1e-6)


def test_the_narrowest_range_is_scaled(tmp_path: Path) -> None:
    data = opened(tmp_path, pictures(0, 2.0**-127, 2.0**-126))
    assert data.units is not None
    assert data.units.to_networks(data.fetch(torch.arange(1))).unique().tolist() == [-1, 0, 1]


def test_what_float32_cannot_scale_is_refused_with_a_remedy(tmp_path: Path) -> None:
    narrow = pictures(0, 1e-40, 3e-40)
    for words in (None, "auto,each", "0,3e-40"):
        with pytest.raises(ValueError, match=r"is narrower than 1.2e-38.*multiply the values and save them"):
            opened(tmp_path, narrow, words)
    assert opened(tmp_path, narrow * np.float32(1e30), None).units is not None
    wide = pictures(-3e38, 1, 3e38)
    with pytest.raises(ValueError, match=r"is wider than 3.4e\+38.*a narrower --set data.range=LOW,HIGH"):
        opened(tmp_path, wide)
    assert opened(tmp_path, wide, "0,1").units is not None
