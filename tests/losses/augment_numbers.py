"""The published pipelines' numbers: what the files of `augment/` beside the networks' fixtures hold."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from losses.core.critic_augmentation import CriticAugmentation
from losses.critic_augmentations.ada import Ada, AdaOptions
from losses.critic_augmentations.diffaugment import DiffAugment, DiffAugmentOptions
from tests.gans.published.numbers import FOLDER, read

FILES = sorted(path.stem for path in (FOLDER / "augment").glob("*_*.safetensors"))
NORMAL = ("scale", "aniso", "xfrac", "brightness", "contrast", "saturation", "imgfilter")


@dataclass(frozen=True)
class Case:
    """A file: a pipe, its images, draws and probability, and what it made of them."""

    pipe: CriticAugmentation
    images: Tensor
    draws: dict[str, Tensor]
    probability: float
    weights: Tensor
    expected: Tensor
    gradient: Tensor
    inverse: Tensor | None


def case_of(name: str, dtype: torch.dtype) -> Case:
    """Reads a file; a percentile becomes the draws that stand for it, with all gates open."""
    numbers = read(f"augment/{name}")
    call, draws = numbers.about["call"], dict(numbers.group("draws/"))
    images = numbers["inputs/images"].to(dtype) / 128
    if "noise.pixels" in draws:
        draws["noise.pixels"] = draws["noise.pixels"].to(dtype) / 32
    if "policy" in call:
        pipe: CriticAugmentation = DiffAugment(DiffAugmentOptions(tuple(call["policy"].split(","))))
    else:
        pipe = Ada(AdaOptions(transforms=tuple(call["constructor"])))
        if (percentile := call["debug_percentile"]) is not None:
            missing = {key: value for key, value in pipe.draw(images).items() if key not in draws}
            draws |= {key: _at(percentile, key, value) for key, value in missing.items()}
    return Case(
        pipe,
        images,
        draws,
        call.get("p", 1.0),
        numbers["inputs/weights"].to(dtype) / 32,
        numbers["outputs/images"],
        numbers["gradients/input"],
        numbers.tensors.get("intermediates/inverse_transform"),
    )


def _at(percentile: float, key: str, like: Tensor) -> Tensor:
    """The draws that stand for a percentile, as the authors' code has them."""
    q = torch.tensor(percentile, dtype=torch.float64)
    value: Any = (2 * q - 1).erfinv() if key.startswith(NORMAL) else q
    value = {"rotate_after.value": 0.5, "noise.sigma": q.erfinv()}.get(key, value)
    return torch.full(like.shape, 0.0 if key.endswith("gate") else float(value), dtype=torch.float64)
