"""Config files: a run's own config.json, or settings in JSON, YAML or TOML."""

import io
import os
import re
import stat
import time
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from experiments.config.components import affects_results, components_of, default_of, earlier_options
from experiments.config.precedence import flatten
from experiments.core.errors import UsageError
from experiments.core.files import parse_json
from experiments.core.named_values import SettingValues
from experiments.core.options import read_option
from experiments.core.paths import require_path
from experiments.core.settings import FIELDS, Settings, flag, read_setting
from experiments.core.short_flags import SHORT_FLAGS
from experiments.data.core.sources import absolute_spec
from metrics.core.input_files import BYTES, NO_WAIT
from metrics.core.nested_values import check_tree_size

FORMAT = 1
MOST_CONFIG_BYTES = 64 * 2**10
PIPE_SECONDS, PAUSE_SECONDS = 5.0, 0.05
DEEP_KEY = re.compile(r"(?<![\w'\"-])(?:[\w'\"-]++[ \t]*+\.[ \t]*+){20}")
# Settings that are all there where a file is a run's own config, resolved for its architecture, loss and
# data.
RESOLVED = (
    "arch",
    "loss",
    "data",
    "preset",
    "device",
    "batch_size",
    "lr_critic",
    "n_critic",
    "penalty",
    "keep",
)


def read_config(path: Path) -> SettingValues:
    """Reads settings by name and options by key from a config file, or from a run's `config.json`.

    Raises UsageError for a file that cannot be read, and where `parse_config` does.
    """
    require_path(path, "a file of settings, .json, .toml or .yaml", f"config {path}")
    try:
        content = _read_file_or_pipe(path)
    except OSError as error:
        raise UsageError(f"config {path}: {error.strerror or error}") from error
    return parse_config(path, content)


def _read_file_or_pipe(path: Path) -> bytes:
    """Reads the bytes of a config file, no more than are too many, or of a pipe, as shells make from `<(…)`.

    A program has to be at the other end of a pipe, or to come there soon. Raises OSError where none does.
    """
    with io.FileIO(os.open(path, os.O_RDONLY | NO_WAIT | BYTES)) as file:
        found, last = file.read(MOST_CONFIG_BYTES), time.monotonic() + PIPE_SECONDS
        # It reads None where a program at the other end has not written yet, and b"" where there is none.
        while found == b"" and stat.S_ISFIFO(os.fstat(file.fileno()).st_mode):
            if time.monotonic() > last:
                raise OSError("it is a pipe into which nothing is written")
            time.sleep(PAUSE_SECONDS)
            found = file.read(MOST_CONFIG_BYTES)
        found = found or b""
        os.set_blocking(file.fileno(), True)
        while len(found) <= MOST_CONFIG_BYTES and (more := file.read(MOST_CONFIG_BYTES)):
            found += more
    return found


def parse_config(path: Path, content: bytes) -> SettingValues:
    """Parses the content of a config file.

    It is JSON, YAML or TOML, as the name says, with options nested (`{"arch": {"name": "stylegan2",
    "mapping_layers": 2}}`) or by key.

    Raises UsageError for what is none of these, and for unknown settings and bad values in it.
    """
    origin = f"config {path}"
    whole = _parse(path, content)
    if whole.get("format", FORMAT) != FORMAT:
        raise UsageError(f"{origin}: format {whole['format']} is not {FORMAT}; use a newer gans")
    entries = whole.get("settings", {k: v for k, v in whole.items() if k != "format"})
    if not isinstance(entries, dict):
        raise UsageError(f"{origin}: its settings must be an object")
    plain = {
        name: entry["value"] if isinstance(entry, dict) and "value" in entry else entry
        for name, entry in entries.items()
    }
    # A version that had options among the settings wrote null where an option has no meaning.
    plain = {name: v for name, v in plain.items() if not (name in SHORT_FLAGS and v in (None, [], ()))}
    found: dict[str, Any] = {}
    for name, value in flatten(origin, plain):
        try:
            found[name] = value if "." in name else read_setting(name, value)
        except (ValueError, TypeError) as error:
            raise UsageError(f"{origin}: {name}: {error}") from error
    return found


def _parse(path: Path, content: bytes) -> SettingValues:
    """Parses the mapping in a file. Raises UsageError where it holds none."""
    kind = {".yaml": "YAML", ".yml": "YAML", ".toml": "TOML"}.get(path.suffix.lower(), "JSON")
    if len(content) > MOST_CONFIG_BYTES:
        raise UsageError(f"config {path}: has more than {MOST_CONFIG_BYTES:,} bytes, too many for a config")
    try:
        parsed = _parse_text(content.decode(), kind)
        check_tree_size(parsed, MOST_CONFIG_BYTES)
    except Exception as error:  # their readers raise anything
        raise UsageError(f"config {path}: not {kind} ({' '.join(str(error).split())})") from error
    if not isinstance(parsed, dict) or not all(isinstance(name, str) for name in parsed):
        raise UsageError(f"config {path}: must be a {kind} object of settings")
    return parsed


def _parse_text(text: str, kind: str) -> Any:
    if kind == "JSON":
        return parse_json(text)
    if kind == "TOML":
        if DEEP_KEY.search(text):  # its reader's time grows with the cube of that
            raise ValueError("a key is nested too deeply")
        return tomllib.loads(text)
    return _parse_yaml(text)


def _parse_yaml(text: str) -> Any:
    """Parses YAML of plain values. Raises ValueError where it is none, or far more than it holds."""
    import yaml  # type: ignore[import-untyped]

    class BoundedLoader(yaml.SafeLoader):  # type: ignore[misc]
        """Loader that counts what mappings take over from others (`<<`), again and again."""

        taken = 0

        def flatten_mapping(self, node: yaml.MappingNode) -> None:
            super().flatten_mapping(node)
            self.taken += len(node.value)
            if self.taken > MOST_CONFIG_BYTES:
                raise ValueError("it describes far more than it holds")

    try:
        return yaml.load(text, BoundedLoader)
    except (AttributeError, IndexError, KeyError) as error:
        raise ValueError("a value is not what its tag says") from error


def modernize(settings: SettingValues) -> SettingValues:
    """Renames settings and options of earlier versions; names that are unknown here stay."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if name not in SHORT_FLAGS:
            found[name] = value
        elif value not in (None, [], ()):
            found |= dict(flatten("config", {name: value}))
    return found


def is_resolved(file: SettingValues) -> bool:
    """Whether a config is a run's own, with every setting."""
    return all(name in file for name in RESOLVED)


def settings_from(values: SettingValues) -> Settings:
    """Makes the settings of a run from its config; options that its version did not have get defaults."""
    own = {name: value for name, value in values.items() if "." not in name}
    components = components_of(own)
    known = {**earlier_options(values), **values} if values.get("data") else values
    options = {key: read_option(key, value, components) for key, value in known.items() if "." in key}
    return Settings(**own, options=options)


def check_same_recipe(file: SettingValues, flags: SettingValues) -> None:
    """Checks that flags do not change architecture, loss or data of a run's own config.

    It holds every setting, resolved for these: under another of them, it would bring the old one's penalty
    and rates along in silence.
    """
    if not is_resolved(file):
        return
    given = {**flags, "data": absolute_spec(flags["data"])} if "data" in flags else flags
    for name in ("arch", "loss", "data"):
        if given.get(name, file[name]) != file[name]:
            raise UsageError(
                f"{flag(name)} {flags[name]} with the config of a {file[name]} run, resolved for "
                f"{file[name]}; give the settings that you want to keep as flags"
            )


def differences(old: SettingValues, new: Settings) -> list[str]:
    """Lists as `name: old → new` the settings and options that differ and affect the numbers."""
    values, lines = new.to_dict(), []
    for name, value in values.items():
        is_option = "." in name
        if not (affects_results(name) if is_option else FIELDS[name].metadata["affects_results"]):
            continue
        # An older version knew fewer settings.
        then = old.get(name, default_of(name, values) if is_option else FIELDS[name].default)
        if is_option and name in old:
            then = _read_like(name, then, value, values)
        if then != value and not (name == "plugin" and _file_names(then) == _file_names(value)):
            lines.append(f"{name}: {then} → {value}")
    return lines


def _file_names(paths: Iterable[str]) -> list[str]:
    """Names of files without their folders: a plug-in that has moved is still the same."""
    return [Path(path).name for path in paths]


def _read_like(name: str, then: Any, value: object, values: SettingValues) -> Any:
    """Reads an option of an old config as the present component does, or leaves it where that fails."""
    try:
        return read_option(name, then, components_of(values))
    except (ValueError, UsageError):
        return then
