"""The file name is the registry, and a plug-in is one file."""

import subprocess
import sys
from pathlib import Path

import pytest

from experiments.core import registry
from experiments.core.errors import UsageError
from losses.recipes import RECIPES

ALL = [(kind, name) for kind in registry.KINDS for name in registry.names(kind)]
FORM = """\"\"\"A form from elsewhere.\"\"\"
from losses.adversarial.wgan import Wasserstein as _Wasserstein
class Elsewhere(_Wasserstein):
    pass
"""


@pytest.mark.parametrize(("kind", "name"), ALL, ids=str)
def test_every_file_holds_one_plugin_and_one_line_on_it(kind: str, name: str) -> None:
    assert registry.load(kind, name) is not None
    line = registry.summary(kind, name)
    assert 20 < len(line) <= 110
    assert line.endswith(".")


@pytest.mark.parametrize("loss", registry.loss_names())
def test_a_recipe_names_a_form_that_exists(loss: str) -> None:
    recipe = registry.load_recipe(loss)
    assert recipe.form in registry.names("form")
    assert recipe.paper
    if loss not in RECIPES:
        assert recipe.form == loss, "a form's own recipe is of that form"


def test_names_are_listed_without_importing_torch() -> None:
    code = (
        "import sys; from experiments.core import registry as c; "
        "[c.summary_of(k, n) for k in (*c.KINDS, 'loss') for n in c.plugin_names(k)]; "
        "assert 'torch' not in sys.modules and 'gans.dcgan' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("kind", "name", "close"),
    [("architecture", "dcgna", "dcgan"), ("form", "bec", "bce"), ("data", "shpaes", "shapes")],
)
def test_close_matches_are_offered(kind: str, name: str, close: str) -> None:
    with pytest.raises(UsageError, match=f"unknown {kind} '{name}'; did you mean {close}"):
        registry.load(kind, name)


def test_a_plugin_file_joins_the_registry(tmp_path: Path) -> None:
    file = tmp_path / "from_elsewhere.py"
    file.write_text(FORM)
    assert registry.add_plugin(str(file)) == ("form", "from-elsewhere")
    assert "from-elsewhere" in registry.loss_names()
    assert registry.summary_of("loss", "from-elsewhere") == "A form from elsewhere."
    assert registry.load("form", "from-elsewhere").__name__ == "Elsewhere"


def test_a_plugin_may_hold_dataclasses(tmp_path: Path) -> None:
    """With annotations as text, which dataclasses look up in the module's own entry."""
    file = tmp_path / "with_a_dataclass.py"
    parts = "from dataclasses import dataclass\n@dataclass\nclass _Helper:\n    size: int\n"
    text, rest = FORM.split("\n", 1)
    file.write_text(f"{text}\nfrom __future__ import annotations\n{parts}{rest}")
    assert registry.add_plugin(str(file)) == ("form", "with-a-dataclass")


def test_a_recipe_is_a_plugin_too(tmp_path: Path) -> None:
    file = tmp_path / "my_recipe.py"
    file.write_text(
        "from losses.recipe import Recipe, defaults\n"
        "recipe = Recipe(paper='me', form='bce', settings=(defaults(n_critic=3),), summary='Mine.')\n"
    )
    assert registry.add_plugin(str(file)) == ("recipe", "my-recipe")
    assert registry.load_recipe("my-recipe").form == "bce"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("broken.py", "def (", "SyntaxError"),
        ("nothing.py", "x = 1", "holds 0"),
        ("two.py", FORM + "class Second(_Wasserstein):\n    pass\n", "holds 2"),
        ("raises.py", "raise OSError('no')", "OSError: no"),
        ("bce.py", FORM, "already a form named bce"),
        ("text.txt", "hello", r"must end in \.py"),
    ],
)
def test_unusable_plugins_are_named(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(UsageError, match=f"{name}: .*{message}"):
        registry.add_plugin(str(tmp_path / name))


def test_installed_packages_bring_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through real metadata of an installed distribution."""
    (tmp_path / "their_package.py").write_text(FORM)
    metadata = tmp_path / "theirs-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[gans]\nform.theirs = their_package:Elsewhere\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    registry._installed_entry_points.cache_clear()
    assert "theirs" in registry.loss_names()
    assert registry.load("form", "theirs").__name__ == "Elsewhere"
    assert "their_package" in registry.summary("form", "theirs")
    registry._installed_entry_points.cache_clear()
