"""Evaluation tasks: images from noise, or translations in one direction or in two."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from experiments.config.factory import build_networks
from experiments.core.device import resolve_device
from experiments.core.errors import UsageError, usage_errors
from experiments.core.images import from_uint8, to_uint8
from experiments.core.seeds import generator_for, seed_all
from experiments.core.settings import Settings
from experiments.data.core.dataset import DataSet, KnownChanges, attributes_of
from experiments.data.core.open import (
    open_domains,
    open_held_out_attributes,
    open_held_out_domains,
    open_training_attributes,
    task_of,
)
from experiments.evaluation.candidates import Candidate
from experiments.evaluation.protocols import (
    BOTH,
    HELD_OUT,
    MOST_SAMPLES,
    PROTOCOLS,
    SPLITS,
    TRAIN,
    USUAL_REFERENCE,
    ReferenceChoice,
)
from experiments.evaluation.references import Reference, open_references
from experiments.evaluation.sample_sets import (
    BATCH,
    DataSamples,
    GeneratedSamples,
    SampleSet,
    pixels_of,
    samples_of_run,
    to_pixels,
)
from experiments.runs.generator import from_noise
from gans.core.translation import AttributeTranslator, DomainTranslator
from metrics.core.metric import Metric

PIXELS = 64 * 128 * 128  # of a batch that is translated: it passes through many channels at full size
Translate = Callable[[Tensor, Tensor], Tensor]  # (images in [−1, 1], their indices in the data) → images


class TranslatedSamples(SampleSet):
    """Translations of images of a set, made anew each time, to the same bits.

    Args:
        inputs: the images to translate.
        translate: the generator; its dropout, if it stays on, draws as the seed says.
        targets: images by their indices in the data, as that has them; None where no truth is known.
    """

    def __init__(
        self,
        name: str,
        inputs: DataSamples,
        translate: Translate,
        targets: Callable[[Tensor], Tensor] | None,
        seed: int,
        device: torch.device,
    ) -> None:
        self.name, self.inputs, self.translate, self.targets = name, inputs, translate, targets
        self.shape, self.seed, self.device = inputs.shape, seed, device

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def labels(self) -> None:
        return None

    def batch_makers(self) -> Iterator[Callable[[], Tensor]]:
        for indices in self._index_batches():
            yield partial(self._made_of, indices)

    def pairs(self, begin: int, made: Tensor) -> Tensor:
        """Pairs images of a batch with their targets: `(B, 2, C, H, W)` in [−1, 1].

        Args:
            begin: number of the first one.
            made: as `batches` gives them.
        """
        assert self.targets is not None
        indices = self.inputs.order[begin : begin + len(made)]
        with usage_errors():
            truth = pixels_of(self.targets(indices), self.inputs.data.units).to(made.device)
        return from_uint8(torch.stack([made, truth], dim=1))

    def _index_batches(self) -> tuple[Tensor, ...]:
        _, height, width = self.shape
        return torch.split(self.inputs.order, max(1, min(BATCH, PIXELS // (height * width))))

    @torch.no_grad()
    def _made_of(self, indices: Tensor) -> Tensor:
        with usage_errors():
            pixels = pixels_of(self.inputs.data.fetch(indices), self.inputs.data.units)
        seed_all(self.seed, "translations", int(indices[0]))
        made = self.translate(from_uint8(pixels.to(self.device)), indices).float()
        return to_uint8(made) if self.inputs.data.units is None else to_pixels(made)


class EvaluationTask(ABC):
    """A task of generators, with the real images that its results are compared with.

    Attributes:
        key: suffix of the keys of its scores; empty where a generator has one task only.
        references: the real samples, at most as many as are asked for; the first are the usual ones, and
            those for metrics that look for copies come last.
        count: number of samples that are generated.
        record: provenance of its scores, beside the parts that all have.
        has_paths: whether paths of latents can be followed.
        has_pairs: whether the true image is known of each that is generated.
    """

    key: str = ""
    references: Sequence[Reference]
    count: int
    record: dict[str, Any]
    has_paths: bool = False
    has_pairs: bool = False

    @property
    def reals(self) -> DataSamples:
        """The real samples of the first reference."""
        return self.references[0].samples

    def references_of(self, kind: type[Metric]) -> list[Reference]:
        """The real samples that a metric compares with; none where it compares with others."""
        served = [each for each in self.references if each.serves(kind)]
        return served[-1:] if kind.of_training else served

    def ends_of(self, kind: type[Metric]) -> list[str]:
        """Ends of the names of a metric's scores, one for each reference."""
        return ["/".join(filter(None, (self.key, each.suffix))) for each in self.references_of(kind)]

    @abstractmethod
    def samples(self, candidate: Candidate) -> SampleSet:
        """Generates samples of this task with a generator."""


class FromNoise(EvaluationTask):
    """Generation from noise: samples against the data of the training, or what is held out of it.

    Args:
        count: largest number of samples on each side; None: as many are generated as there are real ones, at
            most 50,000.
    """

    has_paths = True

    def __init__(
        self,
        settings: Settings,
        count: int | None,
        seed: int,
        device: str,
        choice: ReferenceChoice = USUAL_REFERENCE,
    ) -> None:
        protocol = PROTOCOLS[choice.protocol] if choice.protocol else None
        most = None if protocol else count or MOST_SAMPLES
        self.references = open_references(settings, most, seed, choice)
        numbers = [len(each.samples) for each in self.references if not each.is_for_copies]
        self.count = protocol.samples if protocol else count or max(numbers)
        self.record = {"protocol": choice.protocol} if protocol else {}
        self.seed, self.device = seed, device

    def samples(self, candidate: Candidate) -> GeneratedSamples:
        network = from_noise(candidate.network, candidate.name)
        return GeneratedSamples(
            candidate.name, network, candidate.settings, self.count, self.seed, self.device
        )


class ToDomain(EvaluationTask):
    """Translation to one domain: results against images of that domain."""

    def __init__(
        self, to: str, inputs: DataSamples, reference: Reference, has_pairs: bool, device: str
    ) -> None:
        self.key = f"to-{to}" + (f"/{reference.suffix}" if reference.suffix else "")
        self.to, self.inputs, self.references = to, inputs, (replace(reference, suffix=""),)
        self.count, self.has_pairs, self.device = len(inputs), has_pairs, device
        self.record = {"split": reference.split}

    def samples(self, candidate: Candidate) -> TranslatedSamples:
        device = torch.device(resolve_device(self.device))
        network = candidate.network.to(device)
        assert isinstance(network, DomainTranslator)

        def translate(images: Tensor, indices: Tensor) -> Tensor:
            return network.translate(images, self.to)

        targets = self.reals.data.fetch if self.has_pairs else None
        return TranslatedSamples(
            f"{candidate.name} {self.key}", self.inputs, translate, targets, self.inputs.seed, device
        )


class ToAttributes(EvaluationTask):
    """Change of attributes to those of other images of the set: results against the images as they are.

    Args:
        names: columns of the attributes that the generator changes, others stay; None: all of the data.
    """

    def __init__(
        self,
        reals: DataSamples,
        split: str,
        device: str,
        suffix: str = "",
        names: Sequence[str] | None = None,
    ) -> None:
        self.references, self.count, self.device = (Reference(reals, split),), len(reals), device
        self.key, self.record = suffix, {"split": split}
        self.has_pairs = isinstance(reals.data, KnownChanges)
        with usage_errors():
            attributes = attributes_of(reals.data)
        table, own = attributes.table, attributes.column_names
        self.columns = torch.tensor([own.index(name) for name in names or own])
        # Along one ring through all of them: nobody gets what it has from itself.
        ring = reals.order[torch.randperm(len(reals), generator=generator_for(reals.seed, "attributes"))]
        self.asked = table.clone()
        self.asked[ring[:, None], self.columns] = table[ring.roll(1)][:, self.columns]

    def samples(self, candidate: Candidate) -> TranslatedSamples:
        device = torch.device(resolve_device(self.device))
        network, data = candidate.network.to(device), self.reals.data
        assert isinstance(network, AttributeTranslator)

        def translate(images: Tensor, indices: Tensor) -> Tensor:
            return network.translate(images, self.asked[indices][:, self.columns].to(device))

        def truth(indices: Tensor) -> Tensor:
            assert isinstance(data, KnownChanges)
            return data.fetch_with(indices, self.asked[indices])

        targets = truth if self.has_pairs else None
        return TranslatedSamples(candidate.name, self.reals, translate, targets, self.reals.seed, device)


def open_evaluation_tasks(
    settings: Settings,
    count: int | None,
    seed: int,
    device: str,
    choice: ReferenceChoice = USUAL_REFERENCE,
) -> list[EvaluationTask]:
    """Opens the evaluation tasks of a run's generators: one, or one for each direction of translation.

    Args:
        count: largest number of samples on each side; None: of generated ones as many as of real ones, at
            most 50,000 of both.
        seed: of the samples.
        choice: of the real samples.

    Raises UsageError for data that cannot be had.
    """
    if task_of(settings) == "noise":
        return [FromNoise(settings, count, seed, device, choice)]
    if choice.protocol:
        raise UsageError(
            f"--protocol {choice.protocol} is of samples from noise, and {settings.arch} translates images; "
            "leave it out"
        )
    asked = [HELD_OUT, TRAIN] if choice.reference == BOTH else [choice.reference]
    return [
        task for each in asked for task in _translations(settings, count or MOST_SAMPLES, seed, device, each)
    ]


def _translations(
    settings: Settings, count: int, seed: int, device: str, reference: str | None
) -> list[EvaluationTask]:
    """Opens the tasks of a translator on training images, or on held-out ones; None: these if any."""
    suffix = TRAIN if reference == TRAIN else ""
    or_training = reference is None
    if task_of(settings) == "attributes":
        data, is_held_out = (
            (open_training_attributes(settings), False)
            if reference == TRAIN
            else open_held_out_attributes(settings, or_training)
        )
        reals = samples_of_run(settings, data, count, seed)
        return [ToAttributes(reals, _split(is_held_out), device, suffix, settings.attributes)]
    domains, is_held_out = (
        (open_domains(settings, paired=task_of(settings) == "pairs"), False)
        if reference == TRAIN
        else open_held_out_domains(settings, or_training)
    )
    with torch.device("meta"):
        network, _ = build_networks(settings)
    assert isinstance(network, DomainTranslator)
    sides: dict[str, DataSet] = {"A": domains.a, "B": domains.b}
    opened = {to: samples_of_run(settings, side, count, seed) for to, side in sides.items()}
    return [
        ToDomain(
            to,
            opened["A" if to == "B" else "B"],
            Reference(opened[to], _split(is_held_out), suffix),
            domains.paired,
            device,
        )
        for to in network.targets
    ]


def _split(is_held_out: bool) -> str:
    return SPLITS[HELD_OUT if is_held_out else TRAIN]
