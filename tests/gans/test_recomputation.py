"""Activation checkpointing (`--activation-checkpointing`): less is kept, and numbers have the same bits."""

from typing import Any

import pytest
import torch

from benchmarks.processes import Case, tiny, train
from experiments.config.factory import build_networks
from experiments.config.resolve import resolve
from experiments.core import registry
from experiments.core.errors import UsageError
from experiments.training.memory_estimate import estimate_memory
from gans.layers.recomputation import RecomputableBlock, RecomputableLayers

RANDOM: dict[str, Case] = {
    "dropout and labels": {"arch": "progan", "critic_dropout": 0.5, "conditional": True},
    "micro-batches, noise and mixed styles": {"arch": "stylegan2", "micro_batch_size": 4},
    "plain critic": {"arch": "stylegan2", "arch.critic_skips": "none"},
    "pools": {"arch": "cyclegan", "critic_norm": "instance"},
    "penalized": {"arch": "stylegan", "loss": "wgan-gp"},
}


def both(case: Case) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    return train(case, {}), train({**case, "activation_checkpointing": True}, {})


def check_bits(case: Case) -> None:
    kept, computed_again = both(case)
    torch.testing.assert_close(computed_again, kept, rtol=0, atol=0)


@pytest.mark.parametrize("arch", registry.names("architecture"))
def test_every_architecture_trains_to_the_same_bits_or_is_refused(arch: str) -> None:
    case = tiny(arch)
    networks = build_networks(resolve({**case, "device": "cpu"}).settings)
    if not any(isinstance(part, RecomputableBlock) for network in networks for part in network.modules()):
        with pytest.raises(UsageError, match=f"{arch}: it has no blocks .* leave out --activation-check"):
            both(case)
    else:
        check_bits(case)


@pytest.mark.parametrize("case", RANDOM.values(), ids=list(RANDOM))
def test_what_is_drawn_is_drawn_again(case: Case) -> None:
    check_bits({**tiny(case["arch"]), **case})


@pytest.mark.parametrize(("norm", "kind"), [("spectral", "spectral norm"), ("batch", "batch norm")])
def test_norms_that_change_with_every_pass_are_refused(norm: str, kind: str) -> None:
    case = {**tiny("r3gan"), "loss": "hinge", "critic_norm": norm, "activation_checkpointing": True}
    with pytest.raises(UsageError, match=kind):
        resolve_and_estimate(case)


def resolve_and_estimate(case: dict[str, Any]) -> int:
    return estimate_memory(resolve({**case, "device": "cpu"}))


def test_a_block_keeps_its_inputs_alone() -> None:
    def count(x: torch.Tensor) -> int:
        kept: list[torch.Tensor] = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):  # type: ignore[func-returns-value]
            block(x)
        return sum(each.numel() for each in kept)

    block = RecomputableLayers(*[torch.nn.Tanh()] * 5)
    x = torch.randn(3, 4, requires_grad=True)
    assert count(x) == 5 * 12
    block.recomputes = True
    assert count(x) == 12


@pytest.mark.long
def test_a_run_is_estimated_to_need_less() -> None:
    case = {"arch": "r3gan", "preset": "paper", "image_size": 64, "data": "shapes"}
    assert resolve_and_estimate({**case, "activation_checkpointing": True}) < 0.7 * resolve_and_estimate(case)
