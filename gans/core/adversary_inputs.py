"""Samples as a loop of somebody's own hands them to an adversary: read, and checked in one line."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from gans.core.networks import Batch, Condition
from losses.core.precision import full_precision, mixed_precision, to_full_precision

Samples = Tensor | Sequence[Tensor]  # a tuple: samples, and what the critic is told beside them


def read_samples(name: str, given: Samples) -> Batch:
    """Reads samples `(N, …)`, or a tuple of them and their condition, `(N, …)` each.

    Numbers of 16 bits, as networks under autocast return them, become float32. Raises ValueError for anything
    else.
    """
    parts = (given,) if isinstance(given, Tensor) else tuple(given)
    if not parts or not all(isinstance(each, Tensor) for each in parts):
        raise ValueError(f"{name}: give a tensor, or a tuple of samples and what the critic is told of them")
    samples, *condition = (to_full_precision(each) for each in parts)
    if not samples.is_floating_point():
        raise ValueError(f"{name} is {_word(samples.dtype)}; give floats, such as images in [-1, 1]")
    if samples.dim() < 2 or len(samples) == 0:
        raise ValueError(f"{name} has shape {tuple(samples.shape)}; give a batch (N, …) of 1 sample or more")
    for each in condition:
        if each.shape[:1] != samples.shape[:1]:
            raise ValueError(
                f"{name}: {len(samples)} samples with a condition of shape {tuple(each.shape)}; give one row "
                "for each"
            )
    return Batch(samples, tuple(condition))


def check_alike(real: Batch, fake: Batch) -> None:
    """Checks that real and generated samples are alike in number, shape, type and device.

    Raises ValueError otherwise.
    """
    for word, ours, theirs in (
        ("samples", len(real.samples), len(fake.samples)),
        ("samples of shape", tuple(real.samples.shape[1:]), tuple(fake.samples.shape[1:])),
        ("samples of type", _word(real.samples.dtype), _word(fake.samples.dtype)),
        ("samples on device", real.samples.device, fake.samples.device),
        ("conditions", len(real.condition), len(fake.condition)),
    ):
        if ours != theirs:
            raise ValueError(f"real and fake must be alike: {word} {ours} and {theirs}")


def check_detached(*batches: Batch) -> None:
    """Checks that a critic's step has no gradient to compute but its own. Raises ValueError otherwise."""
    for name, batch in zip(("real", "fake"), batches, strict=True):
        if any(each.requires_grad for each in (batch.samples, *batch.condition)):
            raise ValueError(
                f"{name} carries a gradient, which the critic's step has no use for; give {name}.detach()"
            )


def check_same_condition(one: Condition, other: Condition, why: str) -> None:
    """Checks that two batches have the same condition, for a loss that compares them. Raises ValueError."""
    if not all(a is b or torch.equal(a, b) for a, b in zip(one, other, strict=True)):
        raise ValueError(
            f"real and fake have other conditions, but {why} them sample by sample; give the same"
        )


def check_fits(critic: nn.Module, samples: Tensor) -> None:
    """Checks that a critic's weights are of the type and on the device of samples. Raises ValueError."""
    weight = next((each for each in critic.parameters() if each.is_floating_point()), None)
    if weight is None:
        return
    if weight.device != samples.device:
        raise ValueError(
            f"the critic is on {weight.device} and the samples on {samples.device}; call "
            f"adversary.to('{samples.device}')"
        )
    if weight.dtype != samples.dtype:
        remedy = "give samples of that type"
        if weight.dtype in (torch.bfloat16, torch.float16):
            remedy = "keep them in float32, and compute under torch.autocast"
        raise ValueError(
            f"the critic's weights are {_word(weight.dtype)} and the samples {_word(samples.dtype)}; {remedy}"
        )


@contextmanager
def own_precision(device: torch.device) -> Iterator[torch.dtype | None]:
    """Context in which autocast, if it is on, is left to networks; yields the type in which they multiply.

    Losses, penalties and weights stay in float32. Under float16 everything does: a critic takes its steps
    without the loss scaling that so small numbers need.
    """
    kind = device.type
    if not (torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)):
        yield None
        return
    dtype = torch.get_autocast_dtype(kind)
    with full_precision(device):
        yield dtype if dtype == torch.bfloat16 else None


@contextmanager
def autocast_networks(device: torch.device) -> Iterator[None]:
    """Context in which networks multiply as `own_precision` says, and all else computes in float32."""
    with own_precision(device) as dtype, mixed_precision(dtype):
        yield


def _word(dtype: torch.dtype) -> str:
    """The name of a type without its module."""
    return str(dtype).removeprefix("torch.")
