"""Pages in a real browser, which fails a test where the page logs an error or asks for anything."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

OpenPage = Callable[..., AbstractContextManager[Any]]


@pytest.fixture
def open_page(browser: Any) -> OpenPage:
    """`with open_page(file, width=400, dark=True) as tab` opens a file."""

    @contextmanager
    def open_file(file: Path, width: int = 1280, dark: bool = False) -> Iterator[Any]:
        problems: list[str] = []
        size = {"width": width, "height": 900}
        context = browser.new_context(viewport=size, color_scheme="dark" if dark else "light")
        tab = context.new_page()
        tab.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        tab.on("pageerror", lambda error: problems.append(str(error)))
        tab.on(
            "request",
            lambda request: (
                None if request.url.startswith(("file:", "data:")) else problems.append(request.url)
            ),
        )
        tab.goto(file.as_uri())
        yield tab
        context.close()
        assert problems == []

    return open_file
