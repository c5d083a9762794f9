"""`gans run --schedule`: refused, shown, recorded, repeated, and resumed to the same bits."""

import json
from pathlib import Path

import pytest

from tests.commands.helpers import Gans, Refused
from tests.experiments.training.test_resume import assert_equal_runs, stop_after

LINE = "run --arch mlp --data shapes --loss bce --image-size 8 --width 4 --z-dim 3 --batch-size 4 --steps 12"
MOVES = "--penalty real --augment flip,crop --label-smoothing 0.9 --drift 0.1 --schedule "
MOVES += "lr_generator=cosine:1e-3:0,beta2=linear:0.9:0.99,penalty_weight=linear:5:1"
MOVES += ",ema_kimg=linear:0.01:0.1,crop=cosine:0:0.5"
MOVES += ",drift=linear:0.1:0.01,label-smoothing=linear:1:0.8"


def test_a_stopped_run_moves_on_to_the_same_bits(gans: Gans) -> None:
    assert gans(f"{LINE} {MOVES} --out whole").status == 0
    stop_after(5, [*LINE.split(), *MOVES.split(), "--out", "cut"])
    assert gans("run --resume cut").status == 0
    assert_equal_runs(Path("whole"), Path("cut"))
    still = MOVES.partition(" --schedule")[0]
    assert gans(f"{LINE} {still} --out still").status == 0
    exports = [Path(run, "generator.safetensors").read_bytes() for run in ("whole", "still")]
    assert exports[0] != exports[1]


def test_courses_are_recorded_and_repeated(gans: Gans, refused: Refused) -> None:
    assert gans(f"{LINE} {MOVES} --out run").status == 0
    entry = json.loads(Path("run/config.json").read_text())["settings"]["schedule"]
    assert entry["from"] == "flag" and ["beta2", "linear", 0.9, 0.99] in entry["value"]
    assert gans("run --config run/config.json --out again").status == 0
    assert_equal_runs(Path("run"), Path("again"))
    refused(2, ("schedule",), "run --resume run --schedule lr_generator=linear:1e-3:0")


def test_a_dry_run_shows_them_as_their_flag_takes_them(gans: Gans) -> None:
    words = "--penalty real --schedule penalty_weight=cosine:10:1,lr_critic=linear:1e-3:0"
    outcome = gans(f"{LINE} {words} --dry-run")
    assert outcome.status == 0, outcome.err
    (row,) = [line.split() for line in outcome.out.splitlines() if line.startswith("schedule ")]
    assert row == ["schedule", "lr_critic=linear:0.001:0,penalty_weight=cosine:10:1", "flag"]


@pytest.mark.parametrize(
    ("flags", "mentions"),
    [
        ("--schedule beta1=linear:0:0.5", ("beta1", "beta2", "penalty_weight")),
        ("--schedule width=linear:4:8", ("--schedule width", "lr_generator")),
        ("--schedule flip=linear:0:1", ("--schedule flip", "nothing of that name")),
        ("--schedule drift=linear:0:1", ("--schedule drift", "nothing of that name")),
        ("--augment flip --schedule crop=linear:0:1", ("--schedule crop", "flip")),
        ("--augment flip --schedule flip=linear:0:5", ("--schedule flip", "5")),
        ("--augment flip --schedule flip=linear:-1:1", ("--schedule flip", "-1")),
        ("--schedule lr_generator=linaer:1e-3:0", ("linaer", "did you mean linear")),
        ("--schedule lr_generator=linear:1e-3", ("--schedule", "KEY=SCHEDULE:BEGIN:END")),
        ("--schedule lr_generator=linear:1e-3:0:0", ("--schedule", "KEY=SCHEDULE:BEGIN:END")),
        ("--schedule lr_generator=linear:a:0", ("--schedule", "KEY=SCHEDULE:BEGIN:END")),
        ("--schedule lr_generator=linear:nan:0", ("--schedule", "KEY=SCHEDULE:BEGIN:END")),
        ("--schedule lr_generator", ("--schedule", "KEY=SCHEDULE:BEGIN:END")),
        ("--schedule beta2=linear:0:0.1,beta2=cosine:0:0.1", ("--schedule", "beta2", "twice")),
        ("--schedule lr_generator=linear:-1:0", ("--schedule lr_generator", "-1")),
        ("--schedule lr_critic=linear:0:0", ("--schedule lr_critic", "0")),
        ("--schedule lr_critic=linear:0:99", ("--schedule lr_critic", "99")),
        ("--schedule beta2=linear:0.9:1", ("--schedule beta2", "1")),
        ("--optimizer sgd --schedule beta2=linear:0.9:0.99", ("beta2", "no meaning", "sgd")),
        ("--schedule penalty_weight=linear:1:0", ("penalty_weight", "--penalty")),
        ("--penalty real --schedule penalty_weight=linear:-1:0", ("penalty_weight", "-1")),
        ("--ema-kimg 0 --schedule ema_kimg=linear:1:0", ("ema_kimg", "--ema-kimg")),
        ("--schedule critic_ema_kimg=linear:1:0", ("critic_ema_kimg", "--critic-ema-kimg")),
        ("--label-smoothing 0.9 --schedule label_smoothing=linear:0.9:0.3", ("label-smoothing", "0.3")),
    ],
)
def test_what_cannot_move(flags: str, mentions: tuple[str, ...], refused: Refused) -> None:
    for end in ("--dry-run", "--out run"):
        refused(2, mentions, f"{LINE} {flags} {end}")
    assert not Path("run").exists()


@pytest.mark.parametrize("name", ["drift", "instance-noise", "label-flip"])
def test_a_strength_may_fade_to_nothing(name: str, gans: Gans) -> None:
    outcome = gans(f"{LINE} --{name} 0.1 --schedule {name}=linear:0.1:0 --out run")
    assert outcome.status == 0, outcome.err
    assert Path("run/generator.safetensors").exists()
