"""Completion of words in a shell: names of plug-ins, words of a choice, files and folders."""

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

from experiments.core import registry
from experiments.core.errors import RunError, UsageError

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
    "best_metric": "metric",
    "extractor": "extractor",
    "track": "tracker",
}


def complete_words(words: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """Completes the last of words between commas."""
    done, comma, last = incomplete.rpartition(",")
    return [CompletionItem(f"{done}{comma}{word}") for word in words if word.startswith(last)]


def complete_file(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Leaves the completion to the shell, which knows files and folders."""
    return [CompletionItem(incomplete, type="file")]


def complete_plugins(kind: str, incomplete: str) -> list[CompletionItem]:
    """Completes names of plug-ins of a kind, and after `folder:` of a data set files and folders."""
    name, colon, _ = incomplete.rpartition(",")[2].partition(":")
    if kind == "data" and colon and name in registry.names(kind):
        return [CompletionItem(incomplete, type="file")]
    return complete_words(registry.plugin_names(kind), incomplete)


def complete_choice(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Completes the words of a choice as the help writes them: `auto|cpu|cuda[:N]|mps`."""
    words = [word.partition("[")[0] for word in (parameter.metavar or "").split("|")]
    return complete_words([word for word in words if word.islower()], incomplete)


def names_of(*kinds: str) -> Complete:
    """Makes the completion of names of plug-ins of these kinds."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [item for kind in kinds for item in complete_plugins(kind, incomplete)]

    return complete


def files_or(*kinds: str) -> Complete:
    """Makes the completion of files and folders, and of names of plug-ins of these kinds."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        named = names_of(*kinds)(context, parameter, incomplete)
        return named or complete_file(context, parameter, incomplete)

    return complete


def offering(words_of: Callable[[click.Context, str], Iterable[str]], is_list: bool = True) -> Complete:
    """Makes a completion of the words that a function finds, of which there are none where it fails.

    Args:
        words_of: the context with the words before, and the word so far → all words that may stand there.
        is_list: whether words follow each other after commas.
    """

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        last = incomplete.rpartition(",")[2] if is_list else incomplete
        try:
            words = [word for word in words_of(context, last) if word.startswith(last)]
        except (UsageError, RunError, OSError, ValueError):  # what is wrong is said when the command is run
            return []
        return [CompletionItem(f"{incomplete.removesuffix(last)}{word}") for word in words]

    return complete
