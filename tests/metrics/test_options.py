"""Defaults and bounds of the options of metrics: those of the authors, with whom scores are to compare."""

from typing import Any

import pytest

import metrics
from tests.declared import check_records_are_frozen, declared

OPTIONS: dict[str, dict[str, tuple[Any, ...]]] = {
    "class-modes": {"share": (0.0, "[0, 1)"), "confidence": (0.9, "[0, 1]")},
    "density-coverage": {"k": (5, "[1, ∞)")},
    "fid-infinity": {"sizes": (15, "[10, ∞)")},
    "inception-score": {"splits": (10, "[1, ∞)")},
    "kid": {"subsets": (100, "[2, ∞)"), "subset_size": (1000, "[2, ∞)")},
    "modes": {"radius": (3.0, "(0, ∞)"), "share": (0.002, "[0, 1)")},
    "path-length": {"epsilon": (0.0001, "(0, 1)"), "trim": ((1.0, 99.0), "[0, 100]")},
    "precision-recall": {"k": (3, "[1, ∞)")},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options_have_the_authors_defaults(name: str) -> None:
    assert declared("metric", name) == OPTIONS[name]


def test_records_are_frozen() -> None:
    """Options and defaults are shared: whoever changed one would change all."""
    check_records_are_frozen(metrics)
