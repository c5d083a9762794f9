"""Weights & Biases: scores over kimg, sample grids and settings; online where you are logged in."""

import json
import os
import re
import secrets
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from shlex import quote
from subprocess import Popen
from threading import Thread
from types import ModuleType
from typing import Any, ClassVar

from experiments.core.files import read_regular_file, write_atomically
from experiments.trackers.core.tracker import PROVENANCE, DocumentTracker, TrackedRun
from experiments.trackers.core.wandb_files import offline_lines
from experiments.trackers.core.wandb_login import is_logged_in, wandb_mode, wandb_server

KILLED = 255  # the exit code of a run that W&B calls killed, not crashed
MOST_ID_BYTES = 1024  # of the file with the id of a run
GRACE_SECONDS = 5.0  # for W&B's own process, beyond that
CLOCKS = ("seconds", "images_per_second", "waiting_for_data")  # scores that no two processes share
HASH = ".sha256"  # of a picture, in the lines that W&B has written
_Key = frozenset[tuple[str, float | str]]


@dataclass(frozen=True)
class WandbOptions:
    """Options of the tracker wandb."""

    init_seconds: float = field(
        default=5.0, metadata={"help": "Seconds to wait for the server when a run begins.", "above": 0.0}
    )
    finish_seconds: float = field(
        default=30.0, metadata={"help": "Seconds to wait for the upload when a run ends.", "above": 0.0}
    )
    system_statistics: bool = field(
        default=False,
        metadata={
            "help": "Record the machine: its kind, and the use of processor, memory and GPUs over time."
        },
    )
    console_log: bool = field(
        default=False, metadata={"help": "Record the lines that gans says while it trains."}
    )


class WandbTracker(DocumentTracker):
    """Tracks a run in W&B, in the run folder's `wandb/`, under the id that the folder keeps.

    Without a login, without an answer, or with WANDB_MODE=offline, it is written there for `gans sync`; a
    resumed run then reads what its killed processes have written, repeats none of it, and adds what their
    last second has lost. What was sent online is not read back: lines between checkpoint and kill come twice.
    W&B's own counter of lines is left alone, as W&B drops in silence what comes with an earlier step.
    Charts are over `kimg`. System statistics and the console log are left out unless options ask for them.
    """

    options_type: ClassVar[type] = WandbOptions

    def __init__(self, run: TrackedRun, options: WandbOptions | None = None) -> None:
        self._options = options or WandbOptions()
        asked = wandb_mode()
        if asked == "disabled":
            raise RuntimeError("W&B is switched off (WANDB_MODE, or `wandb disabled`)")
        self._provenance, self._kimg = run.provenance, run.kimg
        self._home = run.folder.resolve() / "wandb"
        self._home.mkdir(exist_ok=True)
        self._identity = _run_id(self._home, is_new=run.step == 0)
        self._wandb = _import_wandb(self._home)
        self._before = {name: os.environ.get(name) for name in _environment(self._home)}
        os.environ.update(_environment(self._home))
        self._process: Popen[bytes] | None = None
        self._written = set(_keys(offline_lines(self._home, self._identity))) if run.step else set[_Key]()
        # Before this process has a part of its own. Nobody here knows what a server has.
        self._was_offline = bool(run.step) and self._has_parts("offline-run") and not self._has_parts("run")
        try:
            self._run = self._start(run, asked)
            self._process = _process_of(self._wandb)
            self._run.define_metric("*", step_metric="kimg")
            self._run.define_metric(
                f"{PROVENANCE}*", hidden=True
            )  # columns to compare runs by, but no curves
            self._write_lost_lines(run)
        except BaseException:
            self._leave()
            raise

    def scores(self, scores: Mapping[str, float]) -> None:
        if _key_of_scores(scores) in self._written:  # by the process that was killed
            return
        # Options as text: W&B would make a column, and a number, of each.
        provenance = {
            name: json.dumps(value) if isinstance(value, dict) else value
            for name, value in self._provenance(scores).items()
        }
        self._run.log({**scores, **provenance})

    def images(self, name: str, file: Path, kimg: float) -> None:
        if (
            self._written
            and _key_of_picture(name, kimg, sha256(file.read_bytes()).hexdigest()) in self._written
        ):
            return
        self._run.log({name: self._wandb.Image(str(file)), "kimg": kimg})

    def document(self, name: str, file: Path) -> None:
        self._run.log({name: self._wandb.Html(str(file), inject=False), "kimg": self._kimg})

    def close(self, exit_status: int = 0) -> None:
        """Waits for the upload, but not for long, and no longer than until Ctrl-C.

        The rest stays in the folder.
        """
        part, seconds = quote(self._run.settings.sync_dir), self._options.finish_seconds
        try:
            code = KILLED if exit_status == 130 else exit_status
            _run_with_timeout(seconds + GRACE_SECONDS, lambda: self._run.finish(exit_code=code))
        except TimeoutError as error:
            raise TimeoutError(
                f"its upload did not end within {seconds:g} s; "
                f"send the rest with: wandb sync --include-online {part}"
            ) from error
        finally:
            self._leave()

    def _write_lost_lines(self, run: TrackedRun) -> None:
        """Writes scores and pictures of the run folder that a killed process did not write here."""
        if not self._was_offline:
            return
        for line in run.earlier_scores():
            self.scores(line)
            self._written.add(_key_of_scores(line))
        known = {part for key in self._written for part in key}
        for name, file, kimg in run.earlier_pictures():
            if (name, sha256(file.read_bytes()).hexdigest()) not in known:
                self.images(name, file, kimg)

    def _has_parts(self, way: str) -> bool:
        """Whether the run has parts that were written offline ("offline-run") or online ("run")."""
        return any(self._home.glob(f"{way}-*-{self._identity}"))

    def _start(self, run: TrackedRun, asked: str) -> Any:
        """Starts the run online if possible, else offline with a line that says why."""
        why = (
            "W&B is set to offline"
            if asked == "offline"
            else f"not logged in to {wandb_server()} (wandb login)"
        )
        if asked == "online" and is_logged_in():
            try:
                started = self._init(run, "online")
                run.say(f"tracker wandb: {started.url}")
                return started
            except Exception as error:
                self._teardown()  # else its settings would outlive it
                why = " ".join(str(error).split())
        started = self._init(run, "offline")
        run.say(
            f"tracker wandb: {why}, so it writes offline; upload with: gans sync {quote(str(run.folder))}"
        )
        return started

    def _init(self, run: TrackedRun, way: str) -> Any:
        """Starts the run of W&B in a mode."""
        settings = self._wandb.Settings(
            mode=way,
            init_timeout=self._options.init_seconds,
            finish_timeout=self._options.finish_seconds,
            finish_timeout_raises=True,
            silent=True,
            console="off",  # captured, it would break the line of progress
            capture_loggers={"gans": "INFO"} if self._options.console_log else None,
            symlink=False,
            x_save_requirements=False,
            x_disable_stats=not self._options.system_statistics,
            x_disable_machine_info=not self._options.system_statistics,
        )
        self._wandb.setup(settings)  # what is said before a run exists must be silenced too
        return self._wandb.init(
            dir=str(run.folder.resolve()),
            id=self._identity,
            resume="allow",  # "must" starts another run offline, in silence
            name=run.folder.resolve().name,
            project=run.project,
            group=run.group,
            tags=run.tags,
            config=dict(run.settings),
            settings=settings,
        )

    def _leave(self) -> None:
        """Ends W&B's own process, by force where it does not end by itself, and restores the environment."""
        try:
            self._teardown()
        finally:
            if self._process is not None:
                self._process.kill()
            for name, value in self._before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value

    def _teardown(self) -> None:
        with suppress(Exception, SystemExit):  # with the status of W&B's own process, if that was killed
            _run_with_timeout(GRACE_SECONDS, self._wandb.teardown)


def _keys(lines: Iterable[Mapping[str, Any]]) -> Iterator[_Key]:
    """Keys of the scores and the pictures in lines that W&B has written."""
    for line in lines:
        if "step" in line:
            yield _key_of_scores(
                {name: value for name, value in line.items() if not name.startswith(PROVENANCE)}
            )
        for name, value in line.items():
            if name.endswith(HASH):
                yield _key_of_picture(name.removesuffix(HASH), line.get("kimg", 0.0), value)


def _key_of_scores(scores: Mapping[str, Any]) -> _Key:
    """Key of a line of scores, equal for the same step of a resumed run: without what clocks say."""
    return frozenset(
        (name, float(value))
        for name, value in scores.items()
        if name not in CLOCKS and isinstance(value, int | float)
    )


def _key_of_picture(name: str, kimg: float, sha256: str) -> _Key:
    """Key of a picture: its name, time and content."""
    return frozenset(((name, sha256), ("kimg", float(kimg))))


def _run_with_timeout(seconds: float, action: Callable[[], object]) -> None:
    """Runs an action, and raises what it raises; a TimeoutError if it takes longer."""
    failures: list[BaseException] = []

    def act() -> None:
        try:
            action()
        except BaseException as failure:
            failures.append(failure)

    thread = Thread(target=act, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TimeoutError
    for failure in failures:
        raise failure


def _process_of(wandb: ModuleType) -> "Popen[bytes] | None":
    """Finds the process that W&B works in, which nothing public names; None if this version hides it."""
    try:
        process: Popen[bytes] = wandb.setup()._connection._proc._process
    except AttributeError:
        return None
    return process


def _run_id(home: Path, is_new: bool) -> str:
    """The id of this folder's run.

    It is a new one for a run that begins, and for one that was not tracked. To an agent of a W&B sweep one
    was given.
    """
    file = home / "run-id"
    if is_new or not file.exists():
        given = os.environ.get("WANDB_RUN_ID") if os.environ.get("WANDB_SWEEP_ID") else None
        write_atomically(file, f"{given or secrets.token_hex(4)}\n".encode())
    identity = read_regular_file(file, MOST_ID_BYTES).decode().strip()
    if not re.fullmatch(r"[\w-]+", identity):
        raise ValueError(f"{file} holds no id of a run of W&B; remove it")
    return identity


def _environment(home: Path) -> dict[str, str]:
    """Environment variables for settings that wandb takes from there only.

    Other settings stay where the user has them.
    """
    return {
        "WANDB_DATA_DIR": str(home),
        "WANDB_CACHE_DIR": str(home / "cache"),
        "WANDB_ARTIFACT_DIR": str(home / "artifacts"),
        "WANDB_DISABLE_GIT": "true",
        "WANDB_DISABLE_CODE": "true",
        "WANDB_ERROR_REPORTING": "false",  # it asks the network even offline
        "WANDB_X_TRANSACTION_LOG_FLUSH_INTERVAL": "1",  # seconds that a killed process loses
    }


def _import_wandb(home: Path) -> ModuleType:
    """Imports wandb, with the temporary folders that it makes below `home`.

    A killed process leaves them behind.
    """
    with _temporary_files_in(home):
        import wandb
    return wandb


@contextmanager
def _temporary_files_in(folder: Path) -> Iterator[None]:
    """Makes temporary files in a folder within."""
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before
