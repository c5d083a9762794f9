"""The notebook of examples/ runs with small settings, in a kernel, and is kept with its outputs."""

from pathlib import Path
from typing import Any

import pytest

from tests.pages import notebook
from tests.pages.reading import ROOT

SMALL = "KIMG, WIDTH, SAMPLES = 0.128, 2, 16"
LARGEST_BYTES = 300 * 1024


def _code(cells: Any) -> list[Any]:
    return [cell for cell in cells if cell.cell_type == "code"]


@pytest.mark.long
def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # the rooms of this checkout, in the kernel
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "jupyter"))
    kept, done = notebook.read(), notebook.read()
    notebook.run(done, tmp_path, SMALL)
    shown, before = ([_kinds(cell) for cell in _code(each.cells) if _kinds(cell)] for each in (done, kept))
    assert shown == before, "a cell shows something else than what is kept: python -m tests.pages.notebook"


def test_the_notebook_is_kept_with_its_outputs() -> None:
    assert notebook.FILE.stat().st_size < LARGEST_BYTES
    kinds = [kind for cell in _code(notebook.read().cells) for kind in _kinds(cell)]
    assert kinds.count("image/png") >= 3
    text = notebook.FILE.read_text(encoding="utf-8")
    assert "/tmp/" not in text and "/home/" not in text and "/root/" not in text
    assert "Traceback" not in text


def test_the_notebook_needs_nothing_but_the_face_of_the_laboratory() -> None:
    source = "\n".join(cell.source for cell in _code(notebook.read().cells))
    words = {
        line.split()[1].split(".")[0] for line in source.splitlines() if line.startswith(("import ", "from "))
    }
    assert words == {"gans", "matplotlib", "torch"}


def _kinds(cell: Any) -> set[str]:
    """What a cell shows: the types of its outputs, and printed text; not the progress of training."""
    return {
        kind
        for output in cell.get("outputs", ())
        for kind in (
            ["error"]
            if output.output_type == "error"
            else [output.name]
            if output.output_type == "stream"
            else [kind for kind in output.data if kind != "text/plain"] or ["text/plain"]
        )
    } - {"stderr"}
