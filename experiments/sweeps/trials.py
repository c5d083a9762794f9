"""Trials of a search, and the file of the sweep's folder in which they are kept."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from experiments.core.errors import RunError, UsageError
from experiments.core.files import parse_json, read_regular_file, write_atomically
from experiments.core.named_values import SettingValues
from experiments.core.ranking import rank_value
from experiments.core.settings import FIELDS
from experiments.sweeps.optuna_rules import KnownTrial
from experiments.sweeps.search_space import Sweep

FORMAT = 1
MOST_BYTES = 2**24  # of search.json
DONE, STOPPED = "done", "stopped early"


@dataclass(frozen=True)
class Rung:
    """Result of a trial at a rung, the median over its seeds.

    Attributes:
        kimg: length at which it was evaluated.
        score: the median; None where it is worse than any number.
        is_higher_better: whether a higher score is better.
    """

    kimg: float
    score: float | None
    is_higher_better: bool = False

    @property
    def value(self) -> float:
        """The score as a number that is the larger the better; −∞ for None."""
        return rank_value(self.score, self.is_higher_better)


@dataclass
class Trial:
    """Setting that a search tries, with each of its seeds.

    Attributes:
        number: its number, from 0.
        settings: its own settings.
        seeds: the seeds of its runs.
        kimg: its budget, the lengths at which it is evaluated; the last is the whole run's.
        rungs: its results at these lengths, so far.
        end: "done" or "stopped early"; empty while it is not ended.
    """

    number: int
    settings: SettingValues
    seeds: Sequence[int]
    kimg: Sequence[float] = ()
    rungs: list[Rung] = field(default_factory=list)
    end: str = ""

    def known(self) -> KnownTrial:
        """Makes the record of the trial that the rules of a search read."""
        return KnownTrial(
            self.settings, [rung.value for rung in self.rungs], self.end == DONE, bool(self.end)
        )


class TrialFile:
    """File `search.json`, which keeps the trials of a search.

    Args:
        path: the file.
        sweep: the search space.
        rules: how the search chooses, in words; trials by other rules are refused.
    """

    def __init__(self, path: Path, sweep: Sweep, rules: Mapping[str, str | None]) -> None:
        self.path, self.sweep = path, sweep
        space = {name: str(getattr(sweep, name)) for name in ("choices", "ranges", "strengths")}
        space |= {name: str(_that_affect_results(getattr(sweep, name))) for name in ("base", "file")}
        self.header = {"format": FORMAT, **rules, "seed": sweep.seeds[0], "space": space}

    def read(self) -> list[Trial]:
        """Reads the trials; none where there is no file yet.

        Raises UsageError for a file of another search, or one that cannot be read.
        """
        try:
            content = parse_json(read_regular_file(self.path, MOST_BYTES))
            trials = content.pop("trials")
            if content != self.header:
                changed = [name for name in self.header if content.get(name) != self.header[name]]
                raise UsageError(
                    f"{self.path} holds another search ({', '.join(changed)} changed); take another --out"
                )
            return [self._trial(number, values) for number, values in enumerate(trials)]
        except FileNotFoundError:
            return []
        except (OSError, RunError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"{self.path} cannot be read; take another --out") from error

    def write(self, trials: Sequence[Trial]) -> None:
        """Writes all trials. Raises RunError where that is not possible."""
        content = json.dumps({**self.header, "trials": [asdict(trial) for trial in trials]}, indent=1)
        try:
            write_atomically(self.path, content.encode())
        except OSError as error:
            raise RunError(f"cannot write {self.path}: {error.strerror or error}") from error

    def _trial(self, number: int, values: Mapping[str, Any]) -> Trial:
        """Reads a trial, whose settings must be in the search space; results of other seeds are left out.

        Raises ValueError, KeyError or TypeError for what is no trial.
        """
        if values["number"] != number or values["end"] not in ("", DONE, STOPPED):
            raise ValueError(values["number"])
        trial = Trial(number, self._settings(values["settings"]), list(self.sweep.seeds))
        if values["seeds"] == trial.seeds:
            trial.kimg = [_number(kimg) for kimg in values["kimg"]]
            trial.rungs = [_read_rung(one) for one in values["rungs"]]
            trial.end = values["end"]
        return trial

    def _settings(self, values: SettingValues) -> SettingValues:
        """Reads settings, whose tuples JSON has as lists."""
        found: dict[str, Any] = {}
        for name, choices in self.sweep.choices.items():
            kept = json.dumps(values[name])
            found[name] = choices[[json.dumps(choice) for choice in choices].index(kept)]
        for name, own in self.sweep.ranges.items():
            number = _number(values[name])
            if not own.round(own.low) <= number <= own.round(own.high):
                raise ValueError(name)
            found[name] = number
        return found


def _that_affect_results(flags: SettingValues) -> SettingValues:
    """Flags without those that a resumed run may change, such as the device."""
    return {
        name: value
        for name, value in flags.items()
        if name not in FIELDS or FIELDS[name].metadata["affects_results"]
    }


def _read_rung(values: Mapping[str, Any]) -> Rung:
    """Reads a result. Raises ValueError, KeyError or TypeError for what is none."""
    score = None if values["score"] is None else _number(values["score"])
    return Rung(_number(values["kimg"]), score, values["is_higher_better"] is True)


def _number(value: Any) -> float:
    """Reads a finite number. Raises ValueError for anything else."""
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError(value)
    return float(value) if type(value) is float else int(value)
