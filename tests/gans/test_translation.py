"""What all translators and critics of patches have in common."""

from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn

from gans.core.translation import AttributeTranslator, DomainTranslator, PatchCritic, patch_layers
from gans.norms.instance import InstanceNorm
from tests.conftest import ARCHITECTURES, FROM_NOISE
from tests.gans.translating import (
    SGD,
    BatchLoader,
    batch_of,
    blueprint_of,
    game_of,
    images,
    networks_of,
    norm_of,
    terms_of,
)

TRANSLATORS = [name for name in ARCHITECTURES if name not in FROM_NOISE]
SHAPES = [(1, 8, 8), (3, 16, 16), (4, 16, 8), (1, 28, 28), (3, 24, 40)]
PATCHES = {256: 70, 64: 70, 32: 34, 16: 16, 8: 16}


def condition_of(arch: str, batch: Any) -> tuple[Any, ...]:
    """What the critic is told of a batch's samples."""
    return batch.condition if ARCHITECTURES[arch].task == "pairs" else ()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("arch", TRANSLATORS)
def test_images_become_images(arch: str, shape: tuple[int, ...]) -> None:
    generator, critic = networks_of(arch, shape=shape)
    batch = batch_of(arch, 3, shape=shape)
    made = generator.generate(batch)
    assert made.shape == (3, *shape)
    assert made.abs().max() <= 1
    logits = critic(made, *condition_of(arch, batch))
    assert len(logits) == 3
    assert logits.isfinite().all()
    columns = generator.columns(batch)
    assert all(column.shape == made.shape for column in columns.values())
    shown = list(columns.values())
    assert not any(torch.equal(a, b) for i, a in enumerate(shown) for b in shown[:i]), (
        "each shows something else"
    )


@pytest.mark.parametrize("arch", TRANSLATORS)
def test_translations_go_where_they_say(arch: str) -> None:
    """What is sampled is the translation to B, or one of attributes; no two targets are the same."""
    generator, _ = networks_of(arch)
    batch = batch_of(arch)
    if isinstance(generator, AttributeTranslator):
        rows = batch.condition[0]
        assert torch.equal(generator.translate(batch.samples, rows), generator(batch.samples, rows))
        other = generator.translate(batch.samples, 1 - rows)
        assert (other - generator(batch.samples, rows)).abs().max() > 1e-3, "more than rounding"
        return
    assert isinstance(generator, DomainTranslator)
    torch.manual_seed(1)
    found = [generator.translate(batch.condition[0], to) for to in generator.targets]
    torch.manual_seed(1)
    if len(found) == 2:
        assert not torch.equal(*found)
        with pytest.raises(KeyError):
            generator.translate(batch.samples, "C")
    assert torch.equal(generator.generate(batch), found[-1])
    assert generator.targets[-1] == "B"


@pytest.mark.parametrize("arch", TRANSLATORS)
def test_sides_may_be_other_multiples(arch: str) -> None:
    generator, _ = networks_of(arch, shape=(3, 16, 16))
    if generator.multiple is not None:
        other = (3, 3 * generator.multiple, 2 * generator.multiple)
        assert generator.generate(batch_of(arch, shape=other)).shape[1:] == other


def biases_before_plain_norms(network: nn.Module) -> set[str]:
    """Names of biases that the next norm takes away; published files hold them."""
    found = set()
    for start, chain in network.named_modules():
        if isinstance(chain, nn.Sequential):
            for index, (_, after) in enumerate(pairwise(chain)):
                if isinstance(after, nn.InstanceNorm2d) and not after.affine:
                    found.add(f"{start}.{index}.bias".lstrip("."))
    return found


@pytest.mark.parametrize("arch", TRANSLATORS)
def test_every_parameter_is_used(arch: str) -> None:
    """A layer that is built and forgotten gets no gradient, and a bias before a norm none that counts."""
    shape = (3, 16, 16)
    generator, critic = networks_of(arch, shape=shape, critic_norm=InstanceNorm())
    batch = batch_of(arch, 4, shape=shape)
    made = list(generator.columns(batch).values()) if ARCHITECTURES[arch].task != "pairs" else []
    made = [*made, generator.generate(batch)]
    loss = sum(
        critic(image, *condition_of(arch, batch)).square().sum() + image.square().sum() for image in made
    )
    if hasattr(critic, "classify"):
        loss = loss + critic.classify(batch.samples).square().sum()
    loss.backward()
    named = dict([*generator.named_parameters(), *critic.named_parameters()])
    # A constant that a block adds is a constant, borders are reflected, and the next norm takes it away.
    useless = biases_before_plain_norms(generator)
    idle = [name for name in named if not name.endswith("residual.4.bias") and name not in useless]
    assert [name for name in idle if named[name].grad is None or named[name].grad.abs().max() < 1e-9] == []


@pytest.mark.parametrize("norm", ["none", "layer", "instance"])
@pytest.mark.parametrize("arch", TRANSLATORS)
def test_critics_judge_samples_one_by_one(arch: str, norm: str) -> None:
    """What a per-sample gradient penalty needs [1]."""
    _, critic = networks_of(arch, critic_norm=norm_of(norm))
    batch = batch_of(arch, 4)
    alone = critic(batch.samples[2:3], *(each[2:3] for each in condition_of(arch, batch)))
    torch.testing.assert_close(critic(batch.samples, *condition_of(arch, batch))[2:3], alone)


@pytest.mark.parametrize("arch", TRANSLATORS)
def test_dropout_drops_in_the_critic(arch: str) -> None:
    _, critic = networks_of(arch, width=8, critic_dropout=0.5)
    batch = batch_of(arch)
    seen = (batch.samples, *condition_of(arch, batch))
    assert not torch.equal(critic(*seen), critic(*seen))
    assert torch.equal(critic.eval()(*seen), critic(*seen))


@pytest.mark.parametrize("side", [6, 9, 10, 30, 33])
@pytest.mark.parametrize("arch", ["cyclegan", "pix2pix", "stargan"])
def test_sizes_that_cannot_be_halved_are_named(arch: str, side: int) -> None:
    with pytest.raises(ValueError, match=f"image size {side}x{side}: sides must be multiples of 4, and 8"):
        networks_of(arch, shape=(3, side, side))


@pytest.mark.parametrize("side", PATCHES)
def test_a_logit_sees_a_patch(side: int) -> None:
    """70×70 pixels at 256 (section 3.2.2), 34 and 16 where fewer layers are strided (appendix 6.1.2)."""
    blueprint = blueprint_of((1, side, side), width=1)
    critic = PatchCritic(blueprint, 1).double()
    for parameter in critic.parameters():
        nn.init.uniform_(parameter, 0.1, 0.2)  # positive, so that no unit is off
    canvas = max(side, 3 * PATCHES[side])
    x = images(1, 0, (1, canvas, canvas)).abs().requires_grad_()
    logits = critic(x)
    logits[0, logits.shape[1] // 2, logits.shape[2] // 2].backward()
    assert x.grad is not None
    rows, columns = (x.grad[0, 0].abs().sum(dim=axis).nonzero().flatten() for axis in (1, 0))
    seen = {len(rows), int(rows[-1] - rows[0]) + 1, len(columns), int(columns[-1] - columns[0]) + 1}
    assert seen == {PATCHES[side]}


def test_layers_by_size() -> None:
    sizes = {side: patch_layers(blueprint_of((3, side, 2 * side))) for side in (8, 31, 32, 63, 64, 256, 1024)}
    assert sizes == {8: 1, 31: 1, 32: 2, 63: 2, 64: 3, 256: 3, 1024: 3}


@pytest.mark.parametrize(
    ("arch", "term"), [(arch, term) for arch in TRANSLATORS for term in sorted(terms_of(arch))]
)
def test_the_weight_of_each_term_is_an_option(arch: str, term: str) -> None:
    """Three times the weight, three times the term; the generator's other terms stay."""
    found = []
    for factor in (1, 3):
        usual = ARCHITECTURES[arch].options_type()
        options = replace(usual, **{f"{term}_weight": factor * getattr(usual, f"{term}_weight")})
        game = game_of(arch, options=options, critic_optimizer=partial(SGD, lr=0.0))
        torch.manual_seed(1)
        scores = game.round(BatchLoader(arch))
        found.append({name: scores[f"generator/{name}"].item() for name in {"adversarial", *terms_of(arch)}})
    assert found[0][term] > 0
    found[0][term] *= 3
    assert found[1] == pytest.approx(found[0], rel=1e-12)
