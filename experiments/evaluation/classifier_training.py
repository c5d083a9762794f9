"""Training of the network behind the extractor `classifier`, once for a labelled set, with its accuracy."""

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from experiments.core.device import resolve_device
from experiments.core.errors import RunError, UsageError, usage_errors
from experiments.core.files import write_file
from experiments.core.named_values import JsonObject, SettingValues
from experiments.core.paths import weights_file
from experiments.core.seeds import generator_for, seed_all
from experiments.data.core.dataset import DataSet
from experiments.data.core.sources import absolute_spec
from experiments.evaluation.sample_sets import pixels_of
from gans.core.clock import Clock, Rates, RateSchedule
from gans.core.player import Losses, Player
from losses.core.schedule import cosine
from metrics.extractors.classifier import (
    ClassifierNetwork,
    classifier_bytes,
    network_channels,
    network_input,
    read_classifier,
)
from metrics.extractors.core.extractor import WeightsError
from metrics.extractors.core.rgb import SMALLEST

log = logging.getLogger("gans")

BATCH = 128
HELD_OUT = 0.1  # of the images, for the accuracy: they are never trained on
MOST_HELD_OUT = 10_000
SHIFT = 2  # pixels, in each direction, that training moves images by at random
WARMUP = 0.1  # of the training, in which the learning rate rises
Meter = Callable[[str, int], Callable[[int], None]]


def classifier_name(spec: str) -> str:
    """The default name of a classifier of a data spec: `mnist`; `folder-pets` for folder:~/data/pets."""
    kind, _, argument = spec.partition(":")
    name = f"{kind}-{Path(argument).stem or 'root'}" if argument else kind
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:100]


@dataclass(frozen=True)
class TrainedClassifier:
    """A trained classifier with its accuracy.

    Attributes:
        network: in evaluation mode.
        accuracy: accuracy on the held-out images, in [0, 1].
        held_out: number of these.
    """

    network: ClassifierNetwork
    accuracy: float
    held_out: int

    def save(self, path: Path, made_of: JsonObject) -> JsonObject:
        """Writes the classifier, and returns its description. Raises RunError where that fails.

        Args:
            made_of: the description of its training.
        """
        description = {**made_of, "accuracy": self.accuracy, "held_out": self.held_out}
        write_file(path, classifier_bytes(self.network, description))
        return description


@dataclass(frozen=True)
class Training:
    """Options of training a classifier.

    Attributes:
        epochs: passes over the data.
        data_options: options of the data that differ from their defaults, by name.
    """

    epochs: int
    seed: int
    device: str
    data_options: SettingValues = field(default_factory=dict)


def kept_classifier(name: str) -> JsonObject | None:
    """Reads the description of the classifier of that name; None if it is not there, or damaged."""
    try:
        description, _, _ = read_classifier(weights_file("classifier", name))
    except WeightsError:
        return None
    return description


def keep_classifier(
    spec: str, data: DataSet, name: str, training: Training, force: bool, meter: Meter
) -> JsonObject:
    """Trains a classifier and keeps it, unless the very same is kept already. Returns its description.

    Args:
        force: train it in any case.
        meter: called with a title and the number of images that training shows.

    Raises UsageError for data that none can be trained on, or where the name is another's, unless `force`;
    RunError where another process is training it.
    """
    with usage_errors():
        file = weights_file("classifier", name)
    check_labelled(spec, data)
    made_of = {
        "name": name,
        "data": absolute_spec(spec),
        "classes": list(data.classes),
        "images": len(data),
        "shape": list(data.sample_shape),
        "epochs": training.epochs,
        "seed": training.seed,
        **({"options": dict(training.data_options)} if training.data_options else {}),
    }
    kept = None if force else kept_classifier(name)
    if kept is not None:
        parts = [*made_of, *({"options"} - made_of.keys())]
        if changed := [f"{key} {kept.get(key)}" for key in parts if kept.get(key) != made_of.get(key)]:
            raise UsageError(
                f"classifier:{name} is there and of other making ({'; '.join(changed):.300}); "
                "train it again with --force, or take another --name"
            )
        log.info(f"{file}: it is trained already; --force trains it again")
    else:
        with _exclusive(file):
            advance = meter(f"training on {spec}", images_shown(len(data), training.epochs))
            kept = train_classifier(data, training, advance).save(file, made_of)
    return {**kept, "extractor": f"classifier:{name}", "file": str(file)}


@contextmanager
def _exclusive(file: Path) -> Iterator[None]:
    """Locks out other processes that would train the same."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_suffix(".lock"), timeout=0):
            yield
    except Timeout as error:
        raise RunError(f"{file}: another process is training it") from error
    except OSError as error:
        raise RunError(f"cannot write {file}: {error.strerror or error}") from error


def check_labelled(spec: str, data: DataSet) -> None:
    """Checks that a classifier can be trained on data: labelled images, enough of them. Raises UsageError."""
    if not data.is_images:
        raise UsageError(f"data {spec} is points, and a classifier sees images")
    if data.labels is None or len(data.classes) < 2:
        raise UsageError(f"data {spec} has no labels of at least two classes: a classifier needs them")
    if min(data.sample_shape[1:]) < SMALLEST:
        raise UsageError(f"data {spec}: an extractor needs at least {SMALLEST} pixels a side; --image-size")
    held_out = _held_out(len(data))
    if held_out < 1 or len(data) - held_out < BATCH:
        raise UsageError(f"data {spec} has {len(data):,} images: too few to train a classifier on")


def train_classifier(data: DataSet, training: Training, advance: Callable[[int], None]) -> TrainedClassifier:
    """Trains a classifier on the cross-entropy, while the learning rate rises and falls once.

    The result is a function of the data, the epochs and the seed.

    Args:
        data: labelled, as `check_labelled` asks for.
        advance: called with the number of images that were shown since; `images_shown` of them in all.
    """
    seed, device = training.seed, torch.device(resolve_device(training.device))
    order = torch.randperm(len(data), generator=generator_for(seed, "classifier", "split"))
    held_out, own = order[: _held_out(len(data))], order[_held_out(len(data)) :]
    total = images_shown(len(data), training.epochs)
    seed_all(seed, "classifier", "weights")
    channels = network_channels(data.sample_shape[0])
    network = ClassifierNetwork(len(data.classes), channels).to(device).to(memory_format=torch.channels_last)
    rates = RateSchedule(cosine, warmup_images=WARMUP * total)
    player = Player("classifier", network, _optimizer, rates=Rates(rates))
    seen = 0
    for epoch in range(training.epochs):
        random = generator_for(seed, "classifier", "epoch", epoch)
        # A last, smaller batch is left out: batch norm would learn as much from it as from whole ones.
        shown = own[torch.randperm(len(own), generator=random)][: total // training.epochs]
        for images, labels in _batches(data, shown, device):
            clock = Clock(seen, seen // BATCH, seen / total)
            player.minimise(_cross_entropy(network), clock, _shifted(images, random), labels)
            seen += len(images)
            advance(len(images))
    return TrainedClassifier(network.eval(), _accuracy(network, data, held_out, device), len(held_out))


def _optimizer(parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.2, momentum=0.9, nesterov=True, weight_decay=5e-4)


def _cross_entropy(network: nn.Module) -> Callable[..., Losses]:
    def objective(clock: Clock, images: Tensor, labels: Tensor) -> Losses:
        return Losses({"cross_entropy": cross_entropy(network(images).logits, labels)})

    return objective


def images_shown(count: int, epochs: int) -> int:
    """Number of images that training shows, of a set of `count`."""
    return epochs * ((count - _held_out(count)) // BATCH * BATCH)


def _held_out(count: int) -> int:
    return min(round(HELD_OUT * count), MOST_HELD_OUT)


def _batches(data: DataSet, order: Tensor, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of the network's input and the labels."""
    assert data.labels is not None
    for indices in torch.split(order, BATCH):
        with usage_errors():
            images = network_input(pixels_of(data.fetch(indices), data.units), device)
        yield images.contiguous(memory_format=torch.channels_last), data.labels[indices].to(device)


def _shifted(images: Tensor, random: torch.Generator) -> Tensor:
    """Shifts a whole batch by some pixels at random; its border is repeated."""
    down, right = (torch.randint(2 * SHIFT + 1, (2,), generator=random)).tolist()
    height, width = images.shape[-2:]
    padded = nn.functional.pad(images, (SHIFT, SHIFT, SHIFT, SHIFT), mode="replicate")
    return padded[:, :, down : down + height, right : right + width]


@torch.no_grad()
def _accuracy(network: nn.Module, data: DataSet, indices: Tensor, device: torch.device) -> float:
    right = sum(
        int((network(images).logits.argmax(dim=1) == labels).sum())
        for images, labels in _batches(data, indices, device)
    )
    return right / len(indices)
