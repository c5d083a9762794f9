"""The layout as data: which files there are, and what each imports, read from the sources alone.

python tests/house/house.py      prints how many rooms, floors, circles and so on there are
"""

import ast
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("experiments", "gans", "losses", "metrics")
# The facade of the Python API and `python -m gans` reach upwards, inside functions.
FACADE = ("gans/__init__.py", "gans/__main__.py")
# Rooms that may be used from every floor above them, from the top floor down.
FLOORS = (
    ("cli",),
    ("experiments/commands", "experiments"),
    ("experiments/sweeps",),
    ("experiments/training", "experiments/exploration"),
    ("experiments/evaluation", "experiments/inference", "experiments/analysis"),
    ("experiments/runs",),
    ("experiments/config",),
    ("experiments/data", "experiments/trackers", "experiments/augmentations"),
    ("experiments/core",),
    ("gans",),
    ("losses", "metrics"),
)


def source_files() -> list[str]:
    """Paths of all source files of the laboratory."""
    files = [ROOT / "cli.py", *(path for package in PACKAGES for path in ROOT.glob(f"{package}/**/*.py"))]
    return [path.relative_to(ROOT).as_posix() for path in files]


@cache
def sources() -> dict[str, ast.Module]:
    """Every source file of the laboratory, by its path, parsed."""
    return {file: ast.parse((ROOT / file).read_text(encoding="utf-8")) for file in source_files()}


def room_of(file: str) -> str:
    """The room of a file: a folder of experiments/ and all below it, or a package; else `experiments`."""
    parts = file.split("/")
    if file == "cli.py":
        return "cli"
    return "/".join(parts[:2]) if parts[0] == "experiments" and len(parts) > 2 else parts[0]


def imported_files(file: str) -> Iterator[str]:
    """The files of the laboratory that a file imports, anywhere in it."""
    for node in ast.walk(sources()[file]):
        modules: list[str] = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are absolute"
            modules = [f"{node.module}.{alias.name}" for alias in node.names] + [node.module or ""]
        for module in modules:
            path = module.replace(".", "/")
            found = next((f for f in (f"{path}.py", f"{path}/__init__.py") if f in sources()), None)
            if found:
                yield found


@cache
def arrows() -> frozenset[tuple[str, str]]:
    """Pairs of a file and a file that it imports, both in different rooms; the facade's are left out."""
    return frozenset(
        (file, other)
        for file in sources()
        if file not in FACADE
        for other in imported_files(file)
        if room_of(file) != room_of(other)
    )


def room_arrows() -> set[tuple[str, str]]:
    """Pairs of a room and a room that it imports."""
    return {(room_of(file), room_of(other)) for file, other in arrows()}


def folder_arrows() -> set[tuple[str, str]]:
    """Pairs of a folder and another that it imports, at any depth; without `__init__.py` files, which only
    pass names on."""
    pairs = set()
    for file in sources():
        if not file.endswith("__init__.py") and file not in FACADE:
            for other in imported_files(file):
                pairs.add((str(Path(file).parent), str(Path(other).parent)))
    return {(a, b) for a, b in pairs if a != b}


def two_way_pairs() -> set[tuple[str, str]]:
    """Folders that import each other."""
    pairs = folder_arrows()
    return {(a, b) for a, b in pairs if a < b and (b, a) in pairs}


def circles() -> list[set[str]]:
    """Rooms that reach each other by imports."""
    rooms = {room_of(file) for file in sources()}
    reach = {room: {room} for room in rooms}
    for _ in rooms:
        for a, b in room_arrows():
            reach[a] |= reach[b]
    found = {frozenset(x for x in rooms if x in reach[room] and room in reach[x]) for room in rooms}
    return [set(circle) for circle in found if len(circle) > 1]


def floors() -> int:
    """The longest chain of imports between rooms; rooms of one circle stand on as many floors as they are."""
    one = {room: min(circle) for circle in circles() for room in circle}
    size = {min(circle): len(circle) for circle in circles()}
    below: dict[str, set[str]] = defaultdict(set)
    for a, b in room_arrows():
        if one.get(a, a) != one.get(b, b):
            below[one.get(a, a)].add(one.get(b, b))

    @cache
    def height(room: str) -> int:
        return size.get(room, 1) + max(map(height, below[room]), default=0)

    rooms = {room_of(file) for file in sources()}
    return max(height(one.get(room, room)) for room in rooms)


def private_imports() -> list[tuple[str, str]]:
    """Imports of a `_module` of another folder."""
    return [
        (file, other)
        for file in sources()
        for other in imported_files(file)
        if Path(other).name.startswith("_")
        and not other.endswith("__init__.py")
        and Path(file).parent != Path(other).parent
    ]


def class_names() -> dict[str, list[str]]:
    """Where each class name is defined."""
    found: dict[str, list[str]] = defaultdict(list)
    for file, tree in sources().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                found[node.name].append(file)
    return found


def flat_files() -> list[str]:
    """Files that lie flat in experiments/."""
    return [
        file
        for file in sources()
        if file.startswith("experiments/") and file.count("/") == 1 and not file.endswith("__init__.py")
    ]


def measures() -> dict[str, int]:
    """The numbers of the layout."""
    twice = [
        name
        for name, files in class_names().items()
        if len(files) > 1 and name not in ("Generator", "Critic")
    ]
    tracked = subprocess.run(
        ["git", "ls-files", "*.py"], capture_output=True, text=True, cwd=ROOT
    ).stdout.split()
    lines = [len((ROOT / file).read_text(encoding="utf-8").splitlines()) for file in tracked]
    return {
        "rooms": len({room_of(file) for file in sources()}),
        "floors": floors(),
        "arrows between rooms": len(room_arrows()),
        "rooms in circles": sum(len(circle) for circle in circles()),
        "folders that import each other": len(two_way_pairs()),
        "private imports": len(private_imports()),
        "flat files in experiments": len(flat_files()),
        "class names used twice": len(twice),
        "files over 300 lines": sum(count > 300 for count in lines),
        "Any": sum(
            isinstance(n, ast.Name) and n.id == "Any" for t in sources().values() for n in ast.walk(t)
        ),
    }


if __name__ == "__main__":
    for name, value in measures().items():
        print(f"{name:<32} {value}")
