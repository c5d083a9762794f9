"""Searches that go on trial by trial: killed anywhere, with failures, and what they keep.

Runs train nothing here, but for the last test: their score is a function of their settings and length.
"""

import json
import math
from collections import Counter
from pathlib import Path

import pytest

from experiments.core.errors import UsageError
from experiments.runs.folder import RunFolder
from experiments.sweeps import optuna_rules, queue, search
from experiments.sweeps.context import SweepContext
from experiments.sweeps.engines import Engine
from experiments.sweeps.search import run_search
from experiments.sweeps.search_space import Range, Sweep
from experiments.sweeps.trials import TrialFile
from experiments.sweeps.worker import Evaluation
from tests.experiments.conftest import Ended

pytest.importorskip("optuna", reason="the extra [optuna] is not installed")
KIMG = 31.0
SPACE = Sweep({"loss": ["bce", "hinge"]}, [0], {"lr_generator": Range(1e-6, 1e-2)}, 9, is_tpe=True)


class Killed(BaseException):
    """The end of a process, which nothing catches."""


class Scores(Engine):
    """Runs that only write down their score; some fail, and the process dies at its n-th piece of work."""

    def __init__(self, score_of, dies_at=math.inf, jobs=1):
        self.score_of, self.dies_at, self.jobs = score_of, dies_at, jobs
        self.started, self.work = [], 0

    def step(self):
        self.work += 1
        if self.work == self.dies_at:
            raise Killed

    def start(self, task):
        self.step()
        folder, kimg = RunFolder(Path(task.folder)), task.until_kimg or KIMG
        self.started.append((folder.path.name, task.until_kimg))
        folder.path.mkdir(parents=True, exist_ok=True)
        folder.ended_file.unlink(missing_ok=True)
        score = self.score_of(task.flags, kimg)
        if score is None:
            folder.end("failed: step 3: critic/adversarial is not finite")
            return Ended(1)
        for file, line in (
            (folder.scores_file, {"step": round(kimg * 100), "kimg": kimg}),
            (folder.evaluation_file, {"step": round(kimg * 100), "scores": {"kid": {"value": score}}}),
        ):
            with file.open("a") as lines:
                lines.write(json.dumps(line) + "\n")
        if task.until_kimg is None:
            folder.generator_file.write_bytes(b"weights")
        self.step()
        return Ended(0)


def score(flags, kimg):
    """The best is hinge at 1e-3; large rates fail, and those of bce only after a while."""
    rate = flags["lr_generator"]
    if rate > 3e-3 and (flags["loss"] == "hinge" or kimg > KIMG / 3):
        return None
    return abs(math.log10(rate / 1e-3)) + (flags["loss"] == "bce") + 1 / kimg


@pytest.fixture
def searched(tmp_path, monkeypatch):
    """`searched("name", engine)`: a search in this folder; its trials, and its runs of whole length."""
    monkeypatch.setattr(queue, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(optuna_rules, "DRAWS_FIRST", 3)
    monkeypatch.setattr(search.Search, "_length", lambda self, trial: KIMG)
    write = TrialFile.write

    def make(name, engine, sweep=SPACE, halves=True):
        def step_and_write(file, trials):
            engine.step()
            write(file, trials)
            engine.step()

        monkeypatch.setattr(TrialFile, "write", step_and_write)
        context = SweepContext(tmp_path / name, sweep, Evaluation(), engine)
        context.out.mkdir(exist_ok=True)
        _, whole = run_search(context, sweep.sweep_runs(), "kid", halves)
        return json.loads((context.out / "search.json").read_text())["trials"], [run.name for run in whole]

    return make


@pytest.mark.parametrize("halves", [True, False])
def test_killed_anywhere_it_ends_with_the_trials_of_one_that_was_not(searched, halves):
    engine = Scores(score)
    whole = searched("whole", engine, halves=halves)
    for dies_at in range(2, engine.work, 13):
        name, dying = f"killed-{dies_at}", Scores(score, dies_at)
        with pytest.raises(Killed):
            searched(name, dying, halves=halves)
        rest = Scores(score)
        assert searched(name, rest, halves=halves) == whole, dies_at
        failures = sum("failed" in str(trial) for trial in whole)
        assert len(dying.started) + len(rest.started) <= len(engine.started) + 3 + failures


def test_failures_count_as_the_worst_and_do_not_end_the_search(searched):
    engine = Scores(score)
    trials, whole = searched("sweep", engine)
    assert [trial["number"] for trial in trials] == list(range(9))
    lost = [trial for trial in trials if None in [rung["score"] for rung in trial["rungs"]]]
    assert lost and all(trial["end"] == "stopped early" for trial in lost)
    best = min((t for t in trials if t["end"] == "done"), key=lambda t: t["rungs"][-1]["score"])
    assert len(best["rungs"]) == len(best["kimg"]) == 5 and best["kimg"][-1] == KIMG
    assert sum(trial["end"] == "done" for trial in trials) == len(whole) < 9


def test_the_same_command_tries_again_what_failed_and_nothing_else(searched):
    trials, _ = searched("sweep", Scores(score))
    lost = [trial for trial in trials if None in [rung["score"] for rung in trial["rungs"]]]
    again = Scores(score)
    assert searched("sweep", again)[0] == trials
    assert len({name for name, _ in again.started}) == len(lost)
    calm = Scores(lambda flags, kimg: 9.0)
    trials, _ = searched("sweep", calm)
    assert len({name for name, _ in calm.started}) == len(lost)
    assert all(rung["score"] is not None for trial in trials for rung in trial["rungs"])


def test_trials_of_a_random_search_go_on_by_their_place_at_each_rung(searched):
    """31 kimg and 5 settings: rungs at 2.07, 6.2, 14.5 and 31 kimg; scores in the order of trials."""
    scores = dict(zip((8, 16, 32, 64, 128), (3.0, 4.0, 2.0, 2.5, 5.0), strict=True))
    sweep = Sweep({"width": list(scores)}, [0])
    engine = Scores(lambda flags, kimg: scores[flags["width"]])
    trials, whole = searched("sweep", engine, sweep)
    # The first goes on alone; 4 is behind 3; 2 is ahead of it; 2.5 is the second of four, and then of three.
    assert [len(trial["rungs"]) for trial in trials] == [4, 1, 4, 2, 1]
    assert [trial["end"] for trial in trials] == [
        "done",
        *["stopped early"] * 1,
        "done",
        *["stopped early"] * 2,
    ]
    assert whole == ["width=8-seed-0", "width=32-seed-0"]
    shown = Counter(name for name, _ in engine.started)
    assert shown == {
        "width=8-seed-0": 4,
        "width=16-seed-0": 1,
        "width=32-seed-0": 4,
        "width=64-seed-0": 2,
        "width=128-seed-0": 1,
    }


def test_higher_is_better_where_the_metric_says_so(searched, monkeypatch):
    scores = {8: 20.0, 16: 30.0, 32: 25.0}
    engine = Scores(lambda flags, kimg: scores[flags["width"]])
    monkeypatch.setattr(search, "score_setting", lambda *words: _psnr(*words))
    trials, _ = searched("sweep", engine, Sweep({"width": list(scores)}, [0]))
    assert [trial["end"] for trial in trials] == ["done", "done", "stopped early"]


def _psnr(context, runs, metric, kimg):
    """The same numbers, of a metric of which more is better."""
    from experiments.sweeps.ranking import RankedSetting, score_setting

    found = score_setting(context, runs, metric, kimg)
    return RankedSetting(found.sweep_runs, found.scores, found.median, "psnr", True)


def test_several_at_once_keep_their_trials_when_killed(searched, tmp_path):
    def settings(trials):
        return [trial["settings"] for trial in trials]

    with pytest.raises(Killed):
        searched("sweep", Scores(score, 30, jobs=4))
    kept = (
        settings(json.loads(Path("sweep/search.json").read_text())["trials"])
        if Path("sweep").exists()
        else []
    )
    trials, _ = searched("sweep", Scores(score, jobs=4))
    assert settings(trials)[: len(kept)] == kept and len(trials) == 9


def test_a_fourth_seed_is_added_to_the_same_trials(searched):
    few, _ = searched("sweep", Scores(score))
    more = Scores(score)
    trials, _ = searched("sweep", more, Sweep(SPACE.choices, [0, 1], SPACE.ranges, 9, is_tpe=True))
    assert [trial["settings"] for trial in trials] == [trial["settings"] for trial in few]
    assert {name.rpartition("-")[2] for name, _ in more.started} >= {"1"} and trials[0]["seeds"] == [0, 1]


@pytest.mark.parametrize(
    ("change", "mentions"),
    [
        (lambda file: file.write_text("{"), "cannot be read"),
        (lambda file: file.write_text("[1]"), "cannot be read"),
        (
            lambda file: file.write_text(file.read_text().replace('"kid"', '"fid"')),
            r"another search \(metric",
        ),
        (lambda file: file.write_text(file.read_text().replace("hinge", "wgan")), "another search"),
        (lambda file: _change_rate(file, 0.5), "cannot be read"),
        (lambda file: _change_rate(file, "fast"), "cannot be read"),
        (
            lambda file: (file.rename("elsewhere"), file.symlink_to(Path("elsewhere").absolute())),
            "cannot be read",
        ),
    ],
)
def test_a_file_of_something_else_is_refused(searched, workplace, tmp_path, change, mentions):
    searched("sweep", Scores(score), halves=False)
    change(tmp_path / "sweep" / "search.json")
    engine = Scores(score)
    with pytest.raises(UsageError, match=f"{mentions}.*take another --out"):
        searched("sweep", engine, halves=False)
    assert engine.started == []


def _change_rate(file, rate):
    content = json.loads(file.read_text())
    content["trials"][0]["settings"]["lr_generator"] = rate
    file.write_text(json.dumps(content))


def test_settings_that_cannot_be_are_the_worst(searched, monkeypatch, tmp_path):
    def length(self, trial):
        if trial.number == 4:
            raise search.ImpossibleTrialError("--lr-generator 0.5: too large")
        return KIMG

    monkeypatch.setattr(search.Search, "_length", length)
    engine = Scores(score)
    trials, _ = searched("sweep", engine)
    name = SPACE.runs_of([SPACE.draw(0)])[0].name
    impossible = SPACE.runs_of([{**trials[4]["settings"]}])[0].name
    assert len(trials) == 9 and trials[4]["rungs"][0]["score"] is None
    assert name in dict(engine.started) and impossible not in dict(engine.started)
    assert RunFolder(tmp_path / "sweep" / impossible).state == "failed: --lr-generator 0.5: too large"


def test_a_search_from_its_command_to_its_files(gans, here, monkeypatch, tmp_path):
    monkeypatch.setattr(optuna_rules, "DRAWS_FIRST", 2)
    line = "sweep --arch mlp --data ring8 --width 8 --steps 3 --track local --evaluate-samples 50 --seeds 1"
    line += " --jobs 1 --search tpe --trials 4 --log-uniform batch_size=2:32"
    first = gans(f"{line} --loss bce --metric kl --json --out", tmp_path / "sweep")
    assert first.status == 0, first
    found = json.loads((tmp_path / "sweep" / "search.json").read_text())
    sizes = [trial["settings"]["batch_size"] for trial in found["trials"]]
    assert len(set(sizes)) == 4 and all(type(size) is int for size in sizes)
    members = {Path(each["folder"]).name: each["state"] for each in json.loads(first.out)["members"]}
    assert members == {f"batch_size={size}-seed-0": "finished" for size in sizes}
    assert found["search"] == "tpe" and found["seed"] == 0
    assert [trial["kimg"] for trial in found["trials"]] == [[3 * size / 1000] for size in sizes]
    again = gans(f"{line} --loss bce --metric kl --out", tmp_path / "sweep")
    assert again.status == 0 and here[1].started == []
    other = gans(f"{line} --loss bce --metric covered --out", tmp_path / "sweep")
    assert other.status == 2 and "holds another search (metric changed)" in other.err


@pytest.mark.parametrize(
    ("words", "mentions"),
    [
        ("--search tpe", "--trials N"),
        ("--search tpe --random 3", "--random 3 is --search random --trials 3"),
        ("--random 3 --trials 3", "--random 3 is --search random --trials 3"),
        ("--search tpe --trials 3 --grid", "exclude each other"),
        ("--trials 3", "add --search random"),
        ("--search tpe --trials 3 --refine 1 --log-uniform lr_critic=1e-4:1e-3", "exclude each other"),
        ("--search tpe --trials 3 --no-evaluate", "--no-evaluate"),
        ("--search tpe --trials 3 --early-stop kl --halving synchronous", "take --halving asynchronous"),
        ("--search tpe --trials 3 --wandb-config", "take --search random"),
        (
            "--search tpe --trials 3 --metric fid",
            "fid is none of the scores of the sweep runs (modes/covered",
        ),
        ("--halving asynchronous", "--early-stop METRIC"),
    ],
)
def test_refused(gans, here, words, mentions):
    outcome = gans(f"sweep --arch mlp --data ring8 --steps 2 {words}")
    assert outcome.status == 2 and mentions in outcome.err and here == [], outcome
