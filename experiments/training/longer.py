"""Remarks on training longer: what schedules do in the longer run, and which commands come after a run."""

from shlex import quote

from experiments.config.factory import final_rates
from experiments.config.run_length import length_of_schedules
from experiments.core import registry
from experiments.core.settings import Settings
from experiments.runs.checkpoint import step_of
from experiments.runs.folder import RunFolder
from experiments.runs.resume import can_restretch, length_flag
from gans.core.architecture import Architecture

RESTRETCH = "--restretch"


def describe_schedules(settings: Settings) -> str:
    """Describes what becomes of the schedules of a run whose length was changed."""
    whole = length_of_schedules(settings)
    if whole is settings:
        return f"schedules run over the whole new length of {_length(settings)}"
    line = f"schedules keep their length of {_length(whole)} and stay at their end"
    if still := _players_at_rest(settings):
        line += f", where {' and '.join(still)} no longer learn{'s' * (len(still) == 1)}, with a rate of 0"
    return (
        f"{line}; {RESTRETCH} computes them from the new length" if can_restretch(settings.options) else line
    )


def next_commands(folder: RunFolder, settings: Settings) -> list[str]:
    """Commands that come after a finished run: look at its best and at its end, score it, train it longer."""
    path = quote(str(folder.path))
    longer = f"gans run --resume {path} {length_flag(settings, 2)}"
    if _players_at_rest(settings) and can_restretch(settings.options):
        longer += f" {RESTRETCH}"
    return [*_best_commands(folder, settings), *look_commands(folder, settings), longer]


def _best_commands(folder: RunFolder, settings: Settings) -> list[str]:
    """The command that looks at the best generator of a run; none where there is none but the end."""
    ends = [step_of(path) for path in folder.checkpoints().paths()]
    found = [path for path in folder.best.paths()[-1:] if not ends or step_of(path) < max(ends)]
    samples = _starts_from_noise(settings)
    return [
        f"gans sample {quote(str(path))}" if samples else f"gans translate {quote(str(path))} INPUT --out DIR"
        for path in found
    ]


def look_commands(folder: RunFolder, settings: Settings) -> list[str]:
    """Commands that look at the samples of a run, and score it."""
    path = quote(str(folder.path))
    samples = _starts_from_noise(settings)
    # What the run itself was scored by: training images reward copies.
    is_held_out = settings.evaluate_kimg is not None and settings.holdout is not None
    reference = settings.evaluate_reference or ("held-out" if is_held_out else None)
    words = f" --reference {reference}" if reference and settings.image_size else ""
    return [*([f"gans sample {path}"] if samples else []), f"gans evaluate {path}{words}"]


def _starts_from_noise(settings: Settings) -> bool:
    """Whether a run's generator makes samples from noise, and is no translator."""
    architecture: Architecture = registry.load("architecture", settings.arch)
    return architecture.task == "noise"


def _players_at_rest(settings: Settings) -> list[str]:
    """Players whose learning rate is 0 at the end of the schedules."""
    return [player for player, rate in final_rates(settings).items() if rate == 0]


def _length(settings: Settings) -> str:
    """Length of a run in words: `20 kimg`."""
    unit, number = length_flag(settings).removeprefix("--").split()
    return f"{number} {unit}"
