"""Every rule of the doctor finds a broken run, is silent in a healthy one, and changes where it says."""

import dataclasses
import importlib
import inspect
import json
import pkgutil
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from experiments.analysis import doctor
from experiments.analysis.doctor.diagnosis import RULES, Rule, diagnose
from experiments.analysis.doctor.finding import Finding
from experiments.analysis.doctor.history import History
from experiments.analysis.doctor.loss_scale import reference_losses
from experiments.analysis.doctor.metric_scores import metric_scores
from experiments.analysis.doctor.score_rules import is_spread
from experiments.commands.run import run as run_command
from experiments.core import registry
from experiments.core.diversity import pairwise_distance
from losses.adversarial.hinge import Hinge
from losses.core.adversarial import Adversarial
from tests.experiments.analysis.doctor_examples import EXAMPLES, Threshold, apart, resolved, run_of, scored

Gans = Callable[..., Any]
MODULES = [
    importlib.import_module(f"{doctor.__name__}.{each.name}")
    for each in pkgutil.iter_modules(doctor.__path__)
]
BY_NAME = {rule.__name__: rule for rule in RULES}
OF_NO_RULE = {"SPREAD", "FARTHEST", "STILL_FALLING"}  # of is_spread and of reference_losses, tested below


def each(part: str) -> list[Any]:
    """Every example of one part, as a parameter with its rule."""
    return [
        pytest.param(BY_NAME.get(name), example, id=f"{name}-{number}")
        for name, examples in EXAMPLES.items()
        for number, example in enumerate(getattr(examples, part))
    ]


def test_every_rule_is_applied_and_has_its_three_examples() -> None:
    """A new rule cannot come without a broken run, a healthy one, and a threshold."""
    rules = {
        name
        for module in MODULES
        for name, value in inspect.getmembers(module, inspect.isfunction)
        if value.__module__ == module.__name__
        and name[0] != "_"
        and inspect.signature(value).return_annotation == Finding | None
    }
    assert rules == BY_NAME.keys() == EXAMPLES.keys()
    for name, examples in EXAMPLES.items():
        assert examples.broken and examples.healthy and examples.thresholds, name


def test_every_number_of_a_rule_has_a_threshold() -> None:
    """Both sides lie next to what the code says, so that another number is noticed."""
    numbers = {
        name: value
        for module in MODULES
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, int | float)
    }
    shown = {each.constant: each for examples in EXAMPLES.values() for each in examples.thresholds}
    assert numbers.keys() - OF_NO_RULE == shown.keys() - {""}
    for name, threshold in shown.items():
        if name:
            low, high = sorted((threshold.silent, threshold.found))
            assert low <= numbers[name] <= high and high - low <= max(0.03 * high, type(high) is int)


@pytest.mark.parametrize(("rule", "run"), each("broken"))
def test_a_broken_run_is_found(rule: Rule, run: History) -> None:
    finding = rule(run)
    assert finding is not None and finding in diagnose(run)
    assert finding.remedy and finding.source and finding.commands
    assert re.search(r"\d", finding.evidence) or rule.__name__ == "batch_norm_under_penalty"
    if rule.__module__.endswith(("score_rules", "metric_rules")):
        assert "kimg" in finding.evidence, "when it was"


@pytest.mark.parametrize(("rule", "run"), each("healthy"))
def test_a_healthy_run_is_not(rule: Rule, run: History) -> None:
    assert rule(run) is None


@pytest.mark.parametrize(("rule", "threshold"), each("thresholds"))
def test_a_threshold_is_where_it_is_said_to_be(rule: Rule, threshold: Threshold) -> None:
    silent, found = rule(threshold.run(threshold.silent)), rule(threshold.run(threshold.found))
    assert found is not None and threshold.words in found.evidence
    assert silent is None if not threshold.words else threshold.words not in getattr(silent, "evidence", "")


LEVELS = [
    (metric, number)
    for metric in registry.built_in_names("metric")
    for number in registry.load("metric", metric).levels
]


@pytest.mark.parametrize(("metric", "number"), sorted(LEVELS))
def test_every_level_of_a_metric_is_a_threshold(metric: str, number: str) -> None:
    """A hundredth above its least share nothing is wrong, and a hundredth below it is found, by one rule."""
    kind = registry.load("metric", metric)
    level = kind.levels[number]
    name = f"{metric}/{number}"
    (score,) = metric_scores(scored(name, 0.5))
    assert score.real_value is not None
    rules = {"diversity": "mode dropping", "fidelity": "low fidelity"}
    for times, found in ((1.01, []), (0.99, [rules[level.shows]])):
        share = level.least * times
        value = share * score.real_value
        if not kind.higher_is_better[number]:
            value = score.real_value - torch.tensor(share).log().item()
        assert score.share(value) == pytest.approx(share)
        assert [finding.rule for finding in diagnose(scored(name, value))] == found


def write_config(run: History) -> None:
    Path("run").mkdir(exist_ok=True)
    settings = {name: {"value": value, "from": "test"} for name, value in run.settings.to_dict().items()}
    Path("run/config.json").write_text(json.dumps({"format": 1, "settings": settings}))


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_remedy_works_when_typed(name: str, gans: Gans) -> None:
    """Its commands are accepted, and the flags that its words name exist."""
    options = {word for option in run_command.params for word in option.opts}
    for run in EXAMPLES[name].broken:
        finding = BY_NAME[name](run)
        assert finding is not None
        assert set(re.findall(r"--[a-z-]+", finding.remedy)) <= options
        write_config(run)
        for command in finding.commands:
            program, *words = shlex.split(command)
            outcome = gans("", *words, "--dry-run")
            assert program == "gans" and outcome.status == 0, (command, outcome.err)


def test_a_remedy_that_would_be_refused_is_left_out(gans: Gans) -> None:
    """The critic of an mlp has no place for a minibatch statistic, and that of a progan has."""
    narrow = [("samples/pairwise_distance", [0.8, 0.1]), ("samples/real_distance", [1.0])]
    for arch, has in (("mlp", False), ("progan", True)):
        size = {} if arch == "mlp" else {"image_size": (16, 16), "width": 8}
        (finding,) = diagnose(run_of(resolved(arch, **size), *narrow))
        assert ("--minibatch-statistic" in " ".join(finding.commands)) == has


# --- what rules are made of -------------------------------------------------------------------------------


def test_the_evidence_of_a_vanished_gradient() -> None:
    """By itself that is no fault: a critic that guesses gives as little."""
    column = ("generator/weight_gradient_norm", [0.5, 1.0, 0.049])
    assert diagnose(run_of(None, column)) == []
    (finding,) = diagnose(run_of(None, ("critic/adversarial", [0.0]), column))
    assert finding.evidence.endswith("vanished, from a norm of 1 at 2.0 kimg to 0.049")


@pytest.mark.parametrize(
    ("form", "chance"),
    [("bce", 1.3863), ("lsgan", 0.25), ("hinge", 2.0), ("relativistic", 0.6931), ("wgan", None)],
)
def test_the_scale_of_a_form(form: str, chance: float | None) -> None:
    scale = reference_losses(registry.load("form", form)())
    if chance is None:
        assert scale is None
    else:
        assert scale is not None
        assert (scale.chance, scale.perfect) == pytest.approx((chance, 0.0), abs=1e-3)


def test_the_scale_of_a_form_that_asks_for_values() -> None:
    """Of a plug-in, perhaps: it can be computed for one pair of logits at a time alone."""

    class Asking(Adversarial):
        def critic(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
            assert real_logits.item() <= 40
            return Hinge().critic(real_logits, fake_logits)

        def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
            return Hinge().generator(fake_logits)

    assert reference_losses(Asking()) == reference_losses(Hinge()) is not None


@pytest.mark.parametrize(("now", "spread"), [(0.749, False), (0.751, True)])
def test_what_is_still_spread(now: float, spread: bool) -> None:
    assert is_spread(apart(1.0, now)) == spread


def test_the_distance_of_samples() -> None:
    square = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    expected = (4 * 0.5**0.5 + 2 * 1.0) / 6  # sides and diagonals, over √2
    assert pairwise_distance(square).item() == pytest.approx(expected)
    wide = square[:, :, None, None].expand(4, 2, 8, 8)
    assert pairwise_distance(wide).item() == pytest.approx(expected), "whatever the size"


def test_findings_are_sorted_by_how_serious_they_are() -> None:
    run = run_of(
        None,
        ("critic/adversarial", [0.0]),
        ("samples/pairwise_distance", [0.8, 0.1]),
        ("samples/real_distance", [1.0]),
    )
    assert [finding.rule for finding in diagnose(run)] == ["mode collapse", "critic too strong"]
    assert dataclasses.asdict(diagnose(run)[0])["commands"]
