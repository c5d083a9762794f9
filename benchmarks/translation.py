"""Accuracy of translations: the domain or the attributes asked for, and what else survives.

    OMP_NUM_THREADS=1 python benchmarks/translation.py RUN [-n 1000] [--seed 0]

RUN is a run of cyclegan or swap on two drawn styles or two folders, of stargan on shapes-attributes, or
of pix2pix on shapes-paired. Small classifiers are trained on real images first, in about a minute
on one thread; their accuracy on held-out real images stands beside that on translations of these.
"""

import argparse
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from experiments.config.factory import blueprint_of
from experiments.core.errors import RunError, UsageError
from experiments.core.images import to_uint8
from experiments.data.core.dataset import DataSet, KnownChanges, attributes_of
from experiments.data.core.open import open_data, open_domains, task_of
from experiments.evaluation.candidates import Candidate, open_candidate
from experiments.evaluation.classifier_training import Training, train_classifier
from experiments.evaluation.tasks import (
    EvaluationTask,
    ToAttributes,
    ToDomain,
    from_uint8,
    open_evaluation_tasks,
)
from gans.core.attributes import NO_YES, AttributeGroup, Groups, columns_of, with_value
from gans.core.translation import AttributeTranslator, DomainTranslator
from metrics.extractors.classifier import network_input
from metrics.psnr import PeakSignalNoiseRatio

BATCH = 100
MANY, FEW = 20_000, 12_000  # real images to train a classifier on: of six shapes; of two or three values
Name = Callable[[Tensor], Tensor]  # classifier: uint8 images → int64 labels


class Labelled(DataSet):
    """Data set of the first images of several sets in turn, with labels of its own."""

    def __init__(self, sets: Sequence[DataSet], labels: Sequence[Tensor], classes: Sequence[str]) -> None:
        self.sets, self.each = sets, len(labels[0])
        self.labels, self.classes = torch.cat(list(labels)), tuple(classes)
        self.sample_shape = sets[0].sample_shape

    def __len__(self) -> int:
        return len(self.sets) * self.each

    def fetch(self, indices: Tensor) -> Tensor:
        """Images at these indices, uint8 `(N, C, H, W)`."""
        images = torch.empty(len(indices), *self.sample_shape, dtype=torch.uint8)
        for number, data in enumerate(self.sets):
            own = indices // self.each == number
            images[own] = data.fetch(indices[own] % self.each)
        return images


def train_labeller(data: Labelled, epochs: int, seed: int) -> Name:
    """Trains a classifier of images; returns the function that predicts their labels."""
    network = train_classifier(data, Training(epochs, seed, "cpu"), lambda count: None).network

    @torch.no_grad()
    def name(images: Tensor) -> Tensor:
        return torch.cat([network(network_input(part)).logits.argmax(1) for part in images.split(BATCH)])

    return name


def train_shape_classifier(sets: Sequence[DataSet], seed: int) -> Name:
    """Trains a classifier of a shape's class, however it is drawn."""
    count = MANY // len(sets)
    return train_labeller(
        Labelled(sets, [labels_of(data)[:count] for data in sets], sets[0].classes), 2, seed
    )


def labels_of(data: DataSet) -> Tensor:
    """Labels of drawn shapes."""
    assert data.labels is not None, "drawn shapes have labels"
    return data.labels


def share(right: Tensor) -> str:
    """Share of the true values, as a percentage in words."""
    return f"{right.double().mean().item():7.1%}"


def row(words: str, *values: str) -> None:
    """Prints a row of the table."""
    print(f"{words:<44}" + "".join(f"{value:>12}" for value in values), flush=True)


@torch.no_grad()
def translate_batches(translate: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Translates images in [−1, 1], batch by batch."""
    return torch.cat([translate(part) for part in images.split(BATCH)])


def print_styles(candidate: Candidate, directions: Sequence[EvaluationTask], seed: int) -> None:
    """Prints the accuracy of the target's style and of the shape's class on translations, in both directions.

    Beside them stands how far images are from their translations there and back.
    """
    network = candidate.network
    assert isinstance(network, DomainTranslator)
    training = open_domains(candidate.settings, paired=False)
    sets = [training.a, training.b]
    count = min(FEW // 2, *map(len, sets))
    labels = [torch.full((count,), number) for number in range(2)]
    style = train_labeller(Labelled(sets, labels, training.names), FEW // count, seed)
    shape = train_shape_classifier(sets, seed) if training.a.labels is not None else None
    row("", *(f"to {name}" for name in training.names))
    columns: list[dict[str, str]] = [{}, {}]
    for direction in directions:
        assert isinstance(direction, ToDomain)
        number = "AB".index(direction.to)
        inputs, reals = direction.inputs, direction.reals
        images, real = (side.data.fetch(side.order) for side in (inputs, reals))
        made = torch.cat(list(direction.samples(candidate).batches()))
        start = from_uint8(images)
        there = translate_batches(lambda part, to=direction.to: network.translate(part, to), start)
        back = translate_batches(
            lambda part, to=direction.to: network.translate(part, "AB"[to == "A"]), there
        )
        columns[number] = {
            "style: accuracy on held-out real images": share(style(real) == number),
            "style: accuracy on translations": share(style(made) == number),
            "there and back: mean L1 on [-1, 1]": f"{(back - start).abs().mean().item():.4f}",
        }
        if shape is not None:
            truth, own = (labels_of(side.data)[side.order] for side in (inputs, reals))
            columns[number] |= {
                "shape: accuracy on held-out real images": share(shape(real) == own),
                "shape: accuracy on translations": share(shape(made) == truth),
            }
    for words in columns[1]:
        row(words, *(column.get(words, "-") for column in columns))


def print_attributes(candidate: Candidate, direction: EvaluationTask, seed: int) -> None:
    """Prints the accuracy of every change of a single attribute, and of what should survive it."""
    network = candidate.network
    assert isinstance(network, AttributeTranslator) and isinstance(direction, ToAttributes)
    training, _ = open_data(candidate.settings)
    held_out, places = direction.reals.data, direction.reals.order
    assert isinstance(training, DataSet) and isinstance(held_out, KnownChanges)
    groups = attributes_of(training).groups
    images, rows = held_out.fetch(places), attributes_of(held_out).table[places]
    table = attributes_of(training).table[:FEW]
    tell = {
        group.name: train_labeller(
            Labelled([training], [value_numbers(groups, group, table)], group.values), 2, seed
        )
        for group in groups
    }
    shape, shapes = train_shape_classifier([training], seed), labels_of(held_out)[places]
    own = {group.name: value_numbers(groups, group, rows) for group in groups}
    row("accuracy", *tell, "shape")
    row(
        "held-out real images",
        *(share(tell[name](images) == own[name]) for name in tell),
        share(shape(images) == shapes),
    )
    for changing in groups:
        found: dict[str, list[Tensor]] = {name: [] for name in (*tell, "shape")}
        for number, value in enumerate(changing.values):
            others = own[changing.name] != number
            asked = with_value(groups, rows[others], changing.name, value)
            start = from_uint8(images[others])
            pairs = zip(start.split(BATCH), asked.split(BATCH), strict=True)
            with torch.no_grad():
                made = to_uint8(torch.cat([network.translate(*pair) for pair in pairs]))
            for group in groups:
                found[group.name].append(tell[group.name](made) == value_numbers(groups, group, asked))
            found["shape"].append(shape(made) == shapes[others])
        row(f"{changing.name} changed", *(share(torch.cat(right)) for right in found.values()))


def value_numbers(groups: Groups, group: AttributeGroup, rows: Tensor) -> Tensor:
    """Number of the value that holds in a group, for each row, int64 `(N,)`."""
    columns = rows[:, columns_of(groups, group.name)]
    return columns[:, 0].long() if group.values == NO_YES else columns.argmax(dim=1)


def print_pairs(candidate: Candidate, direction: EvaluationTask) -> None:
    """Prints the PSNR of translations, beside that of the inputs themselves."""
    assert isinstance(direction, ToDomain)
    samples, begin = direction.samples(candidate), 0
    ours, identity = PeakSignalNoiseRatio(), PeakSignalNoiseRatio()
    for made in samples.batches():
        inputs = direction.inputs.data.fetch(direction.inputs.order[begin : begin + len(made)])
        ours.update(samples.pairs(begin, made))
        identity.update(samples.pairs(begin, inputs))
        begin += len(made)
    row("PSNR in dB of held-out translations", f"{ours.compute()['psnr']:.2f}")
    row("PSNR in dB of the inputs as they are", f"{identity.compute()['psnr']:.2f}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Evaluates the run that the arguments name."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run")
    parser.add_argument("-n", type=int, default=1000, help="held-out images")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    try:
        candidate = open_candidate(options.run)
    except (UsageError, RunError) as error:
        parser.error(str(error))
    settings, task = candidate.settings, task_of(candidate.settings)
    if task == "noise" or (task != "domains" and not settings.data.startswith("shapes")):
        parser.error(
            f"{options.run} is {settings.arch} on {settings.data}; give a translation between shapes"
        )
    directions = open_evaluation_tasks(settings, options.n, options.seed, "cpu")
    size = "x".join(map(str, blueprint_of(settings).sample_shape[1:]))
    print(f"{settings.arch} on {settings.data} at {size}, {options.n:,} held-out images at most")
    if task == "attributes":
        print_attributes(candidate, directions[0], options.seed)
    elif task == "pairs":
        print_pairs(candidate, directions[0])
    else:
        print_styles(candidate, directions, options.seed)


if __name__ == "__main__":
    main()
