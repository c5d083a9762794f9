"""Trust in plug-in files: one that a config names is run only after the user has named it by `--plugin`.

A run folder may come from anyone, and its config.json may name a Python file. What the user has named once
is remembered by the hash of its content, in the user's own config folder: a file that has changed since is
another file.
"""

import logging
from collections.abc import Iterable
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

    One of the same file name that the user names now stands for it: files move, and a run folder may come
    from another machine.

    Args:
        origin: the config, for the error.

    Raises UsageError for a file that is not there, for one that the user has not named with this content,
    and for one beside another of its file name; nothing of it is executed.
    """
    for path in registry.missing_plugins(paths):
        name = Path(path).name
        known = registry.plugin_file(name)
        if known and known[0] in _named:
            continue
        if not _is_there(path):
            raise UsageError(
                f"{origin} names the Python file {path}, which is not there; add --plugin "
                f"{quote(f'FOLDER/{name}')}, with the folder in which it is now"
            )
        content = registry.read_plugin(path)
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
            registry.add_plugin(path, content)


def _is_there(path: str) -> bool:
    """Whether there is something at a path that a stranger may have written."""
    try:
        return Path(path).exists()
    except OSError:  # a name that is too long
        return False


def _trust_file(content: bytes) -> Path:
    """File whose presence says that a plug-in with this content is trusted."""
    return config_folder() / "trusted-plugins" / registry.content_hash(content)


def _remember(path: str, content: bytes) -> None:
    """Remembers a plug-in as trusted; one line says so, and another where it cannot be remembered."""
    file = _trust_file(content)
    if file.is_file():
        return
    from experiments.core.files import write_atomically  # brings torch, which help does without

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, f"{Path(path).resolve()}\n".encode())
    except OSError as error:
        log.warning(f"plug-in {path}: not remembered as trusted ({file.parent}: {error.strerror or error})")
    else:
        log.info(f"plug-in {path}: trusted from now on as it is, also where a run names it ({file.parent})")
