"""Settings as flags: the words of a command that give some settings, and of one that gives a whole run's."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from experiments.config.components import names_in_use
from experiments.config.files import modernize, settings_from
from experiments.config.resolve import resolve
from experiments.core import registry
from experiments.core.errors import RunError, UsageError
from experiments.core.named_values import SettingValues
from experiments.core.settings import FIELDS, flag, read_setting
from experiments.core.trusted_plugins import add_recorded_plugins
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

    Returns None where no flags do, because this version resolves otherwise, and where a component is of a
    plug-in file that is not there or that the user has never named, which is not executed.
    """
    try:
        known = {
            name: read_setting(name, value) if name in FIELDS else value
            for name, value in modernize(values).items()
        }
        are_plugins_there = _add_plugins(known.get("plugin", ()))
        wanted = settings_from(known).to_dict()
        used = names_in_use(wanted)
    except (UsageError, RunError, ValueError, TypeError, KeyError):
        return None
    if not are_plugins_there and any(registry.plugin_name(path) in used for path in wanted["plugin"]):
        return None
    found = fewest_settings({}, {name: v for name, v in wanted.items() if name not in (*OWN, "plugin")})
    return None if found is None else [*flag_words(found.settings), *strength_words(found.strengths)]


class GivenSettings(NamedTuple):
    """Settings to give to `gans run`, and strengths of regularizers by name."""

    settings: SettingValues
    strengths: Mapping[str, float]


def fewest_settings(asked: SettingValues, wanted: SettingValues) -> GivenSettings | None:
    """The fewest settings to give beside those asked for, so that `gans run` finds all that are wanted.

    Among them are the plug-in files of its components, which are imported.

    Args:
        asked: settings by name.
        wanted: settings by name, and options by key, among them those of NAMES that are not asked for. Of
            others recipes decide.

    Returns None where they cannot be found, or are refused.
    """
    given = {name: asked.get(name, wanted.get(name)) for name in NAMES} | dict(asked)
    wanted = {name: value for name, value in wanted.items() if name not in asked}
    strengths: dict[str, float] = {}
    for _ in range(ROUNDS):
        try:
            found = resolve({**given, **ELSEWHERE}, strengths=strengths).settings.to_dict()
        except (UsageError, RunError, OSError):
            return None
        different = {name: v for name, v in wanted.items() if name not in found or found[name] != v}
        if not different:
            plugins = registry.plugin_files(names_in_use(found))
            return GivenSettings(given | ({"plugin": plugins} if plugins else {}), strengths)
        if "regularizers" in different:
            own, others = (dict(each["regularizers"]) for each in (wanted, found))
            strengths |= {name: own.get(name, 0.0) for name in {**others, **own}}
            del different["regularizers"]
        more = {name: v for name, v in different.items() if _can_be_given(name, v) and name not in given}
        # Options last: what a component brings is there once the component is.
        given |= {name: v for name, v in more.items() if "." not in name} or more
    return None


def _add_plugins(paths: Iterable[str]) -> bool:
    """Whether all plug-in files of a run are there and trusted; they are imported."""
    try:
        add_recorded_plugins(paths, "config")
    except UsageError:
        return False
    return True


def _can_be_given(name: str, value: Any) -> bool:
    """Whether a setting has a flag that gives this value."""
    return ("." in name or not FIELDS[name].metadata["derived"]) and value is not None
