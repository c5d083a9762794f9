"""Page of a notebook: its text, its code, what it printed and its pictures."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from markdown_pages import code


def notebook_page(file: Path) -> str:
    """Writes the page of a notebook in the file format of Jupyter."""
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join(part for cell in cells for part in _parts(cell))


def _parts(cell: dict[str, Any]) -> Iterator[str]:
    """Text of a cell, or its code with what it printed and drew."""
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        yield source
        return
    yield code(source, "python")
    if printed := "".join(_printed(cell["outputs"])).strip():
        yield code(printed, "text")
    for output in cell["outputs"]:
        if picture := "".join(output.get("data", {}).get("image/png", "")).strip():
            yield f"![what this code draws](data:image/png;base64,{picture})"


def _printed(outputs: list[dict[str, Any]]) -> Iterator[str]:
    """Texts that a cell printed or returned; the text that comes with a picture says nothing."""
    for output in outputs:
        data = output.get("data", {})
        if output["output_type"] == "stream":
            yield "".join(output["text"])
        elif "text/plain" in data and not any(kind.startswith("image/") for kind in data):
            yield "".join(data["text/plain"])
