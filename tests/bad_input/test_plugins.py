"""Plug-ins that cannot be loaded, whose recipes are faulty, or that fail at work."""

from pathlib import Path

import pytest

from tests.commands.helpers import MOODY, POINTS, Gans, Mood, Refused, exported
from tests.conftest import ROOT

FORM = """\"\"\"A form from elsewhere.\"\"\"
from losses.adversarial.bce import BinaryCrossEntropy as _Usual
from losses.recipe import Recipe, defaults
class Elsewhere(_Usual):
    recipe = Recipe(paper="none", form="{name}", settings=({settings}))
"""


GOOD = FORM.format(name="mine", settings="")
PLUGINS = [
    ("missing.py", None, "no such file"),
    ("folder.py", "", "no regular file"),
    ("text.txt", "hello", ".py"),
    ("empty.py", "", "0"),
    ("broken.py", "def (", "SyntaxError"),
    ("bytes.py", "x = '\xff'", "SyntaxError"),
    ("imports.py", "import nothing_of_this_name", "nothing_of_this_name"),
    ("raises.py", "raise ValueError('one\\ntwo\\nthree')", "one", "two"),
    ("leaves.py", "import sys; sys.exit(3)", "leaves.py"),
    (
        "abstract.py",
        "from losses.adversarial import Adversarial as _A\nclass Mine(_A): pass",
        "class Mine lacks critic, generator",
    ),
    ("two.py", GOOD + "class Second(Elsewhere): pass\n", "2"),
    ("bce.py", GOOD, "already", "bce"),
    ("wgan-gp.py", GOOD, "already", "wgan-gp"),
    ("wgan_gp.py", GOOD, "already", "wgan-gp"),
]


@pytest.mark.parametrize("command", [f"run {POINTS} --out run", "list losses"])
@pytest.mark.parametrize(
    ("name", "content", "mentions"), [(n, c, m) for n, c, *m in PLUGINS], ids=lambda x: str(x)[:12]
)
def test_plugins(
    command: str, name: str, content: str | None, mentions: list[str], refused: Refused, workplace: Path
) -> None:
    if name == "folder.py":
        (workplace / name).mkdir()
    elif content is not None:
        (workplace / name).write_bytes(content.encode("latin-1"))
    refused(2, (name, *mentions), f"{command} --plugin {name}")
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("content", "mention"),
    [
        (FORM.format(name="mine", settings="defaults(widht=3),"), "widht"),
        (FORM.format(name="mine", settings="defaults(width='many'),"), "many"),
        (
            "from losses.recipe import Recipe\nrecipe = Recipe(paper='', form='nothing', settings=())",
            "nothing",
        ),
        (
            "from losses.adversarial import Adversarial as _A\n"
            "class Mine(_A):\n"
            "    def critic(self, real_logits, fake_logits): ...\n"
            "    def generator(self, fake_logits, real_logits): ...\n",
            "recipe",
        ),
    ],
    ids=["unknown setting", "impossible setting", "unknown form", "no recipe"],
)
def test_plugins_with_a_faulty_recipe(content: str, mention: str, gans: Gans, clear_line: Refused) -> None:
    Path("mine.py").write_text(content)
    outcome = gans(f"run {POINTS} --plugin mine.py --loss mine --out run")
    assert outcome.status in (1, 2)
    clear_line(outcome.err, mention)
    assert not Path("run").exists()


WITH_OPTIONS = """from dataclasses import dataclass
from losses.adversarial.hinge import Hinge as _Hinge
from losses.core.options import option as _option
from losses.recipe import Recipe as _Recipe

@dataclass(frozen=True)
class MarginOptions:
    \"\"\"Options.\"\"\"
    margin: float = _option(1.0, "Margin.", above=0.0)

class Mine(_Hinge):
    recipe = _Recipe(paper="none", form="mine", settings=())
    options_type = MarginOptions
"""


def test_a_plugin_that_does_not_take_its_options(refused: Refused, gans: Gans) -> None:
    Path("mine.py").write_text(WITH_OPTIONS)
    command = f"run {POINTS} --steps 2 --plugin mine.py --loss mine --set loss.margin=2 --out run"
    refused(2, ("form mine: Mine does not take", "give it def __init__(self, options)"), command)
    assert not Path("run").exists()
    init = "    def __init__(self, options):\n        self.options = options\n"
    Path("mine.py").write_text(WITH_OPTIONS + init)
    assert gans(command).status == 0


def test_a_form_that_declares_no_threshold(refused: Refused, gans: Gans) -> None:
    """It is told what to write, and is taken with that; not that its logits say nothing."""
    declared = (ROOT / "examples" / "pearson.py").read_text()
    words = "--arch dcgan --image-size 8 --steps 2 --critic-augment ada --dry-run"
    for name, lost in (("open.py", "    threshold = 0.0\n"), ("stated.py", "")):
        Path(name).write_text(declared.replace(lost, "").replace('"pearson"', f'"{name[:-3]}"'))
        command = f"run {words} --plugin {name} --loss {name[:-3]}"
        if lost:
            refused(
                2, ("and class Pearson does not declare its threshold", "write `threshold = 0.0`"), command
            )
        else:
            assert gans(command).status == 0


def test_a_plugin_that_fails_at_work(refused: Refused, gans: Gans, moody: Mood) -> None:
    """One line, and the checkpoint of before is there to go on from."""
    command = f"run {POINTS} --steps 6 --sample-kimg 9 --checkpoint-kimg 0.016 {MOODY} --out"
    moody("calm")
    gans(f"{command} whole")
    moody("fail 4")
    refused(1, ("a fault in two lines",), f"{command} run")
    assert (Path("run") / "checkpoints/step-00000003.pt").exists()
    moody("calm")
    assert gans(f"{command} run").status == 0
    assert exported(Path("run")) == exported(Path("whole"))
