"""Moments of a run: the generators that its folder has from different steps, in their order."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.core.errors import RunError
from experiments.runs.checkpoint import step_of
from experiments.runs.folder import RunFolder


@dataclass(frozen=True)
class Moment:
    """A generator as it was at a step of its run.

    Attributes:
        path: what `gans sample` takes for it: a run folder, a checkpoint or an exported file.
        step, kimg: how long it was trained; None where nothing says it.
        is_best: whether the run keeps it as its best by a score.
    """

    path: Path
    step: int | None = None
    kimg: float | None = None
    is_best: bool = False

    @property
    def words(self) -> str:
        """The moment in a few words, such as `step 1,200 · 19.2 kimg · best`."""
        words = [] if self.step is None else [f"step {self.step:,}"]
        words += [] if self.kimg is None else [f"{self.kimg:,.4g} kimg"]
        return " · ".join([*words, *["best"] * self.is_best]) or "as exported"


def run_folder_of(path: Path) -> RunFolder | None:
    """The run folder that a path is, or in which it is a checkpoint; None for an exported file."""
    folder = RunFolder(path.absolute().parent.parent if path.suffix == ".pt" else path)
    return folder if folder.exists else None


def list_moments(path: Path, scores: Sequence[Mapping[str, Any]]) -> list[Moment]:
    """Lists the moments of a run folder from its first step to its last; of a file there is one.

    Args:
        scores: lines of scores, which tell the kimg of a step.
    """
    kimg = _Clock(scores)
    if path.suffix == ".pt":
        return [Moment(path, step_of(path), kimg.at(step_of(path)))]
    if path.suffix == ".safetensors":
        return [Moment(path)]
    folder, found = RunFolder(path), dict[int, Moment]()
    for checkpoints in (folder.checkpoints(), folder.best):
        is_best = checkpoints is folder.best
        with suppress(RunError, OSError):  # a link in its place, which no run makes
            for file in checkpoints.paths():
                step = step_of(file)
                earlier = found.get(step)
                found[step] = Moment(earlier.path if earlier else file, step, kimg.at(step), is_best)
    moments = [found[step] for step in sorted(found)]
    if folder.generator_file.is_file():
        last = kimg.last_step
        ending = Moment(path, last, None if last is None else kimg.at(last))
        if moments and moments[-1].step == last:  # the export is the generator of the last checkpoint
            ending = Moment(path, last, ending.kimg, moments.pop().is_best)
        moments.append(ending)
    return moments


class _Clock:
    """Kimg at a step, by lines of scores; between two lines of equal batches it grows evenly."""

    def __init__(self, scores: Sequence[Mapping[str, Any]]) -> None:
        known = {line["step"]: line["kimg"] for line in scores if line.get("kimg") is not None}
        self.steps = sorted(known)
        self.kimg = [float(known[step]) for step in self.steps]

    @property
    def last_step(self) -> int | None:
        """Step of the last line; None without lines."""
        return self.steps[-1] if self.steps else None

    def at(self, step: int) -> float | None:
        """Kimg at a step; None where no line comes after it."""
        place = bisect_left(self.steps, step)
        if place == len(self.steps):
            return None
        if self.steps[place] == step or not place:
            return self.kimg[place] if self.steps[place] == step else None
        share = (step - self.steps[place - 1]) / (self.steps[place] - self.steps[place - 1])
        return self.kimg[place - 1] + share * (self.kimg[place] - self.kimg[place - 1])
