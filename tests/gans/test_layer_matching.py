"""Layers of two networks correspond by their place, whatever stands between them or lies before them."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from experiments.core import registry
from gans.core.architecture import Architecture, Blueprint
from gans.core.layer_matching import LayerMatch, match_layers, resize_classes, take_weights
from gans.core.networks import StyledNetwork
from gans.core.weight_layers import list_layers
from gans.norms.layer import LayerNorm
from gans.r3gan import R3GANOptions
from tests.conftest import ARCHITECTURES

SMALL = Blueprint((3, 16, 16), z_dim=4, width=4)
ROLES = ("generator", "critic")
Networks = tuple[nn.Module, nn.Module]


def networks(arch: str, blueprint: Blueprint) -> Networks:
    architecture: Architecture = registry.load("architecture", arch)
    return architecture.generator(blueprint), architecture.critic(blueprint)


def matched(arch: str, role: str, network: nn.Module, other: nn.Module) -> LayerMatch:
    lists = registry.load("architecture", arch).counted_from_end
    own = {path.partition(".")[2] for path in lists if path.partition(".")[0] == role}
    match = match_layers(network, other, own)
    take_weights(network, match, other.state_dict())
    return match


def equal(one: nn.Module, other: nn.Module) -> bool:
    a, b = one.state_dict(), other.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("arch", [n for n, a in ARCHITECTURES.items() if a.task == "noise"])
@pytest.mark.parametrize("classes", [0, 3])
def test_equal_networks_take_everything(arch: str, classes: int) -> None:
    blueprint = replace(SMALL, classes=classes)
    for role, one, other in zip(ROLES, networks(arch, blueprint), networks(arch, blueprint), strict=True):
        layers = list_layers(one)
        names = [name for layer in layers for name in layer.names]
        own = {name for name in one.state_dict() if not name.endswith(("shares", "stage.reached"))}
        assert sorted(names) == sorted(own), "every tensor is in one layer"
        assert not equal(one, other)
        assert matched(arch, role, one, other).is_complete
        assert equal(one, other)


# Parameters of the smaller networks that are beside the image: new where it is larger.
SEQUENCES = [("dcgan", 2, 2, 2), ("r3gan", 4, 1, 1), ("resnet", 4, 4, 0)]


@pytest.mark.parametrize(("arch", "width", "of_generator", "of_critic"), SEQUENCES)
def test_a_larger_image_keeps_the_blocks_of_smaller_sizes(
    arch: str, width: int, of_generator: int, of_critic: int
) -> None:
    """The generator's first layers, and the critic's last: both have their sequence from the same end."""
    # Widths change at 32 pixels, so that R3GAN has a convolution between sizes that the small one has not.
    options = R3GANOptions(full_width_up_to=16) if arch == "r3gan" else None
    large = networks(arch, replace(SMALL, sample_shape=(3, 32, 32), width=width, options=options))
    if arch == "r3gan":
        large = networks(arch, replace(SMALL, sample_shape=(3, 32, 32), width=4, options=options))
    small = networks(arch, replace(SMALL, options=options))
    for role, one, other in zip(ROLES, large, small, strict=True):
        matched(arch, role, one, other)
    head = [*small[0].parameters()][: -of_generator or None]
    tail = [*small[1].parameters()][of_critic:]
    assert all(torch.equal(a, b) for a, b in zip(large[0].parameters(), head, strict=False))
    assert all(torch.equal(a, b) for a, b in zip([*large[1].parameters()][-len(tail) :], tail, strict=True))


def test_stylegan2_counts_its_critics_blocks_from_the_image() -> None:
    small: Any = networks("stylegan2", SMALL)
    large: Any = networks("stylegan2", replace(SMALL, sample_shape=(3, 64, 64), width=1))
    for role, one, other in zip(ROLES, large, small, strict=True):
        matched("stylegan2", role, one, other)
    generator, critic = small
    assert all(map(equal, [*large[1].blocks][2:], critic.blocks)) and equal(large[1].last, critic.last)
    assert all(map(equal, large[0].enlarging, generator.enlarging))
    assert all(map(equal, large[0].to_image, generator.to_image))
    assert equal(large[0].mapping, generator.mapping)
    assert not torch.equal(large[1].blocks[0].skip[1].weight[0], critic.blocks[0].skip[1].weight[0])


def test_norms_and_dropout_move_no_layer() -> None:
    plain = networks("dcgan", SMALL)[1]
    changed = networks("dcgan", replace(SMALL, critic_dropout=0.5, critic_norm=LayerNorm()))[1]
    match = matched("dcgan", "critic", changed, plain)
    kernels = [[w for w in net.parameters() if w.dim() > 1] for net in (plain, changed)]
    assert all(torch.equal(a, b) for a, b in zip(*kernels, strict=True))
    assert not match.is_complete


@pytest.mark.parametrize("arch", ["dcgan", "mlp", "r3gan", "resnet", "progan"])
def test_labels_leave_the_critics_layers_in_place(arch: str) -> None:
    """Those that do not see labels; with labels the chain is a part of another module."""
    plain, labelled = (networks(arch, replace(SMALL, classes=count))[1] for count in (0, 3))
    match = matched(arch, "critic", labelled, plain)
    shared = [w for w in labelled.parameters() if any(torch.equal(w, v) for v in plain.parameters())]
    hidden = [w for w in plain.parameters() if w.dim() in (2, 4)]
    assert len([w for w in shared if w.dim() in (2, 4)]) >= len(hidden) - 1
    assert match.weights


def test_first_classes_are_kept_and_new_ones_are_the_mean() -> None:
    for axis in (0, 1):
        values = torch.randn(3, 3)
        more, fewer = resize_classes(values, 5, axis), resize_classes(values, 2, axis)
        assert torch.equal(more.narrow(axis, 0, 3), values)
        for index in (3, 4):
            torch.testing.assert_close(more.select(axis, index), values.mean(dim=axis))
        assert torch.equal(fewer, values.narrow(axis, 0, 2))


@pytest.mark.parametrize("arch", ["dcgan", "resnet", "stylegan", "stylegan2", "r3gan", "progan", "mlp"])
def test_new_classes_make_the_mean_of_the_old_ones(arch: str) -> None:
    """Whichever way round the embedding has its classes; the old ones make what they made."""
    few, many = (networks(arch, replace(SMALL, classes=count)) for count in (2, 4))
    for role, one, other in zip(ROLES, many, few, strict=True):
        match = matched(arch, role, one, other)
        assert match.class_axes and len(match.taken) == sum(len(each.names) for each in match.layers)
    z, labels = torch.randn(4, 4), torch.tensor([0, 1, 0, 1])
    before, after = (net[0].eval()(z, labels) for net in (few, many))
    torch.testing.assert_close(before, after)
    axes = matched(arch, "generator", many[0], few[0]).class_axes
    first, axis = many[0].get_parameter(next(iter(axes))), next(iter(axes.values()))
    torch.testing.assert_close(first.select(axis, 3), first.narrow(axis, 0, 2).mean(dim=axis))


def test_a_mapping_network_is_matched_without_its_classes() -> None:
    generator = networks("stylegan2", SMALL)[0]
    assert isinstance(generator, StyledNetwork)
    other = networks("stylegan2", replace(SMALL, classes=2))[0]
    match = matched("stylegan2", "generator", generator, other)
    new = [name for layer in match.layers for name in layer.names if name not in match.taken]
    assert new == ["mapping.layers.0.weight", "mapping.layers.0.bias"], "z and the label are joined there"
