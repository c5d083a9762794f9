"""The notebook of examples/, run in a kernel of its own.

python -m tests.pages.notebook     runs it as it stands and keeps its outputs
"""

import os
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from tests.pages.reading import ROOT

FILE = ROOT / "examples/notebook.ipynb"
PARAMETERS = "parameters"  # tag of the cell after which other values are set


def read() -> Any:
    """The notebook with the outputs that are kept."""
    return nbformat.read(FILE, as_version=4)


def run(notebook: Any, folder: Path, parameters: str = "") -> None:
    """Runs all cells of a notebook in a folder. Raises CellExecutionError where one fails.

    Args:
        parameters: code that sets other values than those of its parameters.
    """
    if parameters:
        (place,) = (n for n, cell in enumerate(notebook.cells) if PARAMETERS in cell.metadata.get("tags", ()))
        notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(parameters))
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=1800, kernel_name="python3", resources=resources).execute()


def main() -> None:
    """Runs the notebook in an empty folder, and writes it with its outputs."""
    os.environ["PYTHONPATH"] = str(ROOT)  # the rooms of this checkout, in the kernel
    notebook = read()
    with tempfile.TemporaryDirectory() as folder:
        run(notebook, Path(folder))
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times
    notebook.metadata["language_info"] = {"name": "python"}
    nbformat.write(notebook, FILE)
    print(f"{FILE.relative_to(ROOT)} has {FILE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
