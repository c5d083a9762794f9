"""Scores that need more samples than there are: refused before a run begins, and by its dry run alike."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch

from experiments.core import registry
from experiments.evaluation.features import ReferenceFeatures
from metrics.core.statistics import Statistics

RUN = "run --arch dcgan --loss bce --data shapes --image-size 16 --batch-size 8 --width 4 --steps 1"
SCORED = "--evaluate-kimg 0.008 --extractor random-vgg --out run"
REFUSED = {
    "--best-metric fid-infinity --evaluate-metrics fid-infinity --evaluate-samples 20 --holdout 0.2": (
        "fid-infinity: 20 samples",
        "300",
    ),
    "--best-metric fid --evaluate-metrics fid,fid-infinity --evaluate-samples 250": (
        "fid-infinity: 250 samples",
        "--set fid-infinity.sizes=12",
    ),
    "--best-metric kid --evaluate-metrics kid --holdout 0.1": (
        "kid: 64 reference samples",
        "--set kid.subset_size=64",
    ),
    "--best-metric nosuch --evaluate-metrics fid": ("--best-metric nosuch is not evaluated",),
}


@pytest.mark.parametrize("flags", REFUSED)
def test_a_run_and_its_dry_run_refuse_at_the_start(
    gans: Any, refused: Any, flags: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: ReferenceFeatures) -> None:
        raise AssertionError("features are extracted")

    monkeypatch.setattr("experiments.evaluation.features.KeptFeatures._vectors", fail)
    told = [refused(2, REFUSED[flags], f"{RUN} {SCORED} {flags} {dry}") for dry in ("--dry-run", "")]
    assert told[0] == told[1]


COUNTS = ((1, 400), (3, 400), (4, 400), (199, 400), (200, 400), (200, 3), (200, 4), (200, 5))


@pytest.mark.parametrize("name", ["fid-infinity", "inception-score", "kid", "precision-recall"])
def test_numbers_are_refused_in_the_words_of_the_metric(name: str) -> None:
    """Before any sample is there, as with the samples."""
    kind = registry.load("metric", name)
    chosen = kind.options_type(**{"kid": {"subset_size": 5}, "fid-infinity": {"sizes": 10}}.get(name, {}))
    rows = torch.randn(400, 3, generator=torch.Generator().manual_seed(0))

    def compute(count: int, real_count: int) -> None:
        real = {"none": (), "vectors": (rows[:real_count],)}.get(kind.reference, (moments(rows),))
        metric = kind(*real, chosen)
        metric.update(rows[:count])
        metric.compute()

    told = [words_of(partial(kind.check_counts, options=chosen), *counts) for counts in COUNTS]
    assert told == [words_of(compute, *counts) for counts in COUNTS]
    assert any(told) and not all(told)


def moments(rows: torch.Tensor) -> Statistics:
    return Statistics(rows.double().mean(dim=0), rows.double().T.cov(), len(rows))


def words_of(call: Callable[[int, int], None], count: int, real_count: int) -> str:
    """The words of the error, empty without one."""
    try:
        call(count, real_count)
    except ValueError as error:
        return str(error)
    return ""
