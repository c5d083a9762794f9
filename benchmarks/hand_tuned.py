"""The fastest training loops that one would write by hand for a DCGAN pair, in float32 and in bfloat16."""

import torch
from torch import Tensor, nn
from torch.nn.functional import conv_transpose2d, leaky_relu

from benchmarks.peer_pair import Loop


class HandTuned(Loop):
    """The fastest loop of the same mathematics that one would write by hand, for these networks alone.

    - channels-last memory; Adam as one fused kernel
    - the generator runs without a graph in the critic's step, and the critic rests in the generator's
    - the input gradient of the penalty is a chain of transposed convolutions, whose slopes come from a
      forward pass without a graph that stops before the last layer
    """

    name = "hand-tuned"
    layout, optimizer = torch.channels_last, {"fused": True}

    def cycle(self) -> None:
        pair = self.pair
        pair.critic.requires_grad_(True)
        for _ in range(pair.n_critic):
            real = self.next_real()
            with torch.no_grad():
                fake = pair.generator(pair.latents(real))
            pair.critic_optimizer.zero_grad()
            loss = self.judge(real, fake)
            if pair.weight:
                loss = loss + self.penalty(real, fake)
            loss.backward()
            pair.watch("critic", loss)
            pair.critic_optimizer.step()
        pair.critic.requires_grad_(False)
        pair.generator_optimizer.zero_grad()
        loss = self.fool(pair.generator(pair.latents(self.real)))
        loss.backward()
        pair.watch("generator", loss)
        pair.generator_optimizer.step()

    def penalty(self, real: Tensor, fake: Tensor) -> Tensor:
        *layers, logit, _ = self.pair.critic
        convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
        x, signs = torch.lerp(fake.to(real), real, self.pair.draws.shares(real)), []
        with torch.no_grad():
            for layer in convolutions:
                x = leaky_relu(layer(x), 0.2, inplace=True)
                signs.append(x > 0)
        gradient = logit.weight.view(1, *x.shape[1:])
        for layer, sign in zip(reversed(convolutions), reversed(signs), strict=True):
            gradient = torch.where(sign, gradient, 0.2 * gradient)
            gradient = conv_transpose2d(gradient, layer.weight, stride=2, padding=1)
        return self.pair.weight * (gradient.flatten(1).norm(2, dim=1) - 1).square().mean()


class HandTunedInBfloat16(HandTuned):
    """The hand-tuned loop with both networks under autocast to bfloat16; weights and Adam stay in float32.

    The cache of converted weights is off: it would hold stale ones after a step.
    """

    name, is_exact = "hand-tuned, bf16", False

    def cycle(self) -> None:
        with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
            super().cycle()
