"""Real samples that generated ones are compared with: those of the training, held-out ones, or both."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from experiments.core.errors import UsageError
from experiments.core.settings import Settings
from experiments.data.core.dataset import NoHeldOutDataError, TooFewHeldOutError
from experiments.data.core.holdout import LEAST, USUAL_SHARE, least_share
from experiments.evaluation.protocols import BOTH, HELD_OUT, MOST_SAMPLES, SPLITS, TRAIN, ReferenceChoice
from experiments.evaluation.sample_sets import DataSamples, data_of_run, samples_of_run
from metrics.core.metric import Metric

log = logging.getLogger("gans")


@dataclass(frozen=True)
class Reference:
    """Real samples that generated ones are compared with.

    Attributes:
        samples: the samples.
        split: the part of the data that they are: "training", or "held-out".
        suffix: end of the names of scores against them; empty for the usual ones of a kind of run.
        is_for_copies: whether they are for metrics alone that compare with all training samples.
    """

    samples: DataSamples
    split: str
    suffix: str = ""
    is_for_copies: bool = False

    def serves(self, kind: type[Metric]) -> bool:
        """Whether a metric compares with these samples."""
        if kind.of_training:
            return self.split == SPLITS[TRAIN]
        return not self.is_for_copies


def open_references(
    settings: Settings, count: int | None, seed: int, choice: ReferenceChoice
) -> Sequence[Reference]:
    """Opens the references of generators from noise: training samples, held-out ones, or both.

    Where a metric looks for copies, the last one is all training samples, for it alone; at most 50,000.

    A protocol takes both where samples are held out, unless one of them is asked for. A choice that prefers
    held-out samples takes them alone, where there are some.

    Args:
        count: largest number of samples of each; None for all.

    Raises UsageError for data that cannot be had, and where none is held out but asked for.
    """
    found = _open_chosen(settings, count, seed, choice)
    if not choice.with_training:
        return found
    opened = next((each.samples.data for each in found if each.split == SPLITS[TRAIN]), None)
    training = (
        data_of_run(settings, MOST_SAMPLES, seed)
        if opened is None
        else samples_of_run(settings, opened, MOST_SAMPLES, seed)
    )
    return [*found, Reference(training, SPLITS[TRAIN], is_for_copies=True)]


def _open_chosen(
    settings: Settings, count: int | None, seed: int, choice: ReferenceChoice
) -> list[Reference]:
    """Opens the references that a choice names, as `open_references` does."""
    found = []
    if choice.prefers_held_out and choice.reference is None and not choice.protocol:
        try:
            samples = data_of_run(settings, count, seed, held_out=True)
            return [Reference(samples, SPLITS[HELD_OUT], HELD_OUT)]
        except TooFewHeldOutError as error:
            raise UsageError(str(error)) from error
        except NoHeldOutDataError as error:
            log.info(f"no held-out samples, so that the training samples are compared with: {error}")
    if choice.reference != HELD_OUT:
        found.append(Reference(data_of_run(settings, count, seed), SPLITS[TRAIN]))
    if choice.reference in (HELD_OUT, BOTH) or (choice.protocol and choice.reference is None):
        try:
            samples = data_of_run(settings, count, seed, held_out=True)
            found.append(Reference(samples, SPLITS[HELD_OUT], HELD_OUT))
        except NoHeldOutDataError as error:
            if choice.reference is not None:
                raise UsageError(_describe_lacking(settings, seed, choice.reference, error)) from error
            log.info(f"no score against held-out images: {error}")
    return found


def _describe_lacking(settings: Settings, seed: int, asked: str, error: NoHeldOutDataError) -> str:
    """Describes that too few samples are held out for the reference that was asked for, with a remedy."""
    if isinstance(error, TooFewHeldOutError):
        return f"--reference {asked}: {error}; or take --reference train"
    share = least_share(len(data_of_run(settings, None, seed)), LEAST)
    train = f"train with --holdout {max(USUAL_SHARE, share):g}, or " if share else ""
    return (
        f"--reference {asked}: data {settings.data} holds nothing out from training ({error}); "
        f"{train}take --reference train"
    )
