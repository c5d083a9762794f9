"""Settings that `gans run` makes of the words of a command."""

from collections.abc import Sequence

from experiments.commands.options import collect_settings
from experiments.commands.run import run as run_command
from experiments.config.resolve import resolve
from experiments.core.named_values import SettingValues


def typed_settings(words: Sequence[str]) -> SettingValues:
    """Settings by name and options by key of `gans run` with these words, on a CPU."""
    context = run_command.make_context("run", list(words))
    asked, strengths = collect_settings(context.params)
    return resolve({**asked, "device": "cpu"}, strengths=strengths).settings.to_dict()
