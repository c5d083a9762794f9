"""Sharing of batches to processes and to passes of an update, and the check that it is possible."""

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from experiments.config.factory import contains_module
from experiments.core.device import product_type_of
from experiments.core.errors import UsageError, usage_errors
from experiments.core.settings import Settings
from experiments.data.core.batch_sizes import BatchSchedule
from gans.core.game import Game
from gans.layers.batch_norm import share_batch_norms
from gans.layers.batch_statistics import MinibatchStatistic
from losses.core.batch_parts import process_part


def share_batches(settings: Settings, game: Game, plan: BatchSchedule) -> None:
    """Prepares a game for batches that are shared out, and checks all sizes that they have in a run.

    Raises UsageError for batches that cannot be shared out evenly, and for networks that must see whole ones.
    """
    for player in game.players:
        player.micro_batch_size = _asked_size(settings)
        player.product_type = product_type_of(settings.precision)
    count = process_part().count
    if count > 1:
        with usage_errors(f"architecture {settings.arch} on {count} processes"):
            share_batch_norms(game)
    for size in dict.fromkeys(segment.batch_size for segment in plan.segments):
        check_size(settings, game, size)


def _asked_size(settings: Settings) -> int | None:
    """The size of micro-batches that is asked for; None for whole batches, and for one still to be found."""
    size = settings.micro_batch_size
    return size if isinstance(size, int) else None


def check_size(settings: Settings, game: Game, size: int) -> None:
    """Checks that batches of a size can be shared out. Raises UsageError."""
    count, micro = process_part().count, _asked_size(settings)
    if size % count:
        multiple = max(1, round(size / count)) * count
        raise UsageError(
            f"--batch-size {size} is not shared out evenly to {count} processes; take {multiple}, or start "
            f"{_largest_divisor(size, count)}"
        )
    here = at_once = size // count
    if micro is not None and micro < here:
        at_once = _largest_divisor(here, micro)
        if at_once < micro:
            raise UsageError(
                f"--micro-batch-size {micro} does not divide the {here} images that a process has of a "
                f"batch; take {at_once}"
            )
        _refuse_batch_norm(settings, game)
    if at_once < size:
        with usage_errors(f"architecture {settings.arch}"):
            for module in game.modules():
                if isinstance(module, MinibatchStatistic | Game):
                    module.check_parts(size, here, at_once)


def _refuse_batch_norm(settings: Settings, game: nn.Module) -> None:
    """Refuses batch norm in micro-batches. Raises UsageError."""
    if contains_module(game, _BatchNorm):
        raise UsageError(
            f"architecture {settings.arch} has batch norm, whose statistics are those of a whole batch; "
            "leave out --micro-batch-size"
        )


def _largest_divisor(number: int, most: int) -> int:
    """The largest divisor of a number that is at most another."""
    return max(each for each in range(1, most + 1) if number % each == 0)
