"""Completion of words in a shell: names of plug-ins, words of a choice, files and folders."""

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

from experiments.core import registry

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]
# Settings whose words are names of plug-ins, and their kinds.
KINDS = {
    "arch": "architecture",
    "loss": "loss",
    "data": "data",
    "augment": "augmentation",
    "critic_augment": "critic-augmentation",
    "critic_norm": "norm",
    "minibatch_statistic": "batch-statistic",
    "optimizer": "optimizer",
    "lr_schedule": "schedule",
    "penalty": "penalty",
    "penalty_norm": "penalty-norm",
    "evaluate_metrics": "metric",
    "extractor": "extractor",
    "track": "tracker",
}


def complete_words(words: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """Completes the last of words between commas."""
    done, comma, last = incomplete.rpartition(",")
    return [CompletionItem(f"{done}{comma}{word}") for word in words if word.startswith(last)]


def complete_setting(name: str, metavar: str, incomplete: str) -> list[CompletionItem]:
    """Completes the words of a setting: names of plug-ins, or the words of a choice."""
    if name in KINDS:
        return complete_words(registry.plugin_names(KINDS[name]), incomplete)
    return complete_words([word for word in metavar.split("|") if word.islower()], incomplete)


def names_of(*kinds: str) -> Complete:
    """Makes the completion of names of plug-ins of these kinds."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return complete_words([name for kind in kinds for name in registry.plugin_names(kind)], incomplete)

    return complete


def files_or(*kinds: str) -> Complete:
    """Makes the completion of files and folders, and of names of plug-ins of these kinds."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        named = [name for kind in kinds for name in registry.plugin_names(kind)]
        return complete_words(named, incomplete) or [CompletionItem(incomplete, type="file")]

    return complete
