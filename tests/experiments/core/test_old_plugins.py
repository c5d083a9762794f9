"""Plug-ins of earlier versions go on working, with one line that says what to rename."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.core import registry
from experiments.core.old_plugins import MOVED, update_imports

Gans = Callable[..., Any]

FORM = '''"""Least squares by the names of earlier versions."""
from losses.adversarial import Labelled
from losses.recipe import Recipe, defaults


class OldForm(Labelled):
    recipe = Recipe(paper="none", form="old-form", settings=(defaults(lr_critic=1e-3),))

    def real(self, logits):
        return (logits - 1).square()

    def fake(self, logits):
        return logits.square()

    def fool(self, logits):
        return (logits - 1).square()
'''

ARCHITECTURE = '''"""A network by the imports of earlier versions."""
from torch import nn

from gans.core.architecture import Architecture
from gans.core.game import LatentNetwork
from gans.core.labels import judging
from gans.core.norms import dropout, norm
from gans.core.sizes import halvings, smallest
from losses.recipe import defaults


class Generator(LatentNetwork):
    def __init__(self, blueprint):
        super().__init__(blueprint.z_dim)
        self.shape = blueprint.sample_shape
        self.layer = nn.Linear(self.z_dim, blueprint.sample_size)

    @property
    def first_layers(self):
        return (self.layer.weight,)

    def forward(self, z):
        return self.layer(z).tanh().view(-1, *self.shape)


def critic(blueprint):
    side = smallest(*blueprint.sample_shape[1:])[0] << halvings(*blueprint.sample_shape[1:])
    layers = [nn.Conv2d(blueprint.sample_shape[0], 4, 3, padding=1), *norm(blueprint.critic_norm, 4)]
    layers += [nn.ReLU(), *dropout(blueprint.critic_dropout), nn.Flatten()]
    return judging(layers, nn.Linear(4 * side * side, 1), None)


architecture = Architecture(
    paper="none", generator=Generator, critic=critic, data=("images",), default_loss="bce",
    default_data="shapes", critic_norm="layer",
    settings=(defaults(z_dim=4, batch_size=4, image_size=(8, 8), kimg=1.0),),
)
'''

DATA = '''"""Points by the imports of earlier versions."""
import torch

from experiments.data import Fit, Held, Native, Source


class OldDots(Source):
    kind = "points"
    is_embedded = True

    def native(self):
        return Native()

    def class_names(self):
        return ()

    def open(self, size, channels, fit: Fit):
        return Held(torch.zeros(300, 2))
'''


def test_old_method_names_work(workplace: Path, gans: Gans, caplog: pytest.LogCaptureFixture) -> None:
    (workplace / "old_form.py").write_text(FORM)
    with caplog.at_level(logging.WARNING, "gans"):
        registry.add_plugin("old_form.py")
    assert caplog.messages == [
        f"form OldForm: rename its method {old} to {new}; later versions need that"
        for old, new in (("real", "real_loss"), ("fake", "fake_loss"), ("fool", "generator_loss"))
    ]
    form = registry.load("form", "old-form")()
    assert form.critic(torch.tensor([3.0]), torch.tensor([2.0])).item() == 4 + 4
    assert form.generator(torch.tensor([3.0])).item() == 4
    run = "run --plugin old_form.py --arch mlp --data ring8 --loss old-form --label-smoothing 0.9 --steps 2"
    assert gans(f"{run} --out run").status == 0


def test_old_imports_work(workplace: Path, gans: Gans) -> None:
    (workplace / "old_net.py").write_text(ARCHITECTURE)
    outcome = gans("run --plugin old_net.py --arch old-net --steps 2 --track local --out run")
    assert outcome.status == 0, outcome.err
    (line,) = (line for line in outcome.err.splitlines() if "change its imports" in line)
    assert "gans.core.game.LatentNetwork is now gans.core.networks.LatentNetwork" in line
    assert "gans.core.labels.judging is now gans.layers.labels.critic_from_layers" in line
    assert gans("sample run --plugin old_net.py -n 2 --out two.png").status == 0


def test_old_data_works(workplace: Path, gans: Gans) -> None:
    """By names that still stand in `experiments.data`, and by names that do not."""
    (workplace / "old_dots.py").write_text(DATA)
    outcome = gans("run --plugin old_dots.py --arch mlp --data old-dots --steps 2 --track local --out run")
    assert outcome.status == 0, outcome.err
    (line,) = (line for line in outcome.err.splitlines() if "change its imports" in line)
    assert "experiments.data.Held is now experiments.data.core.dataset.InMemoryData" in line
    assert "experiments.data.Source" not in line


def test_a_plugin_of_this_version_hears_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "gans"):
        update_imports(b"from gans.core.networks import LatentNetwork\nimport torch", "new.py")
    assert not caplog.messages


@pytest.mark.parametrize(("old", "new"), [pair for pair in MOVED.items() if pair[1][1] != "*"], ids=str)
def test_moved_names_are_where_the_table_says(old: tuple[str, str], new: tuple[str, str]) -> None:
    module = __import__(new[0], fromlist=[new[1]])
    assert hasattr(module, new[1])
