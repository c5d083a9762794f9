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
from experiments.commands.help_sections import OWN
from experiments.commands.shell_scripts import BashScript, ZshScript, is_in_quotes
from experiments.core import registry
from experiments.core.settings import FIELDS
from tests.commands.helpers import POINTS, Gans

ROOT = Path(cli.__file__).resolve().parent

BEGIN = {  # of a session in a shell
    "bash": """PS1=; eval "$(_GANS_COMPLETE=bash_source gans)"; echo RE''ADY
""",
    "zsh": """autoload -Uz compinit; compinit -u; eval "$(_GANS_COMPLETE=zsh_source gans)"; print RE''ADY
""",
}
COMMANDS = {"bash": ("bash", "--norc", "-i"), "zsh": ("zsh", "-f", "-i")}
# Numbers, and words that nobody but the user knows, by their metavars.
NUMBERS = {
    *("N", "K", "H", "P", "W", "TOP", "RATE", "RATIO", "STRENGTH", "SHARE", "SHARE%", "STD", "PSI", "AMOUNT"),
    *("SEED", "SEED,…", "SEEDS", "0-63", "N,…", "DIM,…", "B1,B2", "S|HxW", "SIDE:N,…"),
}
FREE = {"project", "group", "tags", "name", "attributes"}
OF_RUNS = {"metric", "by", "words"}  # of gans compare, report and translate: read from runs in the line
OPTIONS = [
    (name, option)
    for name, command in sorted(cli.gans.commands.items())
    for option in command.params
    if isinstance(option, click.Option) and not option.is_flag and getattr(option, "section", OWN) == OWN
]
OPTIONS += [("run", each) for each in cli.gans.commands["run"].params if getattr(each, "section", OWN) != OWN]


HAVE_WORDS = [
    (name, option)
    for name, option in OPTIONS
    if not option.is_flag and option.metavar not in NUMBERS and option.name not in FREE
    if not (name in ("compare", "report", "translate") and option.name in OF_RUNS)
]


def offered(words: str, last: str = "") -> list[str]:
    """What is offered in place of the last word."""
    found = ShellComplete(cli.gans, {}, "gans", "_GANS_COMPLETE").get_completions(words.split()[1:], last)
    return [item.type if item.type != "plain" else item.value for item in found]


@pytest.mark.parametrize("name", sorted(KINDS))
def test_settings_are_completed_by_their_plugins(name: str) -> None:
    known = registry.plugin_names(KINDS[name])
    found = offered(f"gans run --{name.replace('_', '-')}")
    assert found[-len(known) :] == known and {*found} - {*known} <= {"none", "auto"}
    assert offered(f"gans run --{name.replace('_', '-')}", known[0][:2])[0].startswith(known[0][:2])
    assert FIELDS[name]


def test_words_after_a_comma_and_words_of_a_choice() -> None:
    assert offered("gans run --evaluate-metrics", "fid,ki") == ["fid,kid"]
    assert offered("gans run --precision", "") == ["fp32", "tf32", "bf16", "fp64"]
    assert offered("gans run --fit", "c") == ["crop"]
    assert offered("gans sweep --loss", "wgan,hin") == ["wgan,hinge"]
    assert offered("gans evaluate run --extractor", "random-v") == ["random-vgg"]
    assert {"losses", "stylegan2"} <= set(offered("gans list"))


def test_words_beside_names_are_offered_and_lists_where_they_are_taken() -> None:
    assert offered("gans run --critic-augment", "no") == ["none"]
    assert offered("gans run --penalty", "no") == ["none"] and offered("gans run --track", "au") == ["auto"]
    assert offered("gans run --penalty", "real,f") == ["real,fake"]
    assert offered("gans run --loss", "wgan,") == [] and "wgan,bce" in offered("gans sweep --loss", "wgan,")


@pytest.mark.parametrize("name", sorted(cli.gans.commands))
def test_runs_and_files_are_completed(name: str) -> None:
    """Every argument that is a file or a folder, and may be one."""
    for parameter in cli.gans.commands[name].params:
        if isinstance(parameter, click.Argument) and name not in ("list", "reproduce"):
            words = f"gans {name}" + " x" * (parameter.name in ("b", "image", "inputs"))
            assert offered(words, "some/pa") == ["file"], parameter.name


@pytest.mark.parametrize(("name", "option"), HAVE_WORDS, ids=lambda each: getattr(each, "name", each))
def test_every_option_with_known_words_offers_some(name: str, option: click.Option) -> None:
    assert offered(f"gans {name} {option.opts[0]}")


def test_what_components_bring() -> None:
    assert offered("gans run --regularizers", "lecam=0.3,dr") == ["lecam=0.3,drift="]
    assert offered("gans run --schedule", "lr_c") == ["lr_critic="]
    assert "lr_critic=cosine:" in offered("gans run --schedule", "lr_critic=")
    assert offered("gans run --device", "cu") == ["cuda"]
    assert offered("gans reproduce", "grid25-w")[0].startswith("grid25-w")
    assert offered("gans import x --arch", "r3") == ["r3gan"]


def test_files_and_folders_after_the_name_of_a_data_source() -> None:
    for words in ("gans run --data", "gans sweep --data", "gans fid", "gans prepare"):
        assert offered(words, "folder:pho") == ["file"]
    assert offered("gans run --data", "nothing:pho") == []
    assert offered("gans run --init-from", "ru") == ["file"]


def test_presets_and_options_of_the_architecture() -> None:
    presets = registry.load("architecture", "stylegan2").describe_presets()
    assert set(offered("gans run --arch stylegan2 --preset")) == set(presets)
    assert offered("gans run --preset", "pap") == ["paper"]
    assert offered("gans run --arch stylegan2 --set", "arch.map")[0] == "arch.mapping_layers="
    assert "arch.mapping_layers=" in offered("gans run --set", "arch.")  # of all architectures
    assert offered("gans run --arch dcgan --set", "arch.") == []  # which has none
    assert offered("gans run --set", "kid.subset_") == ["kid.subset_size="]
    assert offered("gans run --set", "opt") == ["optimizer."]
    assert offered("gans sweep --set", "n_cr") == ["n_critic="]
    assert offered("gans sweep --set", "n_critic=1,") == []
    assert "cycle=" in offered("gans run --arch cyclegan --term-weights")
    assert {item.partition(".")[0] for item in offered("gans prepare x --set")} == {"data"}


def test_scores_and_settings_of_the_runs_in_the_line(gans: Gans, workplace: Path) -> None:
    assert gans(f"run {POINTS} --set ema.ramp_up=0.1 --steps 4 --out run").status == 0
    assert offered("gans compare run --metric") == []  # which has none yet
    assert gans("evaluate run -n 60").status == 0
    for command in ("compare", "report"):
        found = offered(f"gans {command} run --metric")
        assert found and all(name.startswith("modes/") for name in found)
        assert offered(f"gans {command} run --by", "loss,lr_g") == ["loss,lr_generator"]
        assert offered(f"gans {command} run --by", "ema.") == ["ema.ramp_up"]
    assert offered("gans compare nothing --metric") == []


@pytest.mark.parametrize(
    ("arch", "targets"),
    [("cyclegan --data shapes-styles", ["A", "B"]), ("stargan --data shapes-attributes", ["hue=red"])],
)
def test_targets_of_a_translation(gans: Gans, workplace: Path, arch: str, targets: list[str]) -> None:
    small = "--image-size 16 --width 2 --batch-size 2 --steps 1 --out run"
    assert gans(f"run --arch {arch} {small}").status == 0
    assert set(targets) <= set(offered("gans translate run x --to"))
    assert offered("gans translate nothing x --to") == []


def test_the_scripts_of_click_are_those_that_are_changed() -> None:
    assert "COMP_LINE=" in BashScript.source_template and "-o nospace" in BashScript.source_template
    assert "compset -P" in ZshScript.source_template and "compadd -S ''" in ZshScript.source_template


@pytest.mark.parametrize(
    ("line", "is_open"),
    [
        ('gans run --data "folder:my pic', True),
        ("gans run --data 'it\"s", True),
        ('gans run --data "folder:a" --ar', False),
        ('gans run --name "say \\"x\\"" --data folder:a', False),
        ("gans run --data folder:my\\ pictures # no comment", False),
        ("gans run --data folder:a\\", False),
    ],
)
def test_open_quotes_are_seen(line: str, is_open: bool) -> None:
    assert is_in_quotes(line) == is_open


class Session:
    """A shell in a terminal, in which keys are typed."""

    def __init__(self, shell: str, folder: Path) -> None:
        program = shutil.which(shell)
        if program is None:
            pytest.skip(f"there is no {shell} here")
        environment = {**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}", "HOME": str(folder)}
        self.keyboard, terminal = os.openpty()
        self.process = subprocess.Popen(
            [program, *COMMANDS[shell][1:]],
            **dict.fromkeys(("stdin", "stdout", "stderr"), terminal),
            env={**environment, "TERM": "dumb", "ZDOTDIR": str(folder)},
            cwd=folder,
            start_new_session=True,
        )
        os.close(terminal)

    def type_until(self, keys: str, shown: str) -> None:
        """Types keys, and reads the screen until something is shown."""
        os.write(self.keyboard, keys.encode())
        screen, end = "", time.monotonic() + 60
        while shown not in screen:
            assert time.monotonic() < end, screen
            if select.select([self.keyboard], [], [], 0.2)[0]:
                screen += os.read(self.keyboard, 2**16).decode(errors="replace").replace("\a", "")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.keyboard)


@pytest.mark.parametrize("shell", sorted(BEGIN))
def test_in_a_real_shell(shell: str, tmp_path: Path) -> None:
    """Plug-ins, a folder after `folder:`, and a word that goes on after another that bash breaks it at."""
    (tmp_path / "photographs/first").mkdir(parents=True)
    (tmp_path / "my pictures/of a day").mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/gans"  # of this checkout
    program.write_text(f"#!/bin/sh\nPYTHONPATH='{ROOT}' exec '{sys.executable}' -m cli \"$@\"\n")
    program.chmod(0o755)
    session = Session(shell, tmp_path)
    clear = "\x15"  # the line
    try:
        session.type_until(BEGIN[shell], "READY\r\n")
        session.type_until("gans run --arch style\t", "stylegan")
        session.type_until("\t\t", "stylegan2")
        session.type_until(f"{clear}gans run --data folder:photo\t", "folder:photographs/")
        session.type_until("fi\t", "first/")
        session.type_until(f"{clear}gans run --schedule lr_crit\t", "lr_critic=")
        session.type_until("cos\t", "cosine:")
        session.type_until("1:0.1,lr_gen\t", "lr_generator=")
        session.type_until(f"{clear}gans run --data 'folder:my pictures/of\t", "/of a day/")
        session.type_until(f'{clear}gans run --schedule "lr_critic=cos\t', "lr_critic=cosine:")
    finally:
        session.close()
