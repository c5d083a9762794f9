"""The fastest training loops that one would write by hand for a DCGAN pair, in float32 and in bfloat16."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn.functional import conv2d, conv_transpose2d, leaky_relu

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
                fake = self.generate(pair.latents(real))
            pair.critic_optimizer.zero_grad()
            loss = self.judge(real, fake)
            if pair.weight:
                loss = loss + self.penalty(real, fake)
            loss.backward()
            pair.watch("critic", loss)
            pair.critic_optimizer.step()
        pair.critic.requires_grad_(False)
        pair.generator_optimizer.zero_grad()
        loss = self.fool(self.generate(pair.latents(self.real)))
        loss.backward()
        pair.watch("generator", loss)
        pair.generator_optimizer.step()

    def generate(self, z: Tensor) -> Tensor:
        """Generates images."""
        return self.pair.generator(z)

    def transpose(self, gradient: Tensor, layer: nn.Conv2d) -> Tensor:
        """The gradient at the input of a convolution of the critic."""
        return conv_transpose2d(gradient, layer.weight, stride=2, padding=1)

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
            gradient = self.transpose(torch.where(sign, gradient, 0.2 * gradient), layer)
        return self.pair.weight * (gradient.flatten(1).norm(2, dim=1) - 1).square().mean()


class HandTunedByPhases(HandTuned):
    """The hand-tuned loop with other arithmetic where images, which have three channels, are the output.

    - a transposed convolution to three channels (the generator's last layer, and the gradient at the input of
      the critic's first) is one convolution of size 2×2 to twelve, whose maps are the four phases of the
      image: even and odd rows and columns. PyTorch's own kernels are slow for so few channels.
    """

    name = "hand-tuned with phases"

    def generate(self, z: Tensor) -> Tensor:
        generator: Any = self.pair.generator
        *layers, last, tanh = generator.upsample
        x = generator.project(generator.with_label(z)).view(-1, *generator.base)
        for layer in layers:
            x = layer(x)
        return tanh(TransposedByPhases.apply(x, last.weight) + last.bias[:, None, None])

    def fool(self, fake: Tensor) -> Tensor:
        first, *layers = self.pair.critic
        x = ConvolutionWithPhases.apply(fake, first.weight, first.bias)
        for layer in layers:
            x = layer(x)
        return self.loss_of_fooled(x)

    def transpose(self, gradient: Tensor, layer: nn.Conv2d) -> Tensor:
        if layer.in_channels > 4:
            return super().transpose(gradient, layer)
        return TransposedByPhases.apply(gradient, layer.weight)


STRIDES = [2, 2], [1, 1], [1, 1]  # stride, padding and dilation of all layers
EVEN, ODD = [3, 1], [2, 0]  # rows or columns of a kernel of size 4 that meet even and odd ones of the image


def transpose_by_phases(x: Tensor, weight: Tensor) -> Tensor:
    """Transposed convolution of size 4, stride 2 and padding 1, `(N, I, H, W)` → `(N, O, 2H, 2W)`."""
    n, _, height, width = x.shape
    kernels = [weight[:, :, rows][:, :, :, columns] for rows in (EVEN, ODD) for columns in (EVEN, ODD)]
    kernel = torch.cat(kernels, dim=1).transpose(0, 1).contiguous(memory_format=torch.channels_last)
    phases = conv2d(x, kernel, padding=1).chunk(4, dim=1)
    whole = phases[0].new_empty(n, weight.shape[1], 2 * height, 2 * width)
    whole = whole.contiguous(memory_format=torch.channels_last)
    for index, phase in enumerate(phases):
        row, column = divmod(index, 2)
        whole[:, :, row::2, column::2] = phase[:, :, row : row + height, column : column + width]
    return whole


class TransposedByPhases(Function):
    """A transposed convolution to few channels, with PyTorch's own gradients."""

    @staticmethod
    def forward(context: Any, x: Tensor, weight: Tensor) -> Tensor:
        context.save_for_backward(x, weight)
        return transpose_by_phases(x, weight)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Any:
        x, weight = (saved.to(gradient.dtype) for saved in context.saved_tensors)
        wanted = [*context.needs_input_grad, False]
        found = torch.ops.aten.convolution_backward(
            gradient, x, weight, None, *STRIDES, True, [0, 0], 1, wanted
        )
        return found[0], found[1]


class ConvolutionWithPhases(Function):
    """A convolution of images whose gradient at its input is a transposed convolution by phases."""

    @staticmethod
    def forward(context: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        context.save_for_backward(weight)
        return conv2d(x, weight, bias, stride=2, padding=1)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Any:  # the critic rests: its weights need no gradient
        (weight,) = context.saved_tensors
        return transpose_by_phases(gradient, weight), None, None


class HandTunedInBfloat16(HandTuned):
    """The hand-tuned loop with both networks under autocast to bfloat16; weights and Adam stay in float32.

    The cache of converted weights is off: it would hold stale ones after a step.
    """

    name, is_exact = "hand-tuned in bf16", False

    def cycle(self) -> None:
        with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
            super().cycle()
