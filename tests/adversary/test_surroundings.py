"""An adversary over two processes, and in a Lightning module: what one process and a plain loop give."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import gans
from tests.adversary.loops import Autoencoder, images_of, small_critic, train_shared
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


pytorch_lightning = pytest.importorskip("pytorch_lightning")


class Lit(pytorch_lightning.LightningModule):
    """An autoencoder whose training step has an adversary."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.network = Autoencoder()
        self.adversary = gans.Adversary(small_critic(), "hinge", start=1, critic_ema_kimg=0.01)

    def training_step(self, batch: Tensor, index: int) -> Tensor:
        x = images_of(self.global_step)
        torch.manual_seed(self.global_step)
        y = self.network(x)
        self.adversary.critic_step(x, y.detach())
        self.adversary.follow()
        return (y - x).abs().mean() + self.adversary.generator_loss(y, x)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.05)  # the critic's, too, which it must leave alone


def fit(module: Lit, steps: int, precision: str = "32-true", resume: Path | None = None) -> Any:
    trainer = pytorch_lightning.Trainer(
        max_steps=steps, accelerator="cpu", devices=1, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, precision=precision,
    )  # fmt: skip
    trainer.fit(module, torch.utils.data.DataLoader(range(6), batch_size=None), ckpt_path=resume)
    return trainer


@pytest.mark.filterwarnings("ignore")
def test_a_lightning_module_is_the_plain_loop(tmp_path: Path) -> None:
    module = Lit()
    fit(module, 4)
    plain = Lit()
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

    first = Lit()
    fit(first, 2).save_checkpoint(tmp_path / "two.ckpt")
    resumed = Lit()
    fit(resumed, 4, resume=tmp_path / "two.ckpt")
    assert resumed.adversary.batch_index == 4
    pairs = zip(numbers(module.state_dict()), numbers(resumed.state_dict()), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.filterwarnings("ignore")
def test_lightnings_mixed_precision_is_near() -> None:
    exact, mixed, begun = Lit(), Lit(), Lit()
    fit(exact, 4)
    fit(mixed, 4, "bf16-mixed")
    ends = [
        nn.utils.parameters_to_vector(each.adversary.critic_network.parameters()) for each in (exact, mixed)
    ]
    start_from = nn.utils.parameters_to_vector(begun.adversary.critic_network.parameters())
    assert ends[1].dtype == torch.float32
    moved, expected = (end - start_from for end in reversed(ends))
    assert (moved - expected).norm() < 0.3 * expected.norm()
