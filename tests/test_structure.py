"""The house keeps its order: imports run one way, and one known fault cannot be written."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAY_IMPORT = {
    "cli": {"experiments"},
    "experiments": {"gans", "metrics", "losses"},
    "gans": {"losses"},
    "losses": set(),
    "metrics": set(),
}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SOURCES = [ROOT / "cli.py", *(path for room in MAY_IMPORT for path in ROOT.glob(f"{room}/**/*.py"))]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module or ""


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_imports_run_one_way(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0].removesuffix(".py")
    rooms = {module.partition(".")[0] for module in imports(ast.parse(path.read_text()))} & set(MAY_IMPORT)
    assert rooms <= MAY_IMPORT[room] | {room}


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_norm_layers_are_built_with_keywords(path: Path) -> None:
    """[15] The second positional argument of a norm is eps, which `BatchNorm2d(c, 0.8)` meant as momentum."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if re.fullmatch(r"(Sync)?(Batch|Instance|Layer|Group)Norm(\dd)?", name):
                assert len(node.args) <= 1, f"line {node.lineno}: {name} with positional arguments"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_gradient_steps_happen_in_players_only(path: Path) -> None:
    """The only `.backward()` and `.step()` of the laboratory stand in gans/core/player.py."""
    calls = {
        node.func.attr
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert not calls & {"backward", "step"} or name_of(path) == "gans/core/player.py"


def test_every_package_is_named_in_pyproject() -> None:
    named = set(PROJECT["tool"]["setuptools"]["packages"])
    found = {path.parent.relative_to(ROOT).as_posix().replace("/", ".") for path in SOURCES[1:]}
    assert found == named


def test_the_oldest_versions_are_the_lower_bounds() -> None:
    """`make test-oldest` tests what pyproject.toml promises."""
    pinned = [line for line in (ROOT / "tests/oldest.txt").read_text().splitlines() if line[0] != "#"]
    bounds = PROJECT["project"]["dependencies"]
    assert [re.split("==", line)[0] for line in pinned] == [re.split(">=", bound)[0] for bound in bounds]
    for line, bound in zip(pinned, bounds, strict=True):
        assert (line.split("==")[1] + ".0.0").startswith(bound.split(">=")[1])
