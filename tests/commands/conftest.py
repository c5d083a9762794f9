"""The table of a dry run."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.commands.helpers import Gans, is_setting


@pytest.fixture
def plan(gans: Gans, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """The table of `gans run … --dry-run`: setting or option → (value, source). Nothing may be written."""

    def call(line: str) -> dict[str, Any]:
        monkeypatch.setenv("COLUMNS", "200")
        before = sorted(workplace.rglob("*"))
        outcome = gans(f"run {line} --dry-run")
        assert (outcome.status, outcome.err) == (0, "")
        assert sorted(workplace.rglob("*")) == before
        rows = [re.split(r" {2,}", row.strip()) for row in outcome.out.splitlines()]
        return {row[0]: tuple(row[1:]) for row in rows if is_setting(row[0])}

    return call
