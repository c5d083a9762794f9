"""An autoencoder with an adversary as a Lightning module."""

from pathlib import Path
from typing import Any

import pytorch_lightning
import torch
from torch import Tensor

import gans
from tests.adversary.loops import Autoencoder, images_of, small_critic


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
