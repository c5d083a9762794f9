"""Compiled networks (`--compile`): the same numbers but for rounding, and refusals."""

from typing import Any

import pytest
import torch
from torch import fx

from benchmarks.processes import Case, largest_difference, tiny, train
from experiments.core import registry
from experiments.core.errors import UsageError
from experiments.training import compilation
from tests.conftest import long_but

# What torch.compile warns of within itself.
pytestmark = pytest.mark.filterwarnings("default")
FIXED = [name for name in registry.names("architecture") if name not in ("progan", "stylegan")]


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> list[fx.GraphModule]:
    """The graphs that are compiled, by a backend that keeps them as they are."""
    found: list[fx.GraphModule] = []

    def keep(graph: fx.GraphModule, inputs: Any, **options: Any) -> Any:
        found.append(graph)
        return graph.forward

    torch.compiler.reset()
    monkeypatch.setattr(compilation, "BACKEND", keep)
    return found


@pytest.mark.long
@pytest.mark.parametrize("arch", long_but({"dcgan", "stargan"}, FIXED))
def test_compiled_networks_train_to_the_same_numbers(arch: str, graphs: list[fx.GraphModule]) -> None:
    norm = {"critic_norm": "none"} if arch in ("resnet", "fastgan") else {}  # else spectral, which is refused
    case = {**tiny(arch, steps=1), "n_critic": 1, **norm}
    assert largest_difference(train({**case, "compile": True}, {}), train(case, {})) < 1e-10
    assert graphs


@pytest.mark.parametrize("arch", long_but({"dcgan"}, ["dcgan", "r3gan", "pix2pix"]))
def test_compiled_networks_multiply_in_bfloat16_too(arch: str, graphs: list[fx.GraphModule]) -> None:
    case = {**tiny(arch, steps=1), "precision": "bf16"}
    plain = train(case, {})
    assert largest_difference(train({**case, "compile": True}, {}), plain) < 1e-6 and graphs
    assert largest_difference(plain, train({**case, "precision": "fp32"}, {})) > 1e-5


@pytest.mark.long
@pytest.mark.parametrize(
    "case",
    [
        {"arch": "mlp", "loss": "wgan-gp", "data": "ring8"},
        {"arch": "stylegan2", "image_size": (8, 8), "penalty_every": 1, "arch.mapping_layers": 1},
    ],
)
def test_penalties_differentiate_networks_as_they_are(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilation, "BACKEND", "aot_eager")  # whose gradients have none, as the compiler's
    torch.compiler.reset()
    own = {"width": 4, "batch_size": 4, "steps": 1, "n_critic": 1, **case}
    assert largest_difference(train({**own, "compile": True}, {}), train(own, {})) < 1e-10


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ({"arch": "progan"}, "architecture progan grows, .* leave out --compile"),
        ({"arch": "dcgan", "critic_norm": "spectral"}, "spectral norm .* --critic-norm none"),
        ({"arch": "r3gan", "activation_checkpointing": True}, "exclude each other; leave one out"),
    ],
)
def test_networks_that_cannot_be_compiled_are_refused(case: Case, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        train({**tiny(case["arch"]), **case, "compile": True}, {})


def test_a_machine_without_a_compiler_is_told_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(UsageError, match="needs a C\\+\\+ compiler on a CPU, such as g\\+\\+"):
        train({**tiny("dcgan"), "compile": True}, {})
