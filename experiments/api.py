"""Python API behind `import gans`: training, sampling and evaluation for notebooks and scripts.

Errors are UsageError and RunError, whose text is the one line that the command would print; remarks are
records of the logger `gans` (`logging.basicConfig(level="INFO")` shows them).
"""

import logging
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from experiments.config.python_words import python_words
from experiments.config.resolve import split_regularizers
from experiments.core import registry
from experiments.core.console import describe_error
from experiments.core.errors import UsageError, usage_errors
from experiments.core.named_values import JsonObject, SettingValues
from experiments.core.python_values import plain_settings, plain_value, read_argument
from experiments.core.settings import Settings
from experiments.core.trusted_plugins import add_named_plugins
from experiments.core.value_readers import (
    boolean,
    device_name,
    file_paths,
    finite_number,
    text,
    whole_number,
    words,
)
from experiments.data.core.dataset import InMemoryData
from experiments.data.core.sources import data_access_from
from experiments.evaluation.arrays import images_of, tensor_of
from experiments.evaluation.candidates import open_candidate
from experiments.evaluation.distance import DistanceSides, distance
from experiments.evaluation.evaluate import Evaluator
from experiments.evaluation.features import ExtractorOptions
from experiments.evaluation.protocols import PROTOCOLS, REFERENCES, ReferenceChoice
from experiments.evaluation.sample_sets import DataSamples, ImageFormat
from experiments.inference.latent_space import LatentSpace, space_of
from experiments.runs.folder import RunFolder, choose_folder, open_run
from experiments.runs.generator import Truncation, from_noise, generate, load_critic, restrict_to_class
from experiments.runs.generator import load as load_file
from experiments.runs.initial_settings import resolve_run
from experiments.runs.resume import resolve_resumed_run
from experiments.training.run import run
from losses.core.adversarial import Adversarial
from losses.core.gradient_penalty import GradientPenalty
from metrics.core.metric import Metric
from metrics.core.statistics import Moments, frechet_distance

log = logging.getLogger("gans")

Device = str | torch.device
# Arguments in whose words messages about flags are written.
OF_SAMPLE = ("seed", "label", "truncation", "device")
OF_FID = ("n", "seed", "extractor", "device", "force")
OF_EVALUATE = (*OF_FID[:4], "metrics", "reference", "protocol", "intervals", "by_class")


class TrainedGenerator:
    """Trained generator in evaluation mode, with the settings of its run.

    Attributes:
        network: the network, on the CPU.
        settings: of its run; an exported file knows only those that build the network.
        step, kimg: how far it was trained; None where the file does not say.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = _path_of("path", path)
        self.network, self.settings, self.step, self.kimg = load_file(self.path)

    @python_words({}, OF_SAMPLE)
    def sample(
        self,
        n: int = 1,
        *,
        seed: int = 0,
        label: int | None = None,
        truncation: float | None = None,
        device: Device = "auto",
    ) -> Tensor:
        """Draws samples `(n, C, H, W)` in [−1, 1], or points `(n, 2)`, on the CPU.

        They are those of `gans sample RUN --seed SEED`.

        Args:
            label: one class of a conditional generator; None for labels as frequent as in its data.
            truncation: ψ, for a generator with styles.

        Raises UsageError for a generator that starts from images, and for a label or truncation that it
        has not.
        """
        count, start = read_argument("n", whole_number(1), n), read_argument("seed", whole_number(0), seed)
        one = None if label is None else read_argument("label", whole_number(0), label)
        psi = finite_number(at_least=0.0, at_most=2.0)
        near = None if truncation is None else Truncation(read_argument("truncation", psi, truncation))
        network = restrict_to_class(from_noise(self.network, str(self.path)), one, str(self.path))
        return generate(network, count, start, read_argument("device", device_name, device), near)

    @cached_property
    def latent(self) -> LatentSpace:
        """Latent space of the generator: z, or w where it has a mapping network.

        `of_seeds([0, 1])` are points, `samples(points)` their samples, `between` interpolates from one
        to another.
        """
        network = from_noise(self.network, str(self.path))
        return space_of(network, self.settings, str(self.path), torch.device("cpu"))

    @cached_property
    def critic(self) -> nn.Module | None:
        """Critic trained beside the generator, from the run's newest checkpoint; None where there is none."""
        return load_critic(self.path, self.settings)


@dataclass(frozen=True)
class Run:
    """Run in its folder: its settings, its scores and its generator."""

    path: Path

    @property
    def settings(self) -> Settings:
        """All resolved settings of the run."""
        return RunFolder(self.path).settings()

    @property
    def scores(self) -> list[dict[str, Any]]:
        """Lines of scores.jsonl, in their order."""
        return RunFolder(self.path).scores()

    @property
    def generator(self) -> TrainedGenerator:
        """EMA generator of the run as it is now."""
        return TrainedGenerator(self.path)

    def evaluate(self, **arguments: Any) -> dict[str, dict[str, Any]]:
        """Evaluates the newest generator of the run; see `gans.evaluate`."""
        return evaluate(self.path, **arguments)


class Score(float):
    """Number of a score, with `record`: how it was computed."""

    record: JsonObject


def load(run_or_file: str | Path | Run, *, plugin: str | Sequence[str] = ()) -> TrainedGenerator:
    """Loads the EMA generator of a run folder, a checkpoint or an exported file.

    Args:
        plugin: plug-in files to import; one that a run names is not run before you have named it once.
    """
    files = plain_value("plugin", plugin)
    add_named_plugins(read_argument("plugin", file_paths, files) if files else ())
    return TrainedGenerator(_path_of("run_or_file", run_or_file))


@python_words({})
def train(
    out: str | Path | None = None,
    *,
    resume: str | Path | Run | None = None,
    restretch: bool = False,
    force: bool = False,
    **settings: Any,
) -> Run:
    """Trains a run as `gans run` does; the same call again resumes an interrupted run.

    Args:
        out: the run folder; None for `runs/ARCH-LOSS-DATA-N`.
        resume: a run that goes on with its own settings; with `kimg` or `steps`, its whole new length, it is
            trained longer, and what is a share of the run stays at its end.
        restretch: computes what is a share of a resumed run from its new length instead.
        force: goes on with a run whose settings differ.
        settings: flags of `gans run` by name (`batch_size=64`), regularizers by name (`label_smoothing=0.9`),
            and options of components nested (`arch={"name": "stylegan2", "mapping_layers": 2}`) or by key
            (`**{"kid.subset_size": 100}`).

    Raises UsageError for impossible settings, RunError for what fails at run time.
    """
    asked, strengths = split_regularizers(plain_settings(settings))
    if resume is not None:
        if out is not None:
            raise UsageError("out and resume exclude each other; resume goes on in its own folder")
        folder = open_run(_path_of("resume", resume))
        spec = resolve_resumed_run(folder, asked, strengths, restretch)
    elif restretch:
        raise UsageError("restretch has no meaning without resume; a new run has schedules of its length")
    else:
        into = None if out is None else RunFolder(_path_of("out", out))
        spec = resolve_run(asked, strengths=strengths, folder=into)
        folder = into or choose_folder(spec.settings)
    run(spec, folder, force, resumes=resume is not None)
    return Run(folder.path)


@python_words({}, OF_EVALUATE)
def evaluate(
    run_or_file: str | Path | Run | TrainedGenerator,
    metrics: str | Sequence[str] = (),
    *,
    n: int | None = None,
    seed: int = 0,
    extractor: str | None = None,
    device: Device = "auto",
    options: SettingValues | None = None,
    reference: str | None = None,
    protocol: str | None = None,
    intervals: int = 0,
    by_class: bool = False,
) -> dict[str, dict[str, Any]]:
    """Evaluates a generator against the data of its run; returns its scores by name, each with its record.

    Nothing is written. Metrics that fail are left out with a warning, unless all do.

    Args:
        metrics: names; by default those of `gans evaluate`.
        n: largest number of samples on each side; None: as many generated ones as there are real ones, at
            most 50,000.
        options: of metrics and extractors by key (`{"kid.subset_size": 100}`).
        reference: "train", "held-out" or "both", as after `--reference`.
        protocol: "fid50k-full", as after `--protocol`.
        intervals: sets of a bootstrap over the samples, at least 2, from which each score gets an interval of
            95 %, `"intervals"` in its record; 0 for none.
        by_class: whether metrics that can score each class, too, `"by_class"` in their records.

    Raises UsageError for what cannot be evaluated, RunError for what fails at run time.
    """
    _check_word("reference", reference, REFERENCES)
    _check_word("protocol", protocol, PROTOCOLS)
    sets = read_argument("intervals", whole_number(0), intervals)
    if sets == 1:
        raise UsageError("intervals=1: give a number of sets from 2 on, or 0 for no intervals")
    names = list(read_argument("metrics", words, plain_value("metrics", metrics) or ()))
    count, start, how = _read_sampling(n, seed, extractor, device)
    choice, given = ReferenceChoice(reference, protocol), plain_value("options", options) or {}
    each = read_argument("by_class", boolean, by_class)
    evaluator = Evaluator(how, names, count, start, _no_meter, given, choice, sets, each)
    scores: dict[str, dict[str, Any]] = evaluator(open_candidate(str(_path_of("run_or_file", run_or_file))))
    for name, error in evaluator.faults.items():
        log.warning(f"no score {name}: {describe_error(error)}")
    return scores


@python_words({}, OF_FID)
def fid(
    a: Any,
    b: Any,
    *,
    n: int | None = None,
    seed: int = 0,
    extractor: str | None = None,
    device: Device = "auto",
    force: bool = False,
) -> Score:
    """Computes the Fréchet distance between two sets of samples, with its record.

    Args:
        a, b: run folders, exported generators, data specs or statistics (.npz) by their names; or images as
            arrays or tensors, uint8 `(N, C, H, W)` or `(N, H, W, C)`, or float `(N, C, H, W)` in [−1, 1]; or
            feature vectors `(N, D)`, which are compared as they are. Data that is drawn at any size is drawn
            at that of the other side.
        n: largest number of samples on each side; None: 50,000, but of generated ones as many as the other
            side has.

    >>> import torch
    >>> import gans
    >>> x = torch.randn(500, 2, generator=torch.Generator().manual_seed(0))
    >>> round(gans.fid(x, x + 3.0), 3)  # the squared distance of the means
    18.0
    """
    count, start, how = _read_sampling(n, seed, extractor, device)
    sides: list[Any] = [_normalize_side(name, side) for name, side in (("a", a), ("b", b))]
    if all(isinstance(side, Tensor) and side.dim() == 2 for side in sides):
        return _distance_of_vectors(*sides)
    opener = DistanceSides(how, ImageFormat(), data_access_from({}), count, start, _no_meter)
    one, other = opener.sides(
        *(
            side if isinstance(side, str) else _samples_of(name, side, count, start)
            for name, side in zip("ab", sides, strict=True)
        )
    )
    ((name, found),) = distance(one, other, start, force).items()
    score = Score(found["value"])
    score.record = {"name": name, **found}
    return score


def loss(name: str) -> Adversarial:
    """Adversarial form of a loss, by its name after `--loss`.

    >>> from torch import Tensor
    >>> import gans
    >>> hinge = gans.loss("hinge")
    >>> hinge.critic(real_logits=Tensor([2.0]), fake_logits=Tensor([0.0]))
    tensor(1.)
    """
    form: Adversarial = registry.load("form", registry.load_recipe(read_argument("name", text, name)).form)()
    return form


@python_words({"penalty_norm": "norm"}, ["penalty_norm"])
def penalty(points: str, norm: str = "one", weight: float = 10.0, every: int = 1) -> GradientPenalty:
    """Gradient penalty, by the names after `--penalty` and `--penalty-norm`.

    `penalty(C, real, fake).value` is what to add to the critic's loss.

    >>> from torch import Tensor
    >>> import gans
    >>> r1 = gans.penalty("real", "zero", weight=2.0)
    >>> r1(lambda x: x.sum(1), Tensor([[1.0, 2.0]]), Tensor([[0.0, 0.0]])).value.item()
    2.0
    """
    where = registry.load("penalty", read_argument("points", text, points))()
    target = registry.load("penalty-norm", read_argument("norm", text, norm))()
    factor = read_argument("weight", finite_number(), weight)
    return GradientPenalty(where, target, factor, read_argument("every", whole_number(1), every))


def metric(name: str) -> type[Metric]:
    """Class of a metric with `update`, `compute` and `reset`, by its name (gans list metrics)."""
    (known,) = registry.metric_names([read_argument("name", text, name)])
    kind: type[Metric] = registry.load("metric", known)
    return kind


def _path_of(name: str, given: Any) -> Path:
    """The folder or file that an argument names. Raises UsageError for what is none."""
    if isinstance(given, Run | TrainedGenerator):
        return given.path
    if not isinstance(given, str | os.PathLike):
        raise UsageError(f"{name}: give a run folder or a file, as a text or a Path, not {_kind(given)}")
    return Path(given)


def _read_sampling(
    n: Any, seed: Any, extractor: Any, device: Any
) -> tuple[int | None, int, ExtractorOptions]:
    """Reads number and seed of samples, and how they are extracted. Raises UsageError for what cannot be."""
    count = None if n is None else read_argument("n", whole_number(2), n)
    name = None if extractor is None else read_argument("extractor", text, extractor)
    how = ExtractorOptions(name, device=read_argument("device", device_name, device))
    return count, read_argument("seed", whole_number(0), seed), how


def _normalize_side(name: str, side: Any) -> str | Tensor:
    """Side of a distance: a path, a run or a name as text, an array or lists of numbers as a tensor.

    Raises UsageError for anything else.
    """
    if isinstance(side, Run | TrainedGenerator | str | os.PathLike):
        return side if isinstance(side, str) else str(_path_of(name, side))
    if isinstance(side, Tensor):
        found = side.detach()
    elif isinstance(side, np.ndarray | list | tuple):
        found = tensor_of(name, side)
    else:
        raise UsageError(
            f"{name}: give an array, a tensor, a run, or the name of a file or of data, not {_kind(side)}"
        )
    if found.is_complex():
        raise UsageError(f"array {name} has complex numbers; give real ones, such as their absolute values")
    return found


def _kind(value: Any) -> str:
    """The kind of an object, for errors: None, or the name of its type."""
    return "None" if value is None else type(value).__name__


def _check_word(name: str, word: str | None, known: Collection[str]) -> None:
    """Checks that an argument is one of some words, or None. Raises UsageError otherwise."""
    if word is not None and plain_value(name, word) not in known:
        raise UsageError(f"{name} {word!r}: give {' or '.join(known)}")


def _samples_of(name: str, side: Tensor, n: int | None, seed: int) -> DataSamples:
    """Samples of a side of a distance from an array of images."""
    return DataSamples(f"array {name}", InMemoryData(images_of(name, side)), n, seed)


def _distance_of_vectors(a: Tensor, b: Tensor) -> Score:
    """Fréchet distance between two sets of feature vectors."""
    if a.shape[1] != b.shape[1]:
        raise UsageError(f"the vectors have {a.shape[1]} and {b.shape[1]} numbers; give equally long ones")
    statistics = []
    for vectors in (a, b):
        moments = Moments()
        with usage_errors():
            moments.update(vectors if vectors.is_floating_point() else vectors.float())
            statistics.append(moments.statistics())
    score = Score(frechet_distance(*statistics))
    score.record = {"name": "fd-vectors", "value": float(score), "n": [len(a), len(b)], "extractor": "none"}
    return score


def _no_meter(name: str, total: int) -> Any:
    """Meter that shows nothing."""
    return lambda count: None
