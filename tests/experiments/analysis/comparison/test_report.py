"""`gans report`: what is in the file, and what a real browser makes of it."""

import json
import shutil

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


def test_refused(refused, sweep, tmp_path):
    refused(2, ("--out", "FILE.html"), "report", sweep, "--out", tmp_path / "report.pdf")
    refused(2, ("nothing to compare",), "report --out", tmp_path / "a.html")
    refused(2, ("has no score kid",), "report --metric kid", sweep, "--out", tmp_path / "a.html")
    refused(1, ("cannot write", "absent"), "report", sweep, "--out", tmp_path / "absent" / "a.html")
