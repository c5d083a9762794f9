"""The examples in docstrings run, and there is one for every loss, penalty and metric."""

import doctest
import importlib

import pytest

from experiments.core import registry
from tests.house.house import ROOT, source_files

SHOWN = ("gans", "losses", "metrics", "experiments.api", "experiments.config.adversary")
KINDS = ("form", "penalty", "penalty-norm", "metric")
PLUGINS = [(kind, name) for kind in KINDS for name in sorted(registry.built_in_names(kind))]
MODULES = [
    file.removesuffix(".py").replace("/", ".")
    for file in source_files()
    if ">>> " in (ROOT / file).read_text(encoding="utf-8")
]


@pytest.mark.parametrize("module", MODULES)
def test_examples_run(module: str) -> None:
    """Those of losses, metrics, networks and the API as they stand, for readers who copy them."""
    own = {"globs": {}} if module.startswith(SHOWN) else {}
    found = doctest.testmod(importlib.import_module(module), verbose=False, **own)
    assert found.attempted > 0
    assert found.failed == 0


@pytest.mark.parametrize(("kind", "name"), PLUGINS)
def test_a_plugin_shows_its_use(kind: str, name: str) -> None:
    assert ">>> " in (registry.load(kind, name).__doc__ or ""), "an example in the docstring of its class"
