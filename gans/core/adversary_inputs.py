"""Samples as a loop of somebody's own hands them to an adversary: read, and checked in one line."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gans.core.networks import Batch, Condition
from losses.core.precision import full_precision, mixed_precision, to_full_precision

Samples = Tensor | Sequence[Tensor]  # a tuple: samples, and what the critic is told beside them

# Images beyond ±FAR were meant for another range: what untrained networks make, and images of mean 0 and
# variance 1, stay within.
FAR = 16.0


@dataclass(frozen=True)
class SampleFormat:
    """Samples that a critic was built for, and what it is told of them.

    Attributes:
        critic: its name, for errors.
        shape: `(C, H, W)` of images in [−1, 1], or `(D,)` of points.
        is_of_any_size: whether it takes images of other sizes, too.
        classes: number of classes of labels that it is told; 0 for none.
        has_partners: whether it is told images, one for each.
    """

    critic: str
    shape: tuple[int, ...]
    is_of_any_size: bool = False
    classes: int = 0
    has_partners: bool = False

    def check(self, name: str, batch: Batch) -> None:
        """Checks the shapes of samples and of their condition. Raises ValueError that says what to change."""
        self._check_shape(name, batch.samples)
        expected = "(images, labels)" if self.classes else "(output, input)"
        if len(batch.condition) != (1 if self.classes or self.has_partners else 0):
            if not self.classes and not self.has_partners:
                raise ValueError(
                    f"{name}: critic {self.critic} is told nothing of its samples; give them alone"
                )
            raise ValueError(f"{name}: critic {self.critic} takes two tensors; give a tuple {expected}")
        for told in batch.condition:
            if self.has_partners:
                self._check_shape(f"{name}: input", told)
            elif told.dim() != 1 or told.is_floating_point():
                raise ValueError(
                    f"{name}: labels are {_word(told.dtype)} of shape {tuple(told.shape)}; give int64 (N,)"
                )

    def check_values(self, name: str, batch: Batch) -> None:
        """Checks that images are about in [−1, 1], and labels within the classes. Raises ValueError."""
        if len(self.shape) == 3:
            check_range(name, batch.samples, FAR)
        for told in batch.condition:
            if self.has_partners:
                check_range(f"{name}: input", told, FAR)
            elif int(told.min()) < 0 or int(told.max()) >= self.classes:
                raise ValueError(
                    f"{name}: give labels from 0 to {self.classes - 1}, or build it with more classes"
                )

    def _check_shape(self, name: str, samples: Tensor) -> None:
        found, own = tuple(samples.shape[1:]), self.shape
        if found == own or (self.is_of_any_size and len(found) == len(own) and found[0] == own[0]):
            return
        takes = f"(N, {own[0]}, H, W)" if self.is_of_any_size else f"(N, {', '.join(map(str, own))})"
        remedy = "give such samples"
        if len(found) == len(own) == 3 and found[0] != own[0]:
            is_last = found[2] == own[0]
            remedy = "call permute(0, 3, 1, 2)" if is_last else f"build it with channels={found[0]}"
        elif len(found) == len(own) == 3:
            size = found[1] if found[1] == found[2] else found[1:]
            remedy = f"resize them, or build it with image_size={size}"
        raise ValueError(
            f"{name} has shape {tuple(samples.shape)}, and critic {self.critic} takes {takes}; {remedy}"
        )


def check_range(name: str, images: Tensor, largest: float, takes: str = "float images in [-1, 1]") -> None:
    """Checks that no value of images is beyond ±`largest`. Raises ValueError with what to give otherwise."""
    low, high = (each.item() for each in images.detach().float().aminmax()) if images.numel() else (0.0, 0.0)
    if not max(-low, high) <= largest:
        remedy = ": x / 127.5 - 1 for numbers of 0 to 255" if low >= 0 and high <= 255 else ""
        raise ValueError(f"{name}: give {takes}, not from {low:.6g} to {high:.6g}{remedy}")


def read_samples(name: str, given: Samples) -> Batch:
    """Reads samples `(N, …)`, or a tuple of them and their condition, `(N, …)` each.

    Numbers of 16 bits, as networks under autocast return them, become float32. Raises ValueError for anything
    else.
    """
    parts = (given,) if isinstance(given, Tensor) else tuple(given)
    if not parts or not all(isinstance(each, Tensor) for each in parts):
        raise ValueError(f"{name}: give a tensor, or a tuple of samples and what the critic is told of them")
    if torch.is_inference_mode_enabled() or any(each.is_inference() for each in parts):
        raise ValueError(
            f"{name}: gradients are asked for where torch.inference_mode is on, or was when the samples were "
            f"made; use torch.no_grad instead, or give {name}.clone() after it"
        )
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


def check_parts(reconstruction: object, last_layer: object) -> None:
    """Checks what an adaptive weight is computed from: tensors, or None. Raises ValueError otherwise."""
    if isinstance(last_layer, nn.Module):
        has_weight = isinstance(getattr(last_layer, "weight", None), Tensor)
        remedy = "give its .weight" if has_weight else "give the weight of the last layer in it"
        raise ValueError(f"last_layer is a module, {type(last_layer).__name__}; {remedy}")
    if not isinstance(last_layer, Tensor | None):
        raise ValueError(f"last_layer: give the weight of a layer, a tensor, not {type(last_layer).__name__}")
    if reconstruction is not None and not (
        isinstance(reconstruction, Tensor) and reconstruction.numel() == 1
    ):
        kind = type(reconstruction).__name__
        shape = f" of shape {tuple(reconstruction.shape)}" if isinstance(reconstruction, Tensor) else ""
        raise ValueError(f"reconstruction: give the loss, a tensor of one number, not {kind}{shape}")


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
