"""Generators to evaluate: those of a run, of a checkpoint, or of an exported file."""

import logging
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from torch import nn

from experiments.core.errors import RunError, UsageError
from experiments.core.named_values import SettingValues
from experiments.core.paths import require_path
from experiments.core.settings import Settings
from experiments.evaluation.sample_sets import GeneratedSamples
from experiments.evaluation.trained_data import TrainedData
from experiments.runs.checkpoint import DamagedError
from experiments.runs.folder import RunFolder
from experiments.runs.generator import from_noise, load

log = logging.getLogger("gans")

ACCESS = ("download", "data_root", "skip_bad")  # settings that say how data can be had here, not which it is


def is_generator(word: str) -> bool:
    """Whether the word names a run folder, a checkpoint or an exported generator."""
    path = Path(word)
    return path.suffix in (".safetensors", ".pt") or (path / "config.json").is_file()


@dataclass(frozen=True)
class Candidate:
    """A generator to evaluate.

    Attributes:
        name: as messages name it.
        network: in evaluation mode.
        settings: of its run.
        step, kimg: that it was trained to, where they are known.
    """

    name: str
    network: nn.Module
    settings: Settings
    step: int | None = None
    kimg: float | None = None

    @cached_property
    def trained_data(self) -> TrainedData:
        """The data of its run, as the run folder has it written down."""
        return TrainedData(Path(self.name), self.settings)

    def with_access(self, flags: SettingValues) -> "Candidate":
        """The generator, whose data is looked for as these flags say where they are given."""
        access = {name: flags[name] for name in ACCESS if flags[name]}
        return replace(self, settings=replace(self.settings, **access))

    def require_data(self) -> None:
        """Checks that it is known what data it was trained on; raises UsageError otherwise."""
        if not self.settings.data:
            raise UsageError(describe_lacking_data(self.name))


def describe_lacking_data(name: str) -> str:
    """Describes that nothing says what data a generator was trained on, with a remedy."""
    return f"{name} does not say which data it was trained on; give its run folder"


def open_candidate(word: str) -> Candidate:
    """Opens the generator of a run folder, a checkpoint or an exported file."""
    return Candidate(word, *load(Path(word)))


def candidates_of(word: str, every_checkpoint: bool) -> list[Candidate]:
    """Opens the newest generator of a run, or all that it still has; damaged ones are left out.

    Args:
        word: a run folder; without `every_checkpoint` also a checkpoint or an exported generator.

    Raises UsageError for what is none of these, RunError where none can be read.
    """
    if not every_checkpoint:
        return [open_candidate(word)]
    folder, found = RunFolder(Path(word)), []
    require_path(folder.path, "a run folder")
    if not folder.exists:
        raise UsageError(f"{word} is not a run folder, which --every-checkpoint needs")
    for path in folder.checkpoints().paths():
        try:
            found.append(open_candidate(str(path)))
        except DamagedError as error:
            log.info(f"{error}; it is left out")
    if not found and folder.is_imported:
        raise UsageError(f"{word} was imported, and has no checkpoints; leave out --every-checkpoint")
    if not found:
        raise RunError(f"{word} has no checkpoint that can be read; wait for its first, or resume the run")
    return found


def open_generated(word: str, count: int, seed: int, device: str) -> GeneratedSamples:
    """Opens samples of a run folder, a checkpoint or an exported generator."""
    generator, settings, *_ = load(Path(word))
    return GeneratedSamples(word, from_noise(generator, word), settings, count, seed, device)
