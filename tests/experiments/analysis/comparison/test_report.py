"""`gans report`: what is in the file, and what a real browser makes of it."""

import json
import os
import re
import shutil
from html import escape, unescape

import pytest
from PIL import Image

from experiments.analysis.comparison.curves import figures_of
from experiments.analysis.comparison.read import read_record, read_records

FD = "fd-random-vgg"
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture
def sweep(make_run, tmp_path):
    """Two losses, two seeds, three grids of samples each, and a member that failed."""
    for loss, score in (("bce", 30.0), ("wgan-gp", 60.0)):
        for seed in range(2):
            run = make_run(
                f"{loss}-{seed}", {FD: score + seed}, loss=loss, seed=seed, root=tmp_path / "sweep"
            )
            for number, kimg in enumerate((1, 2, 8)):
                picture = Image.new("RGB", (16, 16), (80 * number, 40 * seed, 0))
                picture.save(run.samples / f"kimg-{kimg:06d}.png")
    broken = make_run("broken", loss="bce", seed=9, root=tmp_path / "sweep")
    broken.ended_file.write_text("failed: </script><b>not finite\n")
    return tmp_path / "sweep"


@pytest.fixture
def page(gans, sweep, tmp_path):
    outcome = gans("report", sweep, "--out", tmp_path / "report.html")
    assert outcome.status == 0 and outcome.out.strip() == str(tmp_path / "report.html")
    return tmp_path / "report.html"


def test_curves_are_means_between_the_lowest_and_the_highest_seed(make_run):
    runs = [make_run(name, seed=seed) for seed, name in enumerate("ab")]
    for run, end in zip(runs, (0.5, 1.5), strict=True):
        lines = [{"step": 1, "kimg": 1.0, "critic/real": 0.0}, {"step": 2, "kimg": 3.0, "critic/real": end}]
        run.scores_file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    figures = figures_of({"all": [read_record(run) for run in runs]})
    low, high, mean = figures["critic/real"]["data"]
    assert (low["y"], mean["y"], high["y"]) == ([0.0, 0.5], [0.0, 1.0], [0.0, 1.5])
    assert mean["x"] == [1.0, 3.0]


def test_a_number_that_no_browser_can_read_is_a_gap(make_run):
    run = make_run("a")
    values = [0.0, float("nan"), float("inf"), 2.0]
    lines = [{"step": step, "kimg": float(step), "critic/real": value} for step, value in enumerate(values)]
    run.scores_file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (mean,) = figures_of({"all": [read_record(run)]})["critic/real"]["data"]
    assert (mean["x"], mean["y"]) == ([0.0, 3.0], [0.0, 2.0])


def test_nothing_in_it_can_break_out_of_its_place(page):
    text = page.read_text()
    assert "&lt;/script&gt;&lt;b&gt;not finite" in text and "<b>not finite" not in text


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
def test_in_a_browser(page, sweep):
    playwright = pytest.importorskip("playwright.sync_api")
    problems, asked = [], []
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        tab = browser.new_page()
        tab.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        tab.on("pageerror", lambda error: problems.append(str(error)))
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(page.as_uri())
        tab.wait_for_selector(".js-plotly-plot .scatterlayer .trace")
        assert problems == []
        assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []

        figure = tab.locator("figure[data-pictures]").first
        assert figure.locator("output").inner_text() == "8 kimg"
        last = figure.locator("img").get_attribute("src")
        figure.locator("input").focus()
        tab.keyboard.press("Home")
        assert figure.locator("output").inner_text() == "1 kimg"
        assert figure.locator("img").get_attribute("src") != last
        assert figure.locator("img").evaluate("image => image.complete && image.naturalWidth") == 16

        table = tab.locator("table").first
        firsts = "rows => rows.map(row => row.cells[0].textContent)"
        assert table.locator("tbody tr").evaluate_all(firsts) == ["bce", "wgan-gp"]
        head = table.locator("th", has_text="mean")
        head.click()
        head.click()
        assert table.locator("tbody tr").evaluate_all(firsts) == ["wgan-gp", "bce"]
        assert "not finite" in tab.locator("table").last.inner_text()

        tab.set_viewport_size({"width": 390, "height": 800})  # a telephone's: only tables scroll sideways
        tab.wait_for_function("document.documentElement.scrollWidth <= innerWidth", timeout=5000)
        browser.close()


def test_without_a_comparison_it_says_why(gans, make_run, tmp_path):
    make_run("a", loss="bce", root=tmp_path / "runs")
    outcome = gans("report", tmp_path / "runs", "--out", tmp_path / "report.html")
    assert outcome.status == 0 and "not compared: no score that all have" in outcome.err
    assert "no score that all have" in (tmp_path / "report.html").read_text()


def test_damaged_pictures_are_left_out(gans, sweep, tmp_path):
    (sweep / "bce-0" / "samples" / "kimg-000008.png").write_bytes(b"half")
    assert gans("report", sweep, "--out", tmp_path / "report.html").status == 0
    assert len(read_records([str(sweep)])) == 5


def shown_pictures(page):
    return sum(len(json.loads(unescape(each))) for each in re.findall('data-pictures="([^"]*)"', page))


def make_bomb(file):
    """A picture of a few kilobytes that would be 100 million pixels."""
    Image.new("1", (10_000, 10_000)).save(file)


def make_half(file):
    Image.effect_noise((64, 64), 50).save(file)
    file.write_bytes(file.read_bytes()[:-900])


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("kimg-000001 copy.png", lambda file: Image.new("RGB", (4, 4)).save(file)),
        ("kimg-000009.png", make_bomb),
        ("kimg-000009.png", make_half),
        ("kimg-000009.png", os.mkfifo),
        ("kimg-000009.png", lambda file: file.symlink_to(file.with_name("kimg-000001.png"))),
    ],
    ids=["copy", "bomb", "truncated", "pipe", "link"],
)
def test_one_bad_picture_is_left_out_by_name(name, make, gans, sweep, tmp_path):
    make(sweep / "bce-0" / "samples" / name)
    outcome = gans("report", sweep, "--out", tmp_path / "report.html")
    assert outcome.status == 0 and len([line for line in outcome.err.splitlines() if name in line]) == 1
    assert shown_pictures((tmp_path / "report.html").read_text()) == 12


def test_samples_that_lead_elsewhere_are_not_shown(gans, sweep, tmp_path):
    shutil.move(sweep / "bce-0" / "samples", tmp_path / "elsewhere")
    (sweep / "bce-0" / "samples").symlink_to(tmp_path / "elsewhere")
    outcome = gans("report", sweep, "--out", tmp_path / "report.html")
    assert outcome.status == 0 and "samples is a link" in outcome.err
    assert shown_pictures((tmp_path / "report.html").read_text()) == 9


def test_a_run_whose_files_are_bad_leaves_the_others_as_they_are(gans, sweep, tmp_path):
    os.mkfifo(sweep / "broken" / "fifo")
    (sweep / "broken" / "scores.jsonl").unlink()
    os.mkfifo(sweep / "broken" / "scores.jsonl")
    (sweep / "bce-0" / "config.json").write_text("[" * 100_000)
    outcome = gans("report", sweep, "--out", tmp_path / "report.html")
    assert outcome.status == 0 and "scores.jsonl" in outcome.err and "bce-0/config.json" in outcome.err
    assert shown_pictures((tmp_path / "report.html").read_text()) == 9


def test_a_score_whose_name_is_html_stays_in_its_place(gans, make_run, tmp_path):
    run = make_run("a", root=tmp_path / "runs")
    name = "<!--<script></script><b>"
    lines = [{"step": step, "kimg": float(step), name: 1.7e308} for step in range(3)]
    run.scores_file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert gans("report", tmp_path / "runs", "--out", tmp_path / "report.html").status == 0
    page = (tmp_path / "report.html").read_text()
    assert "<!--<script>" not in page.partition("<script>/**")[0]
    (figure,) = re.findall("<script type=application/json id=figure-0>(.*?)</script>", page)
    assert json.loads(figure)["layout"]["title"]["text"] == escape(name)


def test_means_beyond_the_largest_float_are_gaps(make_run):
    runs = [make_run(name, seed=seed) for seed, name in enumerate("ab")]
    for run in runs:
        lines = [{"step": step, "kimg": float(step), "critic/real": 1.7e308 * step} for step in (0, 1)]
        run.scores_file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    figures = figures_of({"all": [read_record(run) for run in runs]})
    assert json.loads(json.dumps(figures["critic/real"], allow_nan=False))["data"][2]["y"] == [0.0, None]


def test_refused(refused, sweep, tmp_path):
    refused(2, ("--out", "FILE.html"), "report", sweep, "--out", tmp_path / "report.pdf")
    refused(2, ("nothing to compare",), "report --out", tmp_path / "a.html")
    refused(2, ("has no score kid",), "report --metric kid", sweep, "--out", tmp_path / "a.html")
    refused(1, ("cannot write", "absent"), "report", sweep, "--out", tmp_path / "absent" / "a.html")
