"""`gans report` in a real browser: what it shows is what was computed, in the order that a reader needs."""

import json

import pytest
from PIL import Image

from tests.browser import serious_faults
from tests.experiments.analysis.comparison.conftest import FD, SCORES, run_maker, write_report_of

HOSTILE = "</script><img src=x onerror=alert(1)>'\"&`${1}"


def texts(tab, selector):
    return [" ".join(words.split()) for words in tab.locator(selector).all_inner_texts()]


def test_the_first_screen_answers_which_is_better_and_whether_it_is_sure(reported, open_page):
    file, comparison = reported
    with open_page(file) as tab:
        headline = tab.locator("h1")
        assert headline.inner_text() == (
            f"bce has the best {FD}; that is sure against wgan-gp, not against hinge."
        )
        assert texts(tab, ".facts li")[:3] == [
            "partly sure", "3 settings, 3 seeds each", "1 of 9 runs did not end",
        ]  # fmt: skip
        assert tab.locator(".scores").bounding_box()["y"] < 400
        (note,) = texts(tab, ".scores + .note")
        assert note == (
            f"{FD}: Fréchet distance between Gaussians fitted to feature vectors (FID, Heusel et al. 2017); "
            "features of random-vgg; 500 samples, 500 real ones."
        )
        rows = tab.locator("table").first.locator("tbody tr")
        assert [row.split("\n")[0].split()[:2] for row in rows.all_inner_texts()] == [
            ["1", "bce"], ["2", "hinge"], ["3", "wgan-gp"],
        ]  # fmt: skip
        assert texts(tab, "tbody .tag") == [row.verdict for row in comparison.rows]
        assert [words for words in texts(tab, ".strip .ended") if words] == ["✕ 1 of 3 did not end"]


def test_points_stand_where_their_scores_are(reported, open_page):
    """The axis is read as a person would: from two of its ticks, in pixels."""
    file, comparison = reported
    with open_page(file) as tab:
        middle = (
            "all => all.map(each => { const b = each.getBoundingClientRect(); return b.x + b.width / 2 })"
        )
        ticks = tab.locator(".strip.axis span")
        places, numbers = ticks.evaluate_all(middle), list(map(float, ticks.all_inner_texts()))
        unit = (places[-1] - places[0]) / (numbers[-1] - numbers[0])

        def at(score):
            return pytest.approx(places[0] + (score - numbers[0]) * unit, abs=1.0)

        for index, row in enumerate(comparison.rows):
            strip = tab.locator(f".strip[data-group='{index}']")
            assert strip.locator(".seed").evaluate_all(middle) == [at(s) for s in sorted(row.group.scores)]
            assert strip.locator(".mean").evaluate_all(middle) == [at(row.mean)]
            (box,) = strip.locator(".interval").evaluate_all(
                "all => all.map(each => { const b = each.getBoundingClientRect(); return [b.left, b.right] })"
            )
            assert box == [at(row.low), at(row.high)]


def test_a_chart_shows_the_numbers_at_the_pointer_and_at_the_keys(reported, open_page):
    file, _ = reported
    with open_page(file) as tab:
        figure = tab.locator("figure[data-chart]").first
        data = json.loads(figure.get_attribute("data-chart"))
        figure.scroll_into_view_if_needed()
        box = figure.locator(".area").bounding_box()
        tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
        middle = (data["x"][0] + data["x"][1]) / 2
        series = data["series"][0]
        nearest = min(range(len(series["x"])), key=lambda index: abs(series["x"][index] - middle))
        shown = figure.locator("b").first.inner_text()
        assert float(shown.split()[0]) == pytest.approx(series["y"][nearest], rel=0.02)
        mean = sum(SCORES["bce"]) / 3
        assert series["y"][nearest] == pytest.approx(mean * (4 - 10 * series["x"][nearest] / 27), rel=1e-4)
        figure.locator(".reader").focus()
        tab.keyboard.press("Home")
        assert figure.locator("output").inner_text() == "at 0.1 kimg"
        assert "bce 12" in figure.locator(".reader").get_attribute("aria-valuetext")


def test_a_name_in_a_legend_hides_its_group_everywhere(reported, open_page):
    file, _ = reported
    with open_page(file) as tab:
        button = tab.locator("figure[data-chart] button", has_text="hinge").first
        button.press("Enter")
        assert button.get_attribute("aria-pressed") == "false"
        shown = "all => all.map(each => each.style.display)"
        assert set(tab.locator("path[data-group='1']").evaluate_all(shown)) == {"none"}
        assert set(tab.locator("path[data-group='0']").evaluate_all(shown)) == {""}


def test_samples_stand_by_rank_beside_the_real_images(reported, open_page):
    file, _ = reported
    with open_page(file) as tab:
        assert texts(tab, "section.group h3") == [
            "1. bce best", "2. hinge no significant difference", "3. wgan-gp worse by 29.33",
        ]  # fmt: skip
        assert tab.locator("figure.real img").count() == 1
        real, first = (tab.locator(each).first.bounding_box() for each in ("figure.real", ".group figure"))
        assert real["x"] < first["x"] and abs(real["y"] - first["y"]) < 60
        edge = "each => getComputedStyle(each).borderLeftColor"
        colours = [tab.locator("section.group").nth(i).evaluate(edge) for i in range(3)]
        strokes = [
            tab.locator(f".strip[data-group='{i}'] .mean").evaluate("each => getComputedStyle(each).stroke")
            for i in range(3)
        ]
        assert colours == strokes and len(set(colours)) == 3

        figure = tab.locator("figure[data-pictures]").first
        last = figure.locator("img").get_attribute("src")
        assert figure.locator("output").inner_text() == "8 kimg"
        figure.locator("input").focus()
        tab.keyboard.press("Home")
        assert figure.locator("output").inner_text() == "1 kimg"
        assert figure.locator("img").get_attribute("src") != last
        assert figure.locator("img").evaluate("image => image.complete && image.naturalWidth") == 16
        tab.locator(".all-times input").focus()
        tab.keyboard.press("ArrowLeft")
        assert set(texts(tab, "figure[data-pictures] output")) == {"2 kimg"}


def test_tables_sort(reported, open_page):
    file, _ = reported
    with open_page(file) as tab:
        table = tab.locator("table").first
        firsts = "rows => rows.map(row => row.cells[1].textContent)"
        head = table.get_by_role("button", name="mean")
        head.press("Enter")
        head.press("Enter")
        assert table.locator("tbody tr").evaluate_all(firsts) == ["wgan-gp", "hinge", "bce"]
        assert table.locator("th[aria-sort]").get_attribute("aria-sort") == "descending"


def test_settings_have_a_column_for_each_group(reported, open_page):
    file, comparison = reported
    with open_page(file) as tab:
        region = tab.get_by_role("region", name="Settings that differ")
        assert texts(region, "thead th") == ["setting", "bce", "hinge", "wgan-gp"]
        cells = {row[0]: row[1:] for row in map(str.split, texts(region, "tbody tr"))}
        assert list(cells) == list(comparison.differing)
        assert cells["n_critic"] == ["1", "5", "5"] and cells["penalty_weight"] == ["–", "–", "10"]
        assert "random-vgg" in tab.get_by_role("region", name="How each score was made").inner_text()


def test_folded_parts_open_by_keyboard(reported, open_page):
    file, _ = reported
    with open_page(file) as tab:
        fold = tab.locator("details", has_text="Losses").first
        assert not fold.locator(".chart").first.is_visible()
        fold.locator("summary").focus()
        tab.keyboard.press("Enter")
        assert [each.split("\n")[1] for each in fold.locator("figcaption").all_inner_texts()] == [
            "with the loss bce", "with the loss hinge", "with the loss wgan-gp",
        ]  # fmt: skip
        assert fold.locator(".chart").first.is_visible()


def open_folds(tab):
    tab.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (400, False)])
def test_axe_finds_nothing_serious(reported, open_page, width, dark):
    file, _ = reported
    with open_page(file, width, dark) as tab:
        open_folds(tab)
        ground = tab.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (ground == "rgb(19, 22, 27)") is dark
        assert serious_faults(tab) == []


def fits(tab):
    """Whether nothing but what scrolls by itself is wider than the window, or stands over other words."""
    open_folds(tab)
    return tab.evaluate(
        """() => {
        const over = [...document.querySelectorAll("body *")].filter((each) => {
          const box = each.getBoundingClientRect();
          return box.width && !each.closest(".scrolled, .skip, svg, thead") && box.right > innerWidth + 0.5;
        });
        return document.documentElement.scrollWidth <= innerWidth
          ? over.map((each) => each.outerHTML.slice(0, 200)) : ["the page"];
        }"""
    )


def test_on_a_telephone_rows_are_cards_and_nothing_is_cut(reported, open_page):
    file, _ = reported
    with open_page(file, width=400) as tab:
        assert fits(tab) == []
        card = tab.locator("table.cards tbody tr").first
        assert card.bounding_box()["height"] > 150
        label = "each => getComputedStyle(each, '::before').content"
        assert card.locator("td", has_text="best").evaluate(label) == '"against the best"'
        legend, area = (
            tab.locator(f"figure.chart {part}").first.bounding_box() for part in (".legend", ".area")
        )
        assert legend["y"] > area["y"] + area["height"]
        region = tab.get_by_role("region", name="Settings that differ")
        region.evaluate("each => { each.scrollLeft = 500 }")
        assert region.locator("tbody th").first.bounding_box()["x"] == region.bounding_box()["x"]


def test_groups_of_many_settings_fit_their_page(sweep, tmp_path, open_page):
    by = ["loss", "lr_generator", "lr_critic", "n_critic", "penalty", "penalty_weight", "optimizer.betas"]
    comparison = write_report_of(sweep, tmp_path / "report.html", by=by)
    for width in (1280, 800, 400):
        with open_page(tmp_path / "report.html", width) as tab:
            assert fits(tab) == []
            table = tab.locator("table").first
            assert all(
                f"n_critic {row.group.settings['n_critic']}" in table.inner_text() for row in comparison.rows
            )


BROKEN_WORDS = """cells => cells.flatMap((cell) => {
    const [range, found] = [document.createRange(), []];
    const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    let [before, top] = [" ", null];
    while (walker.nextNode()) {
      [...walker.currentNode.data].forEach((sign, i) => {
        range.setStart(walker.currentNode, i);
        range.setEnd(walker.currentNode, i + 1);
        const box = range.getClientRects()[0];
        if (!box) return;
        if (top !== null && box.top > top + 5 && !/[_.:=\\/\\s-]/.test(before)) found.push(cell.textContent);
        [before, top] = [sign, box.top];
      });
    }
    return found;
  })"""


@pytest.mark.parametrize("width", [400, 320])
def test_names_of_settings_break_between_their_words(reported, open_page, width):
    file, _ = reported
    with open_page(file, width) as tab:
        cells = tab.get_by_role("region", name="Settings that differ").locator("th")
        assert "optimizer.betas" in cells.all_text_contents()
        assert cells.evaluate_all(BROKEN_WORDS) == []
        tall = [each for each in cells.all() if each.bounding_box()["height"] > 40]
        assert tall, "else nothing is broken here"


def test_what_is_folded_is_printed_and_sliders_are_not(reported, open_page):
    file, _ = reported
    with open_page(file) as tab:
        tab.emulate_media(media="print")
        tab.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert tab.locator("details:not([open])").count() == 0
        assert tab.locator("figure.chart").last.is_visible()
        assert not any(each.is_visible() for each in tab.locator("input[type=range]").all())
        tab.evaluate("dispatchEvent(new Event('afterprint'))")
        assert tab.locator("details[open]").count() == 0


def test_hostile_names_stay_in_their_places(tmp_path, open_page):
    """Thirty groups, whose names are code, or very long."""
    make_run = run_maker(tmp_path / "sweep")
    for number in range(30):
        name = "x" * 180 if number == 3 else f"{number} {HOSTILE.replace('/', ':')}"
        run = make_run(name, {FD: 30.0 + number})
        config = json.loads(run.config_file.read_text())
        value = f"{HOSTILE} {number}" if number != 3 else "long" * 100
        config["settings"]["loss"]["value"] = value
        run.config_file.write_text(json.dumps(config))
        lines = [
            {
                "step": step,
                "kimg": float(step),
                f"critic/{HOSTILE}": 1.7e308,
                "<!--<script>": 1.0,
                "metric/": 2.0,
            }
            for step in range(3)
        ]
        run.scores_file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        Image.new("RGB", (8, 8)).save(run.samples / "kimg-000001.png")
    write_report_of(tmp_path / "sweep", tmp_path / "report.html", by=["loss"])
    for width in (1280, 400):
        with open_page(tmp_path / "report.html", width) as tab:
            assert tab.locator("script").count() == 1 and tab.locator("img[src=x]").count() == 0
            assert HOSTILE in tab.locator("h1").inner_text()
            assert tab.locator(".strip .who").count() == 31
            assert fits(tab) == []


def test_the_commands_make_the_runs_again(reported, open_page):
    file, _ = reported
    with open_page(file) as tab:
        open_folds(tab)
        commands = texts(tab, "pre")
        assert (
            "gans run --arch dcgan --loss wgan-gp --data shapes --preset laptop --kimg 8 "
            "--seed 1 --out again/wgan-gp-1"
        ) in commands
        assert (
            "gans evaluate again/bce-0 --metrics fid --extractor random-vgg --resize-rule clean -n 500"
            in commands
        )
        assert commands[-1] == f"gans report again --out report.html --metric {FD} --by loss"
