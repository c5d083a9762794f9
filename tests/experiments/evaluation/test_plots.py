"""`gans evaluate --plot`: what stands in the pictures, and that they are written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.evaluation.plots import (
    ExtractedSet,
    class_distributions,
    neighbour_rows,
    neighbours,
    precision_recall_by_class,
)

SMALL = "--extractor random-vgg -n 12"


def seen(classes: list[int], offset: float = 0.0, seed: int = 0) -> ExtractedSet:
    """Images of 16 pixels whose level tells their number, with vectors around that of their class."""
    labels = torch.tensor(classes)
    draw = torch.Generator().manual_seed(seed)
    images = torch.arange(len(labels)).byte().view(-1, 1, 1, 1).expand(-1, 1, 16, 16)
    vectors = 10 * torch.nn.functional.one_hot(labels, 3).float() + offset
    vectors = vectors + 0.1 * torch.randn(vectors.shape, generator=draw)
    return ExtractedSet(images, vectors, (8 * torch.nn.functional.one_hot(labels, 3).float()).softmax(dim=1))


def test_neighbours_are_the_nearest_reals_in_order() -> None:
    reals = seen([0] * 20)
    reals.vectors.copy_(torch.arange(20)[:, None].float().expand(-1, 3))
    fakes = seen([0, 0])
    fakes.vectors.copy_(torch.tensor([[3.1], [17.9]]).expand(-1, 3))
    rows = neighbour_rows(fakes, reals)
    levels = [[int(image[0, 0, 0]) for image in row.images] for row in rows]
    assert levels == [[0, 3, 4, 2, 5, 1, 6, 0, 7], [1, 18, 17, 19, 16, 15, 14, 13, 12]], (
        "the sample comes first"
    )
    assert rows[0].captions[:2] == ["generated", f"real {0.1 * 3**0.5:.3g}"]
    sheet = neighbours(fakes, reals)
    assert sheet.width > 9 * 64 and sheet.height > 2 * 64


def heights(figure: Any, number: int) -> list[float]:
    """Of the bars of one colour in the first plot."""
    return [bar.get_height() for bar in figure.axes[0].containers[number]]


def test_marginal_classes() -> None:
    figure = class_distributions(
        seen([0] * 30 + [1] * 10), seen([0] * 10 + [1] * 10 + [2] * 20), ["a", "b", "c"]
    )
    assert heights(figure, 0) == pytest.approx([0.75, 0.25, 0.0], abs=1e-3)
    assert heights(figure, 1) == pytest.approx([0.25, 0.25, 0.5], abs=1e-3)
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["a", "b", "c"]


def test_precision_and_recall_stay_within_a_class() -> None:
    """Class a is reached, class b missed, and of class c there are too few samples below 10."""
    reals = seen([0] * 40 + [1] * 40 + [2] * 40, seed=1)
    fakes = seen([0] * 40 + [1] * 40 + [2] * 9)
    fakes.vectors[40:80] += 5
    figure = precision_recall_by_class(fakes, reals, ["a", "b", "c"])
    precision, recall = heights(figure, 0), heights(figure, 1)
    assert precision[0] > 0.8 and recall[0] > 0.8
    assert precision[1] == recall[1] == 0
    assert np.isnan(precision[2]) and np.isnan(recall[2])
    assert figure.axes[0].get_xticklabels()[2].get_text() == "c\n9 | 40"
    enough = precision_recall_by_class(seen([2] * 10), reals, ["a", "b", "c"])
    assert heights(enough, 0)[2] > 0.5


@pytest.mark.long
def test_the_command(gans: Callable[..., Any], trained: Path, weights: Path) -> None:
    outcome = gans(f"evaluate {trained} {SMALL} --metrics fid --plot")
    assert outcome.status == 0, outcome.err
    assert [file.name for file in (trained / "plots").iterdir()] == ["step-00000003-neighbours.png"]
    assert "run/plots/step-00000003-neighbours.png" in outcome.err
    outcome = gans(f"evaluate {trained} --weights {weights} -n 5 --metrics precision-recall --plot")
    assert outcome.status == 0, outcome.err
    files = sorted((trained / "plots").glob("*.png"))
    names = [file.stem.removeprefix("step-00000003-") for file in files]
    assert names == ["classes", "neighbours", "precision-recall"]
    assert all(min(Image.open(file).size) > 100 for file in files)
