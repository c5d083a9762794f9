"""Commands that the doctor suggests: typed, they train on the data of the run, and score as it was scored."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from experiments.analysis.doctor.history import History
from experiments.analysis.doctor.remedies import OF_THE_LOSS, OF_THE_MACHINE, with_other_loss
from experiments.config.resolve import resolve
from experiments.core.settings import FIELDS
from experiments.core.trusted_plugins import add_named_plugins
from tests.typed_settings import typed_settings

# A value of every setting that another loss must keep, and what it needs beside it.
KEPT: dict[str, dict[str, Any]] = {
    "arch": {"arch": "resnet"},
    "data": {"data": "fashion-mnist"},
    "preset": {"preset": "paper"},
    "precision": {"precision": "bf16"},
    "deterministic": {"deterministic": False},
    "seed": {"seed": 3},
    "init_from": {"init_from": "run"},
    "init_strict": {"init_from": "run", "init_strict": True},
    "freeze_critic": {"init_from": "run", "freeze_critic": 1},
    "freeze_mapping": {"arch": "stylegan2", "init_from": "run", "freeze_mapping": True},
    "steps": {"steps": 30},
    "kimg": {"kimg": 7.0},
    "batch_size": {"batch_size": 12},
    "micro_batch_size": {"arch": "r3gan", "loss": "hinge", "batch_size": 8, "micro_batch_size": 4},
    "activation_checkpointing": {"arch": "r3gan", "activation_checkpointing": True},
    "compile": {"compile": True},
    "image_size": {"image_size": (16, 32)},
    "channels": {"channels": 1},
    "fit": {"fit": "crop"},
    "data_root": {"data_root": "elsewhere"},
    "download": {"download": True},
    "skip_bad": {"skip_bad": True},
    "stream": {"stream": True},
    "holdout": {"holdout": 0.3},
    "holdout_seed": {"holdout": 0.3, "holdout_seed": 5},
    "augment": {"augment": (("flip", 0.5),)},
    "critic_augment": {"critic_augment": "diffaugment"},
    "conditional": {"data": "shapes", "conditional": True},
    "class_balance": {"data": "shapes", "class_balance": True},
    "attributes": {"arch": "stargan", "data": "shapes-attributes", "attributes": ("hue",)},
    "z_dim": {"z_dim": 9},
    "width": {"width": 8},
    "critic_dropout": {"critic_dropout": 0.2},
    "checkpoint_kimg": {"checkpoint_kimg": 0.7},
    "sample_kimg": {"sample_kimg": 0.7},
    "on_collapse": {"on_collapse": "stop"},
    "evaluate_kimg": {"evaluate_kimg": 0.5},
    "evaluate_metrics": {"evaluate_kimg": 0.5, "evaluate_metrics": ("kid",), "kid.subset_size": 40},
    "evaluate_samples": {"evaluate_kimg": 0.5, "evaluate_samples": 77},
    "evaluate_reference": {"evaluate_kimg": 0.5, "holdout": 0.3, "evaluate_reference": "both"},
    "extractor": {"evaluate_kimg": 0.5, "extractor": "random-vgg"},
    "best_metric": {"evaluate_kimg": 0.5, "evaluate_metrics": ("fid", "kid"), "best_metric": "kid"},
    "patience": {"evaluate_kimg": 0.5, "patience": 3},
    "keep": {"keep": 5},
    "project": {"project": "mine"},
    "group": {"group": "mine"},
    "tags": {"tags": ("red", "blue")},
}
OPTIONS: list[dict[str, Any]] = [
    {"arch": "stylegan2", "arch.mapping_layers": 3},
    {"data": "npy:colours.npy", "data.range": (0.0, 255.0)},
    {"critic_augment": "ada", "ada.target": 0.5},
]


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of pictures of two sizes, named with a blank."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "my pictures"
    folder.mkdir()
    for index in range(6):
        Image.new("RGB", (40 + index, 48), (40 * index, 0, 0)).save(folder / f"{index}.png")
    np.save("colours.npy", np.random.default_rng(0).random((6, 16, 16, 3), np.float32))
    return folder


def test_each_setting_is_kept_or_of_the_loss() -> None:
    """Who adds a setting says here which."""
    given = {name for name, field in FIELDS.items() if not field.metadata["derived"]}
    assert given == {*KEPT, *OF_THE_LOSS, *OF_THE_MACHINE, "plugin"}
    assert not set(KEPT) & {*OF_THE_LOSS, *OF_THE_MACHINE}


@pytest.mark.parametrize(
    "given", [*KEPT.values(), *OPTIONS], ids=[*KEPT, *(" ".join(given) for given in OPTIONS)]
)
def test_another_loss_keeps_all_but_its_recipe(given: dict[str, Any], pictures: Path) -> None:
    base = {"arch": "dcgan", "loss": "hinge", "data": f"folder:{pictures}", "image_size": (16, 16)}
    run = resolve({**base, "fit": "crop", **given, "device": "cpu"}).settings
    (command,) = with_other_loss(History(run, ()), "wgan-gp", "bce")
    words = shlex.split(command)
    assert words[:2] == ["gans", "run"]
    typed, known = typed_settings(words[2:]), run.to_dict()
    assert typed["loss"] in ("wgan-gp", "bce")
    expected = {name for name in (*KEPT, *given) if name != "loss"}
    assert {name: typed[name] for name in expected} == {name: known[name] for name in expected}


def test_the_plugin_of_an_architecture_is_named(pictures: Path) -> None:
    """Also that of a run whose config names it, and which nobody names in this command."""
    file = str(Path(__file__).parents[3] / "examples" / "resize_conv.py")
    add_named_plugins([file])
    asked = {"arch": "resize-conv", "loss": "hinge", "image_size": (16, 16), "arch.kernel_size": 5}
    run = resolve({**asked, "device": "cpu"}).settings
    (command,) = with_other_loss(History(replace(run, plugin=(file,)), ()), "wgan-gp")
    words = shlex.split(command)
    assert words[words.index("--plugin") + 1] == file and "arch.kernel_size=5" in words
