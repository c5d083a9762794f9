"""Layers that stay fixed are counted from the image, and move in no step."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from experiments.core import registry
from gans.core.architecture import Blueprint
from gans.core.attributes import AttributeGroup
from gans.core.clock import Clock
from gans.core.fixed_layers import mapping_parameters, nearest_layers
from gans.core.player import Losses, Player
from losses.regularizers.weight_clip import WeightClip

BLUEPRINT = Blueprint((3, 16, 16), z_dim=4, width=2)


def critic_of(arch: str, **more: Any) -> nn.Module:
    critic: nn.Module = registry.load("architecture", arch).critic(replace(BLUEPRINT, **more))
    return critic


def names(critic: nn.Module, count: int) -> list[str]:
    """Names of the modules with the nearest layers, in their order."""
    known = {id(each): name.rpartition(".")[0] for name, each in critic.named_parameters()}
    return list(dict.fromkeys(known[id(each)] for each in nearest_layers(critic, count)))


def test_layers_of_stylegan2_are_counted_as_in_its_authors_code() -> None:
    """The image layer, then both convolutions and the skip of each block, one by one."""
    order = ["from_image.0", "blocks.0.residual.0", "blocks.0.residual.2.convolution", "blocks.0.skip.1"]
    order += ["blocks.1.residual.0", "blocks.1.residual.2.convolution", "blocks.1.skip.1"]
    for classes in (0, 3):
        for count in range(len(order) + 1):
            assert names(critic_of("stylegan2", classes=classes), count) == order[:count]


def test_growing_critics_are_counted_from_the_largest_size() -> None:
    found = names(critic_of("progan"), 7)
    assert found[:4] == ["from_image.2.0", "blocks.1.0", "blocks.1.2", "from_image.1.0"]
    assert found[4:] == ["blocks.0.0", "blocks.0.2", "from_image.0.0"]
    assert names(critic_of("stylegan"), 5) == [
        *("from_image.1.0", "blocks.1.0", "blocks.1.3", "from_image.0.0", "blocks.0.0")
    ]


def test_norms_belong_to_the_layer_before_them_and_labels_are_not_counted() -> None:
    assert names(critic_of("dcgan", critic_norm=registry.load("norm", "batch")()), 2) == ["0", "2", "3"]
    assert names(critic_of("mlp", classes=3), 1) == ["layers.1"]
    assert names(critic_of("cyclegan"), 1) == ["a.chain.0", "b.chain.0"], "of each of two critics"


@pytest.mark.parametrize("arch", registry.names("architecture"))
def test_one_layer_is_left_to_learn(arch: str) -> None:
    critic = critic_of(arch, attributes=(AttributeGroup("hue", ("0", "1")),))
    with pytest.raises(ValueError, match=r"has \d+ layers; take at most") as error:
        nearest_layers(critic, 1000)
    most = int(str(error.value).rpartition(" ")[2])
    assert len(nearest_layers(critic, most)) < len([*critic.parameters()])


def test_only_styled_generators_have_a_mapping_network() -> None:
    generator = registry.load("architecture", "stylegan2").generator(BLUEPRINT)
    assert {id(p) for p in mapping_parameters(generator)} == {id(p) for p in generator.mapping.parameters()}
    with pytest.raises(ValueError, match="no mapping network"):
        mapping_parameters(registry.load("architecture", "dcgan").generator(BLUEPRINT))


def test_a_player_leaves_fixed_parameters_alone() -> None:
    """No step, no moments, no gradient, and no constraint."""
    network = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    with torch.no_grad():
        network[0].weight.fill_(7.0)
    network[0].requires_grad_(False)
    before = [each.clone() for each in network.parameters()]
    adam = partial(torch.optim.Adam, lr=0.1, weight_decay=0.5)
    player = Player("critic", network, adam, (WeightClip(0.01).enforce,))
    x = torch.ones(4, 2)
    player.minimise(lambda clock: Losses({"loss": network(x).mean()}), Clock(), counts_all=True)
    after = [*network.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(before[:2], after[:2], strict=True))
    assert all(each.abs().max() <= 0.01 for each in after[2:])
    assert all(each.grad is None for each in after[:2])
    assert len(player.get_extra_state()["moments"]) == 2
    assert not any(each.requires_grad for each in after)
