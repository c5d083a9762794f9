"""A wheel holds everything: it trains, reports and imports without the checkout."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.house.house import ROOT, sources

POINTS = "--arch mlp --loss wgan-gp --data ring8 --steps 3 --batch-size 16 --width 8 --track local"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the sources as they are, built in a copy, so that the checkout stays clean."""
    copy = tmp_path_factory.mktemp("sources")
    for name in ("pyproject.toml", "README.md", "LICENSE", "cli.py"):
        shutil.copy(ROOT / name, copy)
    for name in ("experiments", "gans", "losses", "metrics"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    done = subprocess.run([*command, "--wheel-dir", copy / "dist", copy], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (file,) = (copy / "dist").glob("gans-*.whl")
    return file


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's content, before everything else on the path."""
    folder = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder, wheel]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def run(installed: Path, where: Path, *words: object) -> str:
    environment = {**os.environ, "PYTHONPATH": str(installed), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *map(str, words)]
    done = subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_holds_every_source_and_data_file(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    data = {
        path.relative_to(ROOT).as_posix()
        for path in ROOT.glob("experiments/**/*")
        if path.suffix in (".html", ".css", ".js", ".mplstyle")
    }
    typed = {f"{room}/py.typed" for room in ("experiments", "gans", "losses", "metrics")}
    assert data and held >= set(sources()) | data | typed


@pytest.mark.long
def test_it_trains_and_reports(installed: Path, tmp_path: Path) -> None:
    run(installed, tmp_path, installed / "bin" / "gans", "run", *POINTS.split(), "--out", "run")
    run(installed, tmp_path, "-m", "gans", "report", "run", "--out", "report.html")
    assert (tmp_path / "run" / "generator.safetensors").is_file()
    assert "<html" in (tmp_path / "report.html").read_text()


@pytest.mark.long
def test_it_is_imported(installed: Path, tmp_path: Path) -> None:
    script = "import gans; print(gans.__file__); print(gans.fid.__module__)"
    file, module = run(installed, tmp_path, "-c", script).split()
    assert Path(file).is_relative_to(installed) and module == "experiments.api"


@pytest.mark.long
@pytest.mark.parametrize("name", ["metrics", "losses"])
def test_a_file_that_hides_a_package_is_named(installed: Path, tmp_path: Path, name: str) -> None:
    """People have a metrics.py of their own beside their notebook."""
    (tmp_path / f"{name}.py").write_text("")
    script = (
        "import sys; sys.path.insert(0, ''); import gans\ntry: gans.train\nexcept ImportError as e: print(e)"
    )
    line = run(installed, tmp_path, "-c", script)
    assert str(tmp_path / f"{name}.py") in line and "rename that file" in line


@pytest.mark.long
def test_a_script_beside_a_checkout_named_gans_imports_the_package(tmp_path: Path) -> None:
    (tmp_path / "gans" / "gans").mkdir(parents=True)  # as git clone leaves it, where scripts are kept
    script = tmp_path / "script.py"
    script.write_text("import gans\nprint(gans.load.__module__)")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True)
    assert done.stdout == "experiments.api\n", done.stderr
