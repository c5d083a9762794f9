"""Disk space of a run folder at its end."""

import io
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from experiments.core.images import draw_samples, from_uint8
from experiments.core.settings import Settings
from experiments.data.core.batch_sizes import BatchSchedule
from experiments.data.core.dataset import DataSet, Domains
from experiments.data.core.loader import GRID_SAMPLES, SCATTER_SAMPLES
from experiments.training.callbacks import CHECKPOINTS, GRIDS, SCORE_STEPS, interval_images
from experiments.training.memory_estimate import errors_without_values, size_of
from gans.core.game import Game

BLOCK = 4096  # bytes in which file systems give space to files
ENTRY = 370  # bytes of a checkpoint beside the numbers of a tensor: name, place, padding
WORDS = 8 * 1024  # config.json
LINE = 900  # bytes of a line of scores


@dataclass(frozen=True)
class DiskSpace:
    """Bytes of the files of a finished run, by what they hold."""

    parts: Mapping[str, int]

    @property
    def total(self) -> int:
        """Bytes of all files."""
        return sum(self.parts.values())


def checkpoint_bytes(settings: Settings, game: Game) -> int:
    """Bytes of a checkpoint of a game without memory, whose players have moments after it.

    Raises UnknownMemoryError for an optimizer that asks for values.
    """
    for player in game.players:
        if not player.optimizer.state:
            with errors_without_values():
                player.take_zero_step()
        player.optimizer.zero_grad(set_to_none=True)
    moments = [
        value
        for player in game.players
        for state in player.optimizer.state.values()
        for value in state.values()
        if isinstance(value, Tensor)
    ]
    networks = [game.generator_network, *([game.critic_network] if settings.critic_ema_kimg else [])]
    averages = [tensor for network in networks for tensor in (*network.parameters(), *network.buffers())]
    tensors = [*game.parameters(), *game.buffers(), *moments, *averages]
    return size_of(tensors) + ENTRY * len(tensors)


def estimate_disk_space(
    settings: Settings, game: Game, plan: BatchSchedule, data: DataSet | Domains, checkpoint: int
) -> DiskSpace:
    """Estimates the files of a finished run. A picture of real samples stands for each sample grid.

    Args:
        checkpoint: bytes of a checkpoint.
    """
    checkpoints = min(settings.keep, count_calls(settings.checkpoint_kimg, CHECKPOINTS, plan))
    best = 1 if settings.evaluate_kimg else 0
    networks = [game.generator_network, *([game.critic_network] if settings.critic_ema_kimg else [])]
    exports = [
        size_of([*each.parameters(), *each.buffers()]) + 100 * len(list(each.parameters()))
        for each in networks
    ]
    pictures = count_calls(settings.sample_kimg, GRIDS, plan)
    lines = 2 + plan.steps // SCORE_STEPS
    return DiskSpace(
        {
            "checkpoints": (checkpoints + best) * (_in_blocks(checkpoint) + BLOCK),
            "export": sum(_in_blocks(each) + BLOCK for each in exports),
            "samples": (pictures + 1) * _in_blocks(_picture_bytes(data)),
            "scores and settings": _in_blocks(WORDS) + _in_blocks(lines * LINE),
        }
    )


def count_calls(kimg: float | None, times: int, plan: BatchSchedule) -> int:
    """Number of calls at an interval of a run, and at its end."""
    longest = max(segment.batch_size for segment in plan.segments)
    return min(plan.steps, -(-plan.images // max(interval_images(kimg, times, plan.images), longest)))


def _picture_bytes(data: DataSet | Domains) -> int:
    """Bytes of a picture of real samples."""
    samples = data.b if isinstance(data, Domains) else data
    count = GRID_SAMPLES if samples.is_images else SCATTER_SAMPLES
    first = samples.fetch(torch.arange(min(count, len(samples))))
    if samples.is_images:
        units = samples.units
        first = from_uint8(first) if units is None else units.to_networks(first)
    buffer = io.BytesIO()
    draw_samples(first, first).save(buffer, format="PNG")
    return buffer.getbuffer().nbytes


def _in_blocks(size: int) -> int:
    """Bytes that a file takes of a disk."""
    return -(-size // BLOCK) * BLOCK
