"""Layout of a comparison in a terminal: nothing is wider than it, and nothing important is left out."""

import re

import pytest

from experiments.analysis.comparison.table_layout import aligned, ranking_lines, value_lines

HEADS = ["loss", "data", "against the best", "seeds", "median", "95 % interval", "minimum detectable effect"]
ROWS = [
    ["bce", "folder:photographs-of-clothes-a", "best", "3", "31", "[28.52, 33.48]", "–"],
    ["hinge", "folder:photographs-of-clothes-a", "worse by 3.1", "3", "34.1", "[28.52, 43.48]", "3.1"],
]


def words_of(lines: list[str]) -> list[str]:
    return re.findall(r"[^\s,]+", " ".join(lines))


def test_a_table_that_fits_has_a_line_for_each_row() -> None:
    for width in (None, 125):
        head, *rows = ranking_lines(HEADS, ROWS, 2, width)
        assert re.split("  +", head) == HEADS
        assert [re.split("  +", row)[2] for row in rows] == ["best", "worse by 3.1"]
        assert "folder:photo…f-clothes-a" in rows[0], "a long value is cut in its middle, with a mark"


@pytest.mark.parametrize("width", [110, 100, 80, 60, 40])
def test_nothing_is_wider_than_the_terminal_and_nothing_is_lost(width: int) -> None:
    lines = ranking_lines(HEADS, ROWS, 2, width)
    assert max(map(len, lines)) <= width
    found = words_of(lines)
    for row in ROWS:
        for cell in row[:1] + row[2:]:
            assert all(word in found for word in words_of([cell])), cell
    assert sum("clothes-a" in word for word in found) in (1, 2), "once where all groups have it"


def test_where_a_table_is_too_wide_settings_follow_by_groups() -> None:
    lines = ranking_lines(HEADS, ROWS, 2, 85)
    table, settings = "\n".join(lines).split("\n\n")
    assert re.split("  +", table.splitlines()[-2])[:3] == ["1", "best", "3"]
    assert settings.splitlines() == [
        "group 1: loss bce", "group 2: loss hinge", "all groups: data folder:photographs-of-clothes-a",
    ]  # fmt: skip


def test_headings_break_at_their_blanks() -> None:
    assert aligned([["minimum detectable effect", "p"], ["3.1", "0.5"]], wraps_heads=True) == [
        "minimum", "detectable", "effect      p", "3.1         0.5",
    ]  # fmt: skip


def test_values_break_below_their_values() -> None:
    lines = value_lines([("data", "folder:one, folder:two, folder:three"), ("lr_critic", "1, 2")], 36)
    assert lines == [
        "data       folder:one, folder:two,", "           folder:three", "lr_critic  1, 2",
    ]  # fmt: skip


def test_a_comparison_of_many_settings_at_100_columns(gans, make_run, tmp_path, monkeypatch) -> None:
    for loss in ("bce", "wgan-gp"):
        for seed in range(3):
            scores = {"fd-random-vgg": 30.123 + seed + 10 * (loss == "bce")}
            make_run(f"{loss}-{seed}", scores, loss=loss, seed=seed, root=tmp_path / "sweep")
    by = "loss,lr_generator,lr_critic,n_critic,penalty,penalty_weight,optimizer.betas,arch"
    monkeypatch.setenv("COLUMNS", "100")
    text = gans(f"compare --by {by}", tmp_path / "sweep").out
    assert max(map(len, text.splitlines())) <= 100 and "…" not in text
    assert re.search("^2 +worse by 10 ", text, re.MULTILINE)
    assert re.search(
        "^group 1: loss wgan-gp, lr_generator [0-9.]+, lr_critic [0-9.]+, n_critic 5,", text, re.M
    )
    assert text.count("arch dcgan") == 1
    monkeypatch.delenv("COLUMNS")
    assert max(map(len, gans(f"compare --by {by}", tmp_path / "sweep").out.splitlines())) > 150, "of a pipe"


def test_lists_of_plug_ins_at_100_columns(gans, monkeypatch) -> None:
    whole = gans("list architectures").out
    monkeypatch.setenv("COLUMNS", "100")
    lines = gans("list architectures").out.splitlines()
    assert max(map(len, lines)) <= 100 < max(map(len, whole.splitlines()))
    assert " ".join(" ".join(lines).split()) == " ".join(whole.split())
    assert max(map(len, gans("list stylegan2").out.splitlines())) <= 100
