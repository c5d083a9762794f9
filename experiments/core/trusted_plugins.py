"""Trust in plug-in files: one that a config names is run only after the user has named it by `--plugin`.

A run folder may come from anyone, and its config.json may name a Python file. What the user has named once
is remembered by the hash of its content, in the user's own config folder: a file that has changed since is
another file.
"""

import logging
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from shlex import quote

from experiments.core import registry
from experiments.core.errors import UsageError
from experiments.core.paths import config_folder

log = logging.getLogger("gans")


def add_named_plugins(paths: Iterable[str] | None) -> None:
    """Imports plug-in files that the user names, and remembers them as trusted."""
    for path in registry.missing_plugins(paths):
        content = registry.read_plugin(path)
        registry.add_plugin(path, content)
        _remember(path, content)


def add_recorded_plugins(paths: Iterable[str] | None, origin: str) -> None:
    """Imports plug-in files that a config names, if the user has named them before.

    Args:
        origin: the config, for the error.

    Raises UsageError for a file that the user has not named with this content; nothing of it is executed.
    """
    for path in registry.missing_plugins(paths):
        content = registry.read_plugin(path)
        if not _trust_file(content).is_file():
            raise UsageError(
                f"{origin} names the Python file {path}, which you have not run before as it is; read it, "
                f"and if you trust it add --plugin {quote(path)}"
            )
        registry.add_plugin(path, content)


def _trust_file(content: bytes) -> Path:
    """File whose presence says that a plug-in with this content is trusted."""
    return config_folder() / "trusted-plugins" / sha256(content).hexdigest()


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
