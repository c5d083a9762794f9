"""The notebook of examples/ runs with small settings, in a kernel, and is kept with its outputs."""

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

nbformat = pytest.importorskip("nbformat")
client = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

FILE = ROOT / "examples/notebook.ipynb"
SMALL = "KIMG, WIDTH, SAMPLES = 0.128, 2, 16"
LARGEST_BYTES = 300 * 1024


def _notebook() -> Any:
    return nbformat.read(FILE, as_version=4)


def _code(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # the rooms of this checkout, in the kernel
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "jupyter"))
    notebook = _notebook()
    (place,) = (n for n, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", ()))
    notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(SMALL))
    resources = {"metadata": {"path": str(tmp_path)}}
    client.NotebookClient(notebook, timeout=120, kernel_name="python3", resources=resources).execute()
    assert [_kinds(cell) for cell in _code(notebook) if _kinds(cell)] == [
        _kinds(cell) for cell in _code(_notebook()) if _kinds(cell)
    ], "a cell shows something else than the one that is kept"


def test_the_notebook_is_kept_with_its_outputs() -> None:
    assert FILE.stat().st_size < LARGEST_BYTES
    kinds = [kind for cell in _code(_notebook()) for kind in _kinds(cell)]
    assert kinds.count("image/png") >= 3 and "stderr" not in kinds
    text = FILE.read_text(encoding="utf-8")
    assert "/tmp/" not in text and "/home/" not in text and "/root/" not in text
    assert "Traceback" not in text


def test_the_notebook_needs_nothing_but_the_face_of_the_laboratory() -> None:
    source = "\n".join(cell.source for cell in _code(_notebook()))
    words = {
        line.split()[1].split(".")[0] for line in source.splitlines() if line.startswith(("import ", "from "))
    }
    assert words == {"gans", "matplotlib", "torch"}


def _kinds(cell: Any) -> set[str]:
    """What a cell shows: the streams and types of its outputs."""
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
    }
