"""Every rule of the doctor is shown by a run that is broken on purpose, and none speaks of a healthy one."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.analysis.doctor.diagnosis import diagnose
from experiments.analysis.doctor.history import FEWEST_LINES, History
from experiments.analysis.doctor.loss_scale import reference_losses
from experiments.core import registry
from experiments.core.diversity import pairwise_distance
from experiments.core.settings import Settings
from experiments.runs import folder as runs_folder
from experiments.runs.folder import RunFolder

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


# --- thresholds, on hand-made scores ------------------------------------------------------------------


USUAL = {"arch": "mlp", "data": "ring8", "steps": 100, "optimizer": "sgd", "ema_kimg": 0.0}


def lines_of(*columns: tuple[str, list[float]]) -> list[dict[str, Any]]:
    """Twenty lines of scores with these columns; the last values repeat."""
    lines: list[dict[str, Any]] = [{"step": i + 1, "kimg": float(i + 1), "seconds": 1.0} for i in range(20)]
    for name, values in columns:
        for line, value in zip(lines, values + values[-1:] * (len(lines) - len(values)), strict=True):
            line[name] = value
    return lines


def rules_for(loss: str, *columns: tuple[str, list[float]], **settings: Any) -> list[str]:
    """What is found in lines with these columns."""
    history = History(Settings(**USUAL | {"loss": loss} | settings), lines_of(*columns))
    return [finding.rule for finding in diagnose(history)]


def test_how_perfect_a_critic_may_be() -> None:
    chance = 2 * torch.tensor(2.0).log().item()
    assert rules_for("bce", ("critic/adversarial", [0.021 * chance])) == []
    assert rules_for("bce", ("critic/adversarial", [0.019 * chance])) == ["critic too strong"]
    assert rules_for("wgan", ("critic/adversarial", [-50.0])) == [], "there a stronger critic is a better one"


@pytest.mark.parametrize(("norm", "vanished"), [(0.051, False), (0.049, True)])
def test_how_much_of_the_generators_gradient_may_be_gone(norm: float, vanished: bool) -> None:
    """By itself that is no fault: a critic that guesses gives as little."""
    column = ("generator/weight_gradient_norm", [0.5, 1.0, norm])
    assert rules_for("bce", column) == []
    lines = lines_of(("critic/adversarial", [0.0]), column)
    (finding,) = diagnose(History(Settings(**USUAL, loss="bce"), lines))
    assert finding.evidence.endswith("vanished, from a norm of 1 at 2.0 kimg to 0.049") == vanished
    assert ("vanished" in finding.evidence) == vanished


@pytest.mark.parametrize(
    ("size", "optimizer", "found"),
    [
        (1.01e-8, "rmsprop", []),
        (0.99e-8, "rmsprop", ["vanishing gradient"]),
        (0.99e-8, "adam", ["vanishing gradient"]),
        (0.99e-8, "sgd", []),  # which has no epsilon
    ],
)
def test_how_small_the_generators_gradient_may_be(size: float, optimizer: str, found: list[str]) -> None:
    settings = {"width": 16, "z_dim": 2, "lr_generator": 5e-4, "lr_critic": 5e-4, "optimizer": optimizer}
    generator = 2 * 16 + 16 + 2 * (16 * 16 + 16) + 16 * 2 + 2
    column = ("generator/weight_gradient_norm", [1.0, size * generator**0.5])
    assert rules_for("wgan", column, **settings) == found


@pytest.mark.parametrize(
    ("form", "chance"),
    [("bce", 1.3863), ("lsgan", 0.25), ("hinge", 2.0), ("relativistic", 0.6931), ("wgan", None)],
)
def test_what_a_form_has_to_give(form: str, chance: float | None) -> None:
    scale = reference_losses(registry.load("form", form)())
    if chance is None:
        assert scale is None
    else:
        assert scale is not None
        assert (scale.chance, scale.perfect) == pytest.approx((chance, 0.0), abs=1e-3)


@pytest.mark.parametrize(
    ("distances", "found"),
    [
        ([0.8, 0.41], []),
        ([0.8, 0.39], ["mode collapse"]),
        ([2.0, 0.9], []),  # fallen, but as wide as the reals
        ([0.29, 0.01], []),  # never spread, and the run is young
    ],
)
def test_how_narrow_samples_may_become(distances: list[float], found: list[str]) -> None:
    columns = ("samples/pairwise_distance", distances), ("samples/real_distance", [1.0])
    assert rules_for("wgan", *columns) == found


@pytest.mark.parametrize(("steps", "found"), [(40, ["mode collapse"]), (41, [])])
def test_what_never_spread_by_the_middle_of_the_run(steps: int, found: list[str]) -> None:
    columns = ("samples/pairwise_distance", [0.09]), ("samples/real_distance", [1.0])
    assert rules_for("wgan", *columns, steps=steps) == found


@pytest.mark.parametrize(("last", "found"), [(1.29, []), (1.31, ["mode collapse"])])
def test_how_many_classes_may_be_lost(last: float, found: list[str]) -> None:
    assert rules_for("wgan", ("metric/class-modes/kl", [2.0, 0.3, last])) == found


@pytest.mark.parametrize(
    ("name", "values", "found"),
    [
        ("critic/adversarial", [-0.5, -999.0], []),
        ("critic/adversarial", [-0.5, -1001.0], ["divergence"]),
        ("critic/adversarial", [-5000.0, -1001.0], []),  # it came from there
        ("critic/real", [0.5, 5000.0], []),  # a level that is free
        ("critic/weight_gradient_norm", [0.5, 5000.0], []),  # the optimizer takes it out
        ("generator/adversarial", [0.5, float("nan")], ["divergence"]),
    ],
)
def test_how_far_a_term_may_grow(name: str, values: list[float], found: list[str]) -> None:
    assert rules_for("wgan", (name, values)) == found


@pytest.mark.parametrize(
    ("norm", "kind", "found"),
    [
        (2.9, "one", []),
        (3.1, "one", ["penalty off its target"]),
        (0.3, "one", ["penalty off its target"]),
        (0.3, "one-sided", []),
        (9.0, "zero", []),
    ],
)
def test_how_far_a_gradient_may_be_from_its_target(norm: float, kind: str, found: list[str]) -> None:
    asked = {"penalty": ("interpolates",), "penalty_norm": kind}
    assert rules_for("wgan-gp", ("critic/gradient_norm", [norm]), **asked) == found


def test_what_is_too_young() -> None:
    lines = [{"step": i, "kimg": float(i), "seconds": 1.0, "critic/adversarial": 0.0} for i in range(20)]
    settings = Settings(arch="mlp", data="ring8", loss="bce", steps=100, optimizer="sgd")
    assert diagnose(History(settings, lines[: FEWEST_LINES - 1])) == []
    assert len(diagnose(History(settings, lines[:FEWEST_LINES]))) == 1


def test_the_distance_of_samples() -> None:
    square = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    expected = (4 * 0.5**0.5 + 2 * 1.0) / 6  # sides and diagonals, over √2
    assert pairwise_distance(square).item() == pytest.approx(expected)
    wide = square[:, :, None, None].expand(4, 2, 8, 8)
    assert pairwise_distance(wide).item() == pytest.approx(expected), "whatever the size"


# --- the command ----------------------------------------------------------------------------------------


def test_it_watches_until_the_run_ends(
    gans: Gans, start: Callable[..., "subprocess.Popen[str]"], wait_for_scores: Callable[..., None]
) -> None:
    run = start(RING.replace("175", "500") + " --loss wgan --weight-clip 0 --lr-critic 1e-2")
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
