"""Opening of a run's data, in the form that its architecture's task asks for."""

import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from torch import Tensor

from experiments.core import registry
from experiments.core.errors import UsageError, usage_errors
from experiments.core.settings import Settings
from experiments.data.core.dataset import (
    DataSet,
    Domains,
    DomainSource,
    KnownChanges,
    NoHeldOutDataError,
    TooFewHeldOutError,
    attributes_of,
)
from experiments.data.core.sources import data_access_from, open_source
from gans.core.architecture import Task
from gans.core.attributes import group_names

log = logging.getLogger("gans")


def task_of(settings: Settings) -> Task:
    """The task of a run's architecture."""
    task: Task = registry.load("architecture", settings.arch).task
    return task


def open_data(settings: Settings) -> tuple[DataSet | Domains, Tensor | None]:
    """Opens a run's data, with the condition of each sample (labels or attributes; None without).

    Raises UsageError where it cannot be had or is smaller than a batch.
    """
    task = task_of(settings)
    if task in ("pairs", "domains"):
        domains = open_domains(settings, paired=task == "pairs")
        check_batch_sizes(settings, domains.a)
        check_batch_sizes(settings, domains.b)
        return domains, None
    source = open_source(settings.data, data_access_from(settings.to_dict()))
    fit: Any = settings.fit or "auto"
    with usage_errors():
        data = source.open(settings.image_size, settings.channels, fit)
    check_batch_sizes(settings, data)
    if task == "attributes":
        return data, _chosen_attributes(settings, data)
    return data, data.labels if settings.conditional else None


def _chosen_attributes(settings: Settings, data: DataSet) -> Tensor:
    """The attributes of each sample that a run changes. Raises UsageError for data that has others now."""
    names = group_names(settings.attributes)
    with usage_errors(f"data {settings.data}"):
        attributes = attributes_of(data).select(names).check_all_used()
    if attributes.column_names != settings.attributes:
        raise UsageError(
            f"data {settings.data} has attributes {', '.join(attributes.column_names)} now, not "
            f"{', '.join(settings.attributes)}; take another --out"
        )
    return attributes.table


def open_domains(settings: Settings, *, paired: bool, held_out: bool = False) -> Domains:
    """Opens both domains of a run's data; with `held_out`, images that are kept from training."""
    _, open_at = _domain_source(settings)
    with usage_errors():
        return open_at(paired, held_out)


def open_held_out_domains(settings: Settings, or_training: bool = True) -> tuple[Domains, bool]:
    """Opens both domains for evaluation; returns them, and whether training has seen none of their images.

    They come in pairs where the task asks for these, or where scenes are drawn in both ways.

    Args:
        or_training: takes the training images where no others are there, and says so in a line; without it
            that is a UsageError.
    """
    source, open_at = _domain_source(settings)
    paired = task_of(settings) == "pairs"

    def found() -> tuple[Domains, bool]:
        if source.is_embedded and settings.holdout is None:  # a pair may have one half in each part
            with suppress(ValueError):
                return open_at(True, True), True
        try:
            return open_at(paired, True), True
        except NoHeldOutDataError as error:
            if not or_training or isinstance(error, TooFewHeldOutError):
                raise
            log.info(f"{error}; until then the training images are judged")
        return open_at(paired, False), False

    with usage_errors():
        return found()


def open_training_attributes(settings: Settings) -> DataSet:
    """Opens the images with attributes that a run is trained on."""
    data, _ = open_data(settings)
    assert isinstance(data, DataSet)
    return data


def open_held_out_attributes(settings: Settings, or_training: bool = True) -> tuple[DataSet, bool]:
    """Opens images with attributes for evaluation; returns them, and whether training has seen none.

    Args:
        or_training: as that of `open_held_out_domains`.
    """
    data = open_training_attributes(settings)
    if isinstance(data, KnownChanges):
        with usage_errors():
            return data.held_out(), True
    if settings.holdout is not None:
        source = open_source(settings.data, data_access_from(settings.to_dict()))
        fit: Any = settings.fit or "auto"
        with usage_errors():
            data = source.open_held_out(settings.image_size, settings.channels, fit)
        _chosen_attributes(settings, data)
        return data, True
    lacking = f"data {settings.data} keeps no images with attributes from training"
    if not or_training:
        raise UsageError(f"{lacking}; take --reference train")
    log.info(f"{lacking}: the training images are judged")
    return data, False


def _domain_source(settings: Settings) -> tuple[DomainSource, Callable[[bool, bool], Domains]]:
    """The source of a run's two domains, and a function (paired, held out) that opens it."""
    source = open_source(settings.data, data_access_from(settings.to_dict()))
    fit: Any = settings.fit or "auto"
    assert isinstance(source, DomainSource)  # the config was resolved
    return source, partial(source.open_domains, settings.image_size, settings.channels, fit)


def check_batch_sizes(settings: Settings, data: DataSet) -> None:
    """Checks that no batch is larger than the data; raises UsageError otherwise."""
    named = [("--batch-size ", settings.batch_size)]
    named += [
        (f"--stage-batch-sizes {side}:", size)
        for side, size in settings.options.get("arch.stage_batch_sizes", ())
    ]
    for words, size in named:
        if len(data) < size:
            raise UsageError(
                f"data {settings.data} has {len(data)} samples, fewer than a batch of {size}; "
                f"take {words}{len(data)} or smaller"
            )
