"""What a run would be, without running it: parameter counts and an estimate of memory.

Everything is built on the meta device, which has shapes but no memory.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from experiments.build import blueprint_of, build_game, build_networks, total_steps
from experiments.config import Config
from experiments.settings import FIELDS

BYTES = 4  # float32
OPTIMIZER_COPIES = {"adam": 2, "rmsprop": 1, "sgd": 0}


@dataclass(frozen=True)
class Estimate:
    """Sizes of a run. Memory is that of weights, gradients, optimizer, averages and activations, without
    the data and what PyTorch itself takes."""

    generator_parameters: int
    critic_parameters: int
    steps: int
    kimg: float
    memory_bytes: int


def estimate(config: Config) -> Estimate:
    """Builds the networks on the meta device, which also finds settings that they cannot have."""
    settings = config.settings
    with torch.device("meta"):
        networks = build_networks(settings)
        z = torch.empty(settings.batch_size, settings.z_dim)
        samples = torch.empty(settings.batch_size, *blueprint_of(settings).sample_shape)
        labels = torch.zeros(settings.batch_size, dtype=torch.int64)
    told = (labels,) if settings.classes else ()
    kept = _activations(networks[0], z, *told), _activations(networks[1], samples, *told)
    # The critic's step keeps reals and fakes, and with a penalty the points, their first backward pass
    # and its graph as well; the generator's step keeps both networks once.
    activations = max(kept[1] * (5 if settings.penalty else 2), sum(kept))
    game = build_game(settings, *networks)  # outside: its optimizers import parts that break on this device
    images = settings.batch_size * game.deals_per_round
    steps = total_steps(settings, images)
    generator = sum(p.numel() for p in game.generator_network.parameters())
    critic = sum(p.numel() for p in game.critic_network.parameters())
    copies = 2 + OPTIMIZER_COPIES[settings.optimizer]  # weights, gradients, moments
    fixed = (generator + critic) * copies + generator + (critic if settings.critic_ema_kimg else 0)
    return Estimate(generator, critic, steps, steps * images / 1000, (fixed + activations) * BYTES)


def _activations(network: nn.Module, *inputs: Tensor) -> int:
    """Numbers that autograd keeps, weights left out."""
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[id(tensor)] = tensor  # alive until counted, so that no two share an id
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        network(*inputs)
    known = {id(tensor) for tensor in [*inputs, *network.parameters(), *network.buffers()]}
    return sum(tensor.numel() for key, tensor in kept.items() if key not in known)


def describe_plan(config: Config) -> str:
    """Every setting with where it came from, the parameter counts and the memory, as lines that nothing
    wraps."""
    sizes = estimate(config)
    rows = [("setting", "value", "from")]
    rows += [(name, show(getattr(config.settings, name)), config.sources[name]) for name in FIELDS]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines = [f"{name:<{widths[0]}}  {value:<{widths[1]}}  {source}" for name, value, source in rows]
    lines += [
        "",
        f"generator   {sizes.generator_parameters:>12,} parameters",
        f"critic      {sizes.critic_parameters:>12,} parameters",
        f"length      {sizes.steps:>12,} steps = {sizes.kimg:,.1f} kimg",
        f"memory      {sizes.memory_bytes / 2**20:>12,.0f} MiB on {config.settings.device}, about",
    ]
    return "\n".join(lines)


def show(value: object) -> str:
    """A value as its flag would take it; – for one without meaning."""
    if value is None or value == ():
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ",".join(f"{v[0]}={v[1]:g}" if isinstance(v, tuple) else show(v) for v in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
