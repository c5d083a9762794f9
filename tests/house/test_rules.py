"""The house keeps its order: one test for each rule of CONTRIBUTING.md, read from the sources."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from experiments.core import registry
from tests.house import house
from tests.house.house import ROOT, sources

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RIDDLES = re.compile(
    r"(As [`A-Z]|The same\b|What\b|Where\b|Whose\b|How\b|That of\b|One that\b|Those\b|Of \w|At most\b|"
    r"Raises\b)"
)


def test_imports_fall_one_way() -> None:
    floor = {room: number for number, rooms in enumerate(house.FLOORS) for room in rooms}
    rising = [(a, b) for a, b in house.arrows() if floor[house.room_of(a)] >= floor[house.room_of(b)]]
    assert not rising, "imports fall: see FLOORS in tests/house/house.py"


def test_no_two_folders_import_each_other() -> None:
    assert not house.two_way_pairs()
    assert not house.circles()


def test_nothing_private_is_imported_from_elsewhere() -> None:
    assert not house.private_imports()


def test_plugins_import_their_kinds_core_and_what_lies_below() -> None:
    """No plug-in imports another one's file, but for a sibling that it builds on."""
    folders = {kind.package.replace(".", "/") for kind in registry.KINDS.values() if kind.package}
    own = [file for file in sources() if str(Path(file).parent) in folders and "__" not in file]
    for file in own:
        for other in house.imported_files(file):
            folder = str(Path(other).parent)
            is_below = (
                house.room_of(other) != house.room_of(file)
                or "/core" in folder
                or folder in ("gans/layers", "gans/published")
            )
            is_sibling = folder == str(Path(file).parent) or folder in folders or folder == "losses"
            assert is_below or is_sibling, f"{file} imports {other}"


def test_trackers_import_no_room_above_core() -> None:
    below = {"experiments/core", "experiments/trackers", "losses"}
    rooms = {
        house.room_of(other)
        for file in sources()
        if file.startswith("experiments/trackers/")
        for other in house.imported_files(file)
    }
    assert rooms <= below


def test_layers_import_no_core() -> None:
    """The layers of networks know nothing of players and games."""
    files = [file for file in sources() if file.startswith("gans/layers/")]
    assert not [other for file in files for other in house.imported_files(file) if "gans/core/" in other]


def test_a_class_name_means_one_thing() -> None:
    """Each architecture has its own Generator and Critic; every other name is used once."""
    twice = {name: files for name, files in house.class_names().items() if len(files) > 1}
    allowed = {
        name: files
        for name, files in twice.items()
        if name in ("Generator", "Critic") and all(Path(file).parent == Path("gans") for file in files)
    }
    assert twice == allowed


def test_few_files_lie_flat() -> None:
    assert len(house.flat_files()) <= 2
    assert house.floors() <= 11


def test_packages_hold_no_code() -> None:
    """`__init__.py` files pass names on; only the facade of the Python API does more."""
    allowed = (ast.Expr, ast.Import, ast.ImportFrom)
    for file, tree in sources().items():
        if file.endswith("__init__.py") and file != "gans/__init__.py":
            assert all(isinstance(node, allowed) for node in tree.body), file
    assert len((ROOT / "gans/__init__.py").read_text().splitlines()) <= 60


def test_norm_layers_are_built_with_keywords() -> None:
    """[15] The second positional argument of a norm is eps, which `BatchNorm2d(c, 0.8)` meant as momentum."""
    for file, tree in sources().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                name = (
                    node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                )
                if re.fullmatch(r"(Sync)?(Batch|Instance|Layer|Group)Norm(\dd)?", name):
                    assert len(node.args) <= 1, f"{file}:{node.lineno}: {name} with positional arguments"


def test_gradient_steps_happen_in_players_only() -> None:
    """The only `.backward()` and `.step()` of the laboratory stand in gans/core/player.py."""
    stepping = {
        file
        for file, tree in sources().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("backward", "step")
    }
    assert stepping == {"gans/core/player.py"}


def test_docstrings_begin_with_the_thing_or_the_action() -> None:
    riddles = []
    for file, tree in sources().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                first = (ast.get_docstring(node) or "").partition("\n")[0]
                if RIDDLES.match(first):
                    riddles.append(f"{file}: {first}")
    assert not riddles, "say the thing or the action in the field's words"


def test_public_parts_have_docstrings() -> None:
    """Modules, classes and functions that other files may use say what they are."""
    silent = []
    for file, tree in sources().items():
        for node in [tree, *tree.body]:
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                name = getattr(node, "name", "module")
                if not name.startswith("_") and not ast.get_docstring(node):
                    silent.append(f"{file}: {name}")
    assert not silent


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"]])
def test_help_needs_no_torch(words: list[str]) -> None:
    """`import cli` and every help text are quick."""
    script = f"import sys, cli\ntry:\n    cli.main({words})\nexcept SystemExit: pass\n"
    script += "assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_import_gans_needs_no_torch() -> None:
    script = "import sys, gans\nassert 'torch' not in sys.modules and 'train' in dir(gans)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_package_is_named_in_pyproject() -> None:
    named = set(PROJECT["tool"]["setuptools"]["packages"])
    found = {str(Path(file).parent).replace("/", ".") for file in sources() if file != "cli.py"}
    assert found == named


OF_DATA = ("exr", "hf", "lmdb", "tiff")  # extras that read files, of many versions


def test_the_oldest_versions_are_the_lower_bounds() -> None:
    """`make test-oldest` tests what pyproject.toml promises."""
    pinned = [line for line in (ROOT / "tests/oldest.txt").read_text().splitlines() if line[0] != "#"]
    extras = PROJECT["project"]["optional-dependencies"]
    bounds = PROJECT["project"]["dependencies"] + [each for extra in OF_DATA for each in extras[extra]]
    assert [re.split("==", line)[0] for line in pinned] == [re.split(">=", bound)[0] for bound in bounds]
    for line, bound in zip(pinned, bounds, strict=True):
        assert (line.split("==")[1] + ".0.0").startswith(bound.split(">=")[1])
