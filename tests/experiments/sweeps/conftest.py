"""Folders of sweep runs as training and evaluation leave them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.sweeps.context import SweepContext
from experiments.sweeps.search_space import Sweep, SweepRun
from experiments.sweeps.worker import Evaluation
from tests.experiments.conftest import Here

FAILED = "failed: step 3: critic/adversarial is not finite"
Scored = Callable[..., tuple[SweepContext, list[SweepRun]]]


@pytest.fixture
def scored(tmp_path: Path) -> Scored:
    """`scored((0.5, None), (0.1, 0.2))`: runs of settings with these scores, as if they were trained.

    None is a run that failed, "waiting" one that is not evaluated; `metric` may be given.
    """

    def make(
        *scores: tuple[float | str | None, ...], metric: str = "kid"
    ) -> tuple[SweepContext, list[SweepRun]]:
        sweep = Sweep({"width": list(range(len(scores)))}, range(len(scores[0])))
        context = SweepContext(tmp_path, sweep, Evaluation(), Here(1, 1))
        for sweep_run in sweep.sweep_runs():
            folder = context.folder(sweep_run)
            folder.path.mkdir()
            value = scores[sweep_run.settings["width"]][sweep_run.seed]
            folder.scores_file.write_text(json.dumps({"step": 6, "kimg": 8.0}) + "\n")
            if value is None:
                folder.end(FAILED)
                continue
            folder.generator_file.write_bytes(b"weights")
            if value != "waiting":
                entry = {metric: {"value": value}}
                folder.evaluation_file.write_text(json.dumps({"step": 6, "scores": entry}) + "\n")
        return context, sweep.sweep_runs()

    return make
