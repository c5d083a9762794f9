"""Search space of a sweep: a product of settings, or random draws of them, each with several seeds."""

import itertools
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from random import Random
from typing import Any

from experiments.config.precedence import unknown_setting_error
from experiments.core.errors import UsageError
from experiments.core.named_values import SettingValues
from experiments.core.options import canonical_key, is_list_option, is_whole_option
from experiments.core.seeds import derive_seed
from experiments.core.settings import FIELDS, read_setting
from experiments.core.short_flags import SHORT_FLAGS

PLAIN = ("arch", "loss", "data")  # settings whose values stand alone in the names of runs
NARROWER = 4  # factor by which the ranges of a finer search are narrower


@dataclass(frozen=True, repr=False)
class Range:
    """Range of a number, from low to high.

    Attributes:
        low, high: its ends; above 0 on a log scale.
        is_log: whether numbers are drawn uniformly on a log scale, or on a linear one.
        is_whole: whether they are whole numbers.
    """

    low: float
    high: float
    is_log: bool = True
    is_whole: bool = False

    def __repr__(self) -> str:  # a sweep's folder is named by its hash: log ranges are written as ever
        others = ", is_log=False" * (not self.is_log) + ", is_whole=True" * self.is_whole
        return f"Range(low={self.low}, high={self.high}{others})"

    def draw(self, random: Random) -> float:
        """Draws a number uniformly on the range's scale, rounded."""
        if self.is_log:
            return self.round(math.exp(random.uniform(math.log(self.low), math.log(self.high))))
        return self.round(random.uniform(self.low, self.high))

    def round(self, number: float) -> float:
        """Rounds a number of the range: to a whole one, or to three digits."""
        # Digits that nobody can tell apart only make names long.
        return round(number) if self.is_whole else float(f"{number:.3g}")

    def narrowed_to(self, centre: float) -> "Range":
        """Range around a centre that is a quarter as wide on its scale, and within this one."""
        if self.is_log:
            factor = (self.high / self.low) ** (0.5 / NARROWER)
            low, high = centre / factor, centre * factor
        else:
            half = (self.high - self.low) * 0.5 / NARROWER
            low, high = centre - half, centre + half
        return replace(self, low=max(self.low, low), high=min(self.high, high))


@dataclass(frozen=True)
class SweepRun:
    """Run of a sweep: its name, its own settings and its seed.

    Attributes:
        name: name of its folder.
        settings: the flags that it has of its own, without the seed.
        seed: its seed.
    """

    name: str
    settings: SettingValues
    seed: int


@dataclass(frozen=True)
class Sweep:
    """Search space of a sweep: the settings that vary, and those that all runs share.

    Attributes:
        choices: setting → values.
        ranges: setting → range; only with draws.
        draws: number of settings that are drawn at random, or chosen by TPE; None for the whole product.
        seeds: the seeds with which each setting is run.
        base: flags that all runs have; strengths: regularizers that all have; file: settings from a config
            file.
        is_tpe: whether settings after the first draws are chosen by their scores.
    """

    choices: Mapping[str, Sequence[Any]]
    seeds: Sequence[int]
    ranges: Mapping[str, Range] = field(default_factory=dict)
    draws: int | None = None
    base: SettingValues = field(default_factory=dict)
    strengths: Mapping[str, float] = field(default_factory=dict)
    file: SettingValues = field(default_factory=dict)
    is_tpe: bool = False

    @property
    def evaluates_on_the_way(self) -> bool:
        """Whether runs are also evaluated while they train."""
        flags = {**self.file, **self.base}
        return flags.get("evaluate_kimg") is not None or "evaluate_kimg" in {**self.choices, **self.ranges}

    def sweep_runs(self) -> list[SweepRun]:
        """All runs of the sweep: every setting of the product or of the draws, with every seed."""
        if self.draws is None:
            names = list(self.choices)
            product = itertools.product(*self.choices.values())
            return self.runs_of(dict(zip(names, values, strict=True)) for values in product)
        return self.runs_of(self.draw(number) for number in range(self.draws))

    def finer_runs(self, best: Sequence[SettingValues]) -> list[SweepRun]:
        """Runs of a finer search: as many draws again, around the best settings in turn."""
        assert self.draws is not None
        drawn = []
        for number in range(self.draws):
            centre = best[number % len(best)]
            random = Random(derive_seed(self.seeds[0], "finer", number))
            ranges = {name: own.narrowed_to(centre[name]).draw(random) for name, own in self.ranges.items()}
            drawn.append({**centre, **ranges})
        return self.runs_of(drawn)

    def draw(self, number: int, attempt: int = 0) -> SettingValues:
        """Draws the settings with this number; other attempts give others."""
        random = Random(derive_seed(self.seeds[0], "draw", number, *([attempt] if attempt else [])))
        chosen = {name: random.choice(list(values)) for name, values in self.choices.items()}
        return chosen | {name: own.draw(random) for name, own in self.ranges.items()}

    def sample_runs(self) -> list[SweepRun]:
        """Runs with each value of each choice, and with the ends of each range, one after another.

        They stand for settings that are not known before the search.
        """
        ends = {name: [own.low, own.high] for name, own in self.ranges.items()}
        values = {**self.choices, **ends}
        first = {name: own[0] for name, own in values.items()}
        settings = [first, *({**first, name: value} for name, own in values.items() for value in own[1:])]
        return replace(self, seeds=self.seeds[:1]).runs_of(settings)

    def name_of(self, settings: SettingValues) -> str:
        """Name of a setting, with which those of its runs begin."""
        return _name(settings, self._varied)

    def runs_of(self, settings: Iterable[SettingValues]) -> list[SweepRun]:
        """Runs of these settings, with every seed; equal settings count once."""
        distinct = {self.name_of(own): own for own in settings}
        return [
            SweepRun("-".join(filter(None, (name, f"seed-{seed}"))), own, seed)
            for name, own in distinct.items()
            for seed in self.seeds
        ]

    @property
    def _varied(self) -> list[str]:
        """Names of the settings that vary."""
        return [name for name, values in self.choices.items() if len(values) > 1] + list(self.ranges)

    @property
    def digest(self) -> str:
        """Hash of the sweep that is the same for any number of seeds."""
        parts = {
            name: str(getattr(self, name))
            for name in ("choices", "ranges", "draws", "base", "strengths", "file")
        }
        parts |= {"search": "tpe"} if self.is_tpe else {}
        return blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=4).hexdigest()


def _name(settings: SettingValues, varied: Sequence[str]) -> str:
    """Name of a setting's runs, such as `dcgan-wgan-gp` or `lr_generator=0.0002`, for any file system."""
    parts = [
        _format_word(settings[name]) if name in PLAIN else f"{name}={_format_word(settings[name])}"
        for name in varied
    ]
    return re.sub(r"[^\w.=+-]+", "_", "-".join(parts))


def _format_word(value: object) -> str:
    """Value of a setting as part of a name."""
    if isinstance(value, list | tuple):
        return "_".join(map(_format_word, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def read_choices(name: str, text: str) -> list[Any]:
    """Reads the values of a setting that varies, between commas.

    Values of settings that have commas themselves stand between semicolons. Raises UsageError for an
    unknown setting and for a value that it cannot have.
    """
    name = normalize_setting_name(name, "--set")
    if name in FIELDS and FIELDS[name].metadata["derived"]:
        raise unknown_setting_error("--set", name)
    parts = [part.strip() for part in text.split(";" if _has_commas(name) else ",") if part.strip()]
    if not parts:
        raise UsageError(f"--set {name}={text}: give at least one value")
    try:
        values = [_read(name, part) for part in parts]
    except (ValueError, TypeError) as error:
        raise UsageError(f"--set {name}: {error}") from error
    if len(set(values)) < len(values):
        raise UsageError(f"--set {name}={text} names a value twice")
    return values


def normalize_setting_name(word: str, origin: str) -> str:
    """Normalizes the name of a setting or the key of an option. Raises UsageError for neither."""
    if "." in word:
        return canonical_key(word)
    name = word.replace("-", "_")
    if name not in FIELDS and name not in SHORT_FLAGS:
        raise unknown_setting_error(origin, name)
    return name


def _has_commas(name: str) -> bool:
    """Whether a value of this setting or option may have commas itself."""
    if "." in name:
        return is_list_option(name)
    return name in ("betas", "stage_batch_sizes", "term_weights") or (
        name in FIELDS and isinstance(FIELDS[name].default, tuple)
    )


def _read(name: str, part: str) -> Any:
    """Reads one value of a setting or option. Raises ValueError or TypeError."""
    if "." in name:  # the option of a component that may be another in each run: read when these are resolved
        return part
    if name in FIELDS and isinstance(FIELDS[name].default, bool):
        known = {"true": True, "yes": True, "false": False, "no": False}
        if part.lower() not in known:
            raise ValueError(f"'{part}' is not true or false")
        return known[part.lower()]
    return read_setting(name, part)


def read_range(text: str, is_log: bool = True) -> tuple[str, Range]:
    """Reads the range of a setting, `lr_generator=1e-5:1e-3`; returns the setting and its range.

    It is of whole numbers where the setting is one. Raises UsageError for anything else.
    """
    origin = "--log-uniform" if is_log else "--uniform"
    name, _, ends = text.partition("=")
    name = normalize_setting_name(name, origin)
    try:
        low, high = (_read_end(name, end.strip()) for end in ends.split(":"))
        if not -math.inf < low < high < math.inf or (is_log and low <= 0):
            raise ValueError
    except (ValueError, TypeError) as error:
        least = "0 < LOW < HIGH" if is_log else "LOW < HIGH"
        raise UsageError(
            f"{origin} {text}: give SETTING=LOW:HIGH, {least}, of a setting that is such a number"
        ) from error
    return name, Range(low, high, is_log, type(low) is type(high) is int)


def _read_end(name: str, text: str) -> float:
    """Reads the end of a range, a whole number where the setting is one. Raises ValueError or TypeError."""
    if "." in name:
        return int(text) if is_whole_option(name) else float(text)
    value = read_setting(name, text)
    if type(value) not in (int, float):
        raise ValueError
    return float(value) if type(value) is float else int(value)
