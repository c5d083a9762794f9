"""The sets of an audit, with their features: training, held-out, generated and planted images."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from shlex import quote

import torch
from torch import Tensor

from experiments.core.errors import UsageError
from experiments.core.seeds import generator_for
from experiments.data.core.dataset import NoHeldOutDataError, TooFewHeldOutError
from experiments.data.core.holdout import USUAL_SHARE, least_share
from experiments.evaluation.audit.planting import EXACT, KINDS
from experiments.evaluation.candidates import Candidate
from experiments.evaluation.extraction import Meter, extract_beside
from experiments.evaluation.features import KeptFeatures, ReferenceFeatures
from experiments.evaluation.protocols import SPLITS, TRAIN
from experiments.evaluation.sample_sets import BATCH, DataSamples, GeneratedSamples, SampleSet, data_of_run
from experiments.evaluation.trained_data import command_anew
from experiments.runs.generator import from_noise
from metrics.extractors.core.extractor import Extractor

MOST_SHARE = 0.5  # of the data, held out
LEAST_HELD_OUT = 40  # images: half of them stand for honest samples
MOST_QUERIES = 1000  # images of each set that is compared with the training images
MOST_TRAINING = 50_000


@dataclass(frozen=True)
class AuditSides:
    """Features of the sets of an audit, `(N, D)` each.

    Attributes:
        training: of all training images, or a part; labels: the class of each, None without.
        reference: of held-out images that others are compared with.
        honest: of further held-out images, which stand for the samples of a generator without a fault.
        generated: of generated images.
        planted: of changed copies of training images, by the kind of change.
        training_images: returns images of training by their index; generated_images: of `generated`. Both are
            as `SampleSet.batches` has them.
        training_count, held_out_count: images that there are, of which these may be a part.
    """

    training: Tensor
    labels: Tensor | None
    reference: Tensor
    honest: Tensor
    generated: Tensor
    planted: Mapping[str, Tensor]
    training_images: Callable[[Tensor], Tensor]
    generated_images: Tensor
    training_count: int
    held_out_count: int


class PlantedSamples(SampleSet):
    """Copies of images of a data set, each changed alike.

    Args:
        indices: of the images, int64 `(N,)`.
        kind: how they are changed, one of `KINDS`.
    """

    def __init__(self, of: DataSamples, indices: Tensor, kind: str) -> None:
        self.name, self.of, self.indices, self.kind = f"{kind} copies", of, indices, kind
        self.shape = of.shape

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def labels(self) -> None:
        return None

    def batch_makers(self) -> Iterator[Callable[[], Tensor]]:
        for part in torch.split(self.indices, BATCH):
            yield partial(self._make, part)

    def _make(self, indices: Tensor) -> Tensor:
        random = generator_for(self.of.seed, "planted", self.kind, int(indices[0]))
        return KINDS[self.kind](self.of.fetch(indices).cpu(), random)


def open_data(candidate: Candidate, count: int | None, seed: int) -> tuple[DataSamples, DataSamples]:
    """Opens the training and the held-out images of a run.

    Raises UsageError for what cannot be audited, with what to do.
    """
    settings = candidate.settings
    from_noise(candidate.network, candidate.name)
    training = data_of_run(settings, count or MOST_TRAINING, seed)
    if not training.is_images:
        raise UsageError(f"an audit compares images, and {settings.data} is points; see gans evaluate RUN")
    candidate.trained_data.check(training, SPLITS[TRAIN])
    try:
        held_out = data_of_run(settings, 2 * MOST_QUERIES, seed, held_out=True)
    except TooFewHeldOutError as error:
        assert settings.holdout is not None
        number = round(len(training.data) * settings.holdout / (1 - settings.holdout))
        raise UsageError(_describe_too_few(candidate, training, number)) from error
    except NoHeldOutDataError as error:
        raise UsageError(
            f"an audit needs images that training has not seen, and data {settings.data} holds none out "
            f"({error}); {_describe_remedy(candidate, training, len(training.data))}"
        ) from error
    if len(held_out) < LEAST_HELD_OUT:
        raise UsageError(_describe_too_few(candidate, training, len(held_out)))
    return training, held_out


def _describe_too_few(candidate: Candidate, training: DataSamples, held_out_count: int) -> str:
    """Describes that too few images are held out, with a remedy."""
    # Of data with held-out images of its own, a share would be one of the training images.
    others = held_out_count if candidate.settings.holdout is not None else 0
    return (
        f"an audit needs at least {LEAST_HELD_OUT} held-out images, and data {candidate.settings.data} has "
        f"{held_out_count}; {_describe_remedy(candidate, training, len(training.data) + others)}"
    )


def _describe_remedy(candidate: Candidate, training: DataSamples, count: int) -> str:
    """Describes what share of `count` images is enough, or what to do where they are too few for any."""
    share = least_share(count, LEAST_HELD_OUT)
    if share is not None:
        return _training_anew(candidate, training, max(USUAL_SHARE, share))
    return (
        f"with {count} images that is not possible: it needs {LEAST_HELD_OUT} held out and as many to "
        f"train on, {2 * LEAST_HELD_OUT} in all; what is: gans evaluate {quote(candidate.name)} "
        "--metrics authenticity, the share of samples that are no copies"
    )


def _training_anew(candidate: Candidate, training: DataSamples, share: float) -> str:
    """Words with the command that trains a run anew, with another share held out."""
    run, command = candidate.trained_data.folder, f"gans run --holdout {share:g}"
    if run.exists:
        command = command_anew(run, "held-out", training.data, f"--holdout {share:g}")
    return f"train anew with {command}"


def describe_more(candidate: Candidate, training: DataSamples, held_out_count: int) -> str:
    """Describes what may let an audit see more than it did: more held-out images, or other features."""
    ways = []
    if len(training) < len(training.data):
        ways.append("give a larger -n")
    share = candidate.settings.holdout
    if share is not None and share < MOST_SHARE and held_out_count < 2 * MOST_QUERIES:
        ways.append(_training_anew(candidate, training, min(MOST_SHARE, 2 * share)))
    return ", or ".join([*ways, "take another --extractor (gans list extractors)"])


def open_sides(
    candidate: Candidate,
    training: DataSamples,
    held_out: DataSamples,
    extractor: Extractor,
    seed: int,
    device: str,
    meter: Meter,
) -> AuditSides:
    """Extracts the features of all sets: as many generated images as there are honest ones."""
    train = ReferenceFeatures(training, extractor, meter).vectors.double()
    others = ReferenceFeatures(held_out, extractor, meter).vectors.double()
    order = torch.randperm(len(others), generator=generator_for(seed, "audit", "halves"))
    half = len(order) // 2
    samples = GeneratedSamples(
        candidate.name, from_noise(candidate.network, candidate.name), candidate.settings, half, seed, device
    )
    images, generated = zip(
        *(
            (kept, features.vectors.double().cpu())
            for kept, features in extract_beside(Tensor.cpu, samples, extractor, meter)
        ),
        strict=True,
    )
    chosen = torch.randperm(len(train), generator=generator_for(seed, "audit", "planted"))[:half]
    planted = {
        kind: KeptFeatures(
            PlantedSamples(training, training.order[chosen], kind), extractor, meter
        ).vectors.double()
        for kind in KINDS
        if kind != EXACT
    }
    planted = {EXACT: train[chosen], **planted}  # whose features are known
    return AuditSides(
        training=train,
        labels=training.labels,
        reference=others[order[half:]],
        honest=others[order[:half]],
        generated=torch.cat(generated),
        planted=planted,
        training_images=lambda indices: training.fetch(training.order[indices]).cpu(),
        generated_images=torch.cat(images),
        training_count=len(training.data),
        held_out_count=len(held_out),
    )
