"""Search space of a sweep: a product of settings, or random draws of them, each with several seeds."""

import itertools
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from random import Random
from typing import Any

from experiments.config.precedence import unknown_setting_error
from experiments.core.errors import UsageError
from experiments.core.named_values import SettingValues
from experiments.core.options import canonical_key, is_list_option
from experiments.core.seeds import derive_seed
from experiments.core.settings import FIELDS, read_setting
from experiments.core.short_flags import SHORT_FLAGS

PLAIN = ("arch", "loss", "data")  # settings whose values stand alone in the names of runs
NARROWER = 4  # factor by which the ranges of a finer search are narrower


@dataclass(frozen=True)
class Range:
    """Range of a number on a log scale, from low to high."""

    low: float
    high: float

    def draw(self, random: Random) -> float:
        """Draws a number log-uniformly, rounded to three digits."""
        drawn = math.exp(random.uniform(math.log(self.low), math.log(self.high)))
        return float(f"{drawn:.3g}")  # digits that nobody can tell apart only make names long

    def narrowed_to(self, centre: float) -> "Range":
        """Range around a centre that is a quarter as wide on the log scale, and within this one."""
        half = (self.high / self.low) ** (0.5 / NARROWER)
        return Range(max(self.low, centre / half), min(self.high, centre * half))


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
        draws: number of settings that are drawn at random; None for the whole product.
        seeds: the seeds with which each setting is run.
        base: flags that all runs have; strengths: regularizers that all have; file: settings from a config
            file.
    """

    choices: Mapping[str, Sequence[Any]]
    seeds: Sequence[int]
    ranges: Mapping[str, Range] = field(default_factory=dict)
    draws: int | None = None
    base: SettingValues = field(default_factory=dict)
    strengths: Mapping[str, float] = field(default_factory=dict)
    file: SettingValues = field(default_factory=dict)

    def sweep_runs(self) -> list[SweepRun]:
        """All runs of the sweep: every setting of the product or of the draws, with every seed."""
        if self.draws is None:
            names = list(self.choices)
            product = itertools.product(*self.choices.values())
            return self._with_seeds(dict(zip(names, values, strict=True)) for values in product)
        return self._with_seeds(self._drawn(number) for number in range(self.draws))

    def finer_runs(self, best: Sequence[SettingValues]) -> list[SweepRun]:
        """Runs of a finer search: as many draws again, around the best settings in turn."""
        assert self.draws is not None
        drawn = []
        for number in range(self.draws):
            centre = best[number % len(best)]
            random = Random(derive_seed(self.seeds[0], "finer", number))
            ranges = {name: own.narrowed_to(centre[name]).draw(random) for name, own in self.ranges.items()}
            drawn.append({**centre, **ranges})
        return self._with_seeds(iter(drawn))

    def _drawn(self, number: int) -> SettingValues:
        """Settings of the draw with this number."""
        random = Random(derive_seed(self.seeds[0], "draw", number))
        chosen = {name: random.choice(list(values)) for name, values in self.choices.items()}
        return chosen | {name: own.draw(random) for name, own in self.ranges.items()}

    def _with_seeds(self, settings: Iterator[SettingValues]) -> list[SweepRun]:
        """Runs of these settings, with every seed; equal settings count once."""
        distinct = {_name(own, self._varied): own for own in settings}
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


def read_range(text: str) -> tuple[str, Range]:
    """Reads the range of a setting, `lr_generator=1e-5:1e-3`; returns the setting and its range.

    Raises UsageError for anything else.
    """
    name, _, ends = text.partition("=")
    name = normalize_setting_name(name, "--log-uniform")
    try:
        low, high = (float(end) for end in ends.split(":"))
        if not 0 < low < high < math.inf:
            raise ValueError
        for end in (low, high):
            if "." not in name and read_setting(name, end) != end:
                raise ValueError
    except (ValueError, TypeError) as error:
        raise UsageError(
            f"--log-uniform {text}: give SETTING=LOW:HIGH, 0 < LOW < HIGH, of a setting that is such a number"
        ) from error
    return name, Range(low, high)
