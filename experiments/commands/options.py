"""Options that commands share. Imports nothing heavy at the top."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from experiments.commands.completion import complete_file
from experiments.commands.component_completion import complete_setting, option_keys
from experiments.commands.help_sections import SECTION_OF, SectionedOption, write_sections
from experiments.core import registry
from experiments.core.errors import UsageError
from experiments.core.named_values import SettingValues
from experiments.core.options import NAMED, SLOTS, canonical_key
from experiments.core.setting_defaults import describe_default, describe_value
from experiments.core.settings import FIELDS, flag, read_setting
from experiments.core.short_flags import SHORT_FLAGS
from experiments.core.synonyms import similar_settings
from experiments.core.trusted_plugins import add_named_plugins
from experiments.core.value_readers import Read

Command = Callable[..., None]
Decorator = Callable[[Command], Command]
# Short name → the setting before whose flag its own stands in the help.
SHORT_BEFORE = {"stage_batch_sizes": "image_size", "fade_kimg": "optimizer", "stable_kimg": "optimizer"}
SHORT_BEFORE |= {"style_mixing": "optimizer", "betas": "n_critic", "weight_decay": "n_critic"}
SHORT_BEFORE |= {"term_weights": "schedule"}
OPTION_FLAG = re.compile(r"--([\w-]+\.[\w-]+)(=.*)?", re.DOTALL)


def _metadata_of(name: str) -> Mapping[str, Any]:
    """Help, metavar and reader of a setting, or of a short flag."""
    return SHORT_FLAGS[name]._asdict() if name in SHORT_FLAGS else FIELDS[name].metadata


class WordType(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.2
    """Type of an option whose words are read by a function that raises ValueError with one line."""

    def __init__(self, name: str, read: Read) -> None:
        self.name, self.read = name, read
        self.bounds: str = getattr(read, "bounds", "")  # of numbers

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Reads the words of the option. Ends with a usage error where they cannot be read."""
        try:
            return self.read(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class SettingType(WordType):
    """Type of an option whose words are read by the table of settings."""

    def __init__(self, setting: str) -> None:
        metadata = _metadata_of(setting)
        super().__init__(metadata["metavar"] or "text", lambda value: read_setting(setting, value))
        self.bounds = getattr(metadata["read"], "bounds", "")
        self.setting = setting

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Completes names of plug-ins, files, and the words of a choice."""
        return complete_setting(self.setting, ctx, param, incomplete)


class WordOption(SectionedOption):
    """Option whose help ends with its default in words, and the bounds of its numbers, as click's own do."""

    def __init__(self, *names: Any, known_default: str = "", **more: Any) -> None:
        super().__init__(*names, **more)
        self.known_default = known_default  # where the flag itself has none

    def get_help_extra(self, ctx: click.Context) -> Any:
        """Range and default of the option, which stand in brackets after its help."""
        extra = super().get_help_extra(ctx)
        if bounds := getattr(self.type, "bounds", ""):
            extra["range"] = bounds
        if default := self.known_default or self._default_of_pair():
            extra["default"] = default
        return extra

    def _default_of_pair(self) -> str:
        """On or off, of a pair of flags with a default; nothing for other options."""
        return describe_value(self.default) if self.secondary_opts and self.default in (True, False) else ""


class OptionsCommand(click.Command):
    """Command that takes settings of a run, and `--arch.mapping_layers=2` for `--set arch.mapping_layers=2`.

    Agents of W&B's sweeps write options so. Its help refers to that of `gans run` for the settings.
    """

    lists_settings = False

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the options under headings."""
        write_sections(self, ctx, formatter, self.lists_settings)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parses the arguments, with `--KEY=VALUE` of an option turned into `--set`."""
        words: list[str] = []
        for arg in args:
            found = OPTION_FLAG.fullmatch(arg)
            words += ["--set", f"{found[1]}{found[2]}"] if found and found[2] else [arg]
        return super().parse_args(ctx, words)


class RunCommand(OptionsCommand):
    """Command whose help lists all settings of a run."""

    lists_settings = True


def setting_option(name: str, help: str = "", default: str = "", **further: Any) -> Decorator:
    """Makes the option of one setting, or of the short name of a component's option.

    Plug-ins are loaded as soon as they are named.

    Args:
        help, default: texts in a command for which those of the setting are not true.
        further: arguments of click's option.
    """
    metadata = _metadata_of(name)
    section = {} if help else {"section": SECTION_OF[name]}
    help = help or metadata["help"]
    more: dict[str, Any] = {"cls": WordOption, "type": SettingType(name), "metavar": metadata["metavar"]}
    more |= section | further | {"known_default": default or describe_default(name)}
    if name in SHORT_FLAGS:
        return click.option(flag(name), name, help=help, **more)
    if isinstance(FIELDS[name].default, bool):
        both = f"{flag(name)}/--no-{flag(name).removeprefix('--')}"
        return click.option(both, name, default=None, help=help, **(more | {"type": None, "metavar": None}))
    if metadata["bare_value"] is not None:
        more |= {"is_flag": False, "flag_value": metadata["bare_value"]}
    if name == "plugin":
        more |= {"callback": _load_plugins, "is_eager": True}
    return click.option(flag(name), name, help=help, **more)


def _load_plugins(ctx: click.Context, param: click.Parameter, value: tuple[str, ...] | None) -> object:
    """Loads the plug-ins of `--plugin`."""
    add_named_plugins(value)
    return value


def plugin_option(command: Command) -> Command:
    """Adds `--plugin FILE.py,…` to a command that needs nothing but the plug-ins themselves."""
    return setting_option("plugin", FIELDS["plugin"].metadata["help"], expose_value=False)(command)


def set_option(*kinds: str) -> Decorator:
    """Makes the option `--set KEY=VALUE`, repeatable, of components of these kinds; of all without any."""
    return click.option(
        "--set",
        "options",
        multiple=True,
        metavar="KEY=VALUE",
        help="Option of a component, such as arch.mapping_layers=2 or kid.subset_size=100 (gans list NAME "
        "shows them); repeatable.",
        cls=WordOption,
        known_default=describe_value(None),
        shell_complete=option_keys(*kinds),
    )


def read_options(words: Iterable[str]) -> dict[str, str]:
    """Reads `KEY=VALUE` of every `--set` as values by key. Raises UsageError for other words."""
    found: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not value:
            raise UsageError(f"--set {word}: give KEY=VALUE, such as arch.mapping_layers=2")
        if "." not in key.strip("."):
            settings = [*FIELDS, *SHORT_FLAGS]
            own = key.replace("-", "_")
            close = [own] if own in settings else similar_settings(own, settings)
            hint = f"; the setting is {' or '.join(map(flag, close))}" if close else ""
            raise UsageError(f"--set {word}: give COMPONENT.OPTION=VALUE{hint}")
        if canonical_key(key) in found:
            raise UsageError(f"--set {key}: it is given already")
        found[canonical_key(key)] = value
    return found


def check_options(options: SettingValues, *kinds: str) -> None:
    """Checks that every option belongs to a component of one of these kinds: others would do nothing here.

    Raises UsageError.
    """
    for key in options:
        prefix = key.partition(".")[0]
        is_slot = any(SLOTS.get(prefix) == kind for kind in kinds)
        if not is_slot and not any(kind in NAMED and prefix in registry.names(kind) for kind in kinds):
            raise UsageError(f"--set {key}: {prefix} is no {' or '.join(kinds)} of this command")


def settings_options(*left_out: str, helps: Mapping[str, str] | None = None) -> Decorator:
    """Makes a decorator that adds an option for every setting that is not left out, and `--set`.

    Args:
        helps: by name, where those of the settings are not true for the command.
    """

    def add(command: Command) -> Command:
        for name in reversed(FIELDS):
            if not FIELDS[name].metadata["derived"] and name not in left_out:
                command = setting_option(name, (helps or {}).get(name, ""))(command)
            if name == "regularizers":
                command = regularizer_options(command)
            for short in reversed([each for each, before in SHORT_BEFORE.items() if before == name]):
                command = setting_option(short)(command)
        return command if "set" in left_out else set_option()(command)

    return add


def regularizer_options(command: Command) -> Command:
    """Adds `--NAME STRENGTH` for every built-in regularizer; a strength of 0 takes it away."""
    for name in sorted(registry.built_in_names("regularizer"), reverse=True):
        line = registry.summary("regularizer", name)
        section = SECTION_OF["regularizers"]
        command = click.option(
            f"--{name}",
            type=float,
            metavar="STRENGTH",
            help=line,
            cls=WordOption,
            section=section,
            known_default="as in --regularizers",
        )(command)
    return command


def collect_settings(flags: SettingValues) -> tuple[dict[str, Any], dict[str, float]]:
    """Collects the given values of `settings_options`: settings with options, and strengths of regularizers.

    Raises UsageError for an option that is given twice, and for a strength that is not finite.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    asked = {name: value for name, value in given.items() if name in FIELDS or name in SHORT_FLAGS}
    options = read_options(flags.get("options") or ())
    for name, value in asked.items():
        if name in SHORT_FLAGS and options:
            from experiments.config.precedence import flatten

            for key in {key for key, _ in flatten("flag", {name: value})} & options.keys():
                raise UsageError(f"--set {key} and {flag(name)} are one option; give one")
    words = {name: name.replace("-", "_") for name in registry.built_in_names("regularizer")}
    strengths = {name: given[word] for name, word in words.items() if word in given}
    for name, strength in strengths.items():
        if not math.isfinite(strength):
            raise UsageError(f"--{name} {strength}: the strength must be a finite number; 0 takes it away")
        if f"{name}.weight" in options:
            raise UsageError(f"--set {name}.weight and --{name} are one option; give one")
    return asked | options, strengths


def debug_option(command: Command) -> Command:
    """Adds `--debug`, which shows the traceback of an error."""
    return click.option("--debug", is_flag=True, help="Show the traceback of an error.")(command)


def json_option(command: Command) -> Command:
    """Adds `--json`, which prints one JSON object on stdout."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")(command)


def config_option(command: Command) -> Command:
    """Adds `--config FILE`, whose settings count where flags give none."""
    return click.option(
        "--config",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Settings from a JSON, YAML or TOML file.",
        cls=WordOption,
        known_default=describe_value(None),
    )(command)


def out_option(metavar: str, help: str = "File to write.", **more: Any) -> Decorator:
    """Makes the options `--out`, for a file or folder of this kind, and `--force`, which overwrites it."""

    def add(command: Command) -> Command:
        command = force_option("Overwrite files that this command did not write, too.")(command)
        more_of: dict[str, Any] = {"required": True, "shell_complete": complete_file} | more
        return click.option("--out", metavar=metavar, help=help, **more_of)(command)

    return add


def force_option(help: str) -> Decorator:
    """Makes the option `--force`, which overrides a refusal."""
    return click.option("--force", is_flag=True, help=help)


def jobs_option(command: Command) -> Command:
    """Adds `--jobs N` to a command that trains several runs at once."""
    help = "Number of runs at once; default: one for each core, or GPU. More share GPUs evenly."
    return click.option("--jobs", type=click.IntRange(min=1), metavar="N", help=help)(command)


def device_option(command: Command) -> Command:
    """Adds `--device` to a command that uses a trained network."""
    metadata = FIELDS["device"].metadata
    return click.option(
        "--device",
        type=SettingType("device"),
        default=FIELDS["device"].default,
        show_default=True,
        metavar=metadata["metavar"],
        help=metadata["help"],
    )(command)


def label_option(help: str) -> Decorator:
    """Makes the option `--label N`, one class of a conditional generator."""
    return click.option("--label", type=click.IntRange(min=0), metavar="N", help=help)


def seed_option(help: str) -> Decorator:
    """Makes the option `--seed N`, 0 where it is not given."""
    whole = click.IntRange(min=0)
    return click.option("--seed", type=whole, metavar="N", default=0, show_default=True, help=help)
