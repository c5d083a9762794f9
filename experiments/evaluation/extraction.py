"""Extraction of features of samples, batch by batch; several processes take the batches in turn."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from torch import Tensor

from experiments.core.errors import usage_errors
from experiments.core.processes import share_out
from experiments.evaluation.sample_sets import GeneratedSamples, SampleSet
from metrics.extractors.core.extractor import Extractor, Features
from metrics.path_length import EPSILON

Kept = TypeVar("Kept")
Advance = Callable[[int], None]  # called with the number of samples that were done since
Meter = Callable[[str, int], Advance]  # called with the name and the number of the samples


def extract(samples: SampleSet, extractor: Extractor, meter: Meter) -> Iterator[Features]:
    """Extracts features of all samples, batch by batch. Raises UsageError for unfit images."""
    for _, features in extract_beside(lambda batch: None, samples, extractor, meter):
        yield features


def extract_beside(
    keep: Callable[[Tensor], Kept], samples: SampleSet, extractor: Extractor, meter: Meter
) -> Iterator[tuple[Kept, Features]]:
    """Extracts features of all samples, batch by batch, beside what is kept of each batch.

    Raises UsageError for unfit images.
    """
    advance = meter(samples.name, len(samples))

    def compute(make: Callable[[], Tensor]) -> tuple[Kept, Features]:
        batch = make()
        with usage_errors():
            return keep(batch), extractor(batch)

    for kept, features in share_out(compute, samples.batch_makers()):
        yield kept, features
        advance(len(features.vectors))


def channel_logits(samples: SampleSet, extractor: Extractor, meter: Meter) -> Iterator[Tensor]:
    """Extracts logits of each channel as a grey image, `(B, C, K)`, batch by batch."""
    advance = meter(f"channels of {samples.name}", len(samples))

    def compute(make: Callable[[], Tensor]) -> Tensor:
        batch = make()
        with usage_errors():
            logits = extractor(batch.flatten(0, 1).unsqueeze(1)).logits
        assert logits is not None
        return logits.view(*batch.shape[:2], -1)

    for logits in share_out(compute, samples.batch_makers()):
        yield logits
        advance(len(logits))


def path_vectors(
    samples: GeneratedSamples, extractor: Extractor, meter: Meter, epsilon: float = EPSILON
) -> Iterator[Tensor]:
    """Extracts vectors of both ends of small steps in latent space, `(B, 2, D)`, batch by batch.

    Args:
        epsilon: length of a step, as a fraction of its path.
    """
    advance = meter(f"paths of {samples.name}", len(samples))

    def compute(make: Callable[[], Tensor]) -> Tensor:
        pairs = make()
        with usage_errors():
            return extractor(pairs.flatten(0, 1)).vectors.view(*pairs.shape[:2], -1)

    for vectors in share_out(compute, samples.path_makers(epsilon)):
        yield vectors
        advance(len(vectors))
