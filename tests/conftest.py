"""What the tests of the command line share: a folder to work in, and the command as a function."""

import contextlib
import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image

import cli
from experiments.core import registry, trusted_plugins
from tests.browser import open_browser
from tests.forked import ForkedCommand
from tests.shortcuts import take_shortcuts, undo_shortcuts

ROOT = Path(__file__).resolve().parent.parent
ARCHITECTURES = {name: registry.load("architecture", name) for name in registry.names("architecture")}
FROM_NOISE = [name for name, architecture in ARCHITECTURES.items() if architecture.task == "noise"]
# Embedded data for each of an architecture's tasks.
DATA = {
    "noise": "shapes",
    "pairs": "shapes-paired",
    "domains": "shapes-styles",
    "attributes": "shapes-attributes",
}
POINTS = "--arch mlp --loss bce --data ring8 --steps 4 --batch-size 16 --width 8"

# A form that follows bce and, at the n-th update of a player, does what the environment says: "nan 5", or
# "hold 5 FILE", which waits for as long as there is that file.
MOODY = '''"""Moody: bce until it is not."""
import os
import signal
import time
from losses.adversarial.bce import BinaryCrossEntropy as _Usual
from losses.recipe import Recipe

MOOD, WHEN, FILE = (os.environ.get("MOOD", "calm") + "  ").split(" ")[:3]

class Moody(_Usual):
    recipe = Recipe(paper="none", form="moody", settings=_Usual.recipe.settings)

    def __init__(self):
        self.update = 0

    def critic(self, real_logits, fake_logits):
        self.update += 1
        value = super().critic(real_logits, fake_logits)
        if str(self.update) != WHEN:
            return value
        if MOOD in ("SIGINT", "SIGTERM"):
            number = getattr(signal, MOOD)
            assert callable(signal.getsignal(number)), "nobody listens: this would end the tests"
            signal.raise_signal(number)
        while MOOD == "hold" and os.path.exists(FILE):
            time.sleep(0.05)
        if MOOD == "fail":
            raise RuntimeError("a fault\\nin two lines")
        return value * float("nan") if MOOD == "nan" else value

    def generator(self, fake_logits, real_logits):
        value = super().generator(fake_logits, real_logits)
        if MOOD == "steep" and str(self.update) == WHEN:  # a finite value with a slope that is not
            value = value + (fake_logits.mean() * 0).sqrt()
        return value
'''


def long_but(short: Collection[str], names: Iterable[str]) -> list[Any]:
    """Parameters of a test that takes long: with some of them it is among the usual tests all the same."""
    return [
        name
        if name in short
        else pytest.param(*(name if isinstance(name, tuple) else [name]), marks=pytest.mark.long)
        for name in names
    ]


class CommandResult(NamedTuple):
    """What a command left behind."""

    status: int
    out: str
    err: str


Gans = Callable[..., CommandResult]
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, and an environment that does not change what is printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GANS_CONFIG", str(tmp_path / "config"))
    for name in ("COLUMNS", "LINES", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "MOOD"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Networks this small are slower with more threads, and much slower on a machine that is busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _forget_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test knows the plug-in files of another."""
    forget_plugins(monkeypatch)


def forget_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forgets plug-in files, as a new process knows none."""
    monkeypatch.setattr(registry, "_from_files", {})
    monkeypatch.setattr(trusted_plugins, "_named", set())


@pytest.fixture(autouse=True, scope="session")
def _shortcuts() -> Iterator[None]:
    """Runs and evaluations are short."""
    with pytest.MonkeyPatch.context() as patch:
        take_shortcuts(patch.setattr)
        yield


@pytest.fixture(autouse=True, scope="session")
def _own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What tests trust, and what they decode, stays among tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANS_CONFIG", str(tmp_path_factory.mktemp("config")))
        patch.setenv("GANS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def as_for_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """Data, plots and extractors are those of users."""
    undo_shortcuts(monkeypatch.setattr)


@pytest.fixture
def all_shapes(as_for_users: None) -> None:
    """Embedded images are as many as for users."""


@pytest.fixture
def gans(
    workplace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Gans]:
    """`gans("run --arch mlp", "--out", path)` as a process of its own would do it, without the start of one.

    The first argument is split at blanks, the others are passed as they are. An exception that escapes
    the command is not caught: it is a traceback before the user's eyes.
    """

    def call(line: str, *words: object) -> CommandResult:
        forget_plugins(monkeypatch)
        capsys.readouterr()
        status: Any = 0
        try:
            cli.main([*line.split(), *map(str, words)])
        except SystemExit as stop:
            status = stop.code or 0
        return CommandResult(status, *capsys.readouterr())

    with one_thread():
        yield call


@pytest.fixture
def refused(gans: Gans) -> Callable[..., str]:
    """`refused(2, mentions, *words)`: the command must fail with that status and one clear line."""

    def call(status: int, mentions: tuple[str, ...], line: str, *words: object) -> str:
        outcome = gans(line, *words)
        assert (outcome.status, outcome.out) == (status, ""), outcome
        return clear_line(outcome.err, *mentions)

    return call


@pytest.fixture(name="clear_line")
def _clear_line() -> Callable[..., str]:
    return clear_line


def clear_line(err: str, *mentions: str) -> str:
    """The error in `err`: one line, the last, that starts with the program's name and mentions these."""
    lines = err.splitlines()
    errors = [line for line in lines if line.startswith("gans: ")]
    assert len(errors) == 1, err
    assert lines[-1] == errors[0], f"the error is the last line, and one line:\n{err}"
    assert "Traceback" not in err
    assert len(errors[0]) < 1000
    for mention in mentions:
        assert mention in errors[0], errors[0]
    return errors[0]


@pytest.fixture
def start(workplace: Path) -> Iterator[Start]:
    """Starts the command as a real process, whose files may be limited in size."""
    processes: list[subprocess.Popen[str]] = []

    def begin(
        line: str, *words: object, largest_file: int | None = None, **options: Any
    ) -> subprocess.Popen[str]:
        def prepare() -> None:
            # Tests in the background of a shell ignore Ctrl-C, and their children would inherit that.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            if largest_file is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

        process = subprocess.Popen(
            [sys.executable, str(ROOT / "cli.py"), *line.split(), *map(str, words)],
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "cwd": workplace, **options},
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            preexec_fn=prepare,
        )
        processes.append(process)
        return process

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def fork(workplace: Path) -> Iterator[Callable[[str], ForkedCommand]]:
    """Starts the command as `start` does, where the start of Python itself is not what is tested."""
    processes: list[ForkedCommand] = []

    def begin(line: str) -> ForkedCommand:
        processes.append(ForkedCommand(line.split(), {**os.environ, "OMP_NUM_THREADS": "1"}, workplace))
        return processes[-1]

    yield begin
    for process in processes:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, for the tests of a module."""
    with open_browser() as opened:
        yield opened


@pytest.fixture(scope="session")
def _finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "run"
    with one_thread():
        cli.main(["run", *POINTS.split(), "--checkpoint-kimg", "0.016", "--keep", "3", "--out", str(folder)])
    return folder


@pytest.fixture
def finished(workplace: Path, _finished: Path) -> Path:
    """A finished run of four steps, in the folder `run`, with the checkpoints of steps 2, 3 and 4."""
    shutil.copytree(_finished, workplace / "run")
    return Path("run")


@pytest.fixture
def unfinished(finished: Path) -> Path:
    """The same as if it was killed before the export."""
    (finished / "generator.safetensors").unlink()
    return finished


@pytest.fixture
def pictures(workplace: Path) -> Path:
    """A folder `pictures` with twelve images, 12 high and 9 wide."""
    folder = workplace / "pictures"
    folder.mkdir()
    noise = np.random.default_rng(0)
    for number in range(12):
        pixels = noise.integers(256, size=(12, 9, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    return Path("pictures")


@pytest.fixture
def moody(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """`moody("nan 5")`: from now on the loss `moody` of `--plugin moody.py` does that."""
    (workplace / "moody.py").write_text(MOODY)

    def set_mood(mood: str) -> None:
        monkeypatch.setenv("MOOD", mood)

    return set_mood


@pytest.fixture
def seal() -> Callable[[Path], None]:
    """Gives a checkpoint a hash that matches whatever stands in it."""

    def write_hash(path: Path) -> None:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        path.with_name(f"{path.name}.sha256").write_text(f"{digest}  {path.name}\n")

    return write_hash


@pytest.fixture
def wait_for_scores() -> Callable[[Path, "subprocess.Popen[str] | ForkedCommand"], None]:
    """Waits until a process has written its first line of scores."""

    def wait(run: Path, process: "subprocess.Popen[str] | ForkedCommand") -> None:
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError, ValueError, IndexError):
                json.loads((run / "scores.jsonl").read_text().splitlines()[0])
                return
            time.sleep(0.01)
        raise AssertionError(f"no scores; status {process.poll()}")

    return wait


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Inception's weights in the published layout, random but alive."""
    from benchmarks.inception_weights import make

    file = tmp_path_factory.mktemp("weights") / "inception.pth"
    make(file)
    return file
