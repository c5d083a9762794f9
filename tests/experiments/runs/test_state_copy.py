"""A copied state is written to the same bytes, and stays as it is."""

import io

import torch
from torch import Tensor, nn

from experiments.core.named_values import StateDict
from experiments.runs.state_copy import copy_state, state_bytes


def trained() -> tuple[nn.Module, torch.optim.Optimizer]:
    """A network with two names for one weight, and its optimizer after a step."""
    network = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, 3))
    network[2].weight = network[0].weight
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.randn(4, 3)).square().mean().backward()
    optimizer.step()
    return network, optimizer


def content() -> StateDict:
    network, optimizer = trained()
    whole = torch.arange(12.0).view(3, 4)
    return {
        "game": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "views": [whole[1:], whole.T, (whole[:, 0], torch.zeros(0), torch.zeros(0))],
        "channels last": torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last),
        "scores": {"pending": [{"critic/real": torch.tensor(1.0)}], "seconds": 2.5},
    }


def written(state: StateDict) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def test_equal_bytes_are_written_also_of_what_shares_memory() -> None:
    state = content()
    assert written(copy_state(state)) == written(state)


def test_a_copy_stays_as_it_is_while_training_goes_on() -> None:
    state = content()
    before, copied = written(state), copy_state(state)
    tensors: list[Tensor] = [*state["game"].values(), state["views"][0], state["channels last"]]
    for tensor in tensors:
        tensor.add_(1)
    state["optimizer"]["state"][0]["step"] += 1
    state["scores"]["pending"].clear()
    assert written(copied) == before != written(state)


def test_shared_memory_counts_once() -> None:
    whole = torch.zeros(100, dtype=torch.float64)
    assert state_bytes({"a": whole, "b": [whole[:10], {"c": whole.view(10, 10)}], "d": 3}) == 800
