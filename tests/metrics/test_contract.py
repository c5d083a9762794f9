"""What every metric promises: the tests run over the files of the room and find a new one themselves."""

import dataclasses
import importlib
import inspect
from pathlib import Path

import pytest
import torch

import metrics
from metrics.core.metric import Metric
from metrics.core.options import changed_options
from metrics.core.statistics import Moments
from metrics.kid import KernelDistanceOptions
from metrics.path_length import PathLengthOptions

NAMES = sorted(path.stem for path in Path(metrics.__file__).parent.glob("*.py") if path.name[0] != "_")
SPECIAL = {  # what a metric needs beyond its reference, or samples of another shape
    "kid": ((torch.randn(400, 8), KernelDistanceOptions(subsets=10, subset_size=100)), torch.randn(400, 8)),
}

SHAPES = {
    "points": (2,),
    "vectors": (8,),
    "logits": (8,),
    "channel-logits": (3, 4),
    "path-vectors": (2, 8),
    "pairs": (2, 3, 8, 8),
    "images": (5, 8, 8),
}


def metric_of(name: str) -> type[Metric]:
    module = importlib.import_module(f"metrics.{name}")
    found = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Metric) and value.__module__ == module.__name__
    ]
    assert len(found) == 1
    return found[0]


def filled(name: str) -> tuple[Metric, torch.Tensor]:
    torch.manual_seed(0)
    kind = metric_of(name)
    vectors = torch.randn(400, 8)
    if name in SPECIAL:
        arguments, samples = SPECIAL[name]
        return kind(*arguments), samples
    moments = Moments()
    moments.update(vectors)
    references = {
        "none": (),
        "vectors": (vectors,),
        "statistics": (moments.statistics(),),
        "class-shares": (torch.arange(1, 9),),
        "mixture": (torch.eye(2), 0.1),
        "images": (torch.randn(400, 5, 8, 8).split(64),),
    }
    return kind(*references[kind.reference]), torch.randn(400, *SHAPES[kind.takes])


@pytest.mark.parametrize("name", NAMES)
def test_scores_lie_in_their_ranges_and_repeat(name: str) -> None:
    metric, samples = filled(name)
    for part in samples.split(150):
        metric.update(part)
    scores = metric.compute()
    assert set(scores) == set(metric.ranges)
    assert set(metric.higher_is_better) <= set(scores)
    for key, value in scores.items():
        assert type(value) is float
        low, high = metric.ranges[key]
        assert low <= value <= high
    assert metric.compute() == scores, "asking changes nothing"
    metric.reset()
    metric.update(samples)
    assert metric.compute() == scores, "a reset forgets all, and batches do not matter"


@pytest.mark.parametrize("name", NAMES)
def test_nothing_and_no_numbers_are_refused_by_name(name: str) -> None:
    metric, samples = filled(name)
    with pytest.raises(ValueError, match=rf"^{name.replace('_', '-')}: no samples yet, needs at least \d"):
        metric.compute()
    metric.remarks  # noqa: B018 - even now it answers
    with pytest.raises(ValueError, match=rf"^{name.replace('_', '-')}: \d+ of 400 rows are not finite"):
        metric.update(samples.log())


@pytest.mark.parametrize("name", NAMES)
def test_half_precision_is_taken(name: str) -> None:
    metric, samples = filled(name)
    metric.update(samples.bfloat16())
    assert all(value == value for value in metric.compute().values())


@pytest.mark.parametrize("name", NAMES)
def test_options_have_defaults_and_help(name: str) -> None:
    kind = metric_of(name)
    if kind.options_type is None:
        return
    assert kind.options_type() == kind.options_type(), "every option has a default"
    for field in dataclasses.fields(kind.options_type):
        assert field.metadata["help"].endswith(".")
        assert field.metadata.keys() <= {"help", "at_least", "above", "below", "at_most", "choices"}
    parameters = list(inspect.signature(kind).parameters)
    taken = {"none": 0, "mixture": 2}.get(kind.reference, 1)
    assert parameters[taken] == "options", "right after the reference"


def test_changed_options_are_named_as_json_knows_them() -> None:
    assert changed_options(None) == changed_options(PathLengthOptions()) == {}
    assert changed_options(PathLengthOptions(trim=(0.0, 100.0))) == {"trim": [0.0, 100.0]}
