"""Targets of a translation: domains, attributes, and the critic that tells the attributes left open."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from experiments.core.settings import Settings
from experiments.inference.translation_targets import AttributeChange, critic_of
from experiments.runs.checkpoint import load_checkpoint
from experiments.runs.generator import load
from gans.core.attributes import AttributeCritic, AttributeGroup, most_likely_rows
from gans.core.networks import Batch
from gans.core.translation import AttributeTranslator
from tests.experiments.inference.helpers import Gans, Refused, paint, read, translated

HUE = AttributeGroup("hue", ("red", "green", "blue"))
GROUPS = (HUE, AttributeGroup("filled", ("0", "1")), AttributeGroup("size", ("small", "large")))


def test_domains_have_names_in_any_case(gans: Gans, runs: Path) -> None:
    paint("x.png", 16, 16)
    for to in ("A", "B", "b"):
        translated(gans, f"cyclegan x.png --to {to} --out {to}-{to.isupper()}")
    a, b, small = (Path(f"{folder}/x.png").read_bytes() for folder in ("A-True", "B-True", "b-False"))
    assert b == small and a != b


def test_attributes_may_be_named_together_or_one_by_one(gans: Gans, runs: Path) -> None:
    paint("x.png", 16, 16)
    together = translated(gans, "stargan x.png --to hue=red,filled=1,size=small --out together --json")
    translated(gans, "stargan x.png --to size=small --to hue=red --to filled=1 --out apart")
    translated(gans, "stargan x.png --to hue=blue,filled=1,size=small --out blue")
    assert json.loads(together.out)["to"] == "hue=red,filled=1,size=small"
    assert (read("together/x.png") == read("apart/x.png")).all()
    assert (read("together/x.png") != read("blue/x.png")).any(), "the network is told"


def test_logits_decide_on_the_likeliest_value_of_each_group() -> None:
    logits = torch.tensor([[-3.0, -1.0, -2.0, -0.5, 4.0, 5.0], [2.0, 1.0, 9.0, 0.5, 1.0, 0.0]])
    rows = most_likely_rows((HUE, *GROUPS[1:]), logits)
    assert rows.tolist() == [[0, 1, 0, 0, 0, 1], [0, 0, 1, 1, 1, 0]]


class Knowing(AttributeCritic):
    """Says of every image that it is green, filled and large; keeps what it has seen."""

    seen: Tensor

    def classify(self, x: Tensor) -> Tensor:
        self.seen = x
        return torch.tensor([[-5.0, -1.0, -5.0, 1.0, -2.0, -1.0]])


class Recording(AttributeTranslator):
    """Changes nothing, and keeps the attributes that it was told."""

    multiple = 1
    rows: Tensor

    def translate(self, images: Tensor, rows: Tensor) -> Tensor:
        self.rows = rows
        return images

    def generate(self, like: Batch) -> Tensor:
        return like.samples

    def columns(self, batch: Batch) -> dict[str, Tensor]:
        return {}


@pytest.mark.parametrize(
    ("asked", "row"),
    [
        ({"hue": "red"}, [1, 0, 0, 1, 0, 1]),
        ({"filled": "0", "size": "small"}, [0, 1, 0, 0, 1, 0]),
        ({"hue": "green"}, [0, 1, 0, 1, 0, 1]),
    ],
)
def test_the_critic_tells_the_attributes_that_nobody_names(asked: dict[str, str], row: list[int]) -> None:
    """Of the whole image at the run's size, whatever the network itself is given."""
    network, critic = Recording(), Knowing()
    settings = Settings(arch="stargan", image_size=(8, 8), channels=3, fit="stretch")
    change = AttributeChange(network, GROUPS, asked, critic, settings)
    change(Image.new("RGB", (40, 20), (255, 0, 0)), torch.zeros(1, 3, 20, 40))
    assert network.rows.tolist() == [row]
    assert critic.seen.shape == (1, 3, 8, 8)
    assert critic.seen[0, :, 4, 4].tolist() == [1, -1, -1]


def test_the_critic_is_that_of_the_newest_checkpoint(gans: Gans, runs: Path) -> None:
    """And what it says is what is done: naming it changes nothing, in the run and in its checkpoint."""
    newest = sorted(Path("stargan/checkpoints").glob("*.pt"))[-1]
    critic = critic_of(Path("stargan"), load(Path("stargan")).settings)
    assert critic is not None and not critic.training
    kept = load_checkpoint(newest)["game"]
    for name, value in critic.state_dict().items():
        assert torch.equal(value, kept[f"critic.network.{name}"]), name
    with Image.open(paint("x.png", 16, 16)) as image:
        x = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None] / 127.5 - 1
    says = most_likely_rows(GROUPS, critic.classify(x))[0].tolist()
    named = f"filled={says[3]:.0f},size={GROUPS[2].values[int(says[5])]}"
    for folder, run, to in (
        ("told", "stargan", f"hue=blue,{named}"),
        ("by-run", "stargan", "hue=blue"),
        ("by-checkpoint", newest, "hue=blue"),
    ):
        translated(gans, f"{run} x.png --to {to} --out {folder}")
        assert (read(f"{folder}/x.png") == read("told/x.png")).all(), folder


def test_an_export_has_no_critic(gans: Gans, refused: Refused, runs: Path) -> None:
    shutil.copy("stargan/generator.safetensors", "g.safetensors")
    shutil.rmtree("stargan/checkpoints")
    paint("x.png", 16, 16)
    for run in ("g.safetensors", "stargan"):
        refused(2, (run, "critic", "name filled, size"), f"translate {run} x.png --to hue=red --out out")
        translated(gans, f"{run} x.png --to hue=red,filled=1,size=small --out {run}-out")
    assert (read("g.safetensors-out/x.png") == read("stargan-out/x.png")).all()


def test_a_checkpoint_without_its_critic_is_named(
    gans: Gans, refused: Refused, seal: Callable[[Path], None], runs: Path
) -> None:
    newest = sorted(Path("stargan/checkpoints").glob("*.pt"))[-1]
    state = load_checkpoint(newest)
    state["game"] = {k: v for k, v in state["game"].items() if not k.startswith("critic.network.")}
    torch.save(state, newest)
    seal(newest)
    paint("x.png", 16, 16)
    refused(1, ("critic", newest.name), "translate stargan x.png --to hue=red --out out")
    translated(gans, "stargan x.png --to hue=red,filled=1,size=small --out out")  # where it is not asked
