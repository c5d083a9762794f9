"""`gans doctor --html`: the findings in the form of the report, in a real browser."""

import json

import pytest
from PIL import Image

from tests.browser import serious_faults
from tests.experiments.analysis.comparison.conftest import run_maker


@pytest.fixture
def collapsed(tmp_path):
    """A run whose samples have become equal."""
    run = run_maker(tmp_path)("collapsed", loss="bce")
    lines = [
        {"step": 25 * step, "kimg": 0.4 * step, "seconds": 1.0, "critic/adversarial": 1.3}
        | {"samples/pairwise_distance": 0.6 if step < 10 else 0.01}
        | ({"samples/real_distance": 0.7} if step == 1 else {})
        for step in range(1, 21)
    ]
    run.scores_file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    for name in ("kimg-000001", "kimg-000002", "real"):
        Image.effect_noise((32, 32), 50).save(run.samples / f"{name}.png")
    return run


@pytest.mark.long
def test_findings_come_first_with_their_remedies(gans, collapsed, tmp_path, open_page):
    plain = gans("doctor", collapsed.path, "--json")
    outcome = gans("doctor", collapsed.path, "--json", "--html", tmp_path / "page.html")
    assert outcome.status == 0 and outcome.out == plain.out
    findings = json.loads(outcome.out)["findings"]
    with open_page(tmp_path / "page.html") as tab:
        assert tab.locator("h1").inner_text().startswith("Mode collapse")
        shown = tab.locator("article.finding")
        assert shown.count() == len(findings)
        for index, finding in enumerate(findings):
            words = shown.nth(index).inner_text()
            assert all(
                " ".join(finding[part].split()) in " ".join(words.split()) for part in ("evidence", "remedy")
            )
            assert shown.nth(index).locator("pre").all_inner_texts() == list(finding["commands"])
        assert shown.first.evaluate("each => each.classList.contains('is-serious')")
        assert tab.locator("figure.real img").count() == 1
        tab.locator("summary", has_text="Diversity").press("Enter")
        assert tab.locator("figure.chart:visible figcaption").all_inner_texts() == [
            "mean distance between samples"
        ]
        assert serious_faults(tab) == []
    with open_page(tmp_path / "page.html", 400, dark=True) as tab:
        tab.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert serious_faults(tab) == []


def test_a_run_without_anything_has_a_page(gans, tmp_path):
    run = run_maker(tmp_path)("young", loss="bce")
    run.scores_file.write_text("")
    assert gans("doctor", run.path, "--html", tmp_path / "page.html").status == 0
    assert "young: too early for the rules on losses" in (tmp_path / "page.html").read_text()


def test_refused(refused, collapsed, tmp_path):
    refused(2, ("--html", "FILE.html"), "doctor", collapsed.path, "--html", tmp_path / "page.pdf")
    refused(2, ("--watch", "--html"), "doctor", collapsed.path, "--watch --html", tmp_path / "page.html")
    (tmp_path / "mine.html").write_text("mine")
    refused(2, ("--html", "--force"), "doctor", collapsed.path, "--html", tmp_path / "mine.html")
