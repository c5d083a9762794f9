"""Local server of the explorer: bound to this machine, behind a token, with pictures of its own."""

import logging
import secrets
import socket
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import torch

from experiments.core.device import resolve_device
from experiments.core.errors import RunError, UsageError
from experiments.core.paths import require_path
from experiments.exploration.generators import GeneratorPool
from experiments.exploration.neighbours import NeighbourSearch
from experiments.exploration.run_watch import RunWatch
from experiments.exploration.token_gate import TokenGate
from experiments.exploration.view import Workbench
from experiments.runs.folder import run_folders

if TYPE_CHECKING:
    from fastapi import FastAPI

log = logging.getLogger("gans")

HOST = "127.0.0.1"
MOST_RUNS = 8  # side by side
PACKAGE = 'pip install "gans[explore]"'


@dataclass
class Exploration:
    """State that all pages of a server share.

    Attributes:
        watches: of the runs, in the order in which they stand.
        pictures: PNG files that pages show now, by a name that nobody can guess.
    """

    watches: Sequence[RunWatch]
    workbench: Workbench
    search: NeighbourSearch
    pictures: dict[str, bytes] = field(default_factory=dict)


def find_runs(paths: Sequence[Path]) -> list[Path]:
    """Finds the runs to explore: run folders, those within a sweep's folder, checkpoints, exported files.

    Raises UsageError for a path that is none of these, and for more than stand side by side.
    """
    found: list[Path] = []
    for path in paths:
        require_path(path, "run folders, checkpoints or exported generators")
        is_file = path.suffix in (".pt", ".safetensors")
        found += [path] if is_file else [folder.path for folder in run_folders(path) if folder.exists]
    if len(found) > MOST_RUNS:
        raise UsageError(f"{len(found)} runs do not fit side by side; name up to {MOST_RUNS} of them")
    if not found:
        raise UsageError(f"{paths[0]} has no run that began; see gans info {paths[0]}")
    return found


def require_package() -> None:
    """Refuses to go on without the package that draws the page. Raises UsageError with the remedy."""
    if find_spec("nicegui") is None:
        raise UsageError(f"gans explore needs the package nicegui; get it with: {PACKAGE}")


def serve(
    paths: Sequence[Path],
    port: int,
    device: str,
    extractor: str | None,
    announce: Callable[[str], None],
) -> None:
    """Serves the page until it is interrupted.

    Args:
        port: 0 for any that is free.
        extractor: by whose features nearest images are found; None for the best on this machine.
        announce: is called with the address of the page, once it can be opened.

    Raises UsageError for paths that are no runs, RunError for a port that is taken.
    """
    require_package()
    runs = find_runs(paths)
    import uvicorn

    target = resolve_device(device)
    workbench = Workbench(GeneratorPool(torch.device(target)))
    exploration = Exploration(
        [RunWatch(path) for path in runs], workbench, NeighbourSearch(target, extractor)
    )
    with _listen(port) as listener:
        own_port = listener.getsockname()[1]
        token = secrets.token_urlsafe(24)
        gate: Any = TokenGate(build_application(exploration), token, own_port)
        config = uvicorn.Config(gate, log_level="error", lifespan="on", timeout_graceful_shutdown=2)
        server = uvicorn.Server(config)
        address = f"http://{HOST}:{own_port}/?token={token}"
        log.info(f"{len(runs)} run{'s' * (len(runs) > 1)} on {target}; this machine only; Ctrl-C ends it")
        announce(address)
        # Another library's object warns when NiceGUI looks at it.
        warnings.simplefilter("ignore", FutureWarning)
        try:
            server.run(sockets=[listener])
        finally:
            workbench.close()


@contextmanager
def redirect_file(address: str) -> Iterator[Path]:
    """Makes a file, of this user alone, that leads a browser on to an address; it is deleted at the end.

    The list of processes shows to all users of a machine what a browser is started with: an address with a
    token must not be there.
    """
    target = escape(address)
    with TemporaryDirectory(prefix="gans-explore-") as folder:
        file = Path(folder, "open.html")
        file.touch(mode=0o600)
        file.write_text(
            f'<!DOCTYPE html><meta charset="utf-8"><title>gans explore</title>'
            f'<meta http-equiv="refresh" content="0; url={target}"><a href="{target}">gans explore</a>\n',
            encoding="utf-8",
        )
        yield file


def _listen(port: int) -> socket.socket:
    """Opens the port. Raises RunError where it is taken."""
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen()  # from now on the browser waits for the page, and is not refused
    except OSError as error:
        listener.close()
        raise RunError(
            f"port {port}: {error.strerror or error}; take another --port, or leave it out"
        ) from error
    return listener


def build_application(exploration: Exploration) -> "FastAPI":
    """Builds the web application, with the page and the pictures that it shows."""
    from fastapi import FastAPI, Response
    from nicegui import app as assets
    from nicegui import ui

    from experiments.exploration.page import ExplorerPage

    application = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @application.get("/picture/{name}")
    def picture(name: str) -> Response:
        found = exploration.pictures.get(name.partition(".")[0])
        if found is None:
            return Response("this picture is gone\n", 404)
        return Response(found, media_type="image/png", headers={"Cache-Control": "no-store"})

    assets.add_static_files("/explore", Path(__file__).parent / "assets")

    @ui.page("/", title="gans explore", language="en-US")
    def page() -> None:
        ExplorerPage(exploration).build()

    ui.run_with(application, dark=None, tailwind=False, message_history_length=50, show_welcome_message=False)
    return application
