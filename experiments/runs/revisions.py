"""Revisions of architectures: which earlier weights are opened, and with which options."""

from dataclasses import replace

from experiments.core import registry
from experiments.core.errors import RunError
from experiments.core.settings import Settings
from gans.core.architecture import Architecture


def check_revision(arch: str, revision: int, who: str) -> None:
    """Checks that weights are of no later revision of an architecture than this version knows.

    Raises RunError otherwise.
    """
    known = registry.load("architecture", arch).revision
    if revision > known:
        raise RunError(
            f"{who}: holds revision {revision} of {arch}, newer than {known}, the newest that this version "
            "knows; upgrade gans"
        )


def check_training(arch: str, revision: int, who: str) -> None:
    """Checks that the training of a revision can be gone on with. Raises RunError otherwise."""
    check_revision(arch, revision, who)
    if revision in registry.load("architecture", arch).earlier_options:
        raise RunError(
            f"{who}: holds revision {revision} of {arch}, which is trained otherwise now; its samples and "
            "scores can be had, and another --out begins anew"
        )


def has_earlier_layers(settings: Settings) -> bool:
    """Whether the options of a network are those of an earlier revision of its architecture."""
    architecture: Architecture = registry.load("architecture", settings.arch)
    return any(
        own and all(settings.options.get(f"arch.{name}") == value for name, value in own.items())
        for own in architecture.earlier_options.values()
    )


def with_earlier_options(settings: Settings, revision: int) -> Settings:
    """The settings with which weights of a revision make the samples that they made.

    Options that are recorded stay as they are: only those that the earlier version did not have are added.
    """
    architecture: Architecture = registry.load("architecture", settings.arch)
    earlier = architecture.earlier_options.get(revision, {})
    own = {f"arch.{name}": value for name, value in earlier.items()}
    return replace(settings, options={**own, **settings.options}) if own else settings
