"""Commands in the messages of a comparison: quoted for a shell, and of what is known here alone."""

import shlex
from typing import Any

import pytest

FD = "fd-random-vgg"


@pytest.fixture
def advised(gans, make_run, tmp_path):
    """Compares a run with one whose score was made otherwise; returns the words of the advised command."""

    def compare(score: str = FD, named: str = "b", **made: Any) -> list[str]:
        make_run("a", {score: 30.0}, loss="bce", made=made)
        make_run(named, {score: 31.0}, loss="hinge", made={"n": [100, 500]})
        found = gans("compare", tmp_path)
        assert found.status == 2 and "not made alike" in found.err and "--allow-mixed" in found.err
        return shlex.split(found.err.partition("by: ")[2].partition(", or ")[0])

    return compare


@pytest.mark.parametrize(
    "made",
    [
        {"extractor": "x; touch PWNED #"},
        {"extractor": "no-such"},
        {"resize_rule": "$(touch PWNED)"},
        {"protocol": "x; touch PWNED #"},
        {"options": {"k": "x; touch PWNED #"}},
        {"options": {"no_such": 1}},
        {"extractor_options": {"no_such": "`touch PWNED`"}},
    ],
    ids=repr,
)
def test_what_is_not_known_is_in_no_command(advised, made) -> None:
    assert advised(**made) == []


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_a_score_is_made_as_another_run_has_it(order, gans, make_run, tmp_path) -> None:
    """Its metric, extractor, options and reference: a plain evaluation would not make it."""
    made = {"options": {"subset_size": 30}, "distance": "fid", "split": "held-out", "n": [40, 30]}
    make_run("a", {"kid/held-out": 0.1}, made=made)
    make_run("b", {})
    for asked, what in (("", "score it with: "), ("--metric kid/held-out", "make it with: ")):
        line = gans(f"compare {asked}", *(tmp_path / name for name in order)).err
        words = shlex.split(line.partition(what)[2])
        assert words[:5] == ["gans", "evaluate", str(tmp_path / "b"), "--metrics", "kid"], line
        assert "kid.subset_size=30" in words and "held-out" in words and "random-vgg" in words


@pytest.mark.parametrize(
    ("metric", "flags"),
    [
        ("vendi", "--metrics vendi"),
        ("fd-random-vgg", "--metrics fid --extractor random-vgg"),
        ("precision-recall/recall/held-out", "--metrics precision-recall --reference held-out"),
        ("is", "--metrics inception-score"),
        ("nonsense", ""),
    ],
)
def test_a_score_that_no_run_has_is_made_by_its_metric(metric, flags, gans, make_run, tmp_path) -> None:
    make_run("a", {"kid": 0.1})
    found = gans(f"compare --metric {metric}", tmp_path)
    assert found.status == 2 and "has no score" in found.err
    command = f"make it with: gans evaluate {tmp_path / 'a'} {flags}"
    assert (command in found.err) if flags else ("gans evaluate" not in found.err), found.err


def test_a_folder_is_quoted(advised, tmp_path) -> None:
    name = "b; touch PWNED #"
    assert advised(named=name) == (
        [
            "gans",
            "evaluate",
            f"{tmp_path}/{name}",
            "--metrics",
            "fid",
            "--extractor",
            "random-vgg",
            "-n",
            "500",
        ]
    )


def test_options_are_given_as_their_flag_takes_them(advised, tmp_path) -> None:
    words = advised("kid", options={"subset_size": 100}, distance="fid", extractor="classifier:my data")
    assert words[2:5] == [f"{tmp_path}/b", "--metrics", "kid"]
    assert words[5:9] == ["--extractor", "classifier:my data", "-n", "500"]
    assert words[9:] == ["--set", "kid.subset_size=100"]


def test_options_of_a_distance_are_those_of_its_metric(advised) -> None:
    """`fd-random-vgg-infinity` is made by --metrics fid-infinity."""
    words = advised("fd-random-vgg-infinity", options={"sizes": 20})
    assert words[words.index("--metrics") + 1] == "fid-infinity" and words[-1] == "fid-infinity.sizes=20"


def test_a_report_overwrites_without_comparing_mixtures(gans, make_run, tmp_path) -> None:
    make_run("a", {FD: 30.0}, loss="bce")
    make_run("b", {FD: 31.0}, loss="hinge", made={"n": [100, 500]})
    page = tmp_path / "r.html"
    page.write_text("precious")
    assert gans("report --out", page, tmp_path).status == 2 and page.read_text() == "precious"
    assert gans("report --allow-mixed --out", page, tmp_path).status == 2 and page.read_text() == "precious"
    forced = gans("report --force --out", page, tmp_path)
    assert forced.status == 0 and "not made alike" in forced.err and "not made alike" in page.read_text()
    mixed = gans("report --force --allow-mixed --out", page, tmp_path)
    assert mixed.status == 0 and "not made alike" not in mixed.err
