"""Feature extraction: choice of the extractor, features of samples, and a cache of those of real data."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from shlex import quote
from typing import Any

import numpy as np
import torch
from torch import Tensor

from experiments.core import registry
from experiments.core.device import resolve_device
from experiments.core.errors import UsageError, usage_errors
from experiments.core.files import write_atomically
from experiments.core.named_values import JsonObject, SettingValues
from experiments.core.options import (
    ComponentOptions,
    describe_options,
    make_options,
    split_key,
    unknown_option_error,
)
from experiments.core.paths import cache_folder, weights_file
from experiments.core.processes import from_first, is_first
from experiments.core.value_format import cut_apart
from experiments.data.core.sources import absolute_spec, known_class_names, open_source
from experiments.evaluation.classifier_training import classifier_name, kept_classifier
from experiments.evaluation.extraction import Meter, extract
from experiments.evaluation.points_extractor import NoExtractor, PointsExtractor
from experiments.evaluation.sample_sets import DataSamples, SampleSet, specs_within
from metrics.core.npz_arrays import read_npz
from metrics.core.statistics import Moments, Statistics
from metrics.extractors.core.extractor import Extractor
from metrics.extractors.core.rgb import RGB_OF

log = logging.getLogger("gans")

LONGEST_VALUE = 24  # characters of a part of a record in a message
FALLBACK = "random-vgg"  # needs nothing
MOST_VECTOR_BYTES, MOST_RECORD_BYTES = 4 * 2**14, 2**20  # in a cache: of one vector, and of how all were made


@dataclass(frozen=True)
class ExtractorOptions:
    """Options of feature extraction.

    Attributes:
        extractor: name, `classifier:NAME` for one among several; None for the best that is at hand.
        weights: weights file; None for the extractor's own.
        resize_rule: None for the extractor's own.
        device: where to compute.
        download: whether published weights may be fetched.
        options: options of the extractor itself, by key (`extractor.NAME`).
    """

    extractor: str | None = None
    weights: Path | None = None
    resize_rule: str | None = None
    device: str = "auto"
    download: bool = False
    options: SettingValues = field(default_factory=dict)


def open_extractor(
    options: ExtractorOptions, is_images: bool, data: str, channels: int | None = None
) -> Extractor:
    """Opens a feature extractor: the one asked for, else the best that this machine has weights for.

    A line of the log says why that is the one. Points are their own features.

    Args:
        is_images: whether the samples are images; False: points.
        data: the data spec of the real side (`folder:PATH`); empty where it is not known.
        channels: of the images; None where they are not known. Where the user asks for no extractor and none
            sees so many, it is one without features.

    Raises UsageError for an extractor, weights or options that cannot be.
    """
    device = torch.device(resolve_device(options.device))
    if not is_images:
        if options.extractor is not None:
            raise UsageError(f"--extractor {options.extractor} sees images; points are their own features")
        with usage_errors():
            points = PointsExtractor(options.weights, options.resize_rule, device)
        for key in options.options:
            raise UsageError(f"--set {key}: extractors see images; points are their own features")
        return points
    if channels is not None and channels not in RGB_OF and options.extractor is None:
        return NoExtractor(device=device)
    spec, why = (options.extractor, "") if options.extractor is not None else _default(options, data)
    name, _, kept = spec.partition(":")
    make = registry.load("extractor", name)
    keeps = bool(kept) and options.weights is None
    with usage_errors():
        weights = weights_file(name, kept) if keeps else options.weights
    given = read_own_options(describe_options("extractor", name), options.options)
    own = make_options(getattr(make, "options_type", None), "extractor", given)
    more = {} if own is None else {"options": own}
    with usage_errors():
        extractor: Extractor = make(
            weights, resize_rule=options.resize_rule, device=device, download=options.download, **more
        )
    if own is not None:
        extractor.options = own
    if channels is not None and extractor.channels is not None and channels not in extractor.channels:
        has_classes = len(known_class_names(data, {})) > 1
        raise UsageError(
            f"extractor {extractor.name} sees images of {', '.join(map(str, extractor.channels))} channels, "
            f"not {channels}; leave it out, and take --metrics power-spectrum, which needs none"
            + (f"; gans train-classifier --data {quote(data)} makes one" if has_classes else "")
        )
    if remarks := "; ".join(filter(None, (why, extractor.remark))):
        log.info(f"extractor {extractor.name}: {remarks}")
    return extractor


def read_own_options(owner: ComponentOptions, options: SettingValues) -> SettingValues:
    """Reads options of one component by key, from words or JSON values.

    Raises UsageError for an option that it does not have, or a value that it cannot have.
    """
    found = {}
    for key, value in options.items():
        _, name = split_key(key)
        if name not in owner.readers:
            raise unknown_option_error(key, [owner], {})
        try:
            found[key] = owner.readers[name](value)
        except ValueError as error:
            raise UsageError(f"--set {key}: {error}") from error
    return found


def _default(options: ExtractorOptions, data: str) -> tuple[str, str]:
    """The spec of the extractor where the user names none, and the reason for it."""
    if options.weights is not None or options.download:
        return "inception", "its weights were asked for"
    if registry.load("extractor", "inception").is_at_hand(None):
        return "inception", "its weights are on this machine"
    better = [spec for spec in specs_within(data) if _is_for_classifiers(spec)]
    for spec in better:
        kept = kept_classifier(name := classifier_name(spec))
        if kept is not None and kept.get("data") == absolute_spec(spec) and not kept.get("options"):
            return f"classifier:{name}", f"it was trained on {spec}"
    hint = (
        f"; a better extractor for these is made by: gans train-classifier --data {quote(better[-1])}"
        if better
        else ""
    )
    if registry.load("extractor", "efflite0").is_at_hand(None):
        return "efflite0", f"its weights are on this machine{hint}"
    missing = "no other has its weights on this machine; inception needs --weights FILE or --download"
    return FALLBACK, missing + hint


def _is_for_classifiers(spec: str) -> bool:
    """Whether ImageNet's networks know little of this data, drawn or grey, and it has classes to learn."""
    try:
        source = open_source(spec)
        is_unlike = source.kind == "images" and (source.is_embedded or source.native().channels == 1)
        return is_unlike and len(source.class_names()) > 1
    except (UsageError, ValueError):  # it is opened later, and complains then
        return False


class KeptFeatures:
    """Features of samples, or their statistics: computed once and kept in the cache folder.

    Kept files are named by a hash over every pixel, their number, the extractor with its weights and its
    resize rule, so that whatever changes is made anew. One that cannot be read, or says otherwise inside, is
    made anew too.
    """

    def __init__(self, samples: SampleSet, extractor: Extractor, meter: Meter) -> None:
        self.samples, self.extractor, self.meter = samples, extractor, meter

    @cached_property
    def record(self) -> JsonObject:
        """The provenance of the features: extractor, number, shape and content of the samples."""
        return {
            **self.extractor.description(),
            "n": len(self.samples),
            "shape": list(self.samples.shape),
            "samples": self.samples.content_hash,
        }

    @property
    def hash(self) -> str:
        """Hash of the record."""
        return blake2b(json.dumps(self.record, sort_keys=True).encode(), digest_size=8).hexdigest()

    @cached_property
    def statistics(self) -> Statistics:
        """Mean and covariance of the feature vectors. Raises UsageError for fewer than two images."""
        file = self._file("statistics")
        if (kept := from_first(lambda: self._read_statistics(file))) is not None:
            return kept
        moments = Moments()
        for part in [self.vectors] if "vectors" in self.__dict__ else self._vectors():
            with usage_errors():
                moments.update(part)
        with usage_errors():
            found = replace(
                moments.statistics(), centred=None
            )  # as it is read: the same score to the last digit
        self._keep(lambda: write_atomically(file, found.to_bytes(self.record)))
        return found

    @cached_property
    def vectors(self) -> Tensor:
        """The feature vectors, float32 `(N, D)`."""
        file = self._file("vectors")
        if (kept := from_first(lambda: self._read_rows(file, "vectors"))) is not None:
            return kept
        vectors = torch.cat(list(self._vectors()))
        self._keep_rows(file, "vectors", vectors)
        return vectors

    @cached_property
    def likeliest(self) -> Tensor:
        """The likeliest class of each sample by the extractor, int64 `(N,)`; it must know classes."""
        file = self._file("classes")
        if (kept := from_first(lambda: self._read_rows(file, "classes"))) is not None:
            return kept
        found = []
        for features in extract(self.samples, self.extractor, self.meter):
            assert features.logits is not None
            found.append(features.logits.argmax(dim=1).cpu())
        classes = torch.cat(found)
        self._keep_rows(file, "classes", classes)
        return classes

    def _read_statistics(self, file: Path) -> Statistics | None:
        """Reads statistics from the cache; None where they are not there, damaged or of other samples."""
        try:
            kept = Statistics.load(file)
        except ValueError:
            return None
        return kept if dict(kept.provenance) == self.record else None

    def _read_rows(self, file: Path, name: str) -> Tensor | None:
        """Reads an array by name from the cache; None where it is not there, damaged or of other samples."""
        try:
            kept = read_npz(file, len(self.samples) * MOST_VECTOR_BYTES + MOST_RECORD_BYTES)
            is_own = json.loads(str(kept["provenance"])) == self.record
            return torch.from_numpy(kept[name].copy()) if is_own else None
        except Exception:  # a damaged cache is made anew, whatever is wrong with it
            return None

    def _keep_rows(self, file: Path, name: str, rows: Tensor) -> None:
        """Writes an array by name to the cache, with the record."""
        record = np.array(json.dumps(self.record, sort_keys=True))
        content = io.BytesIO()
        arrays: dict[str, Any] = {name: rows.numpy(), "provenance": record}
        np.savez(content, **arrays)
        self._keep(lambda: write_atomically(file, content.getvalue()))

    def _vectors(self) -> Iterator[Tensor]:
        for features in extract(self.samples, self.extractor, self.meter):
            yield features.vectors.float().cpu()

    def _file(self, what: str) -> Path:
        return cache_folder() / "references" / f"{self.hash}.{what}.npz"

    def _keep(self, write: Callable[[], None]) -> None:
        """Writes to the cache. One that cannot be written costs time, not the score."""
        if not is_first():
            return
        with suppress(OSError):
            (cache_folder() / "references").mkdir(parents=True, exist_ok=True)
            write()


class ReferenceFeatures(KeptFeatures):
    """Features of real data."""

    samples: DataSamples

    def __init__(self, samples: DataSamples, extractor: Extractor, meter: Meter) -> None:
        super().__init__(samples, extractor, meter)


def provenance_differences(ours: JsonObject, theirs: JsonObject) -> list[str]:
    """Lines `extractor: a, b` for parts of two records that make their scores incomparable."""
    keys = ("extractor", "weights", "resize_rule")
    known = [key for key in keys if key in ours and key in theirs]
    pairs = {key: (str(ours[key]), str(theirs[key])) for key in known if ours[key] != theirs[key]}
    lines = [f"{key}: {', '.join(cut_apart(pair, LONGEST_VALUE))}" for key, pair in pairs.items()]
    one, other = (record.get("extractor_options") or {} for record in (ours, theirs))
    return lines + [f"extractor_options: {one}, {other}"] * (one != other)
