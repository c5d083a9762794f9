"""Confidence intervals end where their score does: for each metric of the catalogue, and on ring8's modes."""

import itertools
import json
import math

import numpy as np
import pytest

from experiments.analysis.comparison.groups import Group
from experiments.analysis.comparison.notes import describe_few_seeds
from experiments.analysis.comparison.score_bounds import widest_bounds
from experiments.analysis.comparison.significance import confidence_interval, half_width_in_deviations
from experiments.analysis.comparison.terminal_table import compare_groups
from experiments.core import registry
from experiments.runs.folder import RunFolder
from experiments.runs.scores import parse_scores, read_evaluation_scores

FD = "fd-random-vgg"
SCORES = [
    (name, score)
    for name in registry.names("metric")
    for score in registry.load("metric", name).higher_is_better
]
POINTS = "--arch mlp --data ring8 --batch-size 16 --width 8 --track local --evaluate-samples 50"


@pytest.mark.parametrize(("name", "score"), SCORES, ids=map("-".join, SCORES))
def test_no_interval_leaves_the_range_that_a_metric_declares(name, score):
    """Scores near the ends, two and three of them, for which Student's interval is the widest."""
    kind = registry.load("metric", name)
    bounds = widest_bounds(kind, score, [({}, "none")])
    assert bounds == kind.ranges[score], "what no evaluation narrows"
    low, high = max(bounds[0], -50.0), min(bounds[1], 50.0)
    ends = (low, high, (low + high) / 2, low + (high - low) / 100)
    for values in (*itertools.product(ends, repeat=2), *itertools.product(ends, repeat=3)):
        (row,) = compare_groups(
            [Group({}, values, tuple(range(len(values))), tuple(map(str, values)))],
            kind.higher_is_better[score],
            bounds=bounds,
        )
        assert bounds[0] <= row.low <= row.mean <= row.high <= bounds[1]
        free = confidence_interval(values)
        assert (row.low, row.high) == (max(free[0], bounds[0]), min(free[1], bounds[1]))


def test_two_seeds_of_0_and_8_modes(gans, make_run, tmp_path):
    """Of an evaluation that does not say how many there are, as versions before wrote them."""
    for seed, modes in enumerate((0.0, 8.0)):
        made = {"covered": modes, "high_quality": 0.5, "kl": 1.0, "extractor": "none"}
        flags = {"arch": "mlp", "data": "ring8", "loss": "bce", "seed": seed}
        make_run(f"a-{seed}", {"modes": modes}, made=made, root=tmp_path / "runs", **flags)
    found = json.loads(gans("compare --json --metric covered", tmp_path / "runs").out)
    (row,) = found["rows"]
    assert (row["low"], row["mean"], row["high"]) == (0.0, 4.0, 8.0)
    assert found["chosen"]["bounds"] == [0.0, 8.0]
    text = gans("compare --metric covered", tmp_path / "runs").out
    assert "[0, 8]" in text and "Intervals end where modes/covered does: it is from 0 to 8." in text
    assert gans("report --metric covered", tmp_path / "runs", "--out", tmp_path / "report.html").status == 0
    assert "[0, 8]" in (tmp_path / "report.html").read_text()


def test_a_distance_is_not_below_0(gans, make_run, tmp_path):
    for seed, score in enumerate((1.0, 3.0)):
        make_run(f"a-{seed}", {FD: score}, seed=seed)
    found = json.loads(gans("compare --json", tmp_path).out)
    assert found["chosen"]["bounds"] == [0.0, None]
    assert (found["rows"][0]["low"], found["rows"][0]["high"]) == pytest.approx((0.0, 14.706), abs=1e-3)
    assert f"Intervals end where {FD} does: it is 0 or more." in found["notes"]


@pytest.mark.parametrize(
    "ranges", [{"kl": [3, 1]}, {"kl": ["0", None]}, {"kl": [1]}, [], "kl", {"kl": [math.nan, 1]}]
)
def test_ranges_that_are_none_are_not_believed(ranges):
    kind = registry.load("metric", "class-modes")
    assert widest_bounds(kind, "kl", [({"ranges": ranges}, "mnist")]) == (0.0, math.inf)


def test_ranges_come_back_from_trackers_that_keep_text():
    line = {"evaluation/modes/value": 8.0, "evaluation/modes/ranges": '{"covered": [0.0, 8.0]}'}
    scores = parse_scores(line)["modes"]
    assert widest_bounds(registry.load("metric", "modes"), "covered", [(scores, "folder:x")]) == (0.0, 8.0)


def test_values_beyond_a_range_show_that_it_is_none():
    assert confidence_interval([9.0, 9.0, 12.0], bounds=(0.0, 8.0))[1] == 12.0


def test_an_evaluation_records_how_many_modes_there_are(gans, here, tmp_path):
    outcome = gans(f"sweep {POINTS} --kimg 0.096 --seeds 2 --jobs 1 --json --out", tmp_path / "sweep")
    assert outcome.status == 0, outcome
    found = json.loads(outcome.out)["comparison"]
    assert found["chosen"]["metric"] == "modes/covered" and found["chosen"]["bounds"] == [0.0, 8.0]
    ((_, scores),) = read_evaluation_scores(RunFolder(tmp_path / "sweep" / "seed-0"))
    assert scores["modes"]["ranges"] == {"covered": [0.0, 8.0], "kl": [0.0, math.log(8)]}


@pytest.mark.parametrize(("count", "words"), [(1, "no interval"), (2, "9.0 standard"), (3, "2.5 standard")])
def test_few_seeds_are_said_to_be_few(count, words, gans, make_run, tmp_path):
    for seed in range(count):
        make_run(f"a-{seed}", {FD: 30.0 + seed}, seed=seed)
    text = gans("compare", tmp_path).out
    assert words in text and "--seeds 5" in text


def test_enough_seeds_need_no_remark(gans, make_run, tmp_path):
    for seed in range(5):
        make_run(f"a-{seed}", {FD: 30.0 + seed}, seed=seed)
    assert "--seeds" not in gans("compare", tmp_path).out and describe_few_seeds(4) == ""


def test_the_remark_says_how_wide_an_interval_is():
    random = np.random.default_rng(0)
    for count in (2, 3, 5):
        values = random.normal(size=count)
        low, high = confidence_interval(values)
        assert half_width_in_deviations(count) == pytest.approx((high - low) / 2 / np.std(values, ddof=1))
