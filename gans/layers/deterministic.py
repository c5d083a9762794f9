"""Operations whose gradients are the same at every run on a GPU, where PyTorch's own ones need not be.

PyTorch's kernels add up in the order in which threads happen to come. Where deterministic algorithms are
asked for (`torch.use_deterministic_algorithms`), these take another way on a GPU; on a CPU they are
PyTorch's. docs/training.md lists what training uses of PyTorch's nondeterministic operations.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, pad

from losses.core.few_channels import Geometry, convolve


def takes_other_way(x: Tensor) -> bool:
    """Whether an operation on this tensor must not take PyTorch's own kernel."""
    return x.device.type != "cpu" and torch.are_deterministic_algorithms_enabled()


def pad_by_reflection(x: Tensor, rows: int, columns: int) -> Tensor:
    """Pads images `(N, C, H, W)` by their mirror image: `(N, C, H + 2 rows, W + 2 columns)`.

    The border itself is not repeated. Raises RuntimeError where it is not smaller than the side.
    """
    if not takes_other_way(x):
        return pad(x, (columns, columns, rows, rows), "reflect")
    if rows >= x.shape[2] or columns >= x.shape[3]:
        raise RuntimeError(f"{tuple(x.shape[2:])} pixels have no {rows} and {columns} to be reflected")
    for axis, width in ((3, columns), (2, rows)):
        if width:
            before, after = x.narrow(axis, 1, width), x.narrow(axis, x.shape[axis] - 1 - width, width)
            x = torch.cat([before.flip(axis), x, after.flip(axis)], dim=axis)
    return x


class ReflectedConvolution(nn.Conv2d):
    """Convolution with reflected borders `(N, C, H, W)`, of the arguments of `nn.Conv2d`."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        bias: bool = True,
    ) -> None:
        super().__init__(inputs, outputs, kernel_size, stride, padding, bias=bias, padding_mode="reflect")

    def _conv_forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        assert not isinstance(self.padding, str)
        return convolve(pad_by_reflection(x, *self.padding), weight, bias, Geometry(self.stride[0], 0))


def look_up(label: Tensor, vectors: Tensor) -> Tensor:
    """Looks up the vectors of labels: int64 `(N,)` and `(classes, length)` → `(N, length)`."""
    return vectors.index_select(0, label) if takes_other_way(vectors) else embedding(label, vectors)


class LabelEmbedding(nn.Embedding):
    """Embedding of labels, int64 `(N,)` → `(N, length)`; see `look_up`."""

    def forward(self, label: Tensor) -> Tensor:
        return look_up(label, self.weight)


def draw_labels(shares: Tensor, rows: int) -> Tensor:
    """Draws labels, int64 `(rows,)`, each with its share `(classes,)`; on the device of the shares."""
    if shares.device.type == "cpu":
        return torch.multinomial(shares, rows, replacement=True)
    # On a GPU that takes cumulative sums, which are not deterministic in all versions of PyTorch.
    cumulative = shares.expand(len(shares), -1).tril().sum(dim=1)
    points = torch.rand(rows, device=shares.device, dtype=shares.dtype) * cumulative[-1]
    return torch.searchsorted(cumulative, points, right=True).clamp_(max=len(shares) - 1)
