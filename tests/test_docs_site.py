"""The documentation site says what the code says, and leaves no page out."""

import re
import sys
from pathlib import Path

import pytest

from experiments.commands.list import describe_plugin
from experiments.core import registry
from experiments.core.value_format import format_value
from tests.pages.shortening import shorten
from tests.pages.stock import make_photos

SITE = Path(__file__).resolve().parent.parent / "docs" / "site"


@pytest.fixture(autouse=True)
def _beside_the_pages(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(SITE), *sys.path])


PLUGINS = [
    (kind, name) for kind in ("architecture", "loss") for name in sorted(registry.built_in_names(kind))
]


@pytest.fixture(params=PLUGINS, ids="-".join)
def plugin_page(request):
    """Kind, name and page of a plug-in with a page of its own; a new plug-in has one by itself."""
    import catalogue

    kind, name = request.param
    write = {"architecture": catalogue.architecture_page, "loss": catalogue.loss_page}[kind]
    return kind, name, write(name)


def _section(page, title):
    return page.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_a_plugins_page_has_its_paper_its_defaults_and_its_options(plugin_page):
    kind, name, page = plugin_page
    plugin = registry.load("architecture", name) if kind == "architecture" else registry.load_recipe(name)
    assert plugin.paper in page
    for each in plugin.settings:
        for key, value in each.values.items():
            words = (
                [f"{part}={format_value(value[part])}" for part in value]
                if isinstance(value, dict)
                else [key]
            )
            assert all(f"`{word}" in page for word in words)
    for option in describe_plugin(kind, name)["options"]:
        row = _row_of(page, f"--set {option['key']}=…")
        assert f"`{format_value(option['default'])}`" in row.replace("\\|", "|")


def test_a_plugins_page_has_the_formula_of_both_players(plugin_page):
    kind, name, page = plugin_page
    own = _section(page, "Formula").partition("L_C and L_G are those")[0]
    formulas = re.findall(r"`([^`]*[(‖][^`]*)`", own)
    where = "game" if kind == "architecture" else "form"
    assert len(formulas) >= 2, f"write what both players of {name} minimise into the docstring of its {where}"


def test_a_plugins_page_has_what_it_reached_with_its_command_and_a_picture(plugin_page):
    kind, name, page = plugin_page
    results = _section(page, "Trained here")
    assert re.search(r"\|.*\d+ (min|s|%)", results), "add its row to docs/results.md or docs/translation.md"
    word = f"--arch {name}" if kind == "architecture" else f"--loss {name}"
    commands = [
        each for each in re.findall(r"`(gans run [^`]*)`", results) if f"{each} ".find(f"{word} ") > 0
    ]
    assert commands, f"no command of a result has {word}"
    pictures = re.findall(r"!\[[^\]]+\]\(\.\./([^)]+)\)", results)
    assert pictures and all((SITE.parent / each).is_file() for each in pictures)


def test_a_plugins_page_says_what_departs_from_the_paper(plugin_page):
    _, name, page = plugin_page
    first = _section(page, "Departures from the paper").strip().partition("\n")[0]
    advice = f'compare {name} with its paper and give it `departures`: a list, or "" for none'
    assert first.startswith("* ") or first == "None known.", advice


def test_none_known_is_said_where_a_comparison_found_nothing():
    import catalogue

    assert catalogue._departures("") == "## Departures from the paper\n\nNone known."
    assert catalogue._departures(None) == ""


@pytest.mark.parametrize("name", sorted(registry.built_in_names("loss")))
def test_the_commands_of_a_page_of_a_loss_are_run(name, gans, workplace, monkeypatch):
    """With --dry-run, which builds both networks, narrow ones, and looks at the data, not at the memory."""
    import catalogue

    from experiments.training.plan import plan

    monkeypatch.setattr(plan, "_or_unknown", lambda work: (None, "not asked for"))
    make_photos(workplace / "photos", 16)
    for command in catalogue.combinations(name):
        words = command.removeprefix("gans ").replace("folder:PATH", "folder:photos").split()
        outcome = gans("", *shorten(tuple(words)), "--dry-run")
        assert outcome.status == 0, f"{command}\n{outcome.err}"


def _row_of(page, flag):
    return next(line for line in page.splitlines() if line.startswith(f"| `{flag}"))


def test_a_page_says_which_default_settings_count():
    import catalogue

    presets = "Without `--preset`, a run on a CPU takes `laptop`, any other run `paper`."
    assert presets in _section(catalogue.loss_page("wgan-gp"), "Default settings")
    assert presets not in catalogue.loss_page("bce")
    assert "the lower row counts" in catalogue.loss_page("r3gan")


def test_default_settings_of_presets_come_last():
    from objective import ordered

    from losses.recipe import defaults

    rows = (defaults(a=1), defaults(preset="laptop", a=2), defaults(b=3), defaults(up_to=32, b=4))
    assert ordered(rows) == [
        ("every run", {"a": 1, "b": 3}),
        ("up to 32 pixels", {"b": 4}),
        ("`--preset laptop`", {"a": 2}),
    ]


def test_values_are_those_of_the_code():
    import catalogue

    page = catalogue.loss_page("wgan-gp")
    assert "| every run | `penalty=interpolates`, `penalty_weight=10`, `n_critic=5`" in page
    assert "| `--preset laptop` | `lr_generator=0.001`, `lr_critic=0.001` |" in page
    assert "x̂ = ε x + (1 − ε) x̃" in page and "(‖∇C‖ − 1)²" in page


def test_a_plugins_rows_are_its_own():
    """`r1` is no `r1-like`, and `--arch stylegan` no `stylegan2`."""
    import catalogue

    firsts = [row.first for row in catalogue.result_rows("stylegan", "--arch stylegan")]
    assert firsts and not any("stylegan2" in first for first in firsts)
    firsts = [row.first for row in catalogue.result_rows("wgan", "--loss wgan")]
    assert firsts and not any("wgan-gp" in first for first in firsts)


def test_every_command_and_every_flag_of_it_is_in_its_page():
    from reference import command_page

    import cli

    for name, command in cli.gans.commands.items():
        page = command_page(name)
        shown = [
            p for p in command.params if not getattr(p, "hidden", False) and p.param_type_name == "option"
        ]
        if name == "run":
            assert all(max(each.opts, key=len) in page for each in shown)
        for example in re.findall(r"^ *(gans .*)$", command.help, re.MULTILINE):
            assert re.search(rf"^{re.escape(example)}$", page, re.MULTILINE)


def test_commands_that_take_the_settings_of_a_run_say_so():
    from reference import command_page

    import cli

    said = {name for name in cli.gans.commands if "\n\n## Settings of a run\n\n" in command_page(name)}
    assert said == {"sweep", "find-lr", "plan"}
    assert command_page("sweep").endswith("; [gans run](run.md) lists them.")


def test_docstrings_become_lists_and_code():
    from markdown_pages import from_docstring

    text = "Sums.\n\n>>> f(1)\n2\n\nArgs:\n    x: one\n        more.\n    y: two."
    assert from_docstring(text) == (
        "Sums.\n\n```pycon\n>>> f(1)\n2\n```\n\n**Args:**\n\n* `x`: one more.\n* `y`: two."
    )
    assert from_docstring("hf:NAME[/CONFIG][@SPLIT]: images") == "hf:NAME[/CONFIG]\\[@SPLIT]: images"


def test_tables_are_read_with_what_stands_above_them():
    from markdown_pages import Row, rows_of

    page = "# A\n\nold\n\nnew\nline\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n## B\n\n| c |\n|---|\n| 3 |\n"
    assert rows_of(page) == [
        Row("A", "new line", "| a | b |", "| 1 | 2 |"),
        Row("B", "", "| c |", "| 3 |"),
    ]


@pytest.mark.parametrize(
    ("page", "link", "moved"),
    [
        ("training.md", "[table](../benchmarks/RESULTS.md#bf16)", "[table](printed-results.md#bf16)"),
        ("training.md", "[data](data.md#sets)", "[data](data.md#sets)"),
        ("paths/photos.md", "[few](../small-data.md)", "[few](../small-data.md)"),
        ("contributing.md", "![a](docs/shapes.png)", "![a](shapes.png)"),
        ("contributing.md", "[rules](tests/house/test_rules.py)", "rules (`tests/house/test_rules.py`)"),
        ("index.md", "[notebook](../examples/notebook.ipynb)", "[notebook](notebook.md)"),
        ("notebook.md", "[docs/data.md](../docs/data.md)", "[data](data.md)"),
        ("training.md", "[paper](https://arxiv.org/abs/1)", "[paper](https://arxiv.org/abs/1)"),
    ],
)
def test_links_follow_their_targets(page, link, moved):
    from links import LINK, move_link

    assert LINK.sub(lambda found: move_link(found, page), link) == moved


def test_every_page_has_its_place():
    from build import PAGES, REFERENCE

    pages = {path.relative_to(SITE.parent).as_posix() for path in SITE.parent.rglob("*.md")}
    placed = {name for names in PAGES.values() for name in names} | set(REFERENCE)
    assert pages <= placed


@pytest.mark.parametrize(
    ("page", "text", "linked"),
    [
        (
            "audit.md",
            "it needs (docs/evaluation.md), as said",
            "it needs ([evaluation](evaluation.md)), as said",
        ),
        ("commands/plan.md", "as in docs/small-data.md.", "as in [small data](../small-data.md)."),
        (
            "changes.md",
            "its floor (benchmarks/RESULTS.md)",
            "its floor ([printed results](printed-results.md))",
        ),
        ("audit.md", "`docs/data.md` ``docs/data.md``", "`docs/data.md` ``docs/data.md``"),
        ("audit.md", "```sh\ncat docs/data.md\n```", "```sh\ncat docs/data.md\n```"),
        ("audit.md", "[docs/data.md](data.md)", "[docs/data.md](data.md)"),
        ("audit.md", "docs/no-page.md", "docs/no-page.md"),
    ],
)
def test_file_names_of_documents_become_links(page, text, linked):
    from links import link_documents

    assert link_documents(text, page) == linked


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Folder with the Markdown that the site is built from."""
    sys.path.insert(0, str(SITE))
    try:
        from build import copy_pages, write_pages
    finally:
        sys.path.remove(str(SITE))

    docs = tmp_path_factory.mktemp("site") / "docs"
    copy_pages(docs)
    write_pages(docs)
    return docs


def test_no_page_shows_the_file_name_of_a_document(sources):
    pages = {page: page.read_text(encoding="utf-8") for page in sources.rglob("*.md")}
    bare = {}
    for page, text in pages.items():
        words = re.sub(r"^```.*?^```|`[^`]+`", "", text, flags=re.DOTALL | re.MULTILINE)
        words = re.sub(r"\]\([^)]*\)", "]", words)  # targets of links are not shown
        bare[page.name] = re.findall(r"docs/[\w/-]+\.md|CONTRIBUTING\.md|RESULTS\.md|CHANGELOG\.md", words)
    assert {name: found for name, found in bare.items() if found} == {}


def test_every_page_has_one_title(sources):
    for page in sources.rglob("*.md"):
        text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
        titles = re.findall(r"^# .+", text, re.MULTILINE)
        assert len(titles) == 1, f"{page.name}: {titles}"


def test_the_notebook_is_a_page_with_its_code_and_what_it_printed(sources):
    page = (sources / "notebook.md").read_text(encoding="utf-8")
    assert page.startswith("# Two losses, from Python\n")
    assert "```python\nimport gans\n" in page and "```text\n" in page
    assert page.count("![what this code draws](data:image/png;base64,") == 3 and "<Figure" not in page
    assert "[docs/](index.md)" in page
    for linking in ("index.md", "python.md"):
        assert "](notebook.md)" in (sources / linking).read_text(encoding="utf-8")


def test_the_style_sheet_of_the_site_is_copied(sources):
    settings = (SITE / "mkdocs.yml").read_text(encoding="utf-8")
    (style,) = re.findall(r"^extra_css: \[(.+)\]", settings, re.MULTILINE)
    assert (sources / style).is_file()
