"""What a sweep chooses by its runs' scores: order, halving and refinement, where some runs did not end."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiments.core.errors import RunError
from experiments.sweeps import stages
from experiments.sweeps.ranking import RankedSetting, rank_settings
from experiments.sweeps.search_space import Sweep
from experiments.sweeps.stages import run_finer_search, successive_halving
from tests.experiments.sweeps.conftest import FAILED, Scored

NAN, INF = math.nan, math.inf
POINTS = "--arch mlp --data ring8 --batch-size 16 --width 8 --track local --evaluate-samples 50"


def widths(ranked: list[RankedSetting]) -> list[int]:
    return [each.sweep_runs[0].settings["width"] for each in ranked]


@pytest.mark.parametrize("lost", [NAN, INF, None])
def test_a_lucky_seed_among_lost_ones_is_not_the_best(scored: Scored, lost: float | None) -> None:
    order = rank_settings(*scored((5.0, lost, lost), (6.0, 6.1, 5.9)), "kid")
    assert widths(order) == [1, 0]
    assert [each.median for each in order] == [6.0, None]
    assert [each.failed_count for each in order] == [0, 2]


def test_higher_is_better_where_the_metric_says_so(scored: Scored) -> None:
    order = rank_settings(
        *scored((40.0, None, NAN), (20.0, 21.0, 22.0), (30.0, 31.0, None), metric="psnr"), "psnr"
    )
    assert widths(order) == [2, 1, 0]
    assert [each.median for each in order] == [30.0, 21.0, None]


def test_settings_of_which_no_run_ended_keep_their_order_at_the_end(scored: Scored) -> None:
    nothing = (None, NAN, None)
    order = rank_settings(*scored(nothing, (7.0, None, None), nothing, (8.0, 8.0, 8.0)), "kid")
    assert widths(order) == [3, 1, 0, 2]


def test_a_collapsed_run_did_not_end_whatever_its_score(scored: Scored) -> None:
    context, runs = scored((0.1, 0.1), (0.2, 0.2))
    for run in runs[:2]:
        distances = [0.1, 0.9, 1.0, 1.0, 1.0, 1.0, 0.9, 0.1]
        lines = [
            {
                "step": 25 * n,
                "kimg": float(n),
                "seconds": 1.0,
                "samples/pairwise_distance": distance,
                "samples/real_distance": 1.0,
            }
            for n, distance in enumerate(distances, 1)
        ]
        folder = context.folder(run)
        folder.scores_file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert widths(rank_settings(context, runs, "kid")) == [1, 0]


def test_a_run_that_is_not_evaluated_yet_is_left_out_and_named(
    scored: Scored, caplog: pytest.LogCaptureFixture
) -> None:
    """It says nothing of its setting: neither that it is bad, nor half of a median."""
    caplog.set_level("INFO", "gans")
    context, runs = scored((0.5, "waiting", 0.7), (0.55, 0.65, 0.66), ("waiting",) * 3)
    order = rank_settings(context, runs, "kid")
    assert [(each.median, each.failed_count) for each in order] == [(0.6, 0), (0.65, 0)]
    named = [record.message for record in caplog.records]
    assert len(named) == 4 and all("has no score kid" in line for line in named)
    assert f"gans evaluate {context.out / runs[1].name}" in named[0]


def test_no_run_that_ended_leaves_nothing_to_choose(scored: Scored) -> None:
    with pytest.raises(RunError, match=r"no sweep run ended with a score kid; see log\.txt"):
        rank_settings(*scored((None, NAN)), "kid")


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Names of the runs that each call would have trained."""
    trained: list[list[str]] = []

    def train(context: Any, sweep_runs: Any, shares: Any = None) -> None:
        trained.append([sweep_run.name for sweep_run in sweep_runs])

    monkeypatch.setattr(stages, "train_all", train)
    return trained


def test_halving_keeps_the_setting_whose_runs_end(scored: Scored, untrained: list[list[str]]) -> None:
    context, runs = scored((5.0, NAN, NAN), (6.0, 6.1, 5.9))
    for run in runs:
        context.folder(run).generator_file.unlink()
    kept = successive_halving(context, runs, "kid", {run.name: 8.0 for run in runs})
    assert kept == runs[3:] and untrained[-1] == [run.name for run in runs[3:]]
    states = [context.folder(run).state for run in runs]
    assert (
        states[:3]
        == ["stopped early: 2 of 3 runs did not end (failed, diverged or collapsed) after 2.667 kimg"] * 3
    )
    assert states[3:] == ["unfinished"] * 3


def test_halving_neither_hides_failures_nor_goes_on_with_settings_that_have_nothing_else(
    scored: Scored, untrained: list[list[str]]
) -> None:
    context, runs = scored((None, None), (6.0, None), (None, None), (None, None))
    for run in runs:
        context.folder(run).generator_file.unlink(missing_ok=True)
    kept = successive_halving(context, runs, "kid", {run.name: 8.0 for run in runs})
    assert kept == runs[2:4], "half would be two settings, but one has a run that ended"
    assert [context.folder(run).state for run in runs] == [FAILED] * 2 + ["unfinished"] + [FAILED] * 5


def test_a_finer_search_is_around_the_setting_whose_runs_end(
    scored: Scored, untrained: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    context, runs = scored((5.0, None, None), (6.0, 6.1, 5.9), (None, None, None))
    centres: list[list[Any]] = []

    def finer(sweep: Sweep, best: list[Any]) -> list[Any]:
        centres.append(best)
        return []

    monkeypatch.setattr(Sweep, "finer_runs", finer)
    for top in (1, 2, 3):
        run_finer_search(context, runs, top, "kid")
    assert centres == [[{"width": 1}], [{"width": 1}, {"width": 0}], [{"width": 1}, {"width": 0}]]


def test_a_sweep_with_a_setting_that_fails_more_often_than_not(
    gans: Callable[..., Any], here: list[Any], tmp_path: Path, moody: Callable[[str], None]
) -> None:
    """From the command to its JSON: a run that fails has its place in the table, with the settings it had."""
    moody("nan 2")
    line = f"sweep {POINTS} --kimg 0.096 --seeds 2 --jobs 1 --loss moody,bce --plugin moody.py --json --out"
    outcome = gans(line, tmp_path / "sweep")
    assert outcome.status == 1 and "2 of 4 sweep runs failed" in outcome.err, outcome
    best, other = json.loads(outcome.out)["comparison"]["rows"]
    assert best["group"]["settings"] == {"loss": "bce"} and best["not_ended_share"] == 0.0
    assert other["group"]["settings"] == {"loss": "moody"} and other["not_ended_share"] == 1.0
    assert other["median"] is other["mean"] is None and other["verdict"] == "2 of 2 did not end"
    assert "not finite" in other["group"]["not_ended"][0]["reason"]
