"""A real browser for tests of pages, and a judge of pages for people who hear or type."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SERIOUS = ("serious", "critical")


@contextmanager
def open_browser() -> Iterator[Any]:
    """Chromium; the test is skipped where there is none.

    While it is open an event loop runs in this thread, and tests of other modules may need one of their own.
    """
    playwright = pytest.importorskip("playwright.sync_api")
    if BROWSER is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield opened
        opened.close()


def serious_faults(tab: Any) -> list[str]:
    """What axe-core, run in the page, finds serious or critical: the rule and the place."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(tab).response
    assert len(found["passes"]) > 10  # it has really looked
    return [
        f"{fault['id']}: {fault['nodes'][0]['html']}"
        for fault in found["violations"]
        if fault["impact"] in SERIOUS
    ]
