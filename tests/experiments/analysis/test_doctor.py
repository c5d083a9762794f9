"""Every rule of the doctor is shown by a run that is broken on purpose, and none speaks of a healthy one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiments.analysis.doctor.diagnosis import diagnose
from experiments.analysis.doctor.history import History
from experiments.core.settings import Settings
from experiments.runs import folder as runs_folder
from experiments.runs.folder import RunFolder
from tests.forked import ForkedCommand

Gans = Callable[..., Any]
RING = "run --arch mlp --data ring8 --width 16 --batch-size 32 --n-critic 1 --steps 175 --track local"
RING += " --out run"
GROWING = "run --arch progan --image-size 16 --width 4 --z-dim 8 --batch-size 4 --track local --out run"
# A run that is broken on purpose, and what must be found in it.
BROKEN = [
    (f"{RING} --loss bce-saturating --lr-critic 1e-2 --n-critic 2", {"critic too strong", "mode collapse"}),
    (f"{RING} --loss wgan --weight-clip 0 --lr-critic 1e-2", {"divergence"}),
    (f"{RING} --loss wgan --weight-clip 0.001", {"vanishing gradient"}),
    (f"{RING} --loss wgan-gp --penalty-weight 1e-4 --n-critic 4", {"penalty off its target"}),
    (f"{RING} --loss bce --lr-critic 2.1e-3 --steps 4", {"learning rates out of scale"}),
    (f"{GROWING} --steps 40 --fade-kimg 0.052 --stable-kimg 0.052", {"EMA lagging"}),
]


def diagnosed(gans: Gans) -> dict[str, Any]:
    outcome = gans("doctor run --json")
    assert outcome.status == 0, outcome.err
    return json.loads(outcome.out)


@pytest.mark.parametrize(("run", "rules"), BROKEN, ids=[min(rules) for _, rules in BROKEN])
def test_a_broken_run(run: str, rules: set[str], gans: Gans) -> None:
    assert gans(run).status == 0
    found = {finding["rule"]: finding for finding in diagnosed(gans)["findings"]}
    assert rules <= found.keys()
    told = gans("doctor run").out
    for rule in rules:
        assert all(
            found[rule][part] and found[rule][part] in told for part in ("evidence", "remedy", "source")
        )
    assert ("gradient has vanished" in told) == ("critic too strong" in rules)


@pytest.mark.parametrize("run", [f"{RING} --loss wgan-gp", f"{GROWING} --image-size 8 --steps 175"])
def test_a_healthy_run(run: str, gans: Gans) -> None:
    assert gans(run).status == 0
    assert diagnosed(gans)["findings"] == []
    assert "nothing wrong found" in gans("doctor run").out


def test_a_young_run(gans: Gans) -> None:
    gans(f"{RING} --loss wgan-gp --steps 4")
    assert diagnosed(gans)["too_early"]
    assert "too early" in gans("doctor run").out


def test_a_run_whose_scores_are_gone(gans: Gans, finished: Path) -> None:
    (finished / "scores.jsonl").unlink()
    outcome = gans("doctor run")
    assert outcome.status == 0 and "scores.jsonl has no scores" in outcome.err


def test_batch_norm_under_a_penalty(gans: Gans) -> None:
    """`gans run` refuses it, so the config is one from elsewhere."""
    gans(f"{RING} --loss wgan-gp --steps 4")
    config = Path("run/config.json")
    content = json.loads(config.read_text())
    content["settings"]["critic_norm"]["value"] = "batch"
    config.write_text(json.dumps(content))
    (finding,) = diagnosed(gans)["findings"]
    assert finding["rule"] == "batch norm under a gradient penalty"


# --- the command ----------------------------------------------------------------------------------------


@pytest.mark.long
def test_it_watches_until_the_run_ends(
    gans: Gans, fork: Callable[[str], ForkedCommand], wait_for_scores: Callable[..., None]
) -> None:
    run = fork(RING.replace("175", "500") + " --loss wgan --weight-clip 0 --lr-critic 1e-2")
    wait_for_scores(Path("run"), run)
    watching = gans("doctor run --watch")
    assert run.wait(timeout=60) == 0 and watching.status == 0, watching.err
    assert watching.out.count("divergence\n") == 1, "each finding once"
    assert "nobody works on run any more" in watching.err


@pytest.mark.parametrize(
    ("line", "mentions"),
    [("doctor nowhere", ("nowhere", "run folder")), ("doctor . --watch --json", ("--watch", "--json"))],
)
def test_what_cannot_be_diagnosed(line: str, mentions: tuple[str, ...], refused: Callable[..., str]) -> None:
    refused(2, mentions, line)


def test_who_may_only_read_a_run_sees_whether_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a watch there would never end."""
    folder = RunFolder(tmp_path)

    def denied(*words: object, **named: object) -> None:
        raise PermissionError

    with folder.lock(), monkeypatch.context() as only_reading:
        only_reading.setattr(runs_folder, "FileLock", denied)
        assert folder.is_locked
    (tmp_path / ".lock").touch()
    monkeypatch.setattr(runs_folder, "FileLock", denied)
    assert not folder.is_locked


class CountedLine(dict):
    """Line of scores that counts how often it is read."""

    reads = 0

    def get(self, *words):
        CountedLine.reads += 1
        return super().get(*words)

    def __getitem__(self, name):
        CountedLine.reads += 1
        return super().__getitem__(name)


def test_a_long_run_is_diagnosed_in_a_few_passes_over_its_lines() -> None:
    count = 20_000
    values = {"critic/adversarial": 1.0, "generator/adversarial": 1.0, "samples/pairwise_distance": 1.0}
    lines = [CountedLine(step=i, kimg=i / 10, seconds=1.0, **values) for i in range(count)]
    CountedLine.reads = 0
    diagnose(History(Settings(arch="mlp", data="ring8", loss="bce", steps=count), lines))
    assert CountedLine.reads <= 10 * count


def test_what_is_no_score_is_named(gans: Gans, finished: Path) -> None:
    with (finished / "scores.jsonl").open("a") as file:
        file.write('{"step": 9, "kimg": 1.0, "seconds": "x", "critic/real": null}\n')
    outcome = gans("doctor", finished)
    assert outcome.status == 0
    assert "seconds" in outcome.err and "critic/real" in outcome.err


# --- evaluations ----------------------------------------------------------------------------------------

JENSEN = '''"""Jensen: a score between 0 and log 2 that is near its worse end."""
import math
from metrics.core.metric import Metric

class Jensen(Metric):
    takes, reference = "points", "none"
    higher_is_better = {"js": False}
    ranges = {"js": (0.0, math.log(2))}
    remarks = ()

    def update(self, samples): pass
    def reset(self): pass
    def compute(self): return {"js": 0.69}
'''


@pytest.mark.long
def test_a_run_without_any_mode_is_not_called_healthy(gans: Gans) -> None:
    """The record of the evaluation says how many samples there were, and the data how many modes."""
    assert gans(f"{RING} --loss wgan-gp").status == 0
    assert "low fidelity" not in gans("doctor run").out
    gans("evaluate run -n 500")
    told = gans("doctor run").out
    assert "metric/modes/covered is 0 at step 175, 5.6 kimg" in told and "8 of its 8 modes" in told
    assert "low fidelity" in told and "nothing wrong found" not in told
    longer = next(line for line in told.splitlines() if "--resume run" in line)
    outcome = gans(longer.partition("gans ")[2])
    assert outcome.status == 0, outcome.err
    assert "step 370" in gans("doctor run").out, "twice as long and a little more"


def test_a_metric_of_a_plugin_is_read(gans: Gans) -> None:
    gans(f"{RING} --loss wgan-gp --steps 4")
    Path("jensen.py").write_text(JENSEN)
    assert gans("evaluate run --metrics jensen --plugin jensen.py").status == 0
    assert "score near the worst end of its range" not in gans("doctor run").out, "nobody knows the metric"
    told = gans("doctor run --plugin jensen.py").out
    assert "score near the worst end of its range" in told and "metric/jensen is 0.69" in told


def test_only_evaluations_alike_are_compared(gans: Gans) -> None:
    """A distance by fewer samples is larger, and no fault of the run."""
    lines = [
        {"step": i, "kimg": float(i), "metric/fid": v} for i, v in enumerate([90.0, 30.0, 99.0], start=1)
    ]
    settings = Settings(arch="mlp", data="ring8", loss="bce", steps=3, optimizer="sgd")
    for n, found in ((5000, ["score worsened"]), (50, [])):
        counts = [5000, 5000, n]
        records = [(i, {"fid": {"value": 1.0, "n": [count, 9]}}) for i, count in enumerate(counts, start=1)]
        assert [finding.rule for finding in diagnose(History(settings, lines, records))] == found
