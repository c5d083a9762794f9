"""The code of docs/components.md is the code of examples/, which the tests run."""

import pytest

from tests.pages.embedding import embed, embedded
from tests.pages.reading import NAMES, ROOT

COMPONENTS = "docs/components.md"
SHOWN = {"examples/pearson.py", "examples/resize_conv.py", "examples/optimistic_adam.py"}


@pytest.mark.parametrize("page", NAMES)
def test_files_stand_in_pages_as_they_are(page: str) -> None:
    for path, content in embedded((ROOT / page).read_text(encoding="utf-8")):
        assert content.encode() == (ROOT / path).read_bytes(), (
            f"{path} is another in {page}: .venv/bin/python -m tests.pages.embedding"
        )


def test_the_examples_stand_in_their_page() -> None:
    assert {path for path, _ in embedded((ROOT / COMPONENTS).read_text(encoding="utf-8"))} == SHOWN


def test_a_file_is_embedded_once() -> None:
    page = "Before\n\n<!-- file: examples/pearson.py -->\n\nAfter\n"
    once = embed(page)
    assert embed(once) == once
    assert once.startswith("Before") and once.endswith("\n\nAfter\n")
    ((path, content),) = embedded(once)
    assert content == (ROOT / path).read_text(encoding="utf-8")
    changed = once.replace("logits.square() / 4", "logits.square() / 2")
    assert dict(embedded(changed)) != dict(embedded(once)) and embed(changed) == once
