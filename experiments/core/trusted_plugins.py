"""Trust in plug-in files: one that a config names is run only after the user has named it by `--plugin`.

A run folder may come from anyone, and its config.json may name a Python file. What the user has named once
is remembered by the hash of its content, in the user's own config folder, with the places where it was named:
a file that has changed since is another file, and one that has moved is still the same.
"""

import logging
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from shlex import quote

from experiments.core import registry
from experiments.core.errors import UsageError
from experiments.core.paths import config_folder

log = logging.getLogger("gans")

_named: set[Path] = set()  # files that the user has named in this process


def add_named_plugins(paths: Iterable[str] | None) -> None:
    """Imports plug-in files that the user names, and remembers them as trusted."""
    for path in registry.missing_plugins(paths):
        content = registry.read_plugin(path)
        registry.add_plugin(path, content)
        _remember(path, content)
    _named.update(Path(path).resolve() for path in paths or ())


def add_recorded_plugins(paths: Iterable[str] | None, origin: str) -> None:
    """Imports plug-in files that a config names, if the user has named them before.

    One of the same file name that the user names now stands for it, and later ones find it there: files
    move, and a run folder may come from another machine.

    Args:
        origin: the config, for the error.

    Raises UsageError for a file that is not there, for one that the user has not named with this content,
    and for one beside another of its file name; nothing of it is executed.
    """
    for path in registry.missing_plugins(paths):
        known = registry.plugin_file(Path(path).name)
        if not known or known[0] not in _named:
            _add_recorded(path, known, origin)
        elif not _is_there(path):
            with suppress(OSError):
                _add_place(_folder() / known[1], path)


def _add_recorded(path: str, known: tuple[Path, str] | None, origin: str) -> None:
    """Imports a plug-in file that a config names, or refuses it.

    Args:
        known: file of the same name that another run has brought, with the hash of its content, if any.
        origin: the config, for the error.
    """
    place = path if _is_there(path) else _find_moved(path)
    if place is None:
        raise UsageError(
            f"{origin} names the Python file {path}, which is not there; add --plugin "
            f"{quote(f'FOLDER/{Path(path).name}')}, with the folder in which it is now"
        )
    content = registry.read_plugin(place)
    if not _trust_file(content).is_file():
        raise UsageError(
            f"{origin} names the Python file {path}, which you have not run before as it is; read it, "
            f"and if you trust it add --plugin {quote(path)}"
        )
    if known and known[1] != registry.content_hash(content):
        raise UsageError(
            f"{origin} names the Python file {path}, and another run {known[0]}, of the same name with "
            f"another content; rename one, or take one for both by --plugin {quote(path)}"
        )
    if not known:
        registry.add_plugin(place, content)


def _find_moved(path: str) -> str | None:
    """Finds a file with the content and the name of one that was named at a path where nothing is now."""
    for entry in _entries():
        places = _places(entry)
        for place in places if path in places else ():
            if Path(place).name == Path(path).name and _is_there(place):
                with suppress(UsageError):
                    if registry.content_hash(registry.read_plugin(place)) == entry.name:
                        return place
    return None


def _folder() -> Path:
    """Folder of the files that remember plug-ins."""
    return config_folder() / "trusted-plugins"


def _entries() -> list[Path]:
    """Files that remember plug-ins, each named by the hash of its content."""
    try:
        return sorted(_folder().iterdir())
    except OSError:
        return []


def _places(entry: Path) -> list[str]:
    """Paths at which the user has named a plug-in."""
    try:
        return entry.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return []


def _is_there(path: str) -> bool:
    """Whether there is something at a path that a stranger may have written."""
    try:
        return Path(path).exists()
    except OSError:  # a name that is too long
        return False


def _trust_file(content: bytes) -> Path:
    """File whose presence says that a plug-in with this content is trusted."""
    return _folder() / registry.content_hash(content)


def _remember(path: str, content: bytes) -> None:
    """Remembers a plug-in as trusted, and its place.

    One line says that it is trusted from now on, and another where it cannot be remembered.
    """
    entry = _trust_file(content)
    is_new = not entry.is_file()
    try:
        _add_place(entry, str(Path(path).resolve()))
    except OSError as error:
        if is_new:
            reason = f"{entry.parent}: {error.strerror or error}"
            log.warning(f"plug-in {path}: not remembered as trusted ({reason})")
    else:
        if is_new:
            where = f"also where a run names it ({entry.parent})"
            log.info(f"plug-in {path}: trusted from now on as it is, {where}")


def _add_place(entry: Path, place: str) -> None:
    """Adds a path at which a plug-in was named to the file that remembers it."""
    known = _places(entry)
    places = known if place in known or len(place.splitlines()) != 1 else [*known, place]
    if places != known or not entry.is_file():
        from experiments.core.files import write_atomically  # brings torch, which help does without

        entry.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(f"{each}\n" for each in places)
        write_atomically(entry, text.encode(errors="surrogateescape"))
