"""An adversary over two processes, and in a Lightning module: what one process and a plain loop give."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.adversary.loops import images_of, train_shared
from tests.commands.test_processes import finish, start

CODE = """
from pathlib import Path
from tests.adversary.loops import train_shared
train_shared(Path({out!r}))
"""


def numbers(state: Any) -> list[Tensor]:
    if isinstance(state, dict):
        return [each for value in state.values() for each in numbers(value)]
    if isinstance(state, list | tuple):
        return [each for value in state for each in numbers(value)]
    return [torch.as_tensor(state)] if isinstance(state, Tensor | int | float) else []


@pytest.mark.long
def test_two_processes_are_one(tmp_path: Path) -> None:
    """Only the autoencoder is wrapped; critics begin with other weights, and follow the first."""
    processes = start("", 2, CODE.format(out=str(tmp_path / "two.pt")))
    train_shared(tmp_path / "one.pt")
    statuses, _, err = finish(processes)
    assert statuses == [0, 0], err
    one, two = (torch.load(tmp_path / f"{name}.pt", weights_only=True) for name in ("one", "two"))
    assert one["adversary"].keys() == two["adversary"].keys()
    assert one["adversary"]["_extra_state"] == two["adversary"]["_extra_state"]
    ours, theirs = numbers(one), numbers(two)
    assert len(ours) == len(theirs) > 30
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)
    view = one["adversary"]["objective.critic_view.adaptive._extra_state"]
    assert view["value"] > 0, "the augmentation was on"


@pytest.fixture
def lightning() -> Any:
    """Module of an autoencoder; imported late, as Lightning takes seconds."""
    pytest.importorskip("pytorch_lightning")
    from tests.adversary import lightning

    return lightning


@pytest.mark.filterwarnings("ignore")
def test_a_lightning_module_is_the_plain_loop(lightning: Any, tmp_path: Path) -> None:
    module = lightning.Lit()
    lightning.fit(module, 4)
    plain = lightning.Lit()
    optimizer = torch.optim.SGD(plain.network.parameters(), lr=0.05)
    for step in range(4):
        x = images_of(step)
        torch.manual_seed(step)
        y = plain.network(x)
        plain.adversary.critic_step(x, y.detach())
        plain.adversary.follow()
        loss = (y - x).abs().mean() + plain.adversary.generator_loss(y, x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    ours, theirs = module.state_dict(), plain.state_dict()
    unequal = [key for key in ours if not all(map(torch.equal, numbers(ours[key]), numbers(theirs[key])))]
    assert not unequal
    assert module.adversary.batch_index == 4

    first = lightning.Lit()
    lightning.fit(first, 2).save_checkpoint(tmp_path / "two.ckpt")
    resumed = lightning.Lit()
    lightning.fit(resumed, 4, resume=tmp_path / "two.ckpt")
    assert resumed.adversary.batch_index == 4
    pairs = zip(numbers(module.state_dict()), numbers(resumed.state_dict()), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.filterwarnings("ignore")
def test_lightnings_mixed_precision_is_near(lightning: Any) -> None:
    exact, mixed, begun = (lightning.Lit() for _ in range(3))
    lightning.fit(exact, 4)
    lightning.fit(mixed, 4, "bf16-mixed")
    ends = [
        nn.utils.parameters_to_vector(each.adversary.critic_network.parameters()) for each in (exact, mixed)
    ]
    start_from = nn.utils.parameters_to_vector(begun.adversary.critic_network.parameters())
    assert ends[1].dtype == torch.float32
    moved, expected = (end - start_from for end in reversed(ends))
    assert (moved - expected).norm() < 0.3 * expected.norm()
