"""Speed of convolutions from and to images by phases (losses/core/few_channels.py) against PyTorch's own.

    python benchmarks/image_convolutions.py [--rounds 15]

Each is computed with its gradients, in turn with PyTorch's layer. Printed are medians of milliseconds and of
the pairs' ratios, and the largest relative difference of results and gradients in float64.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import conv2d, conv_transpose2d

from losses.core.few_channels import Geometry, convolve, convolve_transposed

Convolution = Callable[[Tensor, Tensor], Tensor]
# Name, PyTorch's own, ours, shapes of maps and weights.
CASES: list[tuple[str, Convolution, Convolution, tuple[int, ...], tuple[int, ...]]] = [
    (
        "dcgan, last layer: 64 to 3 channels, transposed, 4×4",
        lambda x, w: conv_transpose2d(x, w, None, 2, 1),
        lambda x, w: convolve_transposed(x, w, None, Geometry(2, 1)),
        *((64, 64, 16, 16), (64, 3, 4, 4)),
    ),
    (
        "dcgan, first layer: 3 to 64 channels, stride 2, 4×4",
        lambda x, w: conv2d(x, w, None, 2, 1),
        lambda x, w: convolve(x, w, None, Geometry(2, 1)),
        *((64, 3, 32, 32), (64, 3, 4, 4)),
    ),
    (
        "resnet, last layer: 64 to 3 channels, 3×3",
        lambda x, w: conv2d(x, w, None, 1, 1),
        lambda x, w: convolve(x, w, None, Geometry(1, 1)),
        *((64, 64, 32, 32), (3, 64, 3, 3)),
    ),
    (
        "cyclegan, last layer: 64 to 3 channels, 7×7",
        lambda x, w: conv2d(x, w, None, 1, 3),
        lambda x, w: convolve(x, w, None, Geometry(1, 3)),
        *((16, 64, 32, 32), (3, 64, 7, 7)),
    ),
]


def derivatives(compute: Convolution, inputs: Sequence[Tensor], direction: Tensor) -> list[Tensor]:
    """A result and its gradients at both inputs."""
    result = compute(*inputs)
    return [result, *torch.autograd.grad(result, inputs, direction)]


def main() -> None:
    """Prints a row for each case."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {options.rounds} rounds\n")
    print(
        "| forward and backward | PyTorch, ms | by phases, ms | ratio | difference |\n|---|---|---|---|---|"
    )
    for name, plain, ours, maps, weights in CASES:
        torch.manual_seed(0)
        drawn = [torch.randn(shape, dtype=torch.float64) for shape in (maps, weights)]
        drawn.append(torch.randn(plain(*drawn).shape, dtype=torch.float64))
        exact = [x.clone().requires_grad_() for x in drawn[:2]]
        pairs = zip(derivatives(plain, exact, drawn[2]), derivatives(ours, exact, drawn[2]), strict=True)
        difference = max(((a - b).abs().max() / a.abs().max()).item() for a, b in pairs)
        x, w, direction = (each.float().to(memory_format=torch.channels_last) for each in drawn)
        inputs = (x.requires_grad_(), w.requires_grad_())
        times: list[tuple[float, float]] = []
        for turn in range(options.rounds + 2):
            taken = {}
            for compute in (plain, ours) if turn % 2 else (ours, plain):
                began = time.perf_counter()
                derivatives(compute, inputs, direction)
                taken[compute] = (time.perf_counter() - began) * 1000
            if turn >= 2:
                times.append((taken[plain], taken[ours]))
        before, after = (statistics.median(column) for column in zip(*times, strict=True))
        ratio = statistics.median(a / b for a, b in times)
        print(f"| {name} | {before:.1f} | {after:.1f} | {ratio:.2f} | {difference:.0e} |", flush=True)


if __name__ == "__main__":
    main()
