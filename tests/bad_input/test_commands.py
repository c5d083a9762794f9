"""Commands and options that there are not, devices and memory that there are not: one clear line each."""

from pathlib import Path

import pytest
import torch

from tests.commands.helpers import POINTS, Gans, Refused, little_memory

WORDS = [
    # What was typed, and what the line must mention: the offender, and the remedy where there is one.
    ("rnu", "rnu", "run"),
    ("frobnicate", "frobnicate", "list"),
    ("list losess", "losess", "losses"),
    ("list foo", "foo", "architectures"),
    ("list architectures losses", "losses"),
    ("run stray", "stray", "quotes"),
    ("run --archx mlp", "--archx", "--arch"),
    ("run --steps", "--steps"),
    ("sample", "RUN"),
    ("sample run -n 0", "-n", "0"),
    ("sample run -n -1", "-n", "-1"),
    ("sample run -n many", "-n", "many"),
    ("sample run --seed -1", "--seed", "-1"),
    ("sample run --device tpu", "--device", "tpu", "cpu"),
    ("run --out one --resume two", "--out", "--resume"),
    ("run --config one --resume two", "--config", "--resume"),
]


@pytest.mark.parametrize(("line", "mentions"), [(line, rest) for line, *rest in WORDS], ids=lambda x: str(x))
def test_commands_and_options(line: str, mentions: list[str], refused: Refused, workplace: Path) -> None:
    refused(2, tuple(mentions), line)
    assert not list(workplace.iterdir())


@pytest.mark.parametrize("line", ["list losess", "run --arch dcgna", "run --lr-critic 0", "list --wrong"])
def test_debug_adds_the_traceback(line: str, gans: Gans) -> None:
    plain = gans(line)
    outcome = gans(f"{line} --debug")
    assert outcome.status == plain.status == 2
    assert "Traceback" in outcome.err
    assert outcome.err.splitlines()[-1] == plain.err.splitlines()[-1], "and keeps the clear line, at the end"


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has one")
@pytest.mark.parametrize("line", [f"run {POINTS} --out new", "sample run"])
def test_a_device_that_is_not_there(line: str, refused: Refused, finished: Path) -> None:
    refused(2, ("--device cuda", "--device cpu"), f"{line} --device cuda")
    assert sorted(path.name for path in Path().iterdir()) == [finished.name]


@pytest.mark.parametrize(
    "flags", ["--width 4000000000000000000", "--z-dim 4000000000000000000", "--width 10000000"]
)
def test_networks_beyond_all_memory(flags: str, gans: Gans, clear_line: Refused) -> None:
    with little_memory():
        outcome = gans(f"run {POINTS} {flags} --out run")
    assert outcome.status in (1, 2)
    clear_line(outcome.err)
    assert not Path("run/config.json").exists()


@pytest.mark.long
def test_more_samples_than_memory_holds(refused: Refused, finished: Path) -> None:
    with little_memory(16):
        line = refused(1, ("memory",), f"sample {finished} -n 100000000 --out all.npy")
    assert "alloc_cpu.cpp" not in line, "in the user's words"
    assert not Path("all.npy").exists()
