"""The training loop of torchgan (`pip install torchgan==0.1.0`), from its package where that is installed."""

import contextlib
import io
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

from benchmarks.peer_pair import Draws, Loop, Pair


class Torchgan(Loop):
    """The loop of torchgan's Trainer, with its own losses, log and counters.

    - the generator moves first, then the critic; each with a fresh fake batch
    - wgan-gp: the penalty is a step of its own after the critic's, with a fake batch of its own whose graph
      reaches the generator; it has one ε, and one norm of the gradient, for the whole batch, which is another
      algorithm: of its losses only the generator's is compared
    - both networks are awake all the time; losses and norms of gradients are read for the log at every update
    """

    name = "torchgan"

    def __init__(self, pair: Pair) -> None:
        super().__init__(pair)
        self.trainer = make_trainer(pair)
        moved = [("generator", self.trainer.optimizer_generator)]
        if not pair.weight:
            moved.append(("critic", self.trainer.optimizer_discriminator))
        for name, optimizer in moved:
            optimizer.register_step_pre_hook(lambda *_, name=name: self.pair.watch(name, None))

    def cycle(self) -> None:
        for _ in range(self.pair.n_critic):
            self._train_on(self.next_real())

    def _train_on(self, real: Tensor) -> None:
        """Does with a batch what `Trainer.train` does with it."""
        trainer, draws = self.trainer, self.pair.draws
        trainer.real_inputs, trainer.labels, trainer.batch_size = real, None, len(real)
        fixed = type(draws) is not Draws
        latents = lambda rows, z_dim, **_: draws.latents(rows, z_dim, real)  # noqa: E731
        with mock.patch.object(torch, "randn", latents) if fixed else contextlib.nullcontext():
            generator, critic, generator_updates, critic_updates = trainer.train_iter()
        found = trainer.loss_information
        found["generator_losses"] += generator
        found["discriminator_losses"] += critic
        found["generator_iters"] += generator_updates
        found["discriminator_iters"] += critic_updates
        trainer.logger.run_mid_epoch(trainer)


def make_trainer(pair: Pair) -> Any:
    """Makes torchgan's trainer of a pair."""
    from torchgan import losses, models
    from torchgan.trainer import Trainer

    class Generator(models.Generator):
        def __init__(self) -> None:
            super().__init__(pair.z_dim)
            self.network = pair.generator

        def forward(self, z: Tensor) -> Tensor:
            return self.network(z)

    class Critic(models.Discriminator):
        def __init__(self) -> None:
            super().__init__(3)
            self.network = pair.critic

        def forward(self, x: Tensor) -> Tensor:
            return self.network(x)

    def player(model: type[nn.Module], like: torch.optim.Optimizer) -> dict[str, Any]:
        group = like.param_groups[0]
        adam = {"name": torch.optim.Adam, "args": {"lr": group["lr"], "betas": group["betas"]}}
        return {"name": model, "optimizer": adam}

    players = {
        "generator": player(Generator, pair.generator_optimizer),
        "discriminator": player(Critic, pair.critic_optimizer),
    }
    terms = (
        [
            losses.WassersteinGeneratorLoss(),
            losses.WassersteinDiscriminatorLoss(),
            losses.WassersteinGradientPenalty(lambd=pair.weight),
        ]
        if pair.weight
        else [losses.MinimaxGeneratorLoss(), losses.MinimaxDiscriminatorLoss()]
    )
    folder = tempfile.mkdtemp()
    with contextlib.redirect_stdout(io.StringIO()):
        return Trainer(
            players,
            terms,
            device=torch.device("cpu"),
            ncritic=pair.n_critic,
            checkpoints=f"{folder}/model/gan",
            recon=f"{folder}/images",
        )


IS_INSTALLED = find_spec("torchgan") is not None
LOOPS: Sequence[type[Loop]] = (Torchgan,) if IS_INSTALLED else ()
REMARKS: list[str] = [] if IS_INSTALLED else ["torchgan: not installed (pip install torchgan==0.1.0)"]
