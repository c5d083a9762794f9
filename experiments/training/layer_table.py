"""Table of the layers that a network takes from another one, a row for each group of them."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from experiments.config.factory import blueprint_of, build_networks
from experiments.core.settings import Settings
from experiments.data.core.open import task_of
from experiments.runs.weights import Role
from experiments.training.memory_estimate import meta_condition
from gans.core.layer_matching import LayerMatch
from gans.core.networks import Batch
from gans.core.weight_layers import WeightLayer
from gans.layers.labels import class_axis

COUNT = 2  # samples that are enough for the sizes of maps


class _LayerCount(NamedTuple):
    """Number of tensors in a group of layers that are taken, and of all."""

    taken: int = 0
    total: int = 0

    def __str__(self) -> str:
        return f"{self.taken} of {self.total} taken" if self.taken else "new"


def describe_match(settings: Settings, role: Role, match: LayerMatch, classes: tuple[int, int]) -> list[str]:
    """Describes which layers of a network are taken: those of each image size, of labels, and others by name.

    Args:
        classes: how many the other network has, and this one.
    """
    sides = _image_sides(settings, role)
    parts: dict[str, _LayerCount] = {}
    sizes: dict[int, _LayerCount] = {}
    labels: list[WeightLayer] = []
    for layer in match.layers:
        side = _side_of(layer, sides)
        if class_axis(layer.module) is not None:
            labels.append(layer)
        elif side is not None:
            sizes[side] = _add(sizes.get(side, _LayerCount()), layer, match)
        else:
            part = _part_of(layer)
            parts[part] = _add(parts.get(part, _LayerCount()), layer, match)
    rows = [f"{name} {group}" for name, group in parts.items()]
    rows += [f"layers of {_describe_sizes(sizes)}"] if sizes else []
    return rows + ([_describe_labels(labels, match, *classes)] if labels else [])


def _add(group: _LayerCount, layer: WeightLayer, match: LayerMatch) -> _LayerCount:
    taken = sum(name in match.taken for name in layer.names)
    return _LayerCount(group.taken + taken, group.total + len(layer.names))


def _describe_sizes(sizes: Mapping[int, _LayerCount]) -> str:
    """Describes groups by image size; neighbours of which all, or no, layers are taken are one."""
    found: list[tuple[list[int], str]] = []
    for side, group in sorted(sizes.items()):
        words = "taken" if group.taken == group.total else str(group)
        if found and found[-1][1] == words:
            found[-1][0].append(side)
        else:
            found.append(([side], words))
    return ", ".join(
        f"{each[0]}–{each[-1]} px {words}" if len(each) > 1 else f"{each[0]} px {words}"
        for each, words in found
    )


def _describe_labels(labels: Iterable[WeightLayer], match: LayerMatch, theirs: int, own: int) -> str:
    """Describes the embeddings of labels."""
    taken = [layer for layer in labels if all(name in match.taken for name in layer.weights)]
    if not taken:
        return "label embedding new"
    kept = min(theirs, own)
    return f"label embedding: {kept} classes taken" + (
        f", {own - kept} new from their mean" if own > kept else ""
    )


def _part_of(layer: WeightLayer) -> str:
    """The part of the network that a layer is in, by name."""
    part = layer.weights[0].partition(".")[0]
    return "dense layers" if part.isdigit() else part.replace("_", " ")


def _side_of(layer: WeightLayer, sides: Mapping[str, int]) -> int | None:
    """The longer side of the largest maps of a layer, or of the entry of a list that it is in."""
    parts = layer.path.split(".")
    paths = [".".join(parts[: index + 1]) for index in range(len(parts))]
    entries = [path for path in paths if path in sides and path.rpartition(".")[2].isdigit()]
    around = [path for path in paths if path in sides][-1:]
    return max((sides[path] for path in (*entries, *around)), default=None)


def _image_sides(settings: Settings, role: Role) -> dict[str, int]:
    """The longer sides of the largest maps that modules read or make, by their names in a network."""
    with torch.device("meta"):
        generator, critic = build_networks(settings)
    network = generator if role == "generator" else critic
    sides: dict[str, int] = {}
    full = max(settings.image_size or (0,))
    known = [full >> halvings for halvings in range(full.bit_length())]

    def record(path: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            maps = [x for x in (*inputs, output) if isinstance(x, Tensor) and x.dim() == 4]
            if maps:
                largest = max(max(x.shape[2:]) for x in maps)  # which padding may have enlarged
                sides[path] = max((side for side in known if side <= largest), default=largest)

        return hook

    for path, module in network.named_modules():
        # A sequence may end with layers of vectors; a parametrization maps weights.
        if path and not isinstance(module, nn.Sequential) and "parametrizations" not in path:
            module.register_forward_hook(record(path))
    samples = torch.empty(COUNT, *blueprint_of(settings).sample_shape, device="meta")
    batch = Batch(samples, meta_condition(settings, samples))
    is_told = task_of(settings) in ("noise", "pairs")  # whether the critic is told what the generator is
    with suppress(RuntimeError, TypeError, ValueError), torch.no_grad():  # plug-ins that need numbers
        if role == "generator":
            generator.generate(batch)
        else:
            critic(samples, *(batch.condition if is_told else ()))
    return sides
