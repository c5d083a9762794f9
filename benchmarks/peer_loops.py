"""Training loops of other projects, written anew: the same operations in the same order.

Each loop is named after the project that it stands for; its docstring lists the operations that set it apart.
Logging, checkpoints, pictures and EMAs of the projects are left out; the laboratory, to which they are
compared, has all of them.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits, softplus

from benchmarks.peer_pair import Loop


class PyTorchExample(Loop):
    """The loop of PyTorch's dcgan example.

    - real and fake images have a backward pass each, of cross entropies of probabilities
    - one fake batch, made once with its graph, serves both steps; the critic's sees it detached
    - the critic is awake in the generator's step, and computes gradients of weights that are thrown away
    - means of probabilities are read for the log at every step
    """

    name, losses = "PyTorch's example", ("bce",)

    def cycle(self) -> None:
        pair, real = self.pair, self.next_real()
        pair.critic.zero_grad()
        label = torch.ones(len(real), dtype=real.dtype)
        found = pair.critic(real).sigmoid()
        of_real = binary_cross_entropy(found, label)
        of_real.backward()
        found.mean().item()
        fake = pair.generator(pair.latents(real))
        found = pair.critic(fake.detach()).sigmoid()
        of_fake = binary_cross_entropy(found, label.fill_(0))
        of_fake.backward()
        found.mean().item()
        pair.watch("critic", of_real + of_fake)
        pair.critic_optimizer.step()
        pair.generator.zero_grad()
        found = pair.critic(fake).sigmoid()
        loss = binary_cross_entropy(found, label.fill_(1))
        loss.backward()
        found.mean().item()
        pair.watch("generator", loss)
        pair.generator_optimizer.step()


class LynnHo(Loop):
    """The loop of LynnHo's DCGAN-LSGAN-WGAN-GP-DRAGAN-Pytorch.

    - a fresh fake batch for every update; the critic's is detached after its graph was made
    - one backward pass of the whole loss, penalty by double backward
    - the critic is awake in the generator's step
    """

    name = "LynnHo"

    def cycle(self) -> None:
        pair = self.pair
        for _ in range(pair.n_critic):
            real = self.next_real()
            fake = pair.generator(pair.latents(real)).detach()
            loss = self.judge(real, fake)
            if pair.weight:
                loss = loss + self.penalty(real, fake)
            pair.critic.zero_grad()
            loss.backward()
            pair.watch("critic", loss)
            pair.critic_optimizer.step()
        loss = self.fool(pair.generator(pair.latents(self.real)))
        pair.generator.zero_grad()
        loss.backward()
        pair.watch("generator", loss)
        pair.generator_optimizer.step()


class PyTorchGAN(Loop):
    """The loops of PyTorch-GAN: dcgan.py and wgan_gp.py.

    - bce: the generator moves first, and its batch, detached, serves the critic's step too; half of the sum
      of both cross entropies is minimised
    - wgan-gp: fakes are not detached, so that the critic's backward pass runs through the generator too; the
      generator's step makes a batch anew from the critic's last latents; penalty by double backward
    - both networks are awake all the time
    """

    name, moves_generator_first = "PyTorch-GAN", True

    def cycle(self) -> None:
        if self.pair.weight:
            self._cycle_with_penalty()
        else:
            self._cycle_with_cross_entropy()

    def _cycle_with_cross_entropy(self) -> None:
        pair, real = self.pair, self.next_real()
        pair.generator_optimizer.zero_grad()
        fake = pair.generator(pair.latents(real))
        loss = self.fool(fake)
        loss.backward()
        pair.watch("generator", loss)
        pair.generator_optimizer.step()
        pair.critic_optimizer.zero_grad()
        loss = self.judge(real, fake.detach()) / 2
        loss.backward()
        pair.watch("critic", loss, 0.5)
        pair.critic_optimizer.step()

    def _cycle_with_penalty(self) -> None:
        pair = self.pair
        for _ in range(pair.n_critic):
            real = self.next_real()
            pair.critic_optimizer.zero_grad()
            z = pair.latents(real)
            fake = pair.generator(z)
            loss = self.judge(real, fake) + self.penalty(real.data, fake.data)
            loss.backward()
            pair.watch("critic", loss)
            pair.critic_optimizer.step()
            pair.generator_optimizer.zero_grad()
        loss = self.fool(pair.generator(z))
        loss.backward()
        pair.watch("generator", loss)
        pair.generator_optimizer.step()


class Mimicry(Loop):
    """The loop of mimicry (torch_mimicry).

    - a fresh fake batch for every update; the critic's is detached after its graph was made
    - one backward pass, penalty by double backward
    - the critic is awake in the generator's step
    - the mean probabilities of both batches and the critic's loss are read at every update
    """

    name = "mimicry"

    def cycle(self) -> None:
        pair = self.pair
        for _ in range(pair.n_critic):
            real = self.next_real()
            pair.critic.zero_grad()
            of_real = pair.critic(real)
            fake = pair.generator(pair.latents(real)).detach()
            of_fake = pair.critic(fake)
            if pair.weight:
                loss = of_fake.mean() - of_real.mean() + self.penalty(real, fake)
            else:
                true = binary_cross_entropy_with_logits(of_real, torch.ones_like(of_real))
                loss = true + binary_cross_entropy_with_logits(of_fake, torch.zeros_like(of_fake))
            loss.backward()
            pair.watch("critic", loss)
            pair.critic_optimizer.step()
            of_real.sigmoid().mean().item(), of_fake.sigmoid().mean().item(), loss.item()
        pair.generator.zero_grad()
        loss = self.fool(pair.generator(pair.latents(self.real)))
        loss.backward()
        pair.watch("generator", loss)
        pair.generator_optimizer.step()


class StudioGAN(Loop):
    """The loop of PyTorch-StudioGAN's worker.

    - all gradients are switched on, then those of the player that rests off: its fakes have no graph in the
      critic's step, and the critic computes no gradients of its weights in the generator's
    - a fresh fake batch for every update; cross entropy by softplus
    - penalty by double backward
    """

    name = "StudioGAN"

    def cycle(self) -> None:
        pair = self.pair
        self._wake(pair.critic, pair.generator)
        for _ in range(pair.n_critic):
            pair.critic_optimizer.zero_grad()
            real = self.next_real()
            fake = pair.generator(pair.latents(real))
            loss = self.judge(real, fake)
            if pair.weight:
                loss = loss + self.penalty(real, fake)
            loss.backward()
            pair.watch("critic", loss)
            pair.critic_optimizer.step()
        self._wake(pair.generator, pair.critic)
        pair.generator_optimizer.zero_grad()
        loss = self.fool(pair.generator(pair.latents(self.real)))
        loss.backward()
        pair.watch("generator", loss)
        pair.generator_optimizer.step()

    def _wake(self, player: nn.Module, other: nn.Module) -> None:
        player.requires_grad_(True), other.requires_grad_(True)
        other.requires_grad_(False)

    def judge(self, real: Tensor, fake: Tensor) -> Tensor:
        of_real, of_fake = self.pair.critic(real), self.pair.critic(fake)
        if self.pair.weight:
            return of_fake.mean() - of_real.mean()
        return softplus(-of_real).mean() + softplus(of_fake).mean()

    def fool(self, fake: Tensor) -> Tensor:
        logits = self.pair.critic(fake)
        return -logits.mean() if self.pair.weight else softplus(-logits).mean()


PROJECTS: Sequence[type[Loop]] = (PyTorchExample, LynnHo, PyTorchGAN, Mimicry, StudioGAN)
