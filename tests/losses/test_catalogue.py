"""Every file of the losses says what it is: in one line for lists, and in its class for whoever reads on."""

import pytest

from experiments.core import registry

PLUGINS = [
    (kind, name)
    for kind in ("form", "penalty", "penalty-norm", "regularizer", "schedule")
    for name in registry.names(kind)
]


@pytest.mark.parametrize(("kind", "name"), PLUGINS, ids=lambda word: word)
def test_files_begin_with_a_line_for_lists(kind: str, name: str) -> None:
    """One sentence."""
    line = registry.summary(kind, name)
    assert line.endswith(".") and len(line) > 20


@pytest.mark.parametrize(("kind", "name"), PLUGINS, ids=lambda word: word)
def test_classes_say_what_they_compute(kind: str, name: str) -> None:
    """In words of their own, not in those of the contract that they inherit."""
    assert (vars(registry.load(kind, name)).get("__doc__") or "").strip()
