"""Runs that diverged, failed or collapsed in `gans compare` and `gans report`: counted, and worst of all."""

import csv
import io
import json
import re

import pytest

from experiments.analysis.comparison.outcome import failure_reason
from experiments.analysis.comparison.read import read_record
from experiments.runs.scores import append_scores

FD = "fd-random-vgg"
FAILED = "failed: step 3: critic/adversarial is not finite"
NAN = float("nan")


@pytest.fixture
def lucky(make_run, tmp_path):
    """One good score of three of bce, and three steady ones of hinge."""
    for loss, scores in (("bce", (5.0, NAN, None)), ("hinge", (6.0, 6.1, 5.9))):
        for seed, score in enumerate(scores):
            run = make_run(
                f"{loss}-{seed}", None if score is None else {FD: score}, loss=loss, seed=seed,
                root=tmp_path / "sweep",
            )  # fmt: skip
            if score is None:
                run.ended_file.write_text(FAILED + "\n")
                run.generator_file.unlink()
    return tmp_path / "sweep"


def collapse(run, last=0.1):
    """Samples of fixed latents spread, and end at this share of the real samples' distance."""
    distances = [0.1, 0.9, 1.0, 1.0, 1.0, 1.0, 0.9, last]
    names = ("step", "kimg", "samples/pairwise_distance", "samples/real_distance")
    lines = [
        dict(zip(names, (62 * n + 4, float(n), d, 1.0), strict=True)) for n, d in enumerate(distances, 1)
    ]
    run.scores_file.write_text("".join(json.dumps({"seconds": 1.0, **line}) + "\n" for line in lines))


def test_one_lucky_seed_is_not_the_best(gans, lucky):
    outcome = gans("compare --json", lucky)
    assert outcome.status == 0, outcome
    best, other = json.loads(outcome.out)["rows"]
    assert best["group"]["settings"]["loss"] == "hinge" and best["verdict"] == "best"
    assert (best["median"], best["mean"], best["not_ended"], best["not_ended_share"]) == (6.0, 6.0, 0, 0.0)
    assert (other["median"], other["mean"], other["not_ended"]) == (None, 5.0, 2)
    assert other["not_ended_share"] == pytest.approx(2 / 3) and other["verdict"] == "2 of 3 did not end"
    runs = [(run["seed"], run["reason"]) for run in other["group"]["not_ended"]]
    assert runs == [(1, f"{FD} is nan"), (2, FAILED)]
    assert "Infinity" not in outcome.out and "NaN" not in outcome.out, "that is no JSON"


def test_the_share_that_did_not_end_comes_before_the_numbers(gans, lucky, tmp_path):
    lines = gans("compare", lucky).out.splitlines()
    head, best, other = (re.split(r"  +", line) for line in lines[3:6])
    assert head[:6] == ["loss", "against the best", "did not end", "seeds", "median", "mean of ended"]
    assert best[:6] == ["hinge", "best", "–", "3", "6", "6"]
    assert other[:6] == ["bce", "2 of 3 did not end", "2 of 3", "3", "–", "5"]
    notes = "\n".join(lines[6:])
    assert "failed, diverged or collapsed" in notes, "what it is not to end"
    assert "worse than any number" in notes and "of those that ended" in notes and FAILED in notes
    assert "No significant difference" not in notes, "no test says so of bce"
    assert gans("report", lucky, "--out", tmp_path / "report.html").status == 0
    table = (tmp_path / "report.html").read_text().partition("<h2>Ranking</h2>")[2].partition("<h2>")[0]
    shown = re.findall("<th>([^<]*)</th>", table)
    assert [name for name in shown if name in head[1:6]] == head[1:6]
    shares = re.findall('data-label="did not end" data-value="([^"]*)"><span>([^<]*)<', table)
    assert shares == [("0.0", "0 of 3"), ("0.6666666666666666", "2 of 3")]
    values = re.findall('data-value="([^"]*)"', table)
    assert all(value not in ("inf", "nan", "None") for value in values), "the page could not sort them"


def test_where_all_ended_nothing_is_said_of_it(gans, make_run, tmp_path):
    for loss, score in (("bce", 3.0), ("hinge", 4.0)):
        for seed in range(2):
            make_run(f"{loss}-{seed}", {FD: score + seed}, loss=loss, seed=seed)
    text = gans("compare", tmp_path).out
    assert "did not end" not in text and "of those that ended" not in text
    heads = ["loss", "against the best", "seeds", "median", "mean"]
    assert re.split(r"  +", text.splitlines()[3])[:5] == heads


def test_a_line_for_every_run_with_the_reason(gans, lucky):
    lines = list(csv.DictReader(io.StringIO(gans("compare --csv", lucky).out)))
    found = {(line["loss"], line["seed"]): (line[FD], line["did not end"]) for line in lines}
    assert len(found) == 6 and found["bce", "0"] == ("5.0", "")
    assert found["bce", "1"] == ("", f"{FD} is nan") and found["bce", "2"] == ("", FAILED)


def test_medians_decide_and_means_may_differ(gans, make_run, tmp_path):
    """One outlier makes the mean of the better setting the worse one."""
    for loss, scores in (("bce", (5.0, 5.1, 60.0)), ("hinge", (6.0, 6.1, 5.9))):
        for seed, score in enumerate(scores):
            make_run(f"{loss}-{seed}", {FD: score}, loss=loss, seed=seed)
    best, other = json.loads(gans("compare --json", tmp_path).out)["rows"]
    assert best["group"]["settings"]["loss"] == "bce" and other["difference"] == pytest.approx(6.0 - 70.1 / 3)


def test_a_better_mean_behind_a_better_median_is_called_so(gans, make_run, tmp_path):
    """Five of eleven runs did not end, and the others beat the best beyond doubt."""
    scores = {"bce": (4.0, 4.01, 3.99, 4.0, 4.02, 6.0, *[None] * 5), "hinge": (5.9, 5.91, 5.89, 5.9, 5.92)}
    for loss, own in scores.items():
        for seed, score in enumerate(own):
            run = make_run(f"{loss}-{seed}", score and {FD: score}, loss=loss, seed=seed)
            if score is None:
                run.ended_file.write_text(FAILED)
    rows = json.loads(gans("compare --json", tmp_path).out)["rows"]
    assert [row["median"] for row in rows] == [5.9, 6.0] and rows[1]["p"] < 0.05
    assert rows[1]["verdict"] == "mean better by 1.567" and rows[1]["difference"] < 0


def test_settings_in_which_none_ended_have_a_row_and_no_best_is_named(gans, make_run, tmp_path):
    for loss, scores in (("bce", (5.0, None)), ("hinge", (None, None))):
        for seed, score in enumerate(scores):
            run = make_run(f"{loss}-{seed}", score and {FD: score}, loss=loss, seed=seed)
            if score is None:
                run.ended_file.write_text(FAILED)
    found = json.loads(gans("compare --json", tmp_path).out)
    assert [row["verdict"] for row in found["rows"]] == ["1 of 2 did not end", "2 of 2 did not end"]
    assert found["rows"][1]["mean"] is found["rows"][1]["difference"] is None
    assert any("none is the best" in note for note in found["notes"])


def test_a_collapse_counts_whatever_the_score_and_a_recovery_does_not(gans, make_run, tmp_path):
    for loss, last in (("bce", 0.1), ("hinge", 0.9)):
        for seed in range(2):
            collapse(
                make_run(f"{loss}-{seed}", {FD: 3.0 + 2 * (loss == "hinge")}, loss=loss, seed=seed), last
            )
    rows = json.loads(gans("compare --json", tmp_path).out)["rows"]
    assert [(row["group"]["settings"]["loss"], row["not_ended"]) for row in rows] == [
        ("hinge", 0),
        ("bce", 2),
    ]
    assert rows[1]["group"]["not_ended"][0]["reason"].startswith(
        "mode collapse: samples of fixed latents are"
    )


def test_a_term_that_is_not_finite_counts(make_run):
    run = make_run("a", {FD: 3.0})
    assert failure_reason(read_record(run)) == ""
    run.scores_file.write_text('{"step": 500, "kimg": 8.0, "seconds": 1.0, "critic/adversarial": NaN}\n')
    assert failure_reason(read_record(run)) == "divergence: critic/adversarial is nan at 8.0 kimg"


def test_a_failed_run_that_ended_elsewhere_or_never_began_is_no_second_run(gans, lucky, make_run):
    again = make_run("again", loss="hinge", seed=0, root=lucky)
    again.ended_file.write_text(FAILED)
    (lucky / "never").mkdir()
    (lucky / "never" / "ended.txt").write_text("failed: not enough memory\n")
    found = json.loads(gans("compare --json", lucky).out)
    assert [len(row["group"]["scores"]) + row["not_ended"] for row in found["rows"]] == [3, 3]
    assert [name.rpartition("/")[2] for name, _ in found["left_out"]] == ["again", "never"]


def test_an_evaluation_that_failed_and_is_made_up_for_is_no_failure(make_run):
    """Of a run that was trained to its end; one that was not stays what it is."""
    runs = [make_run(name, {FD: 3.0}, seed=seed) for seed, name in enumerate("ab")]
    runs[1].generator_file.unlink()
    for run in runs:
        run.ended_file.write_text("failed: metric kid needs 1,000 samples\n")
        append_scores(run, 500, 8.0, {"kid": {"value": 0.5}})
    assert [bool(failure_reason(read_record(run))) for run in runs] == [False, True]


def test_a_run_that_diverges_says_so_in_its_folder_until_it_goes_on(gans, moody, workplace):
    line = "run --arch mlp --data ring8 --width 8 --batch-size 16 --steps 6 --track local --loss moody"
    moody("nan 3")
    assert gans(f"{line} --plugin moody.py --out one").status == 1
    noted = (workplace / "one" / "ended.txt").read_text()
    assert noted.startswith("failed: step 3: ") and "not finite" in noted
    moody("calm")
    assert gans(f"{line} --plugin moody.py --out one").status == 0
    assert not (workplace / "one" / "ended.txt").exists()
