"""Commands that train runs again name every digit."""

import shlex

from experiments.analysis.comparison.again import commands_of
from experiments.analysis.comparison.html_report import _run_row
from experiments.analysis.comparison.read import read_record
from experiments.config.flag_words import flags_of_run


def test_a_long_seed_keeps_its_digits(make_run) -> None:
    record = read_record(make_run("a", loss="bce", seed=20240501))
    (command,) = commands_of([record], {record.name: "again/a"})
    words = shlex.split(command)
    assert words[words.index("--seed") + 1] == "20240501"
    assert _run_row(record)["seed"] == ("20240501", 20240501.0)


def test_a_strength_keeps_its_digits(make_run) -> None:
    settings = dict(read_record(make_run("a", loss="bce")).settings)
    words = flags_of_run({**settings, "regularizers": {"lecam": 0.123456789}})
    assert words is not None and words[words.index("--lecam") + 1] == "0.123456789"
