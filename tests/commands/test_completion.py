"""Completion in a shell: plug-ins, words of choices, files; in a real bash, and in zsh where it is."""

import os
import shutil
import subprocess
import sys
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
# Without its line editor zsh completes nothing by itself: what it would offer is what the function is given.
ZSH = 'COMP_WORDS="{words}" COMP_CWORD=$(({count} - 1)) _GANS_COMPLETE=zsh_complete gans'


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


@pytest.mark.parametrize(
    ("shell", "script", "found"),
    [("bash", BASH, "stylegan\nstylegan2"), ("zsh", ZSH, "plain\nstylegan\n_\nplain\nstylegan2\n_")],
)
def test_in_a_real_shell(shell: str, script: str, found: str, tmp_path: Path) -> None:
    program = shutil.which(shell)
    if program is None or not PROGRAM.exists():
        pytest.skip(f"there is no {shell} here")
    words = "gans run --arch style"
    environment = {**os.environ, "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}"}
    command = [program, "-c", script.format(words=words, count=len(words.split()))]
    outcome = subprocess.run(command, env=environment, text=True, capture_output=True, cwd=tmp_path)
    assert outcome.stdout.strip() == found, outcome.stderr
