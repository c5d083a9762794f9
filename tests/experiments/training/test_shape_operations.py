"""Operations without values that are known from before: their results are those of computing them."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from benchmarks.processes import tiny
from experiments.config.resolve import resolve
from experiments.training import shape_operations
from experiments.training.memory_estimate import build_without_memory, estimate_memory
from experiments.training.plan.rounds import count_operations
from experiments.training.tensor_memory import TensorMemory


@pytest.fixture(autouse=True)
def _nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shape_operations, "_known", {})


def described(tensor: Tensor) -> tuple[object, ...]:
    return tensor.shape, tensor.stride(), tensor.dtype, tensor.device.type


CALLS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "pointwise, of other strides": lambda x, y: x.transpose(0, 1) + y,
    "of broadcast shapes": lambda x, y: x * y[:, :1],
    "product": lambda x, y: x @ y,
    "a whole number": lambda x, y: y.long() + 1,
    "a number": lambda x, y: y.long() + 1.0,
    "several results": lambda x, y: torch.sort(x)[1],
    "a sum": lambda x, y: x.sum(),
    "a factory": lambda x, y: torch.zeros(3, device="meta"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=list(CALLS))
def test_what_is_known_has_the_shape_of_what_is_computed(call: Callable[[Tensor, Tensor], Tensor]) -> None:
    x, y = (torch.empty(4, 4, device="meta") for _ in range(2))
    expected = described(call(x, y))
    for other in (*CALLS.values(), call):  # with everything known that might be taken for it
        with TensorMemory():
            other(x, y)
    with TensorMemory():
        assert described(call(x, y)) == expected
    assert shape_operations._known


def test_new_tensors_are_new_each_time_views_share_and_changes_stay_in_place() -> None:
    x = torch.empty(8, 3, 4, device="meta")
    for _ in range(3):
        with TensorMemory() as memory:
            view = x.view(24, 4)
            assert view.untyped_storage()._cdata == x.untyped_storage()._cdata and memory.peak == 0
            assert x.mul_(2) is x and memory.peak == 0
            first, second = x * 2, x * 2
            assert first.untyped_storage()._cdata != second.untyped_storage()._cdata
            assert memory.peak == 2 * 4 * 96
            product = torch.matmul(
                x, torch.empty(4, 5, device="meta")
            )  # a view by a name that says it is none
            assert memory.peak == 2 * 4 * 96 + 4 * 20 + 4 * 120, product.shape


def test_values_are_computed_each_time() -> None:
    for value in (1.0, 2.0):
        with TensorMemory():
            assert (torch.full((2,), value) + 1).tolist() == [value + 1] * 2
    assert {*shape_operations._known.values()} <= {shape_operations.UNKNOWN}


# Batch norm, growth, and spectral norm: what is remembered knows of no architecture.
@pytest.mark.parametrize("arch", ["dcgan", "progan", "resnet"])
def test_memory_and_operations_are_those_without_it(arch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = resolve({**tiny(arch), "device": "cpu", "loss": "wgan-gp"})

    def count() -> tuple[int, float, float]:
        found = count_operations(spec.settings, *build_without_memory(spec.settings))
        return estimate_memory(spec), found.per_sample, found.per_real

    known = count(), count()
    monkeypatch.setattr(shape_operations, "MOST_KNOWN", 0)
    monkeypatch.setattr(shape_operations, "_results_of", lambda *arguments: shape_operations.UNKNOWN)
    shape_operations._known.clear()
    assert known == (count(),) * 2
