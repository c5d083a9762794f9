"""`gans run --resume RUN --kimg MORE`: what is refused, with which remedy; and what comes after a run."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands.helpers import POINTS, Gans, everything_below, exported, settings_of

Refused = Callable[..., str]


def typed_back(line: str) -> str:
    """The command that a line offers, without the name of the program."""
    return line.split("gans run ")[1]


def test_as_long_as_it_is_already(gans: Gans, refused: Refused, finished: Path) -> None:
    """Four steps of 16 images: 0.064 kimg. The remedy that is named works."""
    before = everything_below(finished)
    for flag, asked, done in (("--steps", "3", "4 steps"), ("--kimg", "0.06", "0.064 kimg")):
        line = refused(2, (done, f"{flag} {asked}"), f"run --resume run {flag} {asked}")
        assert everything_below(finished) == before, "nothing has changed"
    assert gans(f"run {typed_back(line)}").status == 0
    assert settings_of(finished)["kimg"] == 0.128
    assert gans("run --resume run --kimg 0.128").status == 0, "that is what it has"


def test_the_same_command_with_another_length_offers_the_one_that_works(
    gans: Gans, refused: Refused, finished: Path
) -> None:
    same = f"run {POINTS} --checkpoint-kimg 0.016 --keep 3 --out run"
    assert "--resume" not in refused(2, ("steps: 4 → 3", "--out"), same, "--steps", 3)
    assert "--resume" not in refused(2, ("steps: 4 → 9", "width", "--out"), same, "--steps", 9, "--width", 4)
    line = refused(2, ("steps: 4 → 9",), same, "--steps", 9)
    assert gans(f"run {typed_back(line)}").status == 0
    assert (settings_of(finished)["steps"], settings_of(finished)["schedule_steps"]) == (9, 4)
    line = refused(2, ("schedule_steps: 4 → None",), same, "--steps", 9)
    assert gans(f"run {typed_back(line)}").status == 0


def test_other_settings_still_need_force(gans: Gans, refused: Refused, finished: Path) -> None:
    refused(2, ("lr_critic", "--force"), "run --resume run --steps 9 --lr-critic 1e-3")
    assert gans("run --resume run --steps 9 --lr-critic 1e-3 --force").status == 0


def test_a_finished_run_without_checkpoints_does_not_begin_anew(
    gans: Gans, refused: Refused, finished: Path
) -> None:
    shutil.rmtree(finished / "checkpoints")
    before = exported(finished)
    line = refused(2, ("no checkpoint",), "run --resume run --steps 9")
    assert exported(finished) == before
    assert gans(f"run {typed_back(line).replace('DIR', 'new')}").status == 0
    assert settings_of(Path("new"))["steps"] == 9


@pytest.mark.parametrize(
    ("line", "mention"),
    [
        (f"run {POINTS} --restretch --out new", "without --resume"),
        ("run --resume run --restretch", "add a longer --kimg or --steps"),
        ("run --resume run --steps 9 --kimg 1", "exclude each other"),
    ],
)
def test_what_has_no_meaning(line: str, mention: str, refused: Refused, finished: Path) -> None:
    refused(2, (mention,), line)


def test_batches_of_several_sizes_cannot_be_stretched(gans: Gans, refused: Refused) -> None:
    small = "--data shapes --image-size 8 --width 2 --z-dim 3 --batch-size 4 --steps 4 --lr-schedule linear"
    run = gans(f"run --arch progan {small} --stage-batch-sizes 4:8 --out run")
    assert run.status == 0 and "--restretch" not in run.err
    refused(2, ("--stage-batch-sizes", "leave out --restretch"), "run --resume run --steps 9 --restretch")


def test_a_run_that_a_sweep_has_ended_goes_on(gans: Gans, unfinished: Path) -> None:
    from experiments.runs.folder import RunFolder

    folder = RunFolder(unfinished)
    folder.end("stopped early: modes 3 after 0.03 kimg")
    assert gans("run --resume run --steps 6").status == 0
    assert folder.state == "finished"


def commands_after(err: str) -> list[str]:
    return [line.removeprefix("next: gans ") for line in err.splitlines() if line.startswith("next: ")]


@pytest.mark.parametrize("length", ["--steps 4", "--kimg 0.05"])
def test_the_commands_after_a_run_work_when_they_are_typed(length: str, gans: Gans) -> None:
    import shlex

    outcome = gans(f"run {POINTS.replace('--steps 4', length)} --out", "my run")
    assert outcome.out == "my run\n", "stdout keeps only the folder"
    names = []
    for line in commands_after(outcome.err):
        first, *words = shlex.split(line)
        done = gans(first, *words)
        assert done.status == 0, done.err
        names.append(first)
    assert names == ["sample", "evaluate", "run"]
    assert settings_of(Path("my run"))[length.split()[0].removeprefix("--")] == 2 * float(length.split()[1])


def test_a_translator_is_not_sampled(gans: Gans) -> None:
    small = "--image-size 8 --width 2 --batch-size 4 --steps 2 --track local"
    outcome = gans(f"run --arch cyclegan --data shapes-styles {small} --out run")
    assert commands_after(outcome.err) == ["evaluate run", "run --resume run --steps 4 --restretch"]


@pytest.mark.parametrize("name", ["samples/real.png", "checkpoints/step-00000004.pt", "notes.txt"])
def test_files_of_others_are_not_overwritten(name: str, refused: Refused, workplace: Path) -> None:
    file = workplace / "mine" / name
    file.parent.mkdir(parents=True)
    file.write_text("mine")
    before = everything_below(workplace)
    refused(2, ("mine is not a run folder and not empty", "--out"), f"run {POINTS} --out mine")
    assert everything_below(workplace) == before
