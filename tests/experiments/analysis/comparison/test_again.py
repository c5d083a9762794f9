"""Commands that make runs again, and their scores: typed, they give the same."""

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.analysis.comparison.again import commands_of
from experiments.analysis.comparison.html_report import _run_row
from experiments.analysis.comparison.read import read_record
from experiments.config.flag_words import flags_of_run
from experiments.runs.folder import RunFolder
from experiments.runs.scores import read_evaluation_scores

FD = "fd-random-vgg"


def test_a_long_seed_keeps_its_digits(make_run) -> None:
    record = read_record(make_run("a", loss="bce", seed=20240501))
    (command,) = commands_of([record], {record.name: "again/a"})
    words = shlex.split(command)
    assert words[words.index("--seed") + 1] == "20240501"
    assert _run_row(record)["seed"] == ("20240501", 20240501.0)


def test_a_strength_keeps_its_digits(make_run) -> None:
    settings = dict(read_record(make_run("a", loss="bce")).settings)
    words = flags_of_run({**settings, "regularizers": {"lecam": 0.123456789}})
    assert words is not None and words[words.index("--lecam") + 1] == "0.123456789"


@pytest.mark.parametrize("way", ["-n 50 --seed 3", "-n 50 --intervals 7", "-n 50 --every-checkpoint"])
def test_the_evaluation_of_points_is_made_again(way, gans) -> None:
    """The commands of a report, typed, give runs with the very scores: seed, intervals and checkpoints."""
    trained = "run --arch mlp --data ring8 --width 8 --batch-size 16 --steps 2 --checkpoint-kimg 0.016"
    assert gans(f"{trained} --track local --out first").status == 0
    assert gans(f"evaluate first {way}").status == 0
    record = read_record(RunFolder(Path("first")))
    for metric in ("modes/covered", None):
        run, evaluation = commands_of([record], {record.name: "again/first"}, metric)
        assert evaluation == f"gans evaluate again/first --metrics modes {way}"
    for command in (run, evaluation):
        assert gans(command.removeprefix("gans ")).status == 0
    first, again = (read_evaluation_scores(RunFolder(Path(f))) for f in ("first", "again/first"))
    assert again == first
    assert len(first) == (2 if "every" in way else 1)


@pytest.mark.parametrize(
    ("made", "is_given"),
    [
        *[({}, False), ({"n": [100, 500]}, True), ({"seed": 3}, True), ({"protocol": "fid50k-full"}, True)],
        ({"resamples": 50}, True),
    ],
)
def test_scores_that_training_makes_need_no_evaluation(made, is_given, make_run) -> None:
    flags = {"evaluate_kimg": 4.0, "evaluate_metrics": "fid", "evaluate_samples": 500}
    record = read_record(make_run("a", {FD: 30.0, "kid": 0.1}, made=made, **flags))
    commands = commands_of([record], {record.name: "again/a"})
    evaluated = [words[4] for words in map(shlex.split, commands) if words[1] == "evaluate"]
    assert evaluated == ["fid,kid" if is_given else "kid"], "kid is of gans evaluate"


def test_scores_of_one_call_are_made_by_one_call(make_run) -> None:
    """With the score that is compared; not what was made otherwise, unless all scores are asked for."""
    made, several = {"options": {"subset_size": 40}}, {FD: 30.0, "kid": 0.1}
    record = read_record(make_run("a", several, made=made))
    del record.evaluations[0][1][FD]["options"]
    words = "--extractor random-vgg --resize-rule clean -n 500 --set kid.subset_size=40"
    together = f"gans evaluate again/a --metrics fid,kid {words}"
    for metric in (FD, "kid", None):
        assert commands_of([record], {record.name: "again/a"}, metric)[1:] == [together]
    record.evaluations[0][1]["kid"]["seed"] = 3
    fid, kid = commands_of([record], {record.name: "again/a"})[1:]
    assert "--metrics fid " in fid and "--metrics kid " in kid and "--seed 3" in kid
    assert commands_of([record], {record.name: "again/a"}, FD)[1:] == [fid]


def test_the_real_samples_of_a_translation_are_those_of_the_score(make_run) -> None:
    made = {"distance": FD, "split": "training"}
    record = read_record(make_run("a", {f"{FD}/to-B": 1.0, f"{FD}/to-B/train": 2.0}, made=made))
    _, usual, asked = commands_of([record], {record.name: "again/a"})
    assert "--reference" not in usual and asked.endswith("-n 500 --reference train")


def test_a_run_without_flags_names_its_config(make_run) -> None:
    """Its loss is of a plug-in that is not here; the config of a run from elsewhere is not here either."""
    folder = make_run("a run", loss="bce", seed=3)
    record = read_record(folder)
    record = replace(record, settings={**record.settings, "loss": "of-a-plugin"})
    (command,) = commands_of([record], {record.name: "again/a"})
    config = str(folder.path / "config.json")
    assert shlex.split(command) == ["gans", "run", "--config", config, "--seed", "3", "--out", "again/a"]
    assert commands_of([replace(record, folder=None)], {record.name: "again/a"}) == []
