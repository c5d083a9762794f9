"""Every command of README.md and docs/ is run, in order page by page, with small settings, or typed."""

import re
from itertools import dropwhile
from pathlib import Path
from typing import Any

import pytest

import cli
from experiments.sweeps.engines import Job, LocalEngine
from experiments.sweeps.worker import SweepTask, run_task
from tests.conftest import Gans, long_but
from tests.house.advice import faults
from tests.pages.reading import NAMES, ROOT, read_blocks, read_commands, read_spans
from tests.pages.shortening import ENDLESS, shorten
from tests.pages.stock import Stock

TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
EXTRAS = set(re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text(), re.M))
OTHERS = {"cd", "mkdir", "ls", "open", "git", "export", "source", "eval"}  # programs of the shell


class _Done(Job):
    """Run of a sweep that was trained when it was started."""

    def __init__(self, status: int) -> None:
        self.status = status

    def poll(self) -> int:
        return self.status

    def stop(self) -> None: ...


@pytest.fixture
def _one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of a sweep are trained in this process, which has imported PyTorch."""

    def start(engine: LocalEngine, task: SweepTask) -> Job:
        Path(task.folder).mkdir(parents=True, exist_ok=True)
        return _Done(run_task(task))

    monkeypatch.setattr(LocalEngine, "start", start)


def _pages(of: Any) -> list[str]:
    """The pages on which something is found."""
    return [page for page in NAMES if any(True for _ in of((ROOT / page).read_text(encoding="utf-8")))]


RUNNABLE = _pages(lambda text: (command for command in read_commands(text, "") if command.is_run))


@pytest.mark.parametrize("page", long_but({"docs/paths/photos.md"}, RUNNABLE))
@pytest.mark.usefixtures("_one_process", "_small_extractor")
def test_commands_of_a_page_run(page: str, gans: Gans, stock: Stock) -> None:
    commands = list(read_commands((ROOT / page).read_text(encoding="utf-8"), page))
    for command in stock.lay_out(commands):
        words = shorten(command.words[1:])
        if words[0] in ENDLESS:
            continue
        outcome = gans("", *words)
        assert outcome.status == 0, f"{command.place}: gans {' '.join(words)}\n{outcome.err}"


@pytest.mark.parametrize("page", RUNNABLE)
def test_what_is_not_run_is_marked(page: str) -> None:
    for command in read_commands((ROOT / page).read_text(encoding="utf-8"), page):
        is_typed_only = command.is_run and command.words[0] not in ("gans", *OTHERS)
        assert not is_typed_only, (
            f"{command.place}: no test runs `{command.words[0]}`; put <!-- long: HOW LONG --> or "
            "<!-- not run: REASON --> before the block"
        )


@pytest.mark.parametrize("page", _pages(lambda text: read_commands(text, "")))
def test_commands_of_a_page_can_be_typed(page: str) -> None:
    for command in read_commands((ROOT / page).read_text(encoding="utf-8"), page):
        assert not (fault := _typing_fault(command.words)), f"{command.place}: {fault}"


def _typing_fault(words: tuple[str, ...]) -> str:
    """What is wrong with a command line; nothing for most."""
    program, *rest = dropwhile(re.compile(r"[A-Z_]+=").match, words)  # what is set for the command alone
    if program == "torchrun":
        program, rest = "gans", rest[rest.index("-m") + 2 :]
    if program == "make":
        return "" if {each for each in rest if "=" not in each} <= TARGETS else "there is no such target"
    if program in ("python", ".venv/bin/python"):
        return "" if (ROOT / rest[0]).is_file() else f"there is no {rest[0]}"
    if program == "pip":
        extras = {extra for word in rest for extra in re.findall(r"gans\[(.+)\]", word)}
        return "" if {each for extra in extras for each in extra.split(",")} <= EXTRAS else "no such extra"
    if program not in ("gans", ".venv/bin/gans"):
        return "" if program in OTHERS else f"{program} is no program that is known here"
    if rest[0] not in cli.gans.commands:
        return f"there is no command {rest[0]}"
    words = tuple(each.rstrip("…") for each in rest[1:] if each != "…")
    try:
        cli.gans.commands[rest[0]].make_context(rest[0], list(words), resilient_parsing="--help" in words)
    except Exception as error:
        return f"{' '.join(rest)}: {error}"
    return ""


@pytest.mark.parametrize("page", _pages(read_spans))
def test_commands_within_sentences_can_be_typed(page: str) -> None:
    spans = read_spans((ROOT / page).read_text(encoding="utf-8"))
    found = [f"`{span}`: {fault}" for span in spans for fault in faults(_spelled_out(span))]
    # A sentence names of a command what it is about.
    found = [each for each in found if "Missing " not in each and "a value is missing" not in each]
    assert not found, "\n".join(found)


def _spelled_out(span: str) -> str:
    """A command without the brackets around what may be left out, and with the first of several values."""
    return re.sub(r"(\w)(\|\w+)+", r"\1", re.sub(r"[][]", "", span))


@pytest.mark.parametrize("page", NAMES)
def test_commands_stand_in_blocks_of_the_shell(page: str) -> None:
    for block in read_blocks((ROOT / page).read_text(encoding="utf-8")):
        lost = block.language not in ("sh", "bash", "console", "shell") and any(
            line.startswith(("gans ", "$ gans ")) for line in block.lines
        )
        assert not lost, f"{page}:{block.line}: begin the block with ```sh, so that its commands are run"
