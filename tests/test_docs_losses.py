"""Pages of losses have the whole objective, and a row for every option."""

import re
import sys
from pathlib import Path

import pytest

from experiments.commands.list import describe_plugin
from experiments.core import registry
from experiments.core.value_format import format_value

SITE = Path(__file__).resolve().parent.parent / "docs" / "site"


@pytest.fixture(autouse=True)
def _beside_the_pages(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(SITE), *sys.path])


def _section(page, title):
    return page.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def _row_of(page, flag):
    return next(line for line in page.splitlines() if line.startswith(f"| `{flag}"))


def _formulas(page):
    """Formulas of critic and generator, before the parts that they are made of."""
    whole = _section(page, "Formula").partition("\n### ")[0]
    return re.findall(r"^`(.+)`$", whole, re.MULTILINE), whole


@pytest.mark.parametrize("name", sorted(registry.built_in_names("loss")))
def test_a_losss_page_has_the_whole_objective_of_both_players(name):
    import catalogue

    recipe = registry.load_recipe(name)
    set_by_it = {key: value for each in recipe.settings for key, value in each.values.items()}
    (critic, generator), whole = _formulas(catalogue.loss_page(name))
    assert "C(x)" in critic and "C(x̃)" in critic and "C(x̃)" in generator and "∇" not in generator
    points = set_by_it.get("penalty", ())
    assert critic.count("∇C(") == len(points), "every penalty has its term in the critic's loss"
    if "∇C(x̂)" in critic:
        assert "`x̂ = " in whole, "it says where the gradient is taken"
    weights = [each.values["penalty_weight"] for each in recipe.settings if "penalty_weight" in each.values]
    for weight in weights:
        assert f"{weight:g} E[" in critic or ("λ E[" in critic and f"`{weight:g}`" in whole)


@pytest.mark.parametrize("name", sorted(registry.built_in_names("loss")))
def test_a_losss_page_has_a_row_for_every_option_of_its_parts(name):
    import catalogue

    recipe, options = registry.load_recipe(name), _section(catalogue.loss_page(name), "Options")
    set_by_it = {key: value for each in recipe.settings for key, value in each.values.items()}
    parts = [("form", recipe.form), *(("penalty", each) for each in set_by_it.get("penalty", ()))]
    parts += [("regularizer", each) for each in set_by_it.get("regularizers", {})]
    parts += [("penalty-norm", value) for key, value in set_by_it.items() if key == "penalty_norm"]
    for kind, part in parts:
        for option in describe_plugin(kind, part)["options"]:
            row = _row_of(options, f"--set {option['key']}=…")
            assert f"`{format_value(option['default'])}`" in row and option["help"] in row
    for regularizer, strength in set_by_it.get("regularizers", {}).items():
        assert f"`{strength:g}`" in _row_of(options, f"--{regularizer} ")
    for setting in (each for each in set_by_it if each.startswith("penalty")):
        value = format_value(set_by_it[setting], setting)
        assert f"`{value}`" in _row_of(options, f"--{setting.replace('_', '-')} ")


@pytest.mark.parametrize(
    ("name", "critic", "generator"),
    [
        ("wgan-gp", "E C(x̃) − E C(x) + 10 E[(‖∇C(x̂)‖ − 1)²]", "−E C(x̃)"),
        ("r1", "E[−log σ(C(x)) − log(1 − σ(C(x̃)))] + 10 E[‖∇C(x)‖² / 2]", "E[−log σ(C(x̃))]"),
        (
            "r3gan",
            "E[softplus(−(C(x) − C(x̃)))] + λ E[‖∇C(x)‖² / 2] + λ E[‖∇C(x̃)‖² / 2]",
            "E[softplus(−(C(x̃) − C(x)))]",
        ),
    ],
)
def test_objectives_are_those_of_the_papers(name, critic, generator):
    from objective import objective

    text = objective(registry.load_recipe(name))
    assert f"\n\n`{critic}`\n\n" in text and f"\n\n`{generator}`\n\n" in text


def test_the_weight_of_a_penalty_that_moves_is_told_beside_the_formula():
    from objective import objective

    text = objective(registry.load_recipe("r3gan"))
    assert "is `1`; `0.05` (up to 32 pixels)" in text and "falls to 0.1 of that" in text


def test_options_of_the_points_of_a_penalty_are_on_the_page_of_its_loss():
    import catalogue

    options = _section(catalogue.loss_page("dragan"), "Options")
    row = "| `--set dragan.spread=…` | `0.5` | above 0; may move by `--schedule` | Size of the noise,"
    assert row in options
