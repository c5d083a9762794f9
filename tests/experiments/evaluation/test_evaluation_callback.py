"""`gans run --evaluate-kimg`: scores while a run trains, which change nothing, and the best kept."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiments.evaluation.evaluate import Evaluator
from experiments.runs.folder import RunFolder
from experiments.runs.scores import read_evaluation_scores
from metrics.fid_infinity import FrechetDistanceInfinity
from tests.forked import ForkedCommand

Gans = Callable[..., Any]
POINTS = "run --arch mlp --loss bce --data ring8 --batch-size 16 --width 8"
EVALUATE = "--evaluate-kimg 0.032 --evaluate-samples 200"  # every second step


def lines(run: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(run, "scores.jsonl").read_text().splitlines()]


def scored(run: str, name: str = "modes/covered") -> dict[int, float]:
    key = f"metric/{name}"
    return {line["step"]: line[key] for line in lines(run) if key in line}


def test_it_changes_nothing_and_scores_as_the_command_does(gans: Gans, workplace: Path) -> None:
    assert gans(f"{POINTS} --steps 6 --out without").status == 0
    outcome = gans(f"{POINTS} --steps 6 --keep 9 --checkpoint-kimg 0.016 --out with {EVALUATE}")
    assert outcome.status == 0, outcome.err
    trained = [Path(run, "generator.safetensors").read_bytes() for run in ("without", "with")]
    assert trained[0] == trained[1]
    assert list(scored("with")) == [2, 4, 6] and not scored("without")
    during = dict(read_evaluation_scores(RunFolder(Path("with"))))
    after = json.loads(gans("evaluate with -n 200 --every-checkpoint --json").out)
    assert {int(step): scores for step, scores in after.items() if int(step) % 2 == 0} == during
    (terms,) = [line for line in lines("with") if line["step"] == 6 and "seconds" in line]
    assert terms["images_per_second"] > 0


def test_it_is_not_counted_as_training(gans: Gans, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow evaluation makes the run longer, but not the images a second fewer."""
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    original = Evaluator.__call__

    def slow(self: Evaluator, samples: Any) -> Any:
        clock[0] += 1000.0
        return original(self, samples)

    def step(*_: Any) -> Any:
        clock[0] += 1.0
        return real(*_)

    from gans.core.duel import Duel

    real = Duel.round
    monkeypatch.setattr(Evaluator, "__call__", slow)
    monkeypatch.setattr(Duel, "round", step)
    gans(f"{POINTS} --steps 5 --out run --evaluate-kimg 0.032 --evaluate-samples 20")
    first, last = (line for line in lines("run") if "seconds" in line)
    assert first["images_per_second"] == last["images_per_second"] == 16
    assert last["seconds"] == 2005


@pytest.fixture
def values(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the next evaluations find, in place of the modes covered."""
    found: list[float] = []
    original = Evaluator.__call__

    def pretend(self: Evaluator, samples: Any) -> Any:
        scores = original(self, samples)
        score = next(iter(scores.values()))
        score["value"] = score["covered"] = found.pop(0)
        return scores

    monkeypatch.setattr(Evaluator, "__call__", pretend)
    return found


def best(run: str = "run") -> list[str]:
    return sorted(path.name for path in Path(run, "best").glob("*.pt"))


@pytest.mark.parametrize(
    ("flags", "found", "step"),
    [
        ("", [3.0, 5.0, 4.0], 4),  # more modes are better
        ("--evaluate-metrics fid,precision-recall", [3.0, 5.0, 2.0], 6),  # a smaller distance is better
        ("--evaluate-metrics fid,precision-recall", [3.0, 5.0, 4.0], 2),
        ("", [float("nan"), 5.0, 4.0], 4),  # no number is the best only while there is no other
        ("--evaluate-metrics fid,precision-recall", [float("nan"), 3.0, float("inf")], 4),
    ],
)
def test_the_best_is_kept(flags: str, found: list[float], step: int, values: list[float], gans: Gans) -> None:
    values += found
    outcome = gans(f"{POINTS} --steps 6 --out run {EVALUATE} {flags}")
    assert outcome.status == 0, outcome.err
    assert best() == [f"step-{step:08}.pt"]
    assert f"run/best/step-{step:08}.pt" in outcome.err
    sample = gans(f"sample run/best/step-{step:08}.pt -n 4 --out best.npy")
    assert sample.status == 0, sample.err
    at_the_end = gans("sample run -n 4 --out end.npy")
    assert (Path("best.npy").read_bytes() == Path("end.npy").read_bytes()) == (step == 6), at_the_end.err


def test_another_metric_may_choose(gans: Gans, workplace: Path) -> None:
    command = f"{POINTS} --steps 6 --out run {EVALUATE} --evaluate-metrics modes,fid --best-metric fid"
    assert gans(command).status == 0
    scores = read_evaluation_scores(RunFolder(Path("run")))
    distances = {step: found["fd-points"]["value"] for step, found in scores}
    assert best() == [f"step-{min(distances, key=distances.__getitem__):08}.pt"]


def test_a_resumed_run_knows_the_best(values: list[float], gans: Gans, moody: Any) -> None:
    """Stopped at step 5, after a good evaluation at step 2 and a bad one at 4; then a middling one at 6."""
    values += [7.0, 1.0, 4.0]
    moody("SIGINT 5")
    words = f"run --plugin moody.py --arch mlp --loss moody --data ring8 --batch-size 16 --width 8 {EVALUATE}"
    assert gans(f"{words} --steps 6 --out run").status == 130
    moody("calm")
    assert gans(f"{words} --steps 6 --out run").status == 0
    assert best() == ["step-00000002.pt"] and not values
    assert list(scored("run")) == [2, 4, 6]


def test_other_ways_of_scoring_do_not_compare(values: list[float], gans: Gans) -> None:
    values += [7.0, 7.0, 3.0]
    gans(f"{POINTS} --steps 4 --out run {EVALUATE}")
    gans(f"{POINTS} --steps 6 --out run --force --evaluate-kimg 0.096 --evaluate-samples 100")
    assert best() == ["step-00000006.pt"]


def test_what_others_score_in_between_does_not_count(values: list[float], gans: Gans, moody: Any) -> None:
    values += [7.0, 1.0]
    moody("SIGINT 5")
    words = f"run --plugin moody.py --arch mlp --loss moody --data ring8 --batch-size 16 --width 8 {EVALUATE}"
    gans(f"{words} --steps 6 --out run")
    values += [9.0, 9.0, 9.0, 9.0]
    assert gans("evaluate run -n 100 --every-checkpoint").status == 0
    values[:] = [4.0]
    moody("calm")
    assert gans(f"{words} --steps 6 --out run").status == 0
    assert best() == ["step-00000002.pt"]


def test_the_best_of_equals_has_the_higher_quality(gans: Gans, monkeypatch: pytest.MonkeyPatch) -> None:
    found, original = [0.2, 0.6, 0.4], Evaluator.__call__

    def pretend(self: Evaluator, samples: Any) -> Any:
        scores = original(self, samples)
        scores["modes"] |= {"value": 8.0, "covered": 8.0, "high_quality": found.pop(0)}
        return scores

    monkeypatch.setattr(Evaluator, "__call__", pretend)
    assert gans(f"{POINTS} --steps 6 --out run {EVALUATE}").status == 0
    assert best() == ["step-00000004.pt"]


@pytest.mark.parametrize(
    ("name", "step", "shown"),
    [
        ("recall", 4, "precision-recall/recall 0.5"),
        ("precision", 2, "precision-recall/precision 0.9"),
        ("pr", 2, "precision-recall/precision 0.9, precision-recall/recall 0.1"),
        ("precision-recall", 2, "precision-recall/precision 0.9, precision-recall/recall 0.1"),
    ],
)
def test_a_single_number_may_choose(
    name: str, step: int, shown: str, gans: Gans, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, original = [(0.9, 0.1), (0.8, 0.5), (0.7, 0.4)], Evaluator.__call__

    def pretend(self: Evaluator, samples: Any) -> Any:
        scores = original(self, samples)
        precision, recall = found.pop(0)
        scores["precision-recall"] |= {"value": precision, "precision": precision, "recall": recall}
        return scores

    monkeypatch.setattr(Evaluator, "__call__", pretend)
    metrics = f"--evaluate-metrics fid,pr --best-metric {name}"
    outcome = gans(f"{POINTS} --steps 6 --out run {EVALUATE} {metrics}")
    assert best() == [f"step-{step:08}.pt"]
    assert f"\nbest {shown}: run/best/step-{step:08}.pt\n" in outcome.err


def test_a_remark_of_a_metric_is_made_once(gans: Gans, workplace: Path) -> None:
    flags = "--evaluate-kimg 0.032 --evaluate-samples 2 --evaluate-metrics fid"
    outcome = gans(f"{POINTS} --steps 6 --out run {flags}")
    assert len(scored("run", "fd-points")) == 3
    assert outcome.err.count("2 features but only 2 samples") == 1


def test_an_evaluation_that_fails_does_not_end_the_run(
    gans: Gans, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FrechetDistanceInfinity, "check_counts", lambda *counts: None)  # else it is refused
    flags = "--evaluate-kimg 0.032 --evaluate-samples 5 --evaluate-metrics fid-infinity"
    outcome = gans(f"{POINTS} --steps 6 --out run {flags}")
    assert outcome.status == 0 and Path("run/generator.safetensors").exists()
    assert outcome.err.count("not evaluated, and the run goes on: fid-infinity: 5 samples") == 3


def test_what_is_left_of_another_run_does_not_compete(gans: Gans, workplace: Path) -> None:
    assert gans(f"{POINTS} --steps 6 --out run {EVALUATE}").status == 0
    for file in Path("run/checkpoints").iterdir():
        file.unlink()
    assert gans(f"{POINTS} --steps 4 --out run --force --lr-generator 1e-6 {EVALUATE}").status == 0
    assert [step for step, _ in read_evaluation_scores(RunFolder(Path("run")))] == [2, 4]
    assert best() in (["step-00000002.pt"], ["step-00000004.pt"])


@pytest.mark.long
def test_a_killed_run_ends_with_the_same_scores_and_best(
    gans: Gans, fork: Callable[[str], ForkedCommand], wait_for_scores: Any
) -> None:
    words = f"{POINTS} --steps 400 --checkpoint-kimg 0.5 --evaluate-kimg 0.8 --evaluate-samples 200"
    assert gans(f"{words} --out whole").status == 0
    process = fork(f"{words} --out killed")
    wait_for_scores(Path("killed"), process)
    deadline = 200
    while deadline and process.poll() is None and len(scored("killed")) < 3:
        deadline -= 1
        signal.sigtimedwait([], 0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not Path("killed/generator.safetensors").exists(), "it ended before it was killed"
    assert gans(f"{words} --out killed").status == 0
    for name in ("generator.safetensors", "evaluation.jsonl"):
        assert Path("killed", name).read_bytes() == Path("whole", name).read_bytes(), name
    assert best("killed") == best("whole")
    assert scored("killed") == scored("whole")


@pytest.mark.parametrize(
    ("flags", "mentions"),
    [
        ("--evaluate-kimg 0", ["--evaluate-kimg", "above 0"]),
        ("--evaluate-samples 100", ["--evaluate-samples", "--evaluate-kimg"]),
        ("--evaluate-metrics fid", ["--evaluate-metrics", "--evaluate-kimg"]),
        ("--best-metric fid", ["--best-metric", "--evaluate-kimg"]),
        ("--patience 2", ["--patience", "--evaluate-kimg"]),
        (f"{EVALUATE} --patience 0", ["--patience", "1"]),
        ("--extractor random-vgg", ["--extractor", "--evaluate-kimg"]),
        (f"{EVALUATE} --best-metric kid", ["--best-metric kid", "modes"]),
        (f"{EVALUATE} --evaluate-metrics mods", ["mods", "modes"]),
        (f"{EVALUATE} --evaluate-metrics is", ["is", "points"]),
        (f"{EVALUATE} --extractor random-vgg", ["random-vgg", "points"]),
        ("--evaluate-kimg 1 --evaluate-samples 1", ["--evaluate-samples"]),
    ],
)
def test_bad_input(flags: str, mentions: list[str], refused: Any) -> None:
    refused(2, tuple(mentions), f"{POINTS} --steps 4 --out run {flags}")
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("patience", "found", "ends", "chosen"),
    [
        (2, [3.0, 5.0, 4.0, 5.0, 9.0], 8, 4),  # as good is not better
        (1, [3.0, 2.0, 9.0], 4, 2),
        (2, [3.0, 2.0, 4.0, 1.0, 5.0], 10, 10),  # a better one begins the count anew
        (1, [float("nan"), 1.0, float("nan")], 6, 4),
    ],
)
def test_patience_ends_a_run_that_no_longer_improves(
    patience: int, found: list[float], ends: int, chosen: int, values: list[float], gans: Gans
) -> None:
    """As a finished one, which says why; with the best, the last line, grid and checkpoint of a last step."""
    values += found
    words = f"{POINTS} --steps 10 --out run {EVALUATE} --patience {patience} --sample-kimg 9"
    outcome = gans(words)
    assert outcome.status == 0, outcome.err
    run = RunFolder(Path("run"))
    assert run.is_finished and run.state == "finished" and best() == [f"step-{chosen:08}.pt"]
    assert f"run/best/step-{chosen:08}.pt" in outcome.err
    assert max(line["step"] for line in lines("run") if "seconds" in line) == ends
    assert "samples/pairwise_distance" in [line for line in lines("run") if "seconds" in line][-1]
    assert Path(f"run/checkpoints/step-{ends:08}.pt").exists()
    assert list(Path("run/samples").glob("kimg-*.png"))
    early = f"ended early at step {ends} of 10: no evaluation has improved on that of step {chosen} "
    assert (
        (early in outcome.err)
        == (early in json.loads(run.config_file.read_text()).get("ended", ""))
        == (ends < 10)
    )
    assert (early in gans(words).err) == (ends < 10)


def test_a_run_that_ended_early_may_be_made_longer(values: list[float], gans: Gans, workplace: Path) -> None:
    """It then begins to count anew."""
    values += [3.0, 2.0]
    assert gans(f"{POINTS} --steps 6 --out run {EVALUATE} --patience 1").status == 0
    values += [9.0, 8.0]
    outcome = gans("run --resume run --steps 12")
    assert outcome.status == 0, outcome.err
    assert list(scored("run")) == [2, 4, 6, 8] and best() == ["step-00000006.pt"]
    assert "ended early at step 8 of 12" in RunFolder(Path("run")).early_end


def test_patience_looks_at_held_out_samples(gans: Gans, workplace: Path) -> None:
    flags = "--evaluate-kimg 0.032 --evaluate-samples 40 --evaluate-metrics fid"
    for run, more in (("run", "--patience 9"), ("share", "--holdout 0.1")):
        assert gans(f"{POINTS} --steps 2 --out {run} {flags} {more}").status == 0
        assert list(scored(run, "fd-points/held-out")) == [2] and not scored(run, "fd-points")
    assert gans(f"{POINTS} --steps 2 --out other {flags} --patience 9 --evaluate-reference train").status == 0
    assert scored("other", "fd-points")


def test_a_stopped_run_loses_patience_at_the_same_step(
    values: list[float], gans: Gans, moody: Any, workplace: Path
) -> None:
    """The best before the checkpoint was overwritten after it; what a lost evaluation said is found anew."""
    found = [5.0, 3.0, 9.0, 4.0, 4.0, 4.0]
    words = f"run --plugin moody.py --arch mlp --loss moody --data ring8 --batch-size 16 --width 8 {EVALUATE}"
    words += " --steps 20 --patience 3 --checkpoint-kimg 0.08"
    moody("calm")
    values += found
    assert gans(f"{words} --out whole").status == 0
    whole = RunFolder(Path("whole"))
    assert "step 12 of 20" in whole.early_end
    values[:] = found[:3]
    moody("fail 7")  # after evaluations at 2, 4 and 6, with a checkpoint at 5
    assert gans(f"{words} --out killed").status != 0
    moody("calm")
    values[:] = found[2:]
    outcome = gans(f"{words} --out killed")
    assert outcome.status == 0 and "at step 5" in outcome.err, outcome.err
    assert RunFolder(Path("killed")).early_end == whole.early_end and not values
    assert Path("killed/generator.safetensors").read_bytes() == whole.generator_file.read_bytes()
    assert best("killed") == best("whole")


def test_a_run_killed_at_its_early_end_is_only_finished(
    values: list[float], gans: Gans, workplace: Path
) -> None:
    values += [3.0, 2.0]
    words = f"{POINTS} --steps 6 --out run {EVALUATE} --patience 1"
    assert gans(words).status == 0
    generator = Path("run/generator.safetensors").read_bytes()
    Path("run/generator.safetensors").unlink()
    assert gans(words).status == 0
    assert Path("run/generator.safetensors").read_bytes() == generator
    assert list(scored("run")) == [2, 4]
