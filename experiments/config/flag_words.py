"""Settings as flags: the words of a command that give some settings, and of one that gives a whole run's."""

from collections.abc import Mapping
from typing import Any

from experiments.config.files import modernize, settings_from
from experiments.config.resolve import resolve
from experiments.core.errors import RunError, UsageError
from experiments.core.named_values import SettingValues
from experiments.core.settings import FIELDS, flag, read_setting
from experiments.core.value_format import format_value

NAMES = ("arch", "loss", "data", "preset")  # flags with which a command begins
# Settings of a machine or of one run, which another run of the same experiment may have otherwise.
OWN = (
    *("device", "seed", "data_root", "download", "track", "project", "group", "tags", "keep"),
    *("init_from", "micro_batch_size", "activation_checkpointing"),
)
ELSEWHERE: SettingValues = {"device": "cpu", "track": ("local",)}  # this machine may have less than the run's
ROUNDS = 4  # a flag may change the defaults of others


def flag_words(settings: SettingValues) -> list[str]:
    """Words of a command that give these settings and options.

    >>> flag_words({"loss": "bce", "conditional": True, "arch.mapping_layers": 2})
    ['--loss', 'bce', '--conditional', '--set', 'arch.mapping_layers=2']
    """
    words: list[str] = []
    for name, value in settings.items():
        if "." in name:
            words += ["--set", f"{name}={format_value(value, name)}"]
        elif isinstance(value, bool):
            words.append(flag(name) if value else flag(name).replace("--", "--no-", 1))
        else:
            words += [flag(name), format_value(value, name)]
    return words


def strength_words(strengths: Mapping[str, float]) -> list[str]:
    """Words of a command that give regularizers these strengths.

    >>> strength_words({"lecam": 0.3})
    ['--lecam', '0.3']
    """
    return [word for name, value in strengths.items() for word in (f"--{name}", format_value(value))]


def flags_of_run(values: SettingValues) -> list[str] | None:
    """The fewest flags of `gans run` that resolve to the settings of a run, without its seed and machine.

    Args:
        values: settings by name and options by key, from a config of this version or an earlier one.

    Returns None where no flags do, because this version resolves otherwise, and for a run with plug-in files,
    which would be executed.
    """
    try:
        known = {
            name: read_setting(name, value) if name in FIELDS else value
            for name, value in modernize(values).items()
        }
        wanted = settings_from(known).to_dict()
    except (UsageError, RunError, ValueError, TypeError, KeyError):
        return None
    if wanted["plugin"]:
        return None
    asked = {name: wanted[name] for name in NAMES}
    strengths: dict[str, float] = {}
    for _ in range(ROUNDS):
        try:
            found = resolve({**asked, **ELSEWHERE}, strengths=strengths).settings.to_dict()
        except (UsageError, RunError, OSError):
            return None
        different = {name: value for name, value in wanted.items() if _differs(name, value, found)}
        if not different:
            return [*flag_words(asked), *strength_words(strengths)]
        if "regularizers" in different:
            own, others = (dict(each["regularizers"]) for each in (wanted, found))
            strengths |= {name: own.get(name, 0.0) for name in {**others, **own}}
            del different["regularizers"]
        given = {name: v for name, v in different.items() if _can_be_given(name, v) and name not in asked}
        # Options last: what a component brings is there once the component is.
        asked |= {name: v for name, v in given.items() if "." not in name} or given
    return None


def _differs(name: str, value: Any, found: SettingValues) -> bool:
    """Whether a setting that belongs to the experiment has another value than was found."""
    return name not in OWN and (name not in found or found[name] != value)


def _can_be_given(name: str, value: Any) -> bool:
    """Whether a setting has a flag that gives this value."""
    return ("." in name or not FIELDS[name].metadata["derived"]) and value is not None
