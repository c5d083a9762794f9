"""Curves: means of groups between their lowest and highest seeds, and an axis for each kind of loss."""

import json
import re

import pytest

from experiments.analysis.page.curves import RunCurves, curves_of, diagnostic_charts, metric_chart
from experiments.analysis.page.line_chart import LineChart, Series, dash_of
from experiments.analysis.page.score_names import (
    GRADIENTS,
    KINDS,
    KNOWN,
    LOGITS,
    LOSSES,
    OTHERS,
    PLAYERS,
    WHOLE,
    name_score,
)


def run_of(*lines: tuple[float, float], key: str = "critic/real", loss: str = "bce") -> RunCurves:
    return RunCurves(loss, curves_of({"kimg": kimg, key: value} for kimg, value in lines))


def test_curves_are_means_between_the_lowest_and_the_highest_seed() -> None:
    runs = [run_of((1.0, 0.0), (3.0, end)) for end in (0.5, 1.5)]
    ((chart,),) = diagnostic_charts([("all", runs)]).values()
    (series,) = chart.series
    assert (series.low, series.y, series.high) == ([0.0, 0.5], [0.0, 1.0], [0.0, 1.5])
    assert series.x == [1.0, 3.0]


def test_a_number_that_no_browser_can_read_is_a_gap() -> None:
    run = run_of((0.0, 0.0), (1.0, float("nan")), (2.0, float("inf")), (3.0, 2.0))
    ((chart,),) = diagnostic_charts([("all", [run])]).values()
    assert (chart.series[0].x, chart.series[0].y, chart.series[0].low) == ([0.0, 3.0], [0.0, 2.0], ())


def test_seeds_that_share_no_time_have_no_band() -> None:
    runs = [run_of((0.0, 0.0), (1.0, 1.0)), run_of((5.0, 9.0), (6.0, 9.0))]
    assert not [chart for charts in diagnostic_charts([("all", runs)]).values() for chart in charts]


def test_means_beyond_the_largest_float_are_gaps() -> None:
    runs = [run_of((0.0, 0.0), (1.0, 1.7e308)) for _ in range(2)]
    ((chart,),) = diagnostic_charts([("all", runs)]).values()
    assert json.loads(json.dumps(chart.data(), allow_nan=False))["series"][0]["y"] == [0.0, None]
    assert "nan" not in chart.svg() and "inf" not in chart.svg()


def test_losses_of_different_kinds_have_an_axis_each_and_gradient_norms_have_one() -> None:
    groups = [
        (loss, [RunCurves(loss, {key: ([0.0, 1.0], [0.0, 1.0]) for key in keys})])
        for loss, keys in {
            "bce": ("critic/adversarial", "critic/weight_gradient_norm"),
            "wgan-gp": ("critic/adversarial", "critic/weight_gradient_norm", "critic/gradient_penalty"),
        }.items()
    ]
    charts = diagnostic_charts(groups)
    assert [(chart.note, [each.group for each in chart.series]) for chart in charts[LOSSES]] == [
        ("with the loss bce", [0]),
        ("with the loss wgan-gp", [1]),
    ]
    shown = {chart.title: [each.group for each in chart.series] for chart in charts[GRADIENTS]}
    assert shown == {
        "critic: gradient penalty, weighted": [1],
        "critic: gradient norm with respect to weights": [0, 1],
    }
    assert list(charts) == [kind for kind in KINDS if kind in charts]


def test_the_compared_score_stands_alone() -> None:
    run = run_of((1.0, 9.0), (2.0, 5.0), key="metric/fid")
    chart = metric_chart([("bce", [run])], "fid", "lower is better")
    assert chart is not None and chart.series[0].y == [9.0, 5.0] and chart.note == "lower is better"
    assert diagnostic_charts([("bce", [run])], without="fid") == {}
    assert metric_chart([("bce", [run_of((1.0, 9.0), key="metric/fid")])], "fid", "") is None


@pytest.mark.parametrize(
    ("key", "kind", "title"),
    [
        ("critic/real", LOGITS, "critic: mean logit of real samples"),
        ("generator/path_length", GRADIENTS, "generator: path length regularization, weighted"),
        ("generator/something_new", LOSSES, "generator: something new"),
        ("<b>", OTHERS, "<b>"),
        ("critic/", OTHERS, "critic/"),
    ],
)
def test_names(key: str, kind: str, title: str) -> None:
    assert (name_score(key).kind, name_score(key).title) == (kind, title)


@pytest.mark.parametrize("key", [f"{player}/{score}" for player in PLAYERS for score in KNOWN] + [*WHOLE])
def test_points_and_images_are_samples(key: str) -> None:
    """Data may be points, which no name calls images."""
    assert "image" not in name_score(key).title + name_score(key).y_title


@pytest.mark.parametrize(
    ("key", "value", "ends"),
    [
        ("metric/precision-recall/recall", 0.0, (0.0, 1.0)),
        ("metric/modes/high_quality", 1.0, (0.0, 1.0)),
        ("metric/unheard-of", 0.0, (-1.0, 1.0)),
        ("augment/p", 0.0, (0.0, 1.0)),
        ("critic/weight_gradient_norm", 0.0, (0.0, 1.0)),
        ("critic/real", 0.0, (-1.0, 1.0)),
    ],
)
def test_axes_end_where_their_scores_do(key: str, value: float, ends: tuple[float, float]) -> None:
    ((chart,),) = diagnostic_charts([("all", [run_of((0.0, value), (1.0, value), key=key)])]).values()
    assert (chart.y_scale.low, chart.y_scale.high) == ends


def test_points_of_a_line_are_where_its_numbers_are() -> None:
    series = Series(0, "a", [0.0, 1.0, 4.0, 5.0, 6.0], [2.0, 6.0, None, 4.0, 4.0])
    chart = LineChart("title", "", "y", [series])
    x, y = chart.x_scale, chart.y_scale
    places = [(float(at), float(down)) for at, down in re.findall(r"([\d.]+),([\d.]+)", str(chart.svg()))]
    known = [(at, value) for at, value in zip(series.x, series.y, strict=True) if value is not None]
    wanted = [(1000 * x.share(at), 1000 * (1 - y.share(value))) for at, value in known]
    assert all(place == pytest.approx(point, abs=0.6) for place, point in zip(places, wanted, strict=True))
    assert str(chart.svg()).count("M") == 2  # the gap


def test_groups_beyond_the_number_of_colours_have_other_dashes() -> None:
    looks = {(group % 8, dash_of(group)) for group in range(32)}
    assert len(looks) == 32
