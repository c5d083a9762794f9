"""Runs with a critic augmentation: none at p = 0, exact on resume, and without a trace in samples' size."""

import io
from typing import Any

import pytest
import torch

from benchmarks.processes import largest_difference, tensors_of, tiny, train
from experiments.config.resolve import resolve
from experiments.core.errors import UsageError
from experiments.core.stop_signal import StopSignal
from experiments.training import micro_batches
from experiments.training.callbacks import Progress
from experiments.training.experiment import build
from experiments.training.memory_estimate import build_without_memory, estimate_memory
from experiments.training.plan.rounds import count_operations
from experiments.training.steps import train_steps
from gans.core.critic_view import CriticView
from gans.core.player import Scores
from losses.core.adaptive_probability import AdaptiveProbability
from losses.critic_augmentations.core.resampling import doubling_matrix, halving_matrix
from tests.conftest import long_but

STEERED = {"critic_augment": "ada", "ada.interval": 1, "ada.kimg": 0.05, "ada.target": -0.9}


def test_at_zero_a_run_has_the_bits_of_one_without() -> None:
    case = {**tiny("stylegan2"), "steps": 2}
    without, with_it = train(case, {}), train({**case, "critic_augment": "ada:0"}, {})
    shared = {name: with_it[name] for name in without}
    assert largest_difference(shared, without) == 0
    assert {name.rpartition(".")[2] for name in with_it.keys() - shared.keys()} == {"augment/p"}


@pytest.mark.parametrize(
    "arch", long_but(["stylegan2", "cyclegan"], ["stylegan2", "cyclegan", "swap", "pix2pix"])
)
def test_a_steered_run_resumes_to_the_bit(arch: str) -> None:
    """Also of translators, and of two critics that learn together, of which no anchors are remembered."""
    strengths = {"lecam": 0.3} if arch == "stylegan2" else {}
    loss = {} if arch == "stylegan2" else {"loss": "bce"}  # whose first logits have both signs
    spec = resolve({**tiny(arch), **loss, **STEERED, "steps": 4, "device": "cpu"}, strengths=strengths)
    whole, file, scores = build(spec), io.BytesIO(), list[Scores]()

    def save(progress: Progress, found: Scores) -> None:
        scores.append(found)
        if progress.step == 2:
            torch.save(whole.state_dict(), file)

    train_steps(whole, 0, [save], StopSignal())
    second = build(spec)
    second.load_state_dict(torch.load(io.BytesIO(file.getvalue()), weights_only=True))
    train_steps(second, 2, [], StopSignal())
    expected, found = (dict(tensors_of(each.state_dict())) for each in (whole, second))
    assert largest_difference(found, expected) == 0
    assert 0 < scores[1]["augment/p"] < 1
    first, again = (each.game.state_dict() for each in (whole, second))
    keys = [name for name in first if name.endswith("adaptive._extra_state")]
    assert keys and all(first[key] == again[key] for key in keys)
    assert all(first[key]["batch_index"] > 4 and first[key]["value"] > 0 for key in keys)


def test_checkpoints_without_one_stay_readable() -> None:
    """Their keys are those of versions that had none."""
    flags: dict[str, Any] = {**tiny("dcgan"), "device": "cpu"}
    assert not [key for key in build(resolve(flags)).game.state_dict() if "objective" in key]


@pytest.mark.parametrize("arch", ["cyclegan", "swap"])
def test_lecam_is_refused_where_two_critics_learn_together(arch: str) -> None:
    """Its anchors are of one critic; the remedy works when typed."""
    flags = {**tiny(arch), "device": "cpu"}
    with pytest.raises(UsageError, match=r"lecam remembers .* take --critic-augment diffaugment in place of"):
        build(resolve(flags, strengths={"lecam": 0.3}))
    build(resolve({**flags, "critic_augment": "diffaugment"}))


def need_of(augmentation: str) -> tuple[int, float]:
    """Bytes and operations of a run with a critic augmentation, estimated."""
    spec = resolve({**tiny("stylegan2"), "device": "cpu", "critic_augment": augmentation})
    operations = count_operations(spec.settings, *build_without_memory(spec.settings))
    return estimate_memory(spec), operations.per_real


@pytest.mark.long
@pytest.mark.parametrize("probability", ["ada:0.5", "ada"])
def test_memory_is_estimated(probability: str) -> None:
    """So are operations: a probability that begins at 0 counts as 1; every time the same, without a draw."""
    before = torch.get_rng_state()
    for matrix in (doubling_matrix, halving_matrix):
        matrix.cache_clear()  # which the first time makes, and the second finds
    plain, changed, again = (need_of(each) for each in ("none", probability, probability))
    assert 1.2 * plain[0] < changed[0] < 20 * plain[0]
    assert plain[1] < changed[1]
    assert changed == again and torch.equal(torch.get_rng_state(), before)


def test_a_trial_takes_adaptive_probabilities_at_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Micro-batches that fit at p = 0 only would fail later; afterwards p is as before."""
    monkeypatch.setattr(micro_batches, "_can_be_tried", lambda experiment: True)
    settings = {**tiny("r3gan"), **STEERED, "device": "cpu", "loss": "bce", "micro_batch_size": "auto"}
    experiment = build(resolve(settings))
    (p,) = (each for each in experiment.game.modules() if isinstance(each, AdaptiveProbability))
    before, tried, see = p.get_extra_state(), set[float](), CriticView.see

    def note(self: CriticView, *arguments: Any) -> Any:
        tried.add(self.probability)
        return see(self, *arguments)

    monkeypatch.setattr(CriticView, "see", note)
    micro_batches.choose_micro_batch_size(experiment)
    assert tried == {1.0}
    assert p.get_extra_state() == before
