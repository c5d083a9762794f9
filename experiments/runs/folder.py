"""The run folder: config, scores, samples, checkpoints, and the lock that keeps it to one process."""

import json
import os
import platform
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from shlex import quote
from typing import Any

import torch
from filelock import FileLock, Timeout

from experiments.config.files import FORMAT, MOST_CONFIG_BYTES, differences, parse_config, settings_from
from experiments.config.resolve import RunSpec
from experiments.core.console import one_line
from experiments.core.errors import RunError, UsageError
from experiments.core.files import (
    is_leftover,
    open_regular_file,
    parse_json,
    read_regular_file,
    refuse_link,
    remove_leftovers,
    write_atomically,
    write_file,
)
from experiments.core.named_values import JsonObject, SettingValues
from experiments.core.paths import require_path
from experiments.core.settings import Settings
from experiments.core.trusted_plugins import add_recorded_plugins
from experiments.core.word_lists import first_few
from experiments.data.core.fingerprint import DataFingerprint, are_alike, read_fingerprints
from experiments.runs.checkpoint import Checkpoints, is_whole, remove_with_hash
from experiments.runs.score_lines import RemarkCallback, ignore_remark, read_score_lines, read_scores

MADE_FIRST = {".lock", ".config.json.partial", "log.txt", "ended.txt"}
FOLDERS_MADE_FIRST = ("samples", "checkpoints")
TRACKER_FOLDERS = ("tensorboard", "mlflow", "wandb")
SUBFOLDERS = ("samples", "checkpoints", "best", "healthy", *TRACKER_FOLDERS)
ENDED, DATA = "ended", "data"  # keys of the config, beside the settings
MOST_NAMED = 6  # runs that a message names
MOST_WORDS = 4096  # bytes of the note how a sweep ended a run


class RunFolder:
    """A run folder: its paths, config, scores and state."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config_file = path / "config.json"
        self.scores_file = path / "scores.jsonl"
        self.evaluation_file = path / "evaluation.jsonl"
        self.samples = path / "samples"
        self.best = Checkpoints(path / "best", keep=1)
        self.healthy = Checkpoints(path / "healthy", keep=1)
        self.generator_file = path / "generator.safetensors"
        self.critic_file = path / "critic.safetensors"
        self.training_generator_file = path / "training-generator.safetensors"
        self.import_file = path / "import.json"
        self.ended_file = path / "ended.txt"
        self.log_file = path / "log.txt"

    @property
    def exists(self) -> bool:
        """Whether there is a run here, which means its config."""
        return self.config_file.is_file()

    @property
    def has_begun(self) -> bool:
        """Whether there is a run here, or a note why it did not begin."""
        return self.exists or self.ended_file.is_file()

    @property
    def is_free(self) -> bool:
        """Whether a new run may begin here: there is nothing, or only files made before its config."""
        if not self.path.exists():
            return True
        return self.path.is_dir() and all(map(_is_made_first, self.path.iterdir()))

    @property
    def is_finished(self) -> bool:
        """Whether the run is finished: its exported generator is there, and not seen to be damaged."""
        # The exported generator is the last thing that a run writes.
        return is_whole(self.generator_file)

    @property
    def is_imported(self) -> bool:
        """Whether the weights were imported from published files, and not trained here."""
        return self.import_file.is_file()

    def checkpoints(self, keep: int = 2) -> Checkpoints:
        """The checkpoints of the run."""
        return Checkpoints(self.path / "checkpoints", keep)

    @property
    def state(self) -> str:
        """The state of the run: "finished", "imported", "running", "unfinished", or how it was ended.

        This is "failed: …", or "stopped early: …" by a sweep.
        """
        if self.ended_file.is_file():
            try:
                return one_line(read_regular_file(self.ended_file, MOST_WORDS).decode(errors="replace"))
            except RunError as error:
                return f"failed: {error}"
        if self.is_finished:
            return "imported" if self.is_imported else "finished"
        return "running" if self.is_locked else "unfinished"

    @property
    def is_locked(self) -> bool:
        """Whether a process is working on the run."""
        lock = self.path / ".lock"
        try:
            with FileLock(lock, timeout=0) if lock.is_file() and not lock.is_symlink() else nullcontext():
                return False
        except Timeout:
            return True
        except OSError:
            return _is_held(lock)

    def prepare(self) -> None:
        """Makes the folders of the run. Raises RunError where that is not possible, or one is a link."""
        self.refuse_links()
        try:
            for folder in (self.samples, self.checkpoints().folder):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(
                f"cannot make {self.path}: {error.strerror or error}; take another --out"
            ) from error

    def refuse_links(self) -> None:
        """Refuses links where the run writes, by which it would leave its folder. Raises RunError."""
        for name in SUBFOLDERS:
            refuse_link(self.path / name)
        for name in TRACKER_FOLDERS:  # other people's libraries write there, which follow links
            for folder, folders, files in os.walk(self.path / name):
                for below in (*folders, *files):
                    self._refuse_outer_link(Path(folder, below))

    def _refuse_outer_link(self, path: Path) -> None:
        """Refuses a link that leads out of the run folder. Raises RunError.

        W&B makes one within it, to its log, which leads nowhere once the folder was moved.
        """
        is_stale_log = path.name == "debug-core.log" and not path.exists()
        if path.is_symlink() and not is_stale_log and not path.resolve().is_relative_to(self.path.resolve()):
            refuse_link(path)

    def write_config(self, spec: RunSpec, trained_on: Sequence[DataFingerprint] = ()) -> None:
        """Writes the config of the run.

        Args:
            trained_on: fingerprints of its data, of two domains that of A first.
        """
        content = {
            "format": FORMAT,
            "settings": spec.to_json(),
            "environment": environment(spec.settings.device),
            **({DATA: [each.to_json() for each in trained_on]} if trained_on else {}),
        }
        write_atomically(self.config_file, (json.dumps(content, indent=2) + "\n").encode())

    def begin(
        self, spec: RunSpec, step: int, is_changed: bool, trained_on: Sequence[DataFingerprint] = ()
    ) -> None:
        """Prepares the folder for a run that goes on after `step`: writes the config, drops later scores.

        What a run with other settings has left is kept under names with the step at which they changed.

        Args:
            trained_on: fingerprints of its data.
        """
        for name in ("", "samples", "checkpoints", "best", "healthy"):
            remove_leftovers(self.path / name)  # nobody else writes here, under the lock of the run
        self.ended_file.unlink(missing_ok=True)  # of a failure, or of a sweep that has stopped the run
        for file in (self.generator_file, self.critic_file):
            if file.exists() and is_changed:
                file.replace(_with_step(file, step))
            remove_with_hash(file)
        for checkpoints in (self.checkpoints(spec.settings.keep), self.best, self.healthy):
            checkpoints.forget_old(step)
        if is_changed:
            write_atomically(_with_step(self.config_file, step), read_regular_file(self.config_file))
        is_new = is_changed or not self.exists
        have_moved = not is_new and self.config_values().get("plugin", ()) != spec.settings.plugin
        if is_new or have_moved or not are_alike(self.trained_on, trained_on):
            self.write_config(spec, trained_on)
        self.rewind_scores(step)

    def note_early_end(self, words: str) -> None:
        """Notes in the config why a finished run is shorter than it says."""
        content = parse_json(read_regular_file(self.config_file, MOST_CONFIG_BYTES))
        write_atomically(self.config_file, (json.dumps({**content, ENDED: words}, indent=2) + "\n").encode())

    @property
    def early_end(self) -> str:
        """Why the run was finished before its last step; empty where it was not."""
        try:
            content = parse_json(read_regular_file(self.config_file, MOST_CONFIG_BYTES))
        except (OSError, RunError, ValueError):  # which who reads the settings says
            return ""
        words = content.get(ENDED) if isinstance(content, dict) else None
        return one_line(words) if isinstance(words, str) else ""

    @property
    def trained_on(self) -> tuple[DataFingerprint, ...]:
        """Fingerprints of the data of the run; none in the config of an earlier version."""
        try:
            content = parse_json(read_regular_file(self.config_file, MOST_CONFIG_BYTES))
        except (OSError, RunError, ValueError):  # which who reads the settings says
            return ()
        return read_fingerprints(content.get(DATA)) if isinstance(content, dict) else ()

    def settings(self) -> Settings:
        """Reads the settings of the run, and loads its plug-ins; nothing else is opened."""
        values = self.config_values()
        add_recorded_plugins(values.get("plugin"), str(self.config_file))
        return settings_from(values)

    def differences(self, settings: Settings) -> list[str]:
        """Lists the differences of the config here from `settings`, a line each."""
        return differences(self.config_values(), settings)

    def config_values(self) -> SettingValues:
        """Reads the values in the config of the run.

        Raises UsageError for a file that is none, RunError for a link in its place.
        """
        try:
            content = read_regular_file(self.config_file, MOST_CONFIG_BYTES)
        except OSError as error:
            raise UsageError(f"config {self.config_file}: {error.strerror or error}") from error
        return parse_config(self.config_file, content)

    def lock(self) -> AbstractContextManager[None]:
        """Locks the folder against other processes."""
        self.refuse_links()
        return lock_folder(self.path, "run folder")

    def end(self, words: str) -> None:
        """Writes down how the run was ended. Raises RunError where it cannot be written."""
        write_file(self.ended_file, f"{words}\n".encode())

    def scores(self, remark: RemarkCallback = ignore_remark) -> list[dict[str, Any]]:
        """Reads the scores of the run, without torn lines; remarks name what else is left out."""
        return read_scores(self.scores_file, remark)

    def rewind_scores(self, step: int) -> None:
        """Drops scores after `step`, which a resumed run writes again, and a torn last line.

        A best checkpoint after it is deleted, too.
        """
        for file in (self.scores_file, self.evaluation_file):
            if file.exists() or file.is_symlink():
                kept = bytearray()
                for line, entry in read_score_lines(file):
                    if entry["step"] <= step:
                        kept += line
                write_atomically(file, kept)
        self.best.forget_after(step)


def _is_held(lock: Path) -> bool:
    """Whether a process holds a lock that may only be read, such as one of another user's run."""
    if os.name != "posix":
        return False
    import fcntl

    with suppress(OSError, RunError), open_regular_file(lock) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


@contextmanager
def lock_folder(folder: Path, contents: str) -> Iterator[None]:
    """Locks a folder against other processes. Raises RunError at once where another holds the lock.

    A killed process leaves no lock behind. `contents` is a word for what the folder holds, for the error.
    """
    refuse_link(folder / ".lock")
    lock = FileLock(folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise RunError(f"{folder}: another process is working on this {contents}") from error
    except OSError as error:
        raise RunError(f"cannot lock {folder}: {error.strerror or error}") from error
    try:
        yield
    finally:
        lock.release()


def _is_made_first(path: Path) -> bool:
    """Whether this is what a run makes before its config: some files, empty folders, and leftovers."""
    is_empty = path.name in FOLDERS_MADE_FIRST and path.is_dir() and not any(path.iterdir())
    return is_empty or path.name in MADE_FIRST or is_leftover(path.name)


def _with_step(file: Path, step: int) -> Path:
    """The name of a file with a step in it."""
    return file.with_stem(f"{file.stem}-step-{step:08d}")


def open_run(path: Path) -> RunFolder:
    """Opens an existing run folder. Raises UsageError where there is none."""
    require_path(path, "a run folder")
    folder = RunFolder(path)
    if not folder.exists:
        runs = [each for each in run_folders(path) if each.exists]  # raises where none has begun
        if not runs:
            raise UsageError(f"{path} is a folder of runs that were not built; gans sweep tries them again")
        named = first_few([quote(str(each.path)) for each in runs], MOST_NAMED)
        raise UsageError(f"{path} is a folder of runs; give one of them: {named}")
    return folder


def run_folders(path: Path) -> list[RunFolder]:
    """Lists a run folder itself, or the run folders in a folder such as a sweep's.

    Raises UsageError where there is none.
    """
    if RunFolder(path).exists:
        return [RunFolder(path)]
    require_path(path, "a run folder, or a folder of runs")
    if not path.is_dir():
        raise UsageError(f"{path} is not a run folder, nor a folder of runs")
    within = [folder for folder in map(RunFolder, sorted(path.iterdir())) if folder.has_begun]
    if not within:
        raise UsageError(f"{path} is not a run folder (it has no config.json), and there is none in it")
    return within


def choose_folder(settings: Settings, root: Path = Path("runs")) -> RunFolder:
    """Chooses the folder of a run: the one with these settings, which resumes, else the first free number.

    Folders are named `runs/<arch>-<loss>-<data>-<n>`.
    """
    data = settings.data.partition(":")[0]
    prefix, number = f"{settings.arch}-{settings.loss}-{data}", 1
    while not (folder := RunFolder(root / f"{prefix}-{number}")).is_free:
        try:
            if folder.exists and not folder.differences(settings):
                return folder
        except UsageError:  # someone else's file: not the same run
            pass
        number += 1
    return folder


def environment(device: str) -> JsonObject:
    """Versions and hardware on which the bits of a run may depend besides its settings."""
    try:
        own = version("gans")
    except PackageNotFoundError:  # run from a checkout that is not installed
        own = "checkout"
    return {
        "gans": own,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "pillow": version("pillow"),  # decodes image files
        "machine": platform.machine(),
        **_accelerator(device),
        "threads": torch.get_num_threads(),
    }


def _accelerator(device: str) -> JsonObject:
    """The accelerator and its libraries, if there is one: that of the run, or else the first."""
    if not torch.cuda.is_available():
        return {}
    return {
        "accelerator": torch.cuda.get_device_name(device if device.startswith("cuda") else None),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
        "tf32": torch.backends.cudnn.allow_tf32,  # convolutions round their inputs to 10 bits
    }
