"""`--set COMPONENT.OPTION=VALUE`: read, refused, laid over recipes and files, recorded."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.commands.helpers import POINTS, Gans, Refused, everything_below, exported

Plan = Callable[[str], dict[str, Any]]
STYLES = "--arch stylegan2 --image-size 16 --width 2 --z-dim 3 --batch-size 4 --steps 2"


# --- read --------------------------------------------------------------------------------------------


def test_values_of_every_type_are_read_and_shown_with_their_source(plan: Plan) -> None:
    words = "arch.hidden_layers=2 data.sigma=0.02 ema.ramp_up=none optimizer.betas=0.3,0.9"
    table = plan(f"{POINTS} {' '.join(f'--set {word}' for word in words.split())}")
    assert table["arch.hidden_layers"] == ("2", "flag")
    assert table["data.sigma"] == ("0.02", "flag")
    assert table["ema.ramp_up"] == ("–", "flag")
    assert table["optimizer.betas"] == ("0.3,0.9", "flag")
    assert table["optimizer.weight_decay"] == ("0", "default of adam")


@pytest.mark.parametrize(
    "words",
    [
        "--set arch.mapping_layers=3",
        "--set arch.mapping-layers=3",
        "--set=arch.mapping_layers=3",
        "--arch.mapping_layers=3",
        "--arch.mapping-layers=3",
    ],
)
def test_one_option_has_several_spellings(words: str, plan: Plan) -> None:
    assert plan(f"{STYLES} {words}")["arch.mapping_layers"] == ("3", "flag")


def test_a_slot_of_two_words_has_two_spellings(plan: Plan) -> None:
    for slot in ("minibatch_statistic", "minibatch-statistic"):
        for words in (f"--set {slot}.group_size=2", f"--{slot}.group-size=2"):
            assert plan(f"{STYLES} {words}")["minibatch_statistic.group_size"] == ("2", "flag")


def test_a_component_that_is_asked_for_brings_its_options(plan: Plan) -> None:
    assert "dragan.spread" not in plan(POINTS)
    table = plan(f"{POINTS} --penalty dragan --set dragan.spread=0.7")
    assert table["dragan.spread"] == ("0.7", "flag")
    asked = plan(f"{STYLES} --minibatch-statistic discrimination")
    assert asked["minibatch_statistic.spaces"][1] == "default of discrimination"
    assert "minibatch_statistic.group_size" not in asked


def test_short_flags_are_names_of_options(plan: Plan) -> None:
    for words, key, shown in (
        ("--betas 0.1,0.2", "optimizer.betas", "0.1,0.2"),
        ("--weight-decay 0.01", "optimizer.weight_decay", "0.01"),
        ("--arch stylegan --style-mixing 0.25", "arch.style_mixing", "0.25"),
        ("--arch progan --fade-kimg 3", "arch.fade_kimg", "3"),
        ("--arch progan --stable-kimg 3", "arch.stable_kimg", "3"),
        ("--arch progan --stage-batch-sizes 4:64,8:32", "arch.stage_batch_sizes", "4:64,8:32"),
        ("--arch cyclegan --term-weights identity=0", "arch.identity_weight", "0"),
    ):
        assert plan(words)[key] == (shown, "flag"), words
        value = shown if ":" not in shown else "4:64,8:32"
        arch = words.partition(" --")[0] if words.startswith("--arch") else ""
        assert plan(f"{arch} --set {key}={value}")[key] == (shown, "flag"), key


# --- refused -----------------------------------------------------------------------------------------

REFUSED = [
    # Flags, and what the line must mention.
    ("--set arhc.hidden_layers=2", "arhc", "did you mean arch"),
    ("--set frobnicate.size=2", "--set frobnicate.size", "no component frobnicate"),
    ("--arhc.hidden_layers=2", "arhc", "did you mean arch"),
    ("--set arch.hiden_layers=2", "architecture mlp", "hiden_layers", "did you mean arch.hidden_layers"),
    ("--set arch.frobnicate=2", "architecture mlp", "it has arch.hidden_layers"),
    ("--set arch.mapping_layers=2", "architecture mlp", "mapping_layers"),
    ("--set optimizer.beta=0,0.9", "optimizer adam", "did you mean optimizer.betas"),
    ("--set lr_schedule.power=2", "schedule constant", "no options"),
    ("--optimizer sgd --set optimizer.betas=0,0.9", "optimizer sgd", "betas", "optimizer.weight_decay"),
    ("--set dragan.spread=0.7", "--set dragan.spread", "no meaning without penalty dragan"),
    ("--set kid.subset_size=50", "--set kid.subset_size", "--evaluate-kimg"),
    (
        "--set wandb.init_seconds=5 --track local",
        "--set wandb.init_seconds",
        "no meaning without tracker wandb",
    ),
    ("--set penalty_norm.width=2", "--set penalty_norm.width", "--penalty"),
    ("--set arch.hidden_layers=0", "--set arch.hidden_layers", "'0'", "1 or more"),
    ("--set arch.hidden_layers=2.5", "--set arch.hidden_layers", "'2.5'", "whole number"),
    ("--set arch.hidden_layers=many", "--set arch.hidden_layers", "'many'"),
    ("--set data.sigma=0", "sigma", "'0'", "above 0"),
    ("--set data.sigma=nan", "sigma", "nan"),
    ("--apa nan", "--apa nan: the strength must be a finite number"),
    ("--lecam inf", "--lecam inf: the strength must be a finite number; 0 takes it away"),
    ("--set ema.ramp_up=0", "--set ema.ramp_up", "above 0"),
    ("--set optimizer.betas=0.5", "--set optimizer.betas", "0.5", "2"),
    ("--set optimizer.betas=0.5,1", "--set optimizer.betas", "below 1"),
    ("--set optimizer.weight_decay=-1", "--set optimizer.weight_decay", "at least 0"),
    ("--set arch.hidden_layers=", "--set arch.hidden_layers=", "KEY=VALUE"),
    ("--set arch.hidden_layers", "--set arch.hidden_layers", "KEY=VALUE"),
    ("--set width=3", "--set width=3", "--width"),
    ("--set frobnicate=3", "--set frobnicate=3", "COMPONENT.OPTION"),
    ("--set arch.hidden_layers=2 --set arch.hidden-layers=3", "arch.hidden-layers", "already"),
    ("--set arch.hidden_layers=2 --arch.hidden_layers=3", "arch.hidden_layers", "already"),
    ("--betas 0,0.9 --set optimizer.betas=0,0.9", "--betas", "--set optimizer.betas", "one option"),
    ("--weight-decay 0 --set optimizer.weight-decay=0", "--weight-decay", "optimizer.weight_decay"),
    ("--style-mixing 0.5", "--style-mixing has no meaning", "mlp"),
    ("--fade-kimg 1", "--fade-kimg has no meaning", "mlp"),
]


@pytest.mark.parametrize(("flags", "mentions"), [(line, rest) for line, *rest in REFUSED], ids=str)
def test_what_cannot_be_set(flags: str, mentions: list[str], refused: Refused, workplace: Path) -> None:
    refused(2, tuple(mentions), f"run {POINTS} {flags} --out run")
    refused(2, tuple(mentions), f"run {POINTS} {flags} --dry-run")
    assert not list(workplace.iterdir())


def test_a_term_has_one_weight(refused: Refused) -> None:
    line = "run --arch cyclegan --term-weights cycle=5 --set arch.cycle_weight=4 --dry-run"
    refused(2, ("--term-weights", "arch.cycle_weight"), line)


# --- precedence --------------------------------------------------------------------------------------


def test_recipe_then_file_then_flag(plan: Plan) -> None:
    """Each is visible where no later one speaks."""
    line = "--arch dcgan --preset paper --config mine.json"
    Path("mine.json").write_text("{}")
    assert plan(f"{line} --loss wgan-gp")["optimizer.betas"] == ("0,0.9", "loss wgan-gp")
    assert plan(f"{line} --loss bce")["optimizer.betas"][1] in ("loss bce", "architecture dcgan")
    for content in (
        {"optimizer": {"betas": [0.3, 0.9]}},
        {"optimizer.betas": "0.3,0.9"},
        {"betas": [0.3, 0.9]},
    ):
        Path("mine.json").write_text(json.dumps(content))
        assert plan(f"{line} --loss wgan-gp")["optimizer.betas"] == ("0.3,0.9", "config mine.json")
        for flag in ("--set optimizer.betas=0.4,0.9", "--optimizer.betas=0.4,0.9", "--betas 0.4,0.9"):
            assert plan(f"{line} --loss wgan-gp {flag}")["optimizer.betas"] == ("0.4,0.9", "flag")


def test_an_option_of_a_recipe_is_below_a_file(plan: Plan) -> None:
    """Progan's pace is its paper's, unless somebody sets one."""
    line = "--arch progan --preset paper"
    assert plan(line)["arch.fade_kimg"] == ("600", "architecture progan")
    Path("mine.json").write_text('{"arch": {"fade_kimg": 7}}')
    table = plan(f"{line} --config mine.json")
    assert table["arch.fade_kimg"] == ("7", "config mine.json")
    assert table["arch.stable_kimg"] == ("600", "architecture progan")


def test_options_of_another_component_fall_away(plan: Plan) -> None:
    """Of a recipe and of a config, where a flag changes the component."""
    table = plan("--arch dcgan --loss wgan-gp --optimizer rmsprop")
    assert "optimizer.betas" not in table and table["optimizer.weight_decay"][1] == "default of rmsprop"
    Path("mine.json").write_text('{"optimizer": {"name": "adam", "betas": [0.3, 0.9]}}')
    assert "optimizer.betas" not in plan("--arch dcgan --config mine.json --optimizer sgd")


# --- recorded ----------------------------------------------------------------------------------------


def test_options_are_recorded_and_repeat_the_run(gans: Gans) -> None:
    line = f"run {POINTS} --set arch.hidden_layers=1 --set optimizer.betas=0.1,0.9 --out"
    assert gans(f"{line} one").status == 0
    entries = json.loads(Path("one/config.json").read_text())["settings"]
    assert entries["arch.hidden_layers"] == {"value": 1, "from": "flag"}
    assert entries["optimizer.betas"] == {"value": [0.1, 0.9], "from": "flag"}
    assert entries["ema.ramp_up"] == {"value": 0.05, "from": "default of ema"}
    assert gans("run --config one/config.json --out two").status == 0
    assert exported(Path("one")) == exported(Path("two"))
    usual = gans(f"run {POINTS} --out usual")
    assert usual.status == 0 and exported(Path("usual")) != exported(Path("one"))


TRACKER = '''"""Writes nothing."""
from dataclasses import dataclass, field
from typing import ClassVar
from experiments.trackers.core.tracker import Tracker as _Tracker

@dataclass(frozen=True)
class _Options:
    pause: int = field(default=1, metadata={"help": "Nothing.", "at_least": 0})

class Notes(_Tracker):
    options_type: ClassVar[type] = _Options

    def __init__(self, run, options):
        (run.folder / "notes.txt").write_text(str(options.pause))

    def scores(self, scores): ...

    def images(self, name, file, kimg): ...

    def close(self, exit_status=0): ...
'''


def test_a_resumed_run_has_the_options_that_have_an_effect(gans: Gans, refused: Refused) -> None:
    """An architecture's have one on the numbers, a tracker's not."""
    Path("notes.py").write_text(TRACKER)
    line = f"run {POINTS} --plugin notes.py --track notes --out run"
    assert gans(line).status == 0
    assert Path("run/notes.txt").read_text() == "1"
    before = everything_below(Path("run"))
    for again in (line, "run --resume run"):
        told = refused(2, ("arch.hidden_layers: 3 → 2", "--out"), f"{again} --set arch.hidden_layers=2")
        assert "notes" not in told
        refused(2, ("data.sigma: 0.01 → 0.02",), f"{again} --set data.sigma=0.02")
        refused(2, ("ema.ramp_up: 0.05 → None",), f"{again} --set ema.ramp_up=none")
        refused(2, ("optimizer.betas",), f"{again} --betas 0.1,0.9")
    assert everything_below(Path("run")) == before
    Path("run/generator.safetensors").unlink()
    outcome = gans("run --resume run --set notes.pause=3")
    assert outcome.status == 0, outcome.err
    assert Path("run/notes.txt").read_text() == "3"
    assert (Path("run") / "generator.safetensors").read_bytes() == before["generator.safetensors"]
