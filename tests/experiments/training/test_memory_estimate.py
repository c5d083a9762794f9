"""The memory of `--dry-run`: that of the run's own steps, made without values."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from benchmarks.processes import tiny
from experiments.config.resolve import resolve
from experiments.core.errors import UsageError
from experiments.data.core.loader import Loader
from experiments.training.experiment import build
from experiments.training.memory_estimate import estimate_memory
from experiments.training.micro_batches import choose_micro_batch_size
from experiments.training.plan.report import describe_dry_run
from experiments.training.tensor_memory import TensorMemory
from gans.core.growth import Stage
from gans.core.networks import Batch
from losses.core.batch_parts import WHOLE, BatchPart, set_process_part
from tests.conftest import ARCHITECTURES, long_but

OTHERS: dict[str, dict[str, Any]] = {
    "penalty of real points, at times": {"arch": "stylegan2", "loss": "r1", "penalty_every": 4},
    "labels and dropout": {"arch": "progan", "conditional": True, "critic_dropout": 0.3},
    "micro-batches": {"arch": "r3gan", "micro_batch_size": 2},
    "activation checkpointing": {"arch": "r3gan", "activation_checkpointing": True},
    "double precision": {"arch": "dcgan", "precision": "fp64"},
    "critic's EMA, spectral norm": {"arch": "resnet", "critic_ema_kimg": 1.0, "critic_norm": "spectral"},
    "another optimizer": {"arch": "dcgan", "optimizer": "sgd"},
}


class OneBatch:
    """A loader that has its batch already, and stays at one time."""

    def __init__(self, loader: Loader) -> None:
        self.clock, self.batch = loader.clock, loader.next_batch()

    def next_batch(self) -> Batch:
        return self.batch


def memory_of_a_run(settings: dict[str, Any]) -> float:
    """Bytes that the tensors of a run really take at most, with its weights, without its data."""
    experiment = build(resolve({**settings, "device": "cpu"}))
    networks = [experiment.game, *(each.average for each in experiment.averages)]
    state = [tensor for network in networks for tensor in (*network.parameters(), *network.buffers())]
    if any(isinstance(module, Stage) for module in experiment.game.modules()):  # images that grow are largest
        experiment.loader.seen = experiment.total_images - settings["batch_size"]
    loader = OneBatch(experiment.loader)
    with TensorMemory() as memory:
        for _ in range(2):
            experiment.game.round(loader)
    return memory.peak + sum(each.numel() * each.element_size() for each in state)


@pytest.mark.parametrize(
    ("arch", "loss"),
    long_but(
        [("dcgan", "wgan-gp"), *((arch, None) for arch in ARCHITECTURES)],
        product(ARCHITECTURES, [None, "wgan-gp", "hinge"]),
    ),
)
def test_the_estimate_is_what_steps_take(arch: str, loss: str | None) -> None:
    settings = {**tiny(arch), "width": 8} | ({"loss": loss} if loss else {})
    assert estimate_memory(resolve({**settings, "device": "cpu"})) == pytest.approx(
        memory_of_a_run(settings), rel=0.15
    )


@pytest.mark.parametrize("settings", OTHERS.values(), ids=list(OTHERS))
def test_the_estimate_knows_settings(settings: dict[str, Any]) -> None:
    settings = {**tiny(settings["arch"]), "width": 8, **settings}
    assert estimate_memory(resolve({**settings, "device": "cpu"})) == pytest.approx(
        memory_of_a_run(settings), rel=0.15
    )


def test_the_largest_need_of_growing_images_counts() -> None:
    common = {"arch": "progan", "kimg": 2.0, "image_size": (32, 32), "width": 8, "batch_size": 4}

    def need(sizes: Any) -> int:
        return estimate_memory(resolve({**common, "device": "cpu", "stage_batch_sizes": sizes}))

    plain = need(())
    assert need(((32, 16),)) == estimate_memory(resolve({**common, "device": "cpu", "batch_size": 16}))
    assert need(((4, 8),)) == plain, "4×4 pixels need little"
    assert need(((4, 4000),)) > 2 * plain


@pytest.mark.long
@pytest.mark.parametrize("arch", long_but({"dcgan", "stylegan2"}, ARCHITECTURES))
def test_every_architecture_is_estimated_at_its_paper_scale(arch: str) -> None:
    assert estimate_memory(resolve({"arch": arch, "preset": "paper", "device": "cpu"})) > 2**20


@pytest.mark.long
def test_a_part_of_the_batch_needs_less() -> None:
    """Of several processes, with batch norm over all; and of more passes than are made for the estimate."""
    spec = resolve({**tiny("dcgan", batch_size=64), "width": 16, "device": "cpu"})
    whole = estimate_memory(spec)
    set_process_part(BatchPart(0, 2))
    try:
        half = estimate_memory(spec)
    finally:
        set_process_part(WHOLE)
    assert 0.4 * whole < half < 0.9 * whole
    settings = {**tiny("r3gan", batch_size=32), "width": 8, "micro_batch_size": 2}
    assert estimate_memory(resolve({**settings, "device": "cpu"})) == pytest.approx(
        memory_of_a_run(settings), rel=0.05
    )


def test_sizes_that_cannot_be_shared_out_are_refused_before_the_run() -> None:
    with pytest.raises(UsageError, match="--micro-batch-size 3 does not divide"):
        describe_dry_run(resolve({**tiny("r3gan"), "device": "cpu", "micro_batch_size": 3}))


@pytest.mark.parametrize(
    ("name", "asks"),
    [
        ("item", "float(self.param_groups[0]['params'][0].sum())"),
        ("array", "self.param_groups[0]['params'][0].detach().numpy()"),
    ],
)
def test_a_plug_in_that_asks_for_values_leaves_it_unknown(name: str, asks: str, tmp_path: Path) -> None:
    plugin = tmp_path / f"{name}.py"
    plugin.write_text(
        "import torch\n"
        "from gans.core.optimizer import OptimizerRecipe\n"
        "class Asking(torch.optim.SGD):\n"
        "    def step(self, closure=None):\n"
        f"        {asks}\n"
        "        return super().step(closure)\n"
        "class Recipe(OptimizerRecipe):\n"
        "    def make(self, parameters, lr):\n"
        "        return Asking(parameters, lr=lr)\n"
    )
    settings = {**tiny("mlp"), "device": "cpu", "optimizer": name, "plugin": (str(plugin),)}
    assert "memory           unknown: a component does not compute without" in describe_dry_run(
        resolve(settings)
    )
    experiment = build(resolve({**settings, "micro_batch_size": "auto"}))
    with pytest.raises(UsageError, match=r"--micro-batch-size auto: .*; take a number"):
        choose_micro_batch_size(experiment)
