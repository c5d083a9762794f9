"""Estimate of a run without running it: parameter counts, length and memory.

Everything is built on the meta device, which has shapes but no memory.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from experiments.config.factory import blueprint_of, build_game, build_networks, growth_of_generator
from experiments.config.resolve import RunSpec
from experiments.config.run_length import Growth, plan_batches
from experiments.core import registry
from experiments.core.device import dtype_of
from experiments.core.settings import Settings
from experiments.core.value_format import format_value
from experiments.data.core.open import task_of
from gans.core.growth import Stage
from gans.core.networks import Batch, Condition, GeneratorNetwork
from gans.layers.recomputation import kept_activations
from losses.core.batch_parts import process_part


@dataclass(frozen=True)
class Estimate:
    """Parameter counts, length and memory of a run.

    Memory is that of weights, gradients, optimizer, EMAs and activations, without the data and what
    PyTorch itself takes.
    """

    generator_parameters: int
    critic_parameters: int
    steps: int
    kimg: float
    memory_bytes: int


def estimate(spec: RunSpec) -> Estimate:
    """Estimates the sizes of a run from its networks on the meta device.

    Raises UsageError for settings that the networks cannot have.
    """
    settings = spec.settings
    with torch.device("meta"):
        networks = build_networks(settings)
    growth = growth_of_generator(settings, networks[0])
    activations = max(
        _activations_at(level, settings, growth, *networks) for level in _costliest_levels(growth)
    )
    game = build_game(settings, *networks)  # outside: its optimizers import parts that break on this device
    plan = plan_batches(settings, growth, game.batches_per_round)
    generator = sum(p.numel() for p in game.generator_network.parameters())
    critic = sum(p.numel() for p in game.critic_network.parameters())
    copies = 2 + registry.load("optimizer", settings.optimizer).state_copies  # weights, gradients, moments
    fixed = (generator + critic) * copies + generator + (critic if settings.critic_ema_kimg else 0)
    return Estimate(
        generator,
        critic,
        plan.steps,
        plan.images / 1000,
        (fixed + activations) * dtype_of(settings.precision).itemsize,
    )


def _costliest_levels(growth: Growth) -> list[int]:
    """Levels of growing networks that may need most memory: the last, and any with a larger batch."""
    last = len(growth.sides) - 1
    return [
        level
        for level in range(last + 1)
        if level == last or growth.batch_sizes[level] > growth.batch_sizes[last]
    ]


def _activations_at(
    level: int, settings: Settings, growth: Growth, generator: GeneratorNetwork, critic: nn.Module
) -> int:
    """Counts the numbers that a step keeps for its gradients at a level of growing networks."""
    for module in [*generator.modules(), *critic.modules()]:
        if isinstance(module, Stage):
            module.set(float(level))
    count, halvings = _images_at_once(settings, growth.batch_sizes[level]), len(growth.sides) - 1 - level
    shape = blueprint_of(settings).sample_shape
    size = [pixels >> halvings for pixels in shape[1:]]
    # Made one by one: on this device by default, a network could not draw lots on the way.
    samples = torch.empty(count, shape[0], *size, device="meta")
    batch = Batch(samples, meta_condition(settings, samples))
    is_told = task_of(settings) in ("noise", "pairs")  # whether the critic is told what the generator is
    seen = batch.condition if is_told else ()
    made = _activations(generator, generator.generate, batch) * generator.passes
    judged = _activations(critic, critic, samples, *seen)
    # The critic's step keeps real and fake images, and with a penalty the points, their first backward pass
    # and its graph as well; the generator's step keeps both networks once.
    of_critic = 2 * judged
    if settings.penalty:
        with kept_activations(critic):  # the graph of a backward pass is not computed again
            of_critic += judged + 2 * _activations(critic, critic, samples, *seen)
    return max(of_critic, made + judged)


def _images_at_once(settings: Settings, batch_size: int) -> int:
    """Number of images of a batch that a process computes at once."""
    of_process = -(-batch_size // process_part().count)
    micro = settings.micro_batch_size
    return min(of_process, micro) if isinstance(micro, int) else of_process


def meta_condition(settings: Settings, samples: Tensor) -> Condition:
    """Condition that a generator is given with each sample: labels, attributes or images, without values."""
    count = len(samples)
    if settings.classes:
        return (torch.zeros(count, dtype=torch.int64, device="meta"),)
    if settings.attributes:
        return (torch.zeros(count, len(settings.attributes), device="meta"),)
    return () if task_of(settings) == "noise" else (samples,)


def _activations(network: nn.Module, use: Callable[..., Tensor], *inputs: Any) -> int:
    """Counts the numbers that autograd keeps of one use of a network, weights left out."""
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[id(tensor)] = tensor  # alive until counted, so that no two share an id
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        use(*inputs)
    known = {id(tensor) for tensor in [*inputs, *network.parameters(), *network.buffers()]}
    return sum(tensor.numel() for key, tensor in kept.items() if key not in known)


def describe_plan(spec: RunSpec) -> str:
    """Describes a run before it starts: every setting with its source, parameter counts, length and memory.

    The result is lines that nothing wraps.
    """
    sizes = estimate(spec)
    rows = [("setting", "value", "from")]
    rows += [
        (name, format_value(value, name), spec.sources[name])
        for name, value in spec.settings.to_dict().items()
    ]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines = [f"{name:<{widths[0]}}  {value:<{widths[1]}}  {source}" for name, value, source in rows]
    lines += [
        "",
        f"generator   {sizes.generator_parameters:>12,} parameters",
        f"critic      {sizes.critic_parameters:>12,} parameters",
        f"length      {sizes.steps:>12,} steps = {sizes.kimg:,.1f} kimg",
        f"memory      {sizes.memory_bytes / 2**20:>12,.0f} MiB on {spec.settings.device}, about",
    ]
    return "\n".join(lines)
