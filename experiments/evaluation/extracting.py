"""From images to feature vectors: which extractor, with what record, and what is kept of the real side."""

import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from hashlib import blake2b
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from experiments import catalogue
from experiments.checkpoint import write_atomically
from experiments.config import resolve_device
from experiments.errors import usable
from experiments.evaluation.images import DataImages, ImageSet, Say
from experiments.paths import cache_folder
from metrics.core.statistics import Moments, Statistics
from metrics.extractors import Extractor, Features

CHOICE = ("inception", "efflite0")  # at hand or installed; else what needs nothing
ALWAYS = "random-vgg"
Advance = Callable[[int], None]  # told how many images are done


@dataclass(frozen=True)
class How:
    """What the user says about extraction."""

    extractor: str | None = None
    weights: Path | None = None
    resize_rule: str | None = None
    device: str = "auto"
    download: bool = False


def open_extractor(how: How, say: Say) -> Extractor:
    """The extractor asked for; without a word, the best that this machine has, and a line that says why."""
    name = how.extractor
    if name is None:
        name, why = _chosen(how)
        say(f"extractor {name}: {why}")
    make = catalogue.load("extractor", name)
    place = torch.device(resolve_device(how.device))
    extractor: Extractor = usable(
        lambda: make(how.weights, resize_rule=how.resize_rule, device=place, download=how.download)
    )
    return extractor


def _chosen(how: How) -> tuple[str, str]:
    if how.weights is not None or how.download:
        return "inception", "its weights were asked for"
    for name in CHOICE:
        if catalogue.load("extractor", name).is_at_hand(None):
            return name, "its weights are on this machine"
    return ALWAYS, "no other has its weights on this machine; inception needs --weights FILE or --download"


def extract(images: ImageSet, extractor: Extractor, advance: Advance) -> Iterator[Features]:
    """Features of all images, batch by batch."""
    for batch in images.batches():
        yield usable(partial(extractor, batch))
        advance(len(batch))


class Reference:
    """The real side: what metrics need of it, computed once and kept in the cache folder.

    Kept files are named by a hash over every pixel, their number, the extractor with its weights and its
    resize rule, so that whatever changes is made anew. One that cannot be read, or says otherwise inside, is
    made anew too.
    """

    def __init__(self, images: DataImages, extractor: Extractor, advance: Advance) -> None:
        self.images, self.extractor, self.advance = images, extractor, advance

    @cached_property
    def record(self) -> dict[str, Any]:
        """What decides on the features."""
        return {
            **self.extractor.description(),
            "n": len(self.images),
            "shape": list(self.images.shape),
            "images": self.images.content_hash(),
        }

    @property
    def hash(self) -> str:
        return blake2b(json.dumps(self.record, sort_keys=True).encode(), digest_size=8).hexdigest()

    @cached_property
    def statistics(self) -> Statistics:
        """Mean and covariance of the feature vectors. Raises UsageError for fewer than two images."""
        file = self._file("statistics")
        try:
            kept = Statistics.load(file)
            if dict(kept.provenance) == self.record:
                self.advance(len(self.images))
                return kept
        except ValueError:
            pass
        moments = Moments()
        for part in [self.vectors] if "vectors" in self.__dict__ else self._vectors():
            usable(partial(moments.update, part))
        found = usable(moments.statistics)
        self._keep(lambda: found.save(file, self.record))
        return found

    @cached_property
    def vectors(self) -> Tensor:
        """Float32 `(N, D)`."""
        file = self._file("vectors")
        try:
            with np.load(file, allow_pickle=False) as kept:
                if json.loads(str(kept["provenance"])) == self.record:
                    vectors = torch.from_numpy(kept["vectors"])
                    self.advance(len(self.images))
                    return vectors
        except (OSError, ValueError, KeyError, BadZipFile, EOFError):
            pass
        vectors = torch.cat(list(self._vectors()))
        record = np.array(json.dumps(self.record, sort_keys=True))
        content = io.BytesIO()
        np.savez(content, vectors=vectors.numpy(), provenance=record)
        self._keep(lambda: write_atomically(file, content.getvalue()))
        return vectors

    def _vectors(self) -> Iterator[Tensor]:
        for features in extract(self.images, self.extractor, self.advance):
            yield features.vectors.float().cpu()

    def _file(self, what: str) -> Path:
        return cache_folder() / "references" / f"{self.hash}.{what}.npz"

    def _keep(self, write: Callable[[], None]) -> None:
        """A cache that cannot be written costs time, not the score."""
        try:
            (cache_folder() / "references").mkdir(parents=True, exist_ok=True)
            write()
        except OSError:
            pass


def differing(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """Lines `extractor: a, b` for what makes scores of two records incomparable."""
    keys = ("extractor", "weights", "resize_rule")
    known = [key for key in keys if key in ours and key in theirs]
    return [f"{key}: {ours[key]:.12}, {theirs[key]:.12}" for key in known if ours[key] != theirs[key]]
