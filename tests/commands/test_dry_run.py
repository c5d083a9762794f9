"""`gans run --dry-run` prints every setting and option with its source, and the later layer wins."""

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from experiments.core import registry
from experiments.core.settings import FIELDS
from tests.commands.helpers import OPTIONS_OF_ALL, POINTS, Gans, is_setting, settings_of


def test_dry_run_prints_every_setting_with_its_source(plan: Gans) -> None:
    table = plan("--arch dcgan --loss wgan-gp --width 5")
    assert list(table) == [*FIELDS, *OPTIONS_OF_ALL]
    assert all(len(row) == 2 and all(row) for row in table.values()), table
    assert table["width"] == ("5", "flag")
    assert table["seed"] == ("0", "default")
    assert table["optimizer.betas"] == ("0,0.9", "loss wgan-gp")
    assert table["optimizer.weight_decay"] == ("0", "default of adam")


def test_dry_run_counts(gans: Gans) -> None:
    shown = gans("run --arch mlp --data ring8 --z-dim 2 --width 3 --batch-size 10 --kimg 1 --dry-run").out
    # Two inputs, three layers of three, two outputs; and the critic two inputs, three layers, one logit.
    generator, critic = (2 * 3 + 3) + 2 * (3 * 3 + 3) + (3 * 2 + 2), (2 * 3 + 3) + 2 * (3 * 3 + 3) + (3 + 1)
    assert re.search(rf"^generator +{generator} parameters$", shown, re.MULTILINE)
    assert re.search(rf"^critic +{critic} parameters$", shown, re.MULTILINE)
    assert re.search(r"^length +100 steps = 1\.0 kimg$", shown, re.MULTILINE)
    assert re.search(r"^memory ", shown, re.MULTILINE)


def test_dry_run_through_a_pipe_keeps_a_setting_on_a_line(gans: Gans, workplace: Path) -> None:
    """There is no terminal whose width it could fit, and whoever reads it looks for whole words."""
    folder = workplace / ("a-long-name-" * 8) / "pictures"
    folder.mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(folder / "one.png")
    shown = gans("run --arch dcgan --image-size 8 --batch-size 1 --dry-run --data", f"folder:{folder}").out
    assert f"folder:{folder}" in shown
    found = [line.split()[0] for line in shown.splitlines() if line.strip()]
    options = ["data.depth", "data.range", *OPTIONS_OF_ALL]
    assert [name for name in found if is_setting(name)] == [*FIELDS, *options]
    assert len(found) == len(FIELDS) + len(options) + 6, "a heading, the settings, four sizes, and the images"
    assert re.search(r"data\.range +0,65535 +default of folder, of images of 16 bits, if any$", shown, re.M)
    asked = gans(
        "run --arch dcgan --image-size 8 --batch-size 1 --dry-run --set data.range=0,255 --data",
        f"folder:{folder}",
    )
    assert re.search(r"data\.range +0\.?0?,255\.?0? +flag$", asked.out, re.M), "no word"


@pytest.mark.parametrize("columns", ["40", "80"])
def test_dry_run_never_breaks_a_name(columns: str, gans: Gans, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    shown = gans("run --arch dcgan --dry-run").out
    words = [line.split(" ")[0] for line in shown.splitlines()]
    assert [word for word in words if is_setting(word)] == [*FIELDS, *OPTIONS_OF_ALL]


@pytest.mark.parametrize("arch", registry.names("architecture"))
def test_every_architecture_needs_no_more_than_its_name(arch: str, plan: Gans) -> None:
    for preset in ("paper", "laptop"):
        table = plan(f"--arch {arch} --preset {preset}")
        assert table["loss"][0] in registry.loss_names()
        assert table["preset"] == (preset, "flag")


@pytest.mark.long
def test_later_layers_win(plan: Gans, workplace: Path) -> None:
    """loss < architecture < its entry for the loss or the data < preset < config file < flag."""
    file = workplace / "mine.json"
    file.write_text(json.dumps({"z_dim": 17, "width": 18}))
    images = "--arch dcgan --loss wgan-gp --preset"
    assert plan(f"{images} paper")["n_critic"] == ("5", "loss wgan-gp")
    assert plan(f"{images} paper")["z_dim"] == ("100", "architecture dcgan")
    assert plan(f"{images} laptop")["z_dim"] == ("64", "preset laptop of architecture dcgan")
    assert plan(f"{images} laptop --config mine.json")["z_dim"] == ("17", "config mine.json")
    assert plan(f"{images} laptop --config mine.json --z-dim 19")["z_dim"] == ("19", "flag")
    assert plan(f"{images} laptop --config mine.json --z-dim 19")["width"] == ("18", "config mine.json")
    assert plan("--arch dcgan --loss wgan-gp --preset paper")["lr_critic"] == ("0.0001", "loss wgan-gp")
    points = "--arch mlp --loss wgan-gp --data ring8 --preset paper"
    assert plan(points)["lr_critic"] == ("0.001", "architecture mlp")


def test_a_flag_wins_over_the_length_of_a_recipe(plan: Gans) -> None:
    assert plan("--arch dcgan --steps 7")["kimg"][0] == "–"
    assert plan("--arch dcgan --kimg 7")["steps"][0] == "–"
    Path("long.json").write_text('{"kimg": 3}')
    table = plan("--arch dcgan --config long.json --steps 7")
    assert (table["steps"], table["kimg"][0]) == (("7", "flag"), "–")


def test_auto_is_laptop_on_a_cpu(plan: Gans, gans: Gans) -> None:
    table = plan("--arch dcgan --device cpu")
    assert (table["preset"], table["device"]) == (("laptop", "automatic"), ("cpu", "flag"))
    first = gans(f"run {POINTS} --device cpu --out run").err.splitlines()[0]
    assert "--preset laptop" in first
    assert "on cpu" in first
    assert settings_of(Path("run"))["preset"] == "laptop"
