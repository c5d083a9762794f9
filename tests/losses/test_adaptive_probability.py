"""A probability follows the signs of the critic's logits as published, to the bit."""

import json
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from losses.adversarial.bce import BinaryCrossEntropy
from losses.adversarial.hinge import Hinge
from losses.adversarial.lsgan import LeastSquares
from losses.adversarial.relativistic import Relativistic
from losses.adversarial.wgan import Wasserstein
from losses.core.adaptive_probability import AdaptiveOptions, AdaptiveProbability
from losses.core.adversarial import Adversarial, Labelled
from losses.core.batch_parts import compute_in_passes
from losses.recipe import Recipe
from losses.regularizers.apa import AdaptivePseudoAugmentation, ApaOptions
from losses.regularizers.label_flip import LabelFlip
from losses.regularizers.lecam import LeCam, LeCamOptions, lecam_distance
from tests.gans.published.numbers import FOLDER, read

SEQUENCES = json.loads((FOLDER / "augment" / "ada_controller.json").read_text())["sequences"]


@pytest.mark.parametrize("sequence", SEQUENCES, ids=lambda sequence: sequence["name"])
def test_the_published_controller(sequence: dict[str, Any]) -> None:
    p = AdaptiveProbability(AdaptiveOptions(sequence["target"], sequence["interval"], sequence["kimg"]))
    p.value = sequence["start_p"]
    for row in sequence["rows"]:
        positive, negative, zero = row["signs"]
        logits = [1.5] * positive + [-0.5] * negative + [0.0] * zero
        for some in (logits[::2], logits[1::2]):  # as they come
            if some:
                p.observe(torch.tensor(some))
        p.begin(row["iteration"] - 1, row["images_seen"] - sequence["batch"])  # too early
        p.begin(row["iteration"], row["images_seen"])
        # Without any logits ever, p is no number there; here it stays.
        assert p.value == (sequence["start_p"] if row["p"] is None else row["p"])


def test_expected_probability_under_a_constant_sign() -> None:
    """Of 50 kimg in batches of 10, with kimg = 100: half the way up; after 25 more below the target, 0.25."""
    p = AdaptiveProbability(AdaptiveOptions(kimg=100.0))
    for batch in range(1, 7501):
        p.observe(torch.full((10,), 1.0 if batch <= 5000 else 0.5))
        if batch > 5000:
            p.signs[0] -= 5  # a mean sign of 0.5
        p.begin(batch, 10 * batch)
        if batch == 5000:
            assert p.value == pytest.approx(0.5, rel=1e-4)
    assert p.value == pytest.approx(0.25, rel=1e-3)


def test_it_resumes_to_the_bit() -> None:
    def play(p: AdaptiveProbability, batches: range) -> list[float]:
        values = []
        for batch in batches:
            p.begin(batch, 8 * batch)
            p.observe(torch.randn(8, generator=torch.Generator().manual_seed(batch)) + 0.8)
            values.append(p.value)
        return values

    options = AdaptiveOptions(interval=3, kimg=0.5)
    whole, first, second = (AdaptiveProbability(options) for _ in range(3))
    expected = play(whole, range(20))
    play(first, range(7))
    second.load_state_dict(first.state_dict())
    assert play(second, range(7, 20)) == expected[7:]
    assert max(expected) > 0


@pytest.mark.parametrize("form", [BinaryCrossEntropy(), Hinge(), LeastSquares()], ids=lambda f: f.recipe.form)
def test_a_threshold_is_where_both_labels_cost_the_same(form: Labelled) -> None:
    assert form.threshold is not None
    logit = torch.tensor([form.threshold])
    torch.testing.assert_close(form.real_loss(logit), form.fake_loss(logit))


def apa_at(probability: float, form: Adversarial) -> Adversarial:
    apa = AdaptivePseudoAugmentation(1.0, ApaOptions(interval=1))
    wrapped, apa.state.value = apa.wrap(form), probability
    return wrapped


def test_apa_shows_fakes_as_real() -> None:
    """Always, at p = 1: the critic's loss is that of fakes under both labels. Never at 0, without a draw."""
    real, fake, form = torch.tensor([2.0, 1.0]), torch.tensor([-1.0, 0.5]), BinaryCrossEntropy()
    both = form.real_loss(fake).mean() + form.fake_loss(fake).mean()
    torch.testing.assert_close(apa_at(1.0, form).critic(real, fake), both)
    before = torch.get_rng_state()
    torch.testing.assert_close(apa_at(0.0, form).critic(real, fake), form.critic(real, fake))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(0)
    many = torch.full((20_000,), 1.0)
    shown = apa_at(0.3, LeastSquares()).critic(many, torch.zeros(20_000))  # a fake shown costs ½, a real 0
    assert shown.item() == pytest.approx(0.15, abs=0.005)


class Undeclared(Labelled):
    """A hinge loss that leaves open whether the signs of its logits say anything."""

    recipe: ClassVar[Recipe] = Recipe("none", "undeclared", ())

    def real_loss(self, logits: Tensor) -> Tensor:
        return (1 - logits).relu()

    def fake_loss(self, logits: Tensor) -> Tensor:
        return (1 + logits).relu()

    def generator_loss(self, logits: Tensor) -> Tensor:
        return -logits


def test_a_form_that_declares_no_threshold_is_told_what_to_write() -> None:
    """Not that its logits say nothing, which nobody has said; also with labels that are flipped."""
    for form in (Undeclared(), LabelFlip(0.1).wrap(Undeclared())):
        with pytest.raises(ValueError, match=r"class Undeclared does not declare its threshold.*`thr"):
            AdaptivePseudoAugmentation(1.0).wrap(form)
    declared = type("Declared", (Undeclared,), {"threshold": 0.0})
    assert AdaptivePseudoAugmentation(1.0).wrap(declared()).threshold == 0.0
    for kind in (declared, type("None", (Undeclared,), {"threshold": None}), Wasserstein, Relativistic):
        assert kind.undeclared_threshold() == ""


def test_apa_knows_its_limits() -> None:
    with pytest.raises(ValueError, match="take --critic-augment diffaugment"):
        AdaptivePseudoAugmentation(1.0).wrap(Wasserstein())
    with pytest.raises(ValueError, match="largest probability in"):
        AdaptivePseudoAugmentation(1.5)
    apa = AdaptivePseudoAugmentation(0.25)
    flipped = LabelFlip(0.1).wrap(LeastSquares())
    assert apa.wrap(flipped).threshold == 0.5
    apa.state.value = 0.8
    assert apa.observe(torch.tensor([0.6, 0.4, 0.7]))["apa/p"] == 0.25
    assert apa.state.signs.tolist() == [1.0, 3.0]


def test_lecam_has_the_published_values_and_slopes() -> None:
    numbers = read("augment/lecam")
    for row in range(6):
        real, fake = (numbers[f"logits/{side}"][row].clone().requires_grad_() for side in ("real", "fake"))
        value = lecam_distance(real, fake, numbers["anchors/real"][row], numbers["anchors/fake"][row])
        slopes = torch.autograd.grad(value, (real, fake))
        torch.testing.assert_close(value.detach(), numbers["outputs/regularizer"][row], rtol=1e-12, atol=0)
        for slope, side in zip(slopes, ("real", "fake"), strict=True):
            torch.testing.assert_close(slope, numbers[f"gradients/{side}"][row], rtol=1e-12, atol=0)


def test_lecam_has_the_published_sequence() -> None:
    numbers, term = read("augment/lecam"), LeCam(2.0, LeCamOptions(decay=0.9, start=3))
    term.state.double()
    for row in range(12):
        if row == 7:  # resumed
            state = term.state.state_dict()
            term = LeCam(2.0, term.options)
            term.state.double().load_state_dict(state)
        value = term.value(numbers["sequence/logits_real"][row], numbers["sequence/logits_fake"][row])
        torch.testing.assert_close(value, 2 * numbers["sequence/regularizer"][row], rtol=1e-12, atol=0)
        for side in ("real", "fake"):
            anchor = getattr(term.state, side)
            torch.testing.assert_close(anchor, numbers[f"sequence/anchor_{side}"][row], rtol=1e-12, atol=0)


def test_apa_comes_down_from_its_largest_probability_at_once() -> None:
    options = ApaOptions(interval=1, kimg=0.1)
    apa = AdaptivePseudoAugmentation(0.2, options)
    for step in range(200):  # far beyond what it may use
        apa.begin(step, step)
        apa.observe(torch.ones(1))
    apa.begin(200, 200)
    assert apa.state.value == pytest.approx(0.2)
    for step in range(201, 206):
        apa.observe(-torch.ones(1))
        apa.begin(step, step)
    assert apa.state.value == pytest.approx(0.15)
    assert float(apa.observe(torch.ones(1))["apa/p"]) == pytest.approx(0.15)


def test_lecam_holds_every_pass_to_the_means_before_the_update() -> None:
    """Logits of 2 and −1 are held to anchors of −1 and 2: `3² + 3²`, in all passes alike."""
    term = LeCam(1.0, LeCamOptions(decay=0.5, start=0))
    real, fake = torch.full((4,), 2.0).double(), torch.full((4,), -1.0).double()
    term.state.double()
    found = [[value.item() for value in compute_in_passes(2, term.value, (real, fake))] for _ in range(3)]
    assert found == [[0.0, 0.0], [18.0, 18.0], [18.0, 18.0]]
    assert (term.state.real.item(), term.state.fake.item()) == (2.0, -1.0)
    assert set(term.state.state_dict()) == {"real", "fake", "_extra_state"}
    whole, passes = LeCam(1.0, term.options), LeCam(1.0, term.options)
    for each in (whole, passes):
        each.state.double()
        for update in range(4):
            logits = real + torch.arange(4.0).double() * update
            compute_in_passes(1 if each is whole else 2, each.value, (logits, -logits))
    torch.testing.assert_close(passes.state.real, whole.state.real)  # the anchors are those of whole batches
    torch.testing.assert_close(passes.state.fake, whole.state.fake)
