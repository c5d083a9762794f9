"""Files of statistics of feature vectors, read within bounds into their parts."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from metrics.core.nested_values import parse_json
from metrics.core.npz_arrays import read_npz

MOST_FEATURES = 4096  # in a file: of the published extractors', the most
MOST_WORDS = 40  # characters of a value in an error
MOST_RECORD = 2**18  # characters of the provenance in a file
MOST_BYTES = 8 * MOST_FEATURES * (MOST_FEATURES + 1) + 4 * MOST_RECORD + 1024  # of the arrays in a file
# Types of the parts of a provenance that are compared; a part may be missing, or None.
PROVENANCE_TYPES: dict[type, tuple[str, ...]] = {
    str: ("extractor", "distance", "weights", "resize_rule", "reference"),
    dict: ("extractor_options",),
    list: ("range",),
}


def read_statistics_file(path: Path | str) -> dict[str, Any]:
    """Reads the parts of statistics from a `.npz`. Raises ValueError for what cannot be one."""
    arrays = read_npz(path, MOST_BYTES)
    if missing := {"mu", "sigma"} - set(arrays):
        raise ValueError(f"has no {' and no '.join(sorted(missing))}")
    mean, covariance = arrays["mu"], arrays["sigma"]
    if any(array.dtype.kind not in "fiu" for array in (mean, covariance)):
        raise ValueError("mu or sigma are no real numbers")
    check_shapes(mean.shape, covariance.shape)  # before they are made wider
    if len(mean) > MOST_FEATURES:
        raise ValueError(f"has {len(mean):,} features, more than the {MOST_FEATURES:,} allowed")
    count = arrays.get("count", np.array(0))
    if count.shape != () or count.dtype.kind not in "iu" or count < 0:
        raise ValueError(f"its count is {str(count)[:MOST_WORDS]}, no number of samples")
    return {
        "mean": torch.from_numpy(mean.astype(np.float64)),
        "covariance": torch.from_numpy(covariance.astype(np.float64)),
        "count": int(count),
        "provenance": _read_provenance(arrays["provenance"]) if "provenance" in arrays else {},
    }


def _read_provenance(text: NDArray[np.generic]) -> dict[str, Any]:
    """Reads how the vectors were made. Raises ValueError for a record that is none."""
    if text.shape != () or text.dtype.kind != "U" or text.dtype.itemsize > 4 * MOST_RECORD:
        raise ValueError(f"its provenance is no text of at most {MOST_RECORD:,} characters")
    record = parse_json(str(text))
    if not isinstance(record, dict):
        raise ValueError("its provenance is no object")
    for kind, keys in PROVENANCE_TYPES.items():
        for key in keys:
            if not isinstance(record.get(key), kind | None):
                raise ValueError(f"its provenance has another {key} than gans writes")
    return record


def check_shapes(mean: tuple[int, ...], covariance: tuple[int, ...]) -> None:
    """Checks the shapes of a mean `(D,)` and covariance `(D, D)`. Raises ValueError for others."""
    if len(mean) != 1 or tuple(covariance) != 2 * tuple(mean):
        raise ValueError(f"mean of shape {tuple(mean)} with covariance {tuple(covariance)}")
    if not mean[0]:
        raise ValueError("mean and covariance are empty")
