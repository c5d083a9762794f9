"""`gans compare`: what is grouped, what is said, and what is refused."""

import csv
import io
import json
import shutil
from html import unescape

import pytest
from scipy import stats

from experiments.analysis.comparison.groups import distinguishing_settings
from experiments.analysis.comparison.read import read_records

FD = "fd-random-vgg"


@pytest.fixture
def sweep(make_run, tmp_path):
    """Two losses that differ by far more than their seeds, and a third like the first."""
    values = {"bce": (30.0, 31.0, 32.0), "wgan-gp": (60.0, 61.0, 62.5), "hinge": (30.5, 31.5, 31.3)}
    for loss, scores in values.items():
        for seed, score in enumerate(scores):
            make_run(f"{loss}-{seed}", {FD: score}, loss=loss, seed=seed)
    return tmp_path


def rows_of(outcome):
    assert outcome.status == 0, outcome
    found = json.loads(outcome.out)
    return {row["group"]["settings"]["loss"]: row for row in found["rows"]}, found


def test_three_losses_with_three_seeds(gans, sweep):
    rows, found = rows_of(gans("compare --json", sweep))
    assert list(rows) == ["bce", "hinge", "wgan-gp"] and found["by"] == ["loss"]
    assert rows["bce"]["mean"] == 31.0 and rows["bce"]["verdict"] == "best"
    assert (rows["bce"]["low"], rows["bce"]["high"]) == pytest.approx((28.5159, 33.4841), abs=1e-4)
    assert rows["hinge"]["verdict"] == "no significant difference"
    assert rows["wgan-gp"]["verdict"] == "worse by 30.17" and rows["wgan-gp"]["p"] < 0.001
    # The minimum detectable effect of these seeds is some units, more than one.
    assert 1.0 < rows["hinge"]["detectable"] < 10.0


def test_what_a_reader_sees(gans, sweep):
    text = gans("compare", sweep).out
    assert f"{FD} (lower is better), at 8 kimg" in text
    assert "extractor random-vgg" in text and "n 500/500" in text
    assert "no significant difference" in text and "Holm-corrected for 3 pairs" in text
    differing = text.partition("settings that differ")[2]
    assert "penalty " in differing and "interpolates" in differing and "seed" not in differing


def test_fid_is_said_of_the_only_distance_and_shown_by_its_own_name(gans, sweep):
    assert gans("compare --metric fid", sweep).out.startswith(f"{FD} (lower is better)")


def test_a_line_for_every_run(gans, sweep):
    lines = list(csv.DictReader(io.StringIO(gans("compare --csv", sweep).out)))
    assert len(lines) == 9
    assert {line["seed"] for line in lines} == {"0", "1", "2"}
    assert sorted(float(line[FD]) for line in lines if line["loss"] == "bce") == [30.0, 31.0, 32.0]


def test_higher_is_better_for_scores_that_are_so(gans, make_run, tmp_path):
    for loss, value in (("bce", 0.2), ("hinge", 0.9)):
        for seed in range(2):
            made = {"precision": value + seed / 100, "recall": 0.5}
            scores = {"precision-recall": value + seed / 100}
            make_run(f"{loss}-{seed}", scores, made=made, loss=loss, seed=seed)
    rows, found = rows_of(gans("compare --json", tmp_path))
    assert found["chosen"]["metric"] == "precision-recall/precision"
    assert list(rows) == ["hinge", "bce"] and rows["bce"]["difference"] == pytest.approx(0.7)


def test_a_metric_stands_for_its_first_number_and_each_number_for_itself(gans, refused, make_run, tmp_path):
    made = {"precision": 0.5, "recall": 0.25}
    make_run("a", {"precision-recall": 0.5}, made=made)
    for word, number in (("precision-recall", "precision"), ("recall", "recall")):
        found = json.loads(gans(f"compare --json --metric {word}", tmp_path).out)["chosen"]
        assert found["metric"] == f"precision-recall/{number}" and found["values"] == [made[number]]
    two_ways = make_run("b", {"fid/to-A": 1.0, "fid/to-B": 2.0}, made={"distance": "fid"}, loss="hinge").path
    refused(2, ("has no score fid (it has fid/to-A, fid/to-B)",), "compare --metric fid", two_ways)


def test_what_is_no_finite_number_did_not_end_and_is_named(gans, make_run, refused, tmp_path):
    for loss, scores in (("bce", (1.0, float("nan"), 2.0)), ("hinge", (3.0, 5.0, float("inf")))):
        for seed, score in enumerate(scores):
            make_run(f"{loss}-{seed}", {FD: score}, loss=loss, seed=seed)
    rows, found = rows_of(gans("compare --json", tmp_path))
    assert [(row["mean"], len(row["group"]["scores"])) for row in rows.values()] == [(1.5, 2), (4.0, 2)]
    assert [row["median"] for row in rows.values()] == [2.0, 5.0]
    reasons = [run["reason"] for row in rows.values() for run in row["group"]["not_ended"]]
    assert reasons == [f"{FD} is nan", f"{FD} is inf"] and found["left_out"] == []
    refused(2, (f"{FD} is a finite number nowhere",), "compare", tmp_path / "bce-1")


@pytest.mark.parametrize(("test", "found"), [("welch", (3.0, 3.0)), ("paired", (3.0, 8.0))])
def test_without_any_spread_no_test_can_be_made(test, found, gans, make_run, tmp_path):
    """Two seeds that find 3 modes each, and two that find 4, do not show a difference with certainty."""
    for loss, more in (("bce", 0.0), ("lsgan", 1.0), ("hinge", 0.0)):
        for seed, score in enumerate(found):
            make_run(f"{loss}-{seed}", {FD: score + more}, loss=loss, seed=seed)
    rows, found = rows_of(gans("compare --json --test", test, tmp_path))
    assert rows["lsgan"]["p"] is None and rows["lsgan"]["verdict"] == "no spread: no test can be made"
    assert rows["hinge"]["p"] == 1.0 and "Holm" not in found["notes"][0]
    assert rows["hinge"]["detectable"] is None


def test_a_dead_heat_has_no_winner(gans, make_run, tmp_path):
    """Neither in words nor by the order; a third setting is third. The axis is that of the score."""
    for loss, found in (("bce", 0.0), ("hinge", 0.0), ("lsgan", None)):
        for seed in range(2):
            own = None if found is None else {"modes": found}
            made = {"covered": found, "ranges": {"covered": [0, 8]}, "extractor": "none"}
            run = make_run(f"{loss}-{seed}", own, 8.0, made, tmp_path / "sweep", loss=loss, seed=seed)
            if found is None:
                run.ended_file.write_text("failed: step 3\n")
    rows, found = rows_of(gans("compare --json", tmp_path / "sweep"))
    assert [row["rank"] for row in rows.values()] == [1, 1, 3]
    assert [row["verdict"] for row in rows.values()] == ["tied", "tied", "2 of 2 did not end"]
    assert any(note.startswith("Tied: ") for note in found["notes"])
    assert gans("report --out", tmp_path / "r.html", tmp_path / "sweep").status == 0
    page = (tmp_path / "r.html").read_text()
    assert "<h1>bce and hinge share the best modes/covered, and that is likely.</h1>" in page
    assert 'data-label="rank" data-value="1">1<' in page and 'data-label="rank" data-value="2"' not in page
    assert '<span class="tag is-fair">tied</span>' in page and ">best</span>" not in page
    axis = page.partition('class="strip axis"')[2].partition("</figure>")[0]
    ticks = [float(word.partition("<")[0]) for word in axis.split('%">')[1:]]
    assert (ticks[0], ticks[-1]) == (0.0, 8.0)


def test_partners_by_seed_show_what_spreads_hide(gans, make_run, tmp_path):
    for seed, score in enumerate((10.0, 30.0, 50.0, 80.0)):
        make_run(f"bce-{seed}", {FD: score}, loss="bce", seed=seed)
        make_run(f"hinge-{seed}", {FD: score + 5 + seed / 10}, loss="hinge", seed=seed)
    apart, _ = rows_of(gans("compare --json", tmp_path))
    together, _ = rows_of(gans("compare --json --test paired", tmp_path))
    assert apart["hinge"]["verdict"] == "no significant difference"
    assert together["hinge"]["verdict"] == "worse by 5.15"


def test_partners_share_the_settings_that_differ_within_groups(gans, refused, make_run, tmp_path):
    """The better rate is another for each loss: pairs by the rank of scores would always differ by 1."""
    scores = {
        "bce": {1e-4: (10.0, 20.0), 2e-4: (40.0, 50.0)},
        "hinge": {1e-4: (41.0, 51.0), 2e-4: (11.0, 21.0)},
    }
    for loss, by_rate in scores.items():
        for rate, own in by_rate.items():
            for seed, score in enumerate(own):
                flags = {"loss": loss, "seed": seed, "lr_generator": rate, "lr_critic": 1e-4}
                make_run(f"{loss}-{rate}-{seed}", {FD: score}, **flags)
    rows, _ = rows_of(gans("compare --json --by loss --test paired", tmp_path))
    differences = [
        scores["hinge"][rate][seed] - scores["bce"][rate][seed] for rate in (1e-4, 2e-4) for seed in (0, 1)
    ]
    expected = stats.ttest_1samp(differences, 0.0).pvalue
    assert rows["hinge"]["p"] == pytest.approx(expected) and expected > 0.9
    assert "runs" in gans("compare --by loss", tmp_path).out.split("\n\n")[1]
    shutil.rmtree(tmp_path / "hinge-0.0002-1")
    make_run("hinge-0.0003-1", {FD: 21.0}, loss="hinge", seed=1, lr_generator=3e-4, lr_critic=1e-4)
    refused(2, ("--test paired", "same values"), "compare --by loss --test paired", tmp_path)


def test_a_setting_that_was_swept_makes_groups(gans, make_run, tmp_path):
    for rate in (1e-4, 2e-4):
        for loss in ("bce", "hinge"):
            make_run(f"{loss}-{rate}", {FD: 30.0 + rate}, loss=loss, lr_generator=rate, lr_critic=1e-4)
    assert distinguishing_settings(read_records([str(tmp_path)])) == ["loss", "lr_generator"]
    by_loss = gans("compare --by loss", tmp_path).out
    assert "Within groups also differ: lr_generator" in by_loss
    assert gans("compare --by", "loss, loss", tmp_path).out == by_loss


def test_scores_at_equal_kimg(gans, make_run, tmp_path):
    """The last that both have; a run may end with a round that the other does not know."""
    make_run("a", {FD: 30.0}, loss="bce")
    late = make_run("b", {FD: 20.0}, kimg=16.0, loss="hinge")
    lines = late.scores_file.read_text() + json.dumps({"step": 250, "kimg": 8.03}) + "\n"
    late.scores_file.write_text(lines)
    early = json.loads(late.evaluation_file.read_text())
    early["step"], early["scores"][FD]["value"] = 250, 40.0
    late.evaluation_file.write_text(json.dumps(early) + "\n" + late.evaluation_file.read_text())
    rows, found = rows_of(gans("compare --json", tmp_path))
    assert rows["hinge"]["mean"] == 40.0 and found["chosen"]["kimg"] == pytest.approx(8.0, abs=0.1)
    late.evaluation_file.write_text(late.evaluation_file.read_text().splitlines()[1] + "\n")
    refused = gans("compare", tmp_path)
    assert refused.status == 2 and "at no kimg that all share" in refused.err


def test_each_run_has_its_own_kimg(gans, make_run, tmp_path):
    """A step of wgan-gp is five batches, so that it ends later than bce."""
    for seed in range(2):
        make_run(f"bce-{seed}", {FD: 30.0 + seed}, kimg=8.0, seed=seed, root=tmp_path / "sweep")
        make_run(f"gp-{seed}", {FD: 40.0 + seed}, 8.08, None, tmp_path / "sweep", loss="wgan-gp", seed=seed)
    lines = csv.DictReader(io.StringIO(gans("compare --csv", tmp_path / "sweep").out))
    assert [line["kimg"] for line in lines] == ["8.0", "8.0", "8.08", "8.08"]
    text = gans("compare", tmp_path / "sweep").out
    assert text.startswith(f"{FD} (lower is better), at 8 to 8.08 kimg\n") and "a whole step" in text
    found = json.loads(gans("compare --json", tmp_path / "sweep").out)
    assert [row["group"]["kimg"] for row in found["rows"]] == [[8.0, 8.0], [8.08, 8.08]]
    assert found["chosen"]["run_kimg"] == [8.0, 8.0, 8.08, 8.08]
    assert gans("report --out", tmp_path / "r.html", tmp_path / "sweep").status == 0
    assert "<li>at 8 to 8.08 kimg</li>" in (tmp_path / "r.html").read_text()


@pytest.mark.parametrize(
    "made", [{"n": [100, 500]}, {"extractor": "inception"}, {"weights": "0"}, {"reference": "0"}]
)
def test_mixed_provenance_is_refused(gans, refused, make_run, tmp_path, made):
    make_run("a", {FD: 30.0}, loss="bce")
    make_run("b", {FD: 31.0}, loss="hinge", made=made)
    refused(2, ("not made alike", next(iter(made)), "--allow-mixed"), "compare", tmp_path)
    for flag in ("--allow-mixed", "--force"):
        assert gans(f"compare {flag}", tmp_path).status == 0


def test_seeds_of_samples_are_no_provenance(gans, make_run, tmp_path):
    make_run("a", {FD: 30.0}, loss="bce")
    make_run("b", {FD: 31.0}, loss="hinge", made={"seed": 5})
    assert gans("compare", tmp_path).status == 0


def test_one_seed_has_no_interval(gans, make_run, tmp_path):
    make_run("a", {FD: 30.0}, loss="bce")
    make_run("b", {FD: 31.0}, loss="hinge")
    text = gans("compare", tmp_path).out
    assert "no interval can be given" in text and "one seed alone" in text


def test_one_setting_alone(gans, make_run, tmp_path):
    for seed in range(2):
        make_run(f"a-{seed}", {FD: 30.0 + seed}, seed=seed)
    assert "nothing to compare it with" in gans("compare", tmp_path).out


def test_members_that_are_not_evaluated_yet_are_left_out_and_named(gans, sweep, make_run):
    """They are no failures: nobody knows what they will be."""
    make_run("young", loss="bce", seed=9).generator_file.unlink()
    rows, found = rows_of(gans("compare --json", sweep))
    assert [name.rpartition("/")[2] for name, _ in found["left_out"]] == ["young"]
    assert rows["bce"]["not_ended"] == 0 and rows["bce"]["median"] == 31.0
    assert "Left out, without a score" in gans("compare", sweep).out


def test_nothing_to_compare(refused, make_run, tmp_path):
    refused(2, ("nothing to compare", "run folders"), "compare")
    refused(2, ("absent", "does not exist"), "compare", tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    refused(2, ("empty", "config.json"), "compare", tmp_path / "empty")
    make_run("a", loss="bce", root=tmp_path / "sweep")
    refused(2, ("no score that all have", "has none", "gans evaluate"), "compare", tmp_path / "sweep")


def test_who_shares_no_score_is_named(refused, make_run, tmp_path):
    for name, metric in (("a", "kid"), ("b", "kid"), ("c", FD)):
        make_run(name, {metric: 1.0}, loss="bce", seed=ord(name), root=tmp_path / "sweep")
    mentions = (f"sweep/c has {FD} and those before it kid", "gans evaluate")
    refused(2, mentions, "compare", tmp_path / "sweep")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("data", ("folder:photographs-of-clothes-a", "folder:photographs-of-clothes-b")),
        ("data", (f"folder:{'a' * 40}/x/{'b' * 40}", f"folder:{'a' * 40}/y/{'b' * 40}")),
        ("lr_critic", (0.00012345678, 0.00012345679)),
    ],
    ids=["end", "middle", "digits"],
)
def test_long_values_that_differ_look_different(gans, make_run, tmp_path, name, values):
    for number, value in enumerate(values):
        for seed in range(2):
            run = make_run(f"{number}-{seed}", {FD: 30.0 + number}, seed=seed, root=tmp_path / "sweep")
            config = json.loads(run.config_file.read_text())
            config["settings"][name]["value"] = value
            run.config_file.write_text(json.dumps(config))
    texts = list(map(str, values))
    text = gans(f"compare --by {name}", tmp_path / "sweep").out
    table, _, differing = text.partition("settings that differ")
    cells = [line.split()[0] for line in table.splitlines()[4:6]]
    assert len(set(cells)) == 2 and all("…" in cell or cell in texts for cell in cells)
    assert " ".join(differing.split()) == f"{name} {', '.join(texts)}"
    lines = csv.DictReader(io.StringIO(gans(f"compare --csv --by {name}", tmp_path / "sweep").out))
    assert [line[name] for line in lines] == [texts[0], texts[0], texts[1], texts[1]]
    assert gans(f"report --by {name}", tmp_path / "sweep", "--out", tmp_path / "r.html").status == 0
    page = unescape((tmp_path / "r.html").read_text().replace("<wbr>", ""))
    row = page.partition('aria-label="Settings that differ"')[2].partition("<tbody>")[2].partition("</tr>")[0]
    assert row.endswith(f'<td>{texts[0]}</td><td class="differs-best">{texts[1]}</td>')


def test_long_extractors_that_differ_look_different(refused, gans, make_run, tmp_path):
    for number in range(2):
        extractor = f"classifier:my-own-clothes-data-{number}"
        make_run(f"{number}", {FD: 30.0}, made={"extractor": extractor}, seed=number)
    refused(2, ("classifier:my-own-clothes-data-0, classifier:my-own-clothes-data-1",), "compare", tmp_path)
    assert "extractor classifier:my-own-clothes-data-0," in gans("compare", tmp_path / "0").out
    assert gans("report --out", tmp_path / "r.html", tmp_path / "0").status == 0
    page = (tmp_path / "r.html").read_text().replace("<wbr>", "")
    assert "<td>classifier:my-own-clothes-data-0</td>" in page


def test_words_that_cannot_be(refused, sweep):
    refused(2, ("bce-0 has no score kid", FD), "compare --metric kid", sweep)
    refused(2, ("--by lose", "no such setting"), "compare --by lose", sweep)
    refused(2, ("--json and --csv",), "compare --json --csv", sweep)
    (sweep / "bce-0" / "config.json").write_text("[]")
    refused(2, ("bce-0", "cannot be read"), "compare", sweep)


def test_paired_without_partners(refused, sweep):
    (sweep / "bce-0").rename(sweep.parent / "elsewhere")
    refused(2, ("--test paired", "same seeds"), "compare --test paired", sweep)


def test_a_copy_of_a_run_says_nothing_new(refused, make_run, tmp_path):
    make_run("a", {FD: 30.0})
    make_run("b", {FD: 30.0})
    refused(2, ("are the same experiment",), "compare", tmp_path)
