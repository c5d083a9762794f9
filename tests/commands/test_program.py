"""The program by itself: help, imports, and where its output goes."""

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import cli
from experiments.core.settings import FIELDS
from tests.commands.helpers import Gans
from tests.conftest import ROOT


@pytest.mark.parametrize("words", ["--help", "run --help", "list losses --json", "--version"])
def test_it_imports_nothing_heavy_to_answer(words: str, workplace: Path) -> None:
    code = f"""
import contextlib, sys
import cli
with contextlib.suppress(SystemExit):
    cli.main({words.split()!r})
heavy = {{"torch", "numpy", "matplotlib", "PIL", "rich", "wandb", "scipy"}} & set(sys.modules)
assert not heavy, heavy
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, "-c", code], check=True, cwd=workplace, env=environment, capture_output=True
    )


def test_help_names_every_setting(gans: Gans) -> None:
    shown = gans("run --help").out
    flags = {name: field for name, field in FIELDS.items() if not field.metadata["derived"]}
    for name, field in flags.items():
        assert f"--{name.replace('_', '-')} " in shown
        assert field.metadata["help"].split()[0] in shown
    for command in ("run", "list", "sample"):
        assert re.search(rf"^  {command} ", gans("--help").out, re.MULTILINE)
    assert gans("--version").out == "gans, version 0.1.0\n"


def test_without_a_command_it_shows_its_help(gans: Gans) -> None:
    outcome = gans("")
    shown = outcome.out + outcome.err
    assert outcome.status in (0, 2)
    assert re.search(r"^Usage: gans ", shown, re.MULTILINE), "as it was laid out, not squeezed into a line"
    assert re.search(r"^  run ", shown, re.MULTILINE)


def test_a_reader_that_leaves_early_is_no_error(start: Gans) -> None:
    read, write = os.pipe()
    os.close(read)
    process = start("list", stdout=write)
    os.close(write)
    assert "Traceback" not in process.communicate(timeout=60)[1]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
def test_a_result_that_cannot_be_written_is_an_error(start: Gans, clear_line: Callable[..., str]) -> None:
    with Path("/dev/full").open("w") as full:
        process = start("list --json", stdout=full)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    clear_line(err, "No space left")


def test_main_takes_its_words_from_the_command_line(
    workplace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["gans", "list", "losses", "--json"])
    with contextlib.suppress(SystemExit):
        cli.main()
    assert list(json.loads(capsys.readouterr().out)) == ["losses"]
