"""A share of any data that is kept out of training (`--holdout`), and the source that knows both parts.

Which samples are held out is a function of their number, the share and the seed of the holdout alone: every
process, every resumed run and every later evaluation finds the same ones, and runs of other seeds are scored
against the same real samples.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from experiments.core.seeds import generator_for
from experiments.core.word_lists import describe_count
from experiments.data.core.copies import first_equals, remark_on_shared
from experiments.data.core.dataset import (
    AttributeGroup,
    DataAccess,
    DataSet,
    Domains,
    DomainSource,
    Fit,
    InMemoryData,
    Kind,
    KnownChanges,
    Native,
    Source,
    TooFewHeldOutError,
)
from experiments.data.core.fingerprint import take_fingerprint

LEAST = 10  # held-out samples that a score begins to mean anything with
USUAL_SHARE = 0.1


def split_indices(count: int, share: float, seed: int, purpose: str = "") -> tuple[Tensor, Tensor]:
    """Splits indices of `count` samples at random into those for training and those held out, both sorted.

    Args:
        purpose: another word draws another split.

    Raises ValueError where nothing would be on one side.
    """
    number = round(share * count)
    if number >= count:
        raise ValueError(
            f"{_describe_share(count, share)}, which leaves none to train on: take --holdout 0.5 or less"
        )
    if number < 1:
        raise ValueError(describe_few(count, share))
    order = torch.randperm(count, generator=generator_for(seed, "holdout", purpose))
    return order[number:].sort().values, order[:number].sort().values


def describe_few(count: int, share: float) -> str:
    """Describes a share that holds too few of `count` samples out for a score; else empty."""
    if round(share * count) >= LEAST:
        return ""
    held, enough = _describe_share(count, share), least_share(count, LEAST)
    if enough is None:
        return f"{held}, and a score needs {LEAST}: give it at least {2 * LEAST} samples, or leave it out"
    return f"{held}, too few for a score: take --holdout {enough:g} or more"


def least_share(count: int, number: int) -> float | None:
    """The least share, in thousandths, that holds `number` of `count` samples out.

    None where fewer than that would be left to train on.
    """
    return -(-1000 * number // count) / 1000 if count >= 2 * number else None


def _describe_share(count: int, share: float) -> str:
    """Describes how many of `count` samples a share holds out."""
    return f"--holdout {share:g} of {describe_count(count, 'sample')} holds {round(share * count):,} out"


class Subset(DataSet):
    """A part of a data set, in its order, fetched from there.

    Args:
        whole: the data set.
        indices: of the samples of the part, int64 `(M,)`.
    """

    def __init__(self, whole: DataSet, indices: Tensor) -> None:
        self.whole, self.indices = whole, indices
        self.sample_shape, self.on_demand = whole.sample_shape, whole.on_demand
        self.own_remarks: tuple[str, ...] = ()
        self.copy_description(whole, indices)

    def __len__(self) -> int:
        return len(self.indices)

    def fetch(self, indices: Tensor) -> Tensor:
        samples = self.whole.fetch(self.indices.to(indices.device)[indices])
        self.remarks = (*self.whole.remarks, *self.own_remarks)  # a set of files may find more to say
        return samples


class SubsetOfKnownChanges(Subset, KnownChanges):
    """A part of a data set that knows its samples under other attributes; `others` is what it lacks."""

    def __init__(self, whole: KnownChanges, indices: Tensor, others: Tensor) -> None:
        super().__init__(whole, indices)
        self.others = others

    def fetch_with(self, indices: Tensor, rows: Tensor) -> Tensor:
        assert isinstance(self.whole, KnownChanges)
        return self.whole.fetch_with(self.indices.to(indices.device)[indices], rows)

    def held_out(self) -> "SubsetOfKnownChanges":
        """The other part. Raises TooFewHeldOutError where it is too small for a score."""
        count = len(self) + len(self.others)
        _refuse_few(count, len(self.others) / count)
        assert isinstance(self.whole, KnownChanges)
        return SubsetOfKnownChanges(self.whole, self.others, self.indices)


def take_part(whole: DataSet, indices: Tensor, others: Tensor) -> DataSet:
    """Takes a part of a data set: in memory where that is, else fetched from it.

    Args:
        indices, others: of the samples of the part and of the rest, int64.
    """
    if isinstance(whole, KnownChanges):
        return SubsetOfKnownChanges(whole, indices, others)
    if isinstance(whole, InMemoryData):
        part = InMemoryData(whole.samples[indices])
        part.copy_description(whole, indices)
        return part
    return Subset(whole, indices)


class HoldoutSource(Source):
    """Source of the part of another source's samples that is not held out; `open_held_out` has the others.

    Args:
        whole: the source of all.
        share: held out, in (0, 1).
        seed: of the choice.
    """

    kind: ClassVar[Kind]

    def __init__(self, whole: Source, share: float, seed: int) -> None:
        self.whole, self.share, self.seed = whole, share, seed
        self.argument, self.access = whole.argument, whole.access
        whole.holdout_split = self._split
        # Declared for classes of sources; of this one they are those of the source within.
        for name in ("kind", "is_embedded", "takes_spec", "options_type", "options"):
            setattr(self, name, getattr(whole, name))

    def native(self) -> Native:
        return self.whole.native()

    def class_names(self) -> Sequence[str]:
        return self.whole.class_names()

    def attribute_groups(self) -> Sequence[AttributeGroup]:
        return self.whole.attribute_groups()

    def found_options(self, paired: bool | None = None) -> Any:
        return self.whole.found_options(paired)

    def found_option_remarks(self) -> Mapping[str, str]:
        return self.whole.found_option_remarks()

    def open(self, size: tuple[int, int] | None, channels: int | None, fit: Fit) -> DataSet:
        """Opens the samples for training."""
        whole = self.whole.open(size, channels, fit)
        training, held_out = self._split(len(whole))
        data = _take_training_part(whole, training, held_out, self.share)
        if equal := _equal_images(whole):
            _add_remarks(data, remark_on_shared(equal, training, held_out, whole.file_names))
        return data

    def open_held_out(self, size: tuple[int, int] | None, channels: int | None, fit: Fit) -> DataSet:
        """Opens the samples that are held out, in the form of the others.

        Raises TooFewHeldOutError where they are too few for a score.
        """
        whole = self.whole.open(size, channels, fit)
        _refuse_few(len(whole), self.share)
        training, held_out = self._split(len(whole))
        return _take_held_out_part(whole, held_out, training)

    def _split(self, count: int, purpose: str = "") -> tuple[Tensor, Tensor]:
        return split_indices(count, self.share, self.seed, purpose)


class HoldoutDomainSource(HoldoutSource, DomainSource):
    """Source of two domains, of each of which a share is held out; partners stay together."""

    def native_domains(self, paired: bool) -> Native:
        return self._domains.native_domains(paired)

    def open_domains(
        self,
        size: tuple[int, int] | None,
        channels: int | None,
        fit: Fit,
        paired: bool,
        held_out: bool = False,
    ) -> Domains:
        """Opens both sets, for training or held out. Raises TooFewHeldOutError as `open_held_out` does."""
        whole = self._domains.open_domains(size, channels, fit, paired)

        def part(name: str, side: DataSet) -> DataSet:
            training, others = self._split(len(side), "" if paired else name)
            if held_out:
                _refuse_few(len(side), self.share)
                return _take_held_out_part(side, others, training)
            return _take_training_part(side, training, others, self.share)

        domains = Domains(part("A", whole.a), part("B", whole.b), whole.names, whole.paired)
        if not held_out:
            self._remark_on_shared(domains, whole, paired)
        return domains

    def _remark_on_shared(self, domains: Domains, whole: Domains, paired: bool) -> None:
        """Adds remarks on held-out images that are also trained on; of pairs, where both images are."""
        equal = {"A": _equal_images(whole.a), "B": _equal_images(whole.b)}
        if paired:
            pairs = list(zip(equal["A"], equal["B"], strict=True)) if all(equal.values()) else []
            if pairs:
                parts = self._split(len(whole.a))
                _add_remarks(domains.a, remark_on_shared(pairs, *parts, whole.a.file_names, "pair"))
            return
        for name, side, data in (("A", whole.a, domains.a), ("B", whole.b, domains.b)):
            if equal[name]:
                found = remark_on_shared(equal[name], *self._split(len(side), name), side.file_names)
                _add_remarks(data, [f"{name}: {remark}" for remark in found])

    @property
    def _domains(self) -> DomainSource:
        assert isinstance(self.whole, DomainSource)
        return self.whole


def _refuse_few(count: int, share: float) -> None:
    """Refuses to open held-out samples that are too few for a score. Raises TooFewHeldOutError."""
    if few := describe_few(count, share):
        raise TooFewHeldOutError(few)


def _take_held_out_part(whole: DataSet, indices: Tensor, training: Tensor) -> DataSet:
    """Takes the part that is held out, with the fingerprint of the part to train on."""
    held_out = take_part(whole, indices, training)
    held_out.training_fingerprint = take_fingerprint(whole, training)
    return held_out


def _take_training_part(whole: DataSet, indices: Tensor, others: Tensor, share: float) -> DataSet:
    """Takes the part to train on, with a remark where the others are too few for a score."""
    training = take_part(whole, indices, others)
    training.held_out_count = len(others)
    if few := describe_few(len(whole), share):
        _add_remarks(training, [f"{few}; until then nothing is scored against them"])
    return training


def _add_remarks(part: DataSet, remarks: Sequence[str]) -> None:
    """Adds remarks to a part of a data set."""
    part.remarks = (*part.remarks, *remarks)
    if isinstance(part, Subset):
        part.own_remarks = (*part.own_remarks, *remarks)


def _equal_images(whole: DataSet) -> list[int]:
    """The first image that equals each, of images in memory; empty for others, which are not read twice."""
    return first_equals(whole.samples) if isinstance(whole, InMemoryData) and whole.is_images else []


def hold_out(source: Source, access: DataAccess) -> Source:
    """Holds a share of a source's samples out of training, where the access says so."""
    if access.holdout is None:
        return source
    kind = HoldoutDomainSource if isinstance(source, DomainSource) else HoldoutSource
    return kind(source, access.holdout, access.holdout_seed)
