"""The file that `gans report` writes: its size, what is left out of it and named, and what is refused."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from experiments.analysis.comparison.html_report import short_names
from tests.experiments.analysis.comparison.conftest import FD, run_maker, write_report_of


@pytest.mark.long
def test_four_runs_are_small(tmp_path):
    """Two megabytes at most besides the pictures, with twenty scores of 2,000 lines each."""
    make_run = run_maker(tmp_path / "sweep")
    for number in range(4):
        run = make_run(f"run-{number}", {FD: 30.0 + number}, n_critic=1 + number)
        lines = [
            {"step": step, "kimg": step * 0.0641, "seconds": 1.0}
            | {f"critic/term_{name}": (step * 7919 * (name + number) % 1000) / 997 for name in range(20)}
            for step in range(1, 2000)
        ]
        run.scores_file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        Image.effect_noise((512, 512), 50).save(run.samples / "kimg-000001.png")
    write_report_of(tmp_path / "sweep", tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert len(re.sub(r"data:image/webp;base64,[\w+/=]+", "", text)) < 2e6
    assert text.count("data:image/webp") == 4


def test_nothing_in_it_can_break_out_of_its_place(reported):
    file, _ = reported
    text = file.read_text()
    assert "&lt;/script&gt;&lt;b&gt;not finite" in text and "<b>not finite" not in text
    assert "Content-Security-Policy" in text and "default-src 'none'" in text


def test_without_a_comparison_it_says_why(gans, make_run, tmp_path):
    make_run("a", loss="bce", root=tmp_path / "runs")
    outcome = gans("report", tmp_path / "runs", "--out", tmp_path / "report.html")
    assert outcome.status == 0 and "not compared: no score that all have" in outcome.err
    assert outcome.out.strip() == str(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "Not compared: no score that all have" in page
    assert '<p class="kind">1 run: dcgan on shapes</p>' in page


def test_names_of_runs_lose_what_they_share():
    assert short_names(["/a/b/c", "/a/b/d/e"]) == {"/a/b/c": "c", "/a/b/d/e": "d/e"}
    assert short_names(["a"]) == {"a": "a"} and short_names(["/a/b", "/a/b"]) == {"/a/b": "b"}


def shown_pictures(file):
    """The number of sample grids on a page."""
    pages = re.findall('data-pictures="([^"]*)"', Path(file).read_text())
    return sum(len(json.loads(each.replace("&#34;", '"'))) for each in pages)


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
    assert shown_pictures(tmp_path / "report.html") == 24


@pytest.mark.parametrize("spoil", [Path.unlink, make_half], ids=["absent", "truncated"])
def test_runs_without_real_images_are_shown(spoil, gans, sweep, tmp_path):
    for file in sweep.glob("*/samples/real.png"):
        spoil(file)
    assert gans("report", sweep, "--out", tmp_path / "report.html").status == 0
    assert shown_pictures(tmp_path / "report.html") == 24
    assert "Real data" not in (tmp_path / "report.html").read_text()


def test_groups_of_other_data_have_their_own_real_images(sweep, tmp_path):
    for file in sweep.glob("hinge-*/samples/real.png"):
        Image.new("RGB", (16, 16), (200, 0, 0)).save(file)
    write_report_of(sweep, tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text().count('figure class="pictures real"') == 3


def test_samples_that_lead_elsewhere_are_not_shown(gans, sweep, tmp_path):
    shutil.move(sweep / "bce-0" / "samples", tmp_path / "elsewhere")
    (sweep / "bce-0" / "samples").symlink_to(tmp_path / "elsewhere")
    outcome = gans("report", sweep, "--out", tmp_path / "report.html")
    assert outcome.status == 0 and "samples is a link" in outcome.err
    assert shown_pictures(tmp_path / "report.html") == 21


def test_a_run_whose_files_are_bad_leaves_the_others_as_they_are(gans, sweep, tmp_path):
    (sweep / "broken" / "scores.jsonl").unlink()
    os.mkfifo(sweep / "broken" / "scores.jsonl")
    (sweep / "bce-0" / "config.json").write_text("[" * 100_000)
    outcome = gans("report", sweep, "--out", tmp_path / "report.html")
    assert outcome.status == 0 and "scores.jsonl" in outcome.err and "bce-0/config.json" in outcome.err
    assert shown_pictures(tmp_path / "report.html") == 21


def test_refused(refused, sweep, tmp_path):
    refused(2, ("--out", "FILE.html"), "report", sweep, "--out", tmp_path / "report.pdf")
    refused(2, ("nothing to compare",), "report --out", tmp_path / "a.html")
    refused(2, ("has no score kid",), "report --metric kid", sweep, "--out", tmp_path / "a.html")
    refused(1, ("cannot write", "absent"), "report", sweep, "--out", tmp_path / "absent" / "a.html")
