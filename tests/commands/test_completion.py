"""Completion in a shell: plug-ins, words of choices, files; in a real bash, and in zsh where it is."""

import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

import cli
from experiments.commands.completion import KINDS
from experiments.core import registry
from experiments.core.settings import FIELDS

PROGRAM = Path(sys.executable).with_name("gans")
BASH = """
eval "$(_GANS_COMPLETE=bash_source gans)"
COMP_WORDS=({words}); COMP_CWORD=$(({count} - 1))
_gans_completion gans
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
ZSH = """autoload -Uz compinit; compinit -u; eval "$(_GANS_COMPLETE=zsh_source gans)"; print RE''ADY
"""


def offered(words: str, last: str = "") -> list[str]:
    """What is offered in place of the last word."""
    found = ShellComplete(cli.gans, {}, "gans", "_GANS_COMPLETE").get_completions(words.split()[1:], last)
    return [item.type if item.type != "plain" else item.value for item in found]


@pytest.mark.parametrize("name", sorted(KINDS))
def test_settings_are_completed_by_their_plugins(name: str) -> None:
    known = registry.plugin_names(KINDS[name])
    assert offered(f"gans run --{name.replace('_', '-')}") == known
    assert offered(f"gans run --{name.replace('_', '-')}", known[0][:2])[0].startswith(known[0][:2])
    assert FIELDS[name]


def test_words_after_a_comma_and_words_of_a_choice() -> None:
    assert offered("gans run --evaluate-metrics", "fid,ki") == ["fid,kid"]
    assert offered("gans run --precision", "") == ["fp32", "tf32", "bf16", "fp64"]
    assert offered("gans run --fit", "c") == ["crop"]
    assert offered("gans sweep --loss", "wgan,hin") == ["wgan,hinge"]
    assert offered("gans evaluate run --extractor", "random-v") == ["random-vgg"]
    assert {"losses", "stylegan2"} <= set(offered("gans list"))


@pytest.mark.parametrize("name", sorted(cli.gans.commands))
def test_runs_and_files_are_completed(name: str) -> None:
    """Every argument that is a file or a folder, and may be one."""
    for parameter in cli.gans.commands[name].params:
        if isinstance(parameter, click.Argument) and name not in ("list", "reproduce"):
            words = f"gans {name}" + " x" * (parameter.name in ("b", "image", "inputs"))
            assert offered(words, "some/pa") == ["file"], parameter.name


def shell_of(name: str) -> str:
    """The program of a shell; the test is skipped where there is none."""
    program = shutil.which(name)
    if program is None or not PROGRAM.exists():
        pytest.skip(f"there is no {name} here")
    return program


def environment_of(home: Path) -> dict[str, str]:
    return {**os.environ, "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}", "HOME": str(home), "TERM": "dumb"}


def test_in_a_real_bash(tmp_path: Path) -> None:
    words = "gans run --arch style"
    command = [shell_of("bash"), "-c", BASH.format(words=words, count=len(words.split()))]
    outcome = subprocess.run(
        command, env=environment_of(tmp_path), text=True, capture_output=True, cwd=tmp_path
    )
    assert outcome.stdout.strip() == "stylegan\nstylegan2", outcome.stderr


def test_in_a_real_zsh(tmp_path: Path) -> None:
    """Only its line editor completes, and that needs a terminal: Tab once, and again for what is open."""
    keyboard, terminal = os.openpty()
    process = subprocess.Popen(
        [shell_of("zsh"), "-f", "-i"],
        **dict.fromkeys(("stdin", "stdout", "stderr"), terminal),
        env={**environment_of(tmp_path), "ZDOTDIR": str(tmp_path)},
        cwd=tmp_path,
        start_new_session=True,
    )
    os.close(terminal)

    def type_until(keys: str, shown: str) -> None:
        os.write(keyboard, keys.encode())
        screen, end = "", time.monotonic() + 60
        while shown not in screen:
            assert time.monotonic() < end, screen
            if select.select([keyboard], [], [], 0.2)[0]:
                screen += os.read(keyboard, 2**16).decode(errors="replace")

    try:
        type_until(ZSH, "READY\r\n")
        type_until("gans run --arch style\t", "stylegan")
        type_until("\t\t", "stylegan2")
    finally:
        process.kill()
        process.wait()
        os.close(keyboard)
