"""StyleGAN2's published training cycle on a CPU, written anew: its operations in their order.

The networks are the laboratory's; what is computed with their weights is written down here, as the published
code does it without its CUDA kernels.
"""

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import conv2d, conv_transpose2d, leaky_relu, pad, softplus

from benchmarks.peer_pair import Loop, Pair
from gans.layers.resample import smoothing_kernel

ROOT_2 = math.sqrt(2)
ROUNDS = 16  # in which R1 is taken once, and path lengths four times
SIDES = tuple[int, int, int, int]  # padding left, right, above, below


def resample(
    x: Tensor, kernel: Tensor, padding: SIDES, up: int = 1, down: int = 1, gain: float = 1.0
) -> Tensor:
    """Puts zeros between pixels, pads, filters and drops pixels, each as an operation of its own."""
    n, channels, height, width = x.shape
    x = pad(x.reshape(n, channels, height, 1, width, 1), [0, up - 1, 0, 0, 0, up - 1])
    x = pad(x.reshape(n, channels, height * up, width * up), list(padding))
    weight = (kernel * gain).flip([0, 1])[None, None].repeat(channels, 1, 1, 1)
    return conv2d(x, weight, groups=channels)[:, :, ::down, ::down]


def activate(x: Tensor, bias: Tensor, gain: float = ROOT_2) -> Tensor:
    """Adds the bias, then a leaky ReLU, then the gain: three operations."""
    x = leaky_relu(x + bias.reshape(1, -1, *[1] * (x.dim() - 2)), 0.2)
    return x if gain == 1 else x * gain


def project(layer: Any, x: Tensor) -> Tensor:
    """An equalized linear layer without activation."""
    return torch.addmm(layer.bias[None] * layer.bias_scale, x, (layer.weight * layer.scale).T)


def project_and_activate(layer: Any, x: Tensor) -> Tensor:
    """An equalized linear layer with its activation."""
    return activate(x.matmul((layer.weight * layer.scale).T), layer.bias * layer.bias_scale)


class StyleGAN2ADA(Loop):
    """The cycle of stylegan2-ada-pytorch on a CPU: 16 rounds of both players.

    - a round: the generator's update, then the critic's, with a backward pass for fakes and one for reals,
      and the EMA tensor by tensor
    - path lengths at every 4th round and R1 at every 16th, as updates of their own, by double backward
    - the player that rests has no gradients
    - modulation scales the maps before and after one convolution; the demodulation's scale is taken from the
      modulated weights of each sample
    - enlarging: a transposed convolution, then padding, filter and slices as operations of their own;
      halving: the same, then a convolution of stride 2; images are enlarged with zeros between pixels
    - bias, activation and gain are three operations; memory is contiguous
    """

    name, losses = "stylegan2-ada", ("stylegan2",)

    def __init__(self, pair: Pair) -> None:
        super().__init__(pair)
        self.turn = 0
        self.kernel = smoothing_kernel().to(next(pair.critic.parameters()).dtype)
        self.length = torch.zeros((), dtype=self.kernel.dtype)
        self.average = copy.deepcopy(pair.generator).requires_grad_(False)
        self.gamma = pair.experiment.spec.settings.penalty_weight or 0.0

    @classmethod
    def of(cls, flags: Mapping[str, Any]) -> "Loop":
        pair = super().of(flags).pair
        return cls(replace(pair, weight=0.0))  # R1 is no part of each of the critic's updates

    def cycle(self) -> None:
        for _ in range(ROUNDS):
            self.round()

    def round(self) -> None:
        """Trains both players once, with the regularization that is due."""
        real, turn, self.turn = self.next_real(), self.turn, self.turn + 1
        self._update("generator", "generator", lambda: self._generator_loss(real))
        if turn % 4 == 0:
            self._update("generator", "path_length", lambda: 4 * self._path_length_loss(real))
        self._update(
            *("critic", "critic"),
            lambda: softplus(self.logits(self.fake(real))).mean(),
            lambda: softplus(-self.logits(real)).mean(),
        )
        if turn % ROUNDS == 0:
            self._update("critic", "penalty", lambda: ROUNDS * self._penalty_loss(real))
        self._follow()

    def _update(self, player: str, name: str, *losses: Callable[[], Tensor]) -> None:
        """Updates a player, with a backward pass for each loss."""
        pair = self.pair
        network, optimizer = getattr(pair, player), getattr(pair, f"{player}_optimizer")
        network.requires_grad_(True)
        optimizer.zero_grad(set_to_none=True)
        total = torch.zeros((), dtype=self.kernel.dtype)
        for compute in losses:
            loss = compute()
            loss.backward()
            total += loss.detach()
        network.requires_grad_(False)
        pair.watch(name, total)
        optimizer.step()

    @torch.no_grad()
    def _follow(self) -> None:
        """Moves the EMA."""
        generator = self.pair.generator
        for average, weight in zip(self.average.parameters(), generator.parameters(), strict=True):
            average.copy_(weight.lerp(average, 0.998))
        for kept, buffer in zip(self.average.buffers(), generator.buffers(), strict=True):
            kept.copy_(buffer)

    def _generator_loss(self, real: Tensor) -> Tensor:
        return softplus(-self.logits(self.fake(real))).mean()

    def _path_length_loss(self, real: Tensor) -> Tensor:
        styles = self.styles(real[: len(real) // 2])
        images = self.synthesize(styles)
        noise = self.pair.draws.pictures(images) / math.sqrt(images.shape[2] * images.shape[3])
        (gradient,) = torch.autograd.grad((images * noise).sum(), styles, create_graph=True)
        lengths = gradient.square().sum(2).mean(1).sqrt()
        mean = self.length.lerp(lengths.mean(), 0.01)
        self.length.copy_(mean.detach())
        return 2 * (lengths - mean).square().mean()

    def _penalty_loss(self, real: Tensor) -> Tensor:
        real = real.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(self.logits(real).sum(), real, create_graph=True)
        return self.gamma / 2 * gradient.square().sum([1, 2, 3]).mean()

    def fake(self, real: Tensor) -> Tensor:
        """Generates as many images as there are real ones."""
        return self.synthesize(self.styles(real))

    def styles(self, real: Tensor) -> Tensor:
        """Draws styles `(N, layers, w_dim)`, with style mixing."""
        generator: Any = self.pair.generator
        w = self._map(self.pair.latents(real))
        generator.mean.copy_(w.detach().mean(0).lerp(generator.mean, 0.995))
        styles = w.unsqueeze(1).repeat(1, generator.styles, 1)
        if torch.rand(()).item() < generator.options.style_mixing:
            cutoff = int(torch.randint(1, generator.styles, ()))
            other = self._map(self.pair.latents(real)).unsqueeze(1).repeat(1, generator.styles, 1)
            styles[:, cutoff:] = other[:, cutoff:]
        return styles

    def _map(self, z: Tensor) -> Tensor:
        generator: Any = self.pair.generator
        x = z * (z.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()
        for layer in generator.mapping.layers[::2]:
            x = project_and_activate(layer, x)
        return x

    def synthesize(self, w: Tensor) -> Tensor:
        """Synthesizes images from styles `(N, layers, w_dim)`."""
        generator: Any = self.pair.generator
        styles = w.unbind(dim=1)
        x = generator.constant[None].repeat(len(w), 1, 1, 1)
        x = self._styled(generator.first, x, styles[0])
        images = self._to_image(generator.to_image[0], x, styles[1])
        for i, (enlarging, keeping) in enumerate(zip(generator.enlarging, generator.keeping, strict=True)):
            x = self._styled(enlarging, x, styles[2 * i + 1])
            x = self._styled(keeping, x, styles[2 * i + 2])
            images = resample(images, self.kernel, (2, 1, 2, 1), up=2, gain=4)
            images = images + self._to_image(generator.to_image[i + 1], x, styles[2 * i + 3])
        return images

    def _styled(self, layer: Any, x: Tensor, w: Tensor) -> Tensor:
        x = self._modulated(layer.convolution, x, project(layer.convolution.style, w))
        if layer.noise.mode == "const":
            noise = layer.noise.fixed
        else:
            noise = torch.randn(len(x), 1, *x.shape[2:], dtype=x.dtype)
        return activate(x + noise * layer.noise.scale, layer.bias)

    def _to_image(self, layer: Any, x: Tensor, w: Tensor) -> Tensor:
        convolution = layer.convolution
        style = project(convolution.style, w) * convolution.scale
        return self._modulated(convolution, x, style) + layer.bias

    def _modulated(self, convolution: Any, x: Tensor, style: Tensor) -> Tensor:
        """A modulated convolution: scales the maps before and after it."""
        scale = None
        if convolution.demodulates:
            weights = convolution.weight[None] * style[:, None, :, None, None]
            scale = (weights.square().sum(dim=[2, 3, 4]) + 1e-8).rsqrt()
        x = x * style[:, :, None, None]
        x = self._convolve(convolution, x)
        return x if scale is None else x * scale[:, :, None, None]

    def _convolve(self, convolution: Any, x: Tensor) -> Tensor:
        """The convolution of a modulated one, with one weight for all samples."""
        if not convolution.enlarges:
            return conv2d(x, convolution.weight, padding=convolution.padding)
        x = conv_transpose2d(x, convolution.weight.transpose(0, 1), stride=2)
        return resample(x, self.kernel, (1, 1, 1, 1), gain=4)

    def logits(self, x: Tensor) -> Tensor:
        """The critic's logits `(N,)`."""
        critic: Any = self.pair.critic
        x = self._convolved(critic.from_image[0], x)
        for block in critic.blocks:
            skip = block.skip[1]
            y = resample(x, self.kernel, (1, 1, 1, 1), down=2)
            y = conv2d(y, skip.weight * skip.scale) * math.sqrt(0.5)
            x = self._convolved(block.residual[0], x)
            x = resample(x, self.kernel, (2, 2, 2, 2))
            x = self._convolved(block.residual[2].convolution, x, gain=1.0)
            x = y + x
        x = self._convolved(critic.last[1], critic.last[0](x))
        x = project_and_activate(critic.last[4], x.flatten(1))
        return project(critic.logit, x).squeeze(1)

    def _convolved(self, layer: Any, x: Tensor, gain: float = ROOT_2) -> Tensor:
        """An equalized convolution with its activation."""
        x = conv2d(x, layer.weight * layer.scale, stride=layer.stride, padding=layer.padding)
        return activate(x, layer.bias, gain)


class StyleGAN2(StyleGAN2ADA):
    """The cycle of StyleGAN2's first code and of stylegan2-pytorch: as above, but for the modulation.

    - weights are modulated and demodulated for each sample, and one grouped convolution has a group for each
    """

    name: ClassVar[str] = "stylegan2"

    def _modulated(self, convolution: Any, x: Tensor, style: Tensor) -> Tensor:
        weights = convolution.weight[None] * style[:, None, :, None, None]
        if convolution.demodulates:
            scale = (weights.square().sum(dim=[2, 3, 4]) + 1e-8).rsqrt()
            weights = weights * scale[:, :, None, None, None]
        n = len(x)
        x = x.reshape(1, -1, *x.shape[2:])
        x = self._convolve_groups(convolution, x, weights)
        return x.reshape(n, -1, *x.shape[2:])

    def _convolve_groups(self, convolution: Any, x: Tensor, weights: Tensor) -> Tensor:
        """One convolution of `(1, N · inputs, H, W)` by weights `(N, outputs, inputs, k, k)`."""
        if not convolution.enlarges:
            return conv2d(x, weights.flatten(0, 1), padding=convolution.padding, groups=len(weights))
        x = conv_transpose2d(x, weights.transpose(1, 2).flatten(0, 1), stride=2, groups=len(weights))
        return resample(x, self.kernel, (1, 1, 1, 1), gain=4)


PUBLISHED: Sequence[type[Loop]] = (StyleGAN2, StyleGAN2ADA)
