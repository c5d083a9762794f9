"""The ways that deterministic gradients take on a GPU are the same functions as PyTorch's own."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, pad

from gans.layers import deterministic
from gans.layers.deterministic import (
    LabelEmbedding,
    ReflectedConvolution,
    draw_labels,
    look_up,
    pad_by_reflection,
)
from tests.fake_accelerator import fake_accelerator


@pytest.fixture
def on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """All tensors are taken for those of a GPU."""
    monkeypatch.setattr(deterministic, "takes_other_way", lambda x: True)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 2), (0, 4), (4, 0), (0, 0)])
def test_padding_by_slices_is_reflection_padding(rows: int, columns: int, on_a_gpu: None) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 5, 6, dtype=torch.float64, requires_grad=True)
    expected, found = pad(x, (columns, columns, rows, rows), "reflect"), pad_by_reflection(x, rows, columns)
    assert torch.equal(found, expected)
    slopes = torch.randn_like(expected)
    there, here = (torch.autograd.grad(each, x, slopes)[0] for each in (expected, found))
    assert torch.allclose(here, there, rtol=0, atol=1e-14)


def test_padding_by_slices_refuses_a_border_as_wide_as_the_image(on_a_gpu: None) -> None:
    with pytest.raises(RuntimeError, match="5, 6"):
        pad_by_reflection(torch.zeros(1, 1, 5, 6), 5, 1)


@pytest.mark.parametrize("stride", [1, 2])
def test_a_reflected_convolution_is_that_of_pytorch_to_the_bit(stride: int) -> None:
    torch.manual_seed(0)
    usual = nn.Conv2d(3, 4, 3, stride, 1, padding_mode="reflect")
    torch.manual_seed(0)
    own = ReflectedConvolution(3, 4, 3, stride, 1)
    assert own.state_dict().keys() == usual.state_dict().keys()
    x = torch.randn(2, 3, 8, 8, requires_grad=True)
    expected, found = usual(x), own(x)
    assert torch.equal(found, expected)
    slopes = [torch.autograd.grad(each.square().sum(), x)[0] for each in (expected, found)]
    assert torch.equal(*slopes)


def test_vectors_of_labels_and_their_gradients_are_those_of_an_embedding(on_a_gpu: None) -> None:
    torch.manual_seed(0)
    vectors = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    label = torch.tensor([1, 3, 1, 1, 0])
    slopes = torch.randn(5, 3, dtype=torch.float64)
    pairs: list[Tensor] = []
    for each in (embedding(label, vectors), look_up(label, vectors)):
        pairs += [each, *torch.autograd.grad(each, vectors, slopes)]
    assert torch.equal(pairs[0], pairs[2])
    assert torch.allclose(pairs[1], pairs[3], rtol=0, atol=1e-14)
    assert torch.equal(LabelEmbedding.from_pretrained(vectors)(label), vectors[label])


def test_labels_drawn_on_a_gpu_have_their_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    shares = torch.tensor([0.2, 0.0, 0.5, 0.3])
    torch.manual_seed(0)
    with fake_accelerator(monkeypatch):
        drawn = draw_labels(shares.to("cuda"), 20_000).cpu()
    found = drawn.bincount(minlength=4) / len(drawn)
    assert found[1] == 0
    assert torch.allclose(found, shares, atol=0.012)  # 3.5 standard deviations
