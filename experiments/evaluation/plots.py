"""Plots of an evaluation: classes, nearest real images, precision and recall by class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from experiments.core.errors import RunError, UsageError
from experiments.core.files import refuse_link
from experiments.core.images import render_figure, save_png
from experiments.core.labelled_sheets import SheetRow, draw_sheet
from experiments.core.plot_style import GENERATED, REAL, SERIES, styled
from experiments.core.processes import from_first
from experiments.evaluation.candidates import Candidate
from experiments.evaluation.extraction import Meter, extract_beside
from experiments.evaluation.features import ReferenceFeatures
from experiments.evaluation.sample_sets import DataSamples, GeneratedSamples, SampleSet
from experiments.evaluation.spectrum_plots import channel_statistics, draw_spectra
from experiments.evaluation.task_metrics import TaskMetrics
from experiments.runs.folder import RunFolder
from gans.core.translation import Translator
from metrics.precision_recall import PrecisionRecall

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_SAMPLES = 10_000  # of either side that are extracted
MOST_CLASSES = 30  # bars that can still be read; of more classes, the most frequent
FEWEST_IN_CLASS = 10  # on either side, for precision and recall to mean anything
NEIGHBOURS, ROWS = 8, 10


@dataclass(frozen=True)
class ExtractedSet:
    """Images of one side with their features, N of them.

    Attributes:
        images: uint8 `(N, C, H, W)`.
        vectors: float32 `(N, D)`.
        probabilities: float32 `(N, K)`; None without classes.
    """

    images: Tensor
    vectors: Tensor
    probabilities: Tensor | None

    @property
    def classes(self) -> Tensor:
        """The likeliest class of each image, `(N,)`."""
        assert self.probabilities is not None
        return self.probabilities.argmax(dim=1)


def check_plots(candidate: Candidate, folder: RunFolder) -> None:
    """Checks that a generator makes images from noise, in a run folder, for plots.

    Raises UsageError, and RunError for a link in the place of the folder of plots.
    """
    name = candidate.name
    if not folder.exists:
        raise UsageError(f"--plot draws into a run folder, which {name} is not")
    if candidate.settings.image_size is None:
        raise UsageError(
            f"--plot draws features of images, and {name} makes points; "
            "gans sample RUN --out FILE.png draws them"
        )
    if isinstance(candidate.network, Translator):
        raise UsageError(f"--plot draws samples from noise, and {name} translates; see {name}/samples")
    refuse_link(folder.path / "plots")


def draw(candidate: Candidate, task_metrics: TaskMetrics, folder: Path, meter: Meter) -> list[Path]:
    """Draws plots of a generator into `folder/plots`.

    Returns the files. Raises RunError where they cannot be written.
    """
    samples, reference, step = (
        task_metrics.task.samples(candidate),
        task_metrics.reference,
        candidate.step or 0,
    )
    assert isinstance(samples, GeneratedSamples)  # the plots were checked
    count, seed, data = min(samples.count, MOST_SAMPLES), samples.seed, reference.samples
    sides = samples.with_count(count), DataSamples(data.name, data.data, min(len(data), MOST_SAMPLES), seed)
    pictures = {}
    if data.data.units is not None or not reference.extractor.channels:
        pictures["spectra"] = render_figure(draw_spectra(*(channel_statistics(side) for side in sides)))
    if reference.extractor.channels == ():  # without features
        fakes = None
    else:
        fakes, reals = (_extracted(side, reference, meter) for side in sides)
        pictures["neighbours"] = neighbours(fakes, reals)
    if fakes is not None and fakes.probabilities is not None:
        names = reference.extractor.classes or range(fakes.probabilities.shape[1])
        pictures["classes"] = render_figure(class_distributions(fakes, reals, list(map(str, names))))
        pictures["precision-recall"] = render_figure(
            precision_recall_by_class(fakes, reals, list(map(str, names)))
        )
    files = {folder / "plots" / f"step-{step:08d}-{name}.png": picture for name, picture in pictures.items()}
    from_first(lambda: _save(files, folder / "plots"))
    return list(files)


def _save(pictures: Mapping[Path, Image.Image], folder: Path) -> None:
    """Saves pictures in a folder. Raises RunError where they cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, picture in pictures.items():
            save_png(picture, file)
    except OSError as error:
        raise RunError(f"cannot write {folder}: {error.strerror or error}") from error


def _extracted(side: SampleSet, reference: ReferenceFeatures, meter: Meter) -> ExtractedSet:
    """Extracts features and class probabilities of all samples of a side."""
    images, vectors, probabilities = [], [], []
    for batch, features in extract_beside(Tensor.cpu, side, reference.extractor, meter):
        images.append(batch)
        vectors.append(features.vectors.cpu())
        if features.logits is not None:
            probabilities.append(features.logits.softmax(dim=1).cpu())
    return ExtractedSet(
        torch.cat(images), torch.cat(vectors), torch.cat(probabilities) if probabilities else None
    )


def neighbours(fakes: ExtractedSet, reals: ExtractedSet) -> Image.Image:
    """Draws a row for each of some samples: the sample, then the real images with the nearest features.

    A generator that copies its data shows the same picture twice.
    """
    return draw_sheet(
        neighbour_rows(fakes, reals),
        "Generated images, and the real images whose features are nearest\n"
        "Numbers: Euclidean distance between features; equal pictures are copies",
    )


def neighbour_rows(fakes: ExtractedSet, reals: ExtractedSet) -> list[SheetRow]:
    """Rows of samples, each before its nearest real images, with the distances of their features."""
    rows = []
    for image, vector in zip(fakes.images[:ROWS], fakes.vectors[:ROWS], strict=True):
        distances = (reals.vectors - vector).square().sum(dim=1).sqrt()
        nearest = distances.topk(min(NEIGHBOURS, len(distances)), largest=False).indices
        words = [f"real {distances[index]:.3g}" for index in nearest]
        rows.append(SheetRow("", torch.cat([image[None], reals.images[nearest]]), ["generated", *words]))
    return rows


@styled
def class_distributions(fakes: ExtractedSet, reals: ExtractedSet, names: Sequence[str]) -> "Figure":
    """Draws both parts of the Inception Score: class frequencies of all samples, and certainty of each.

    The left panel shows the frequencies, the right one the probability of the likeliest class, sorted.
    """
    from matplotlib.figure import Figure

    assert fakes.probabilities is not None and reals.probabilities is not None
    marginals = {"generated": fakes.probabilities.mean(dim=0), "real": reals.probabilities.mean(dim=0)}
    largest = torch.stack(list(marginals.values())).amax(dim=0)
    shown = largest.topk(min(MOST_CLASSES, len(names))).indices.sort().values
    figure = Figure(figsize=(12, 5.2))
    figure.suptitle(
        "Classes that the classifier finds (the two parts of the Inception Score)", x=0.01, ha="left"
    )
    left, right = figure.subplots(1, 2, width_ratios=(2, 1))
    _bars(left, [names[i] for i in shown], {side: p[shown] for side, p in marginals.items()})
    is_part = len(shown) < len(names)  # the title leaves room for the legend beside it
    which = f"{len(shown)} most frequent of {len(names)} classes" if is_part else "frequency of classes"
    left.set(title=f"Variety: {which}", xlabel="class", ylabel="share of images, mean p(y|x)")
    for side, extracted, colour in (("real", reals, REAL), ("generated", fakes, GENERATED)):
        surest = extracted.probabilities.amax(dim=1).sort().values  # type: ignore[union-attr]
        right.plot(np.linspace(0, 1, len(surest)), surest.numpy(), color=colour, label=side)
    right.set(title="Certainty of the likeliest class", ylim=(0, 1.02), xlim=(0, 1))
    right.set(xlabel="share of images, least certain first", ylabel="probability, max p(y|x)")
    right.legend(loc="lower right")
    return figure


@styled
def precision_recall_by_class(fakes: ExtractedSet, reals: ExtractedSet, names: Sequence[str]) -> "Figure":
    """Draws precision and recall within each class that the classifier finds."""
    from matplotlib.figure import Figure

    counts = [torch.bincount(side.classes, minlength=len(names)) for side in (fakes, reals)]
    common = counts[1].topk(min(MOST_CLASSES, len(names))).indices.sort().values.tolist()
    shown = [index for index in common if counts[1][index]]
    scores = {index: _scores_of(fakes, reals, index) for index in shown}
    figure = Figure(figsize=(12, 5.2))
    axes = figure.subplots()
    labels = [f"{names[index]}\n{counts[0][index]} | {counts[1][index]}" for index in shown]
    columns = {
        name: torch.tensor([scores[index].get(name, float("nan")) for index in shown])
        for name in ("precision", "recall")
    }
    _bars(axes, labels, columns, SERIES[:2])
    axes.set(title="Precision and recall within each class that the classifier finds", ylim=(0, 1.02))
    axes.set(xlabel="class (below: generated | real images of it)", ylabel="share of images, in [0, 1]")
    return figure


def _scores_of(fakes: ExtractedSet, reals: ExtractedSet, index: int) -> dict[str, float]:
    """Computes precision and recall within one class; empty where either side has too few."""
    own, real = (side.vectors[side.classes == index] for side in (fakes, reals))
    if min(len(own), len(real)) < FEWEST_IN_CLASS:
        return {}
    metric = PrecisionRecall(real)
    metric.update(own)
    return metric.compute()


def _bars(
    axes: Any, names: Sequence[str], columns: dict[str, Tensor], colours: Sequence[str] = (GENERATED, REAL)
) -> None:
    """Draws two bars beside each other for every name."""
    positions = np.arange(len(names))
    for offset, (label, values), colour in zip((-0.2, 0.2), columns.items(), colours, strict=True):
        axes.bar(positions + offset, values.numpy(), width=0.4, label=label, color=colour)
    is_crowded = len(names) > 12 or max(map(len, "\n".join(names).splitlines()), default=0) > 100 // len(
        names
    )
    axes.set_xticks(positions, names, rotation=90 if is_crowded else 0)
    axes.grid(axis="x", visible=False)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.2)  # beside the title
