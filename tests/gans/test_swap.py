"""Swap: one code for two domains, and warps that are to be undone."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from gans import swap
from gans.swap import SwapOptions, warp
from tests.gans.translating import BatchLoader, game_of, images, moved, networks_of


def squares(logits: Tensor, label: float) -> Tensor:
    return ((logits - label) ** 2).mean() / 2


def test_one_round_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each decoder rebuilds its own domain from warped images; what counts is the image before the warp."""
    monkeypatch.setattr(swap, "warp", lambda images, deviation, count: images.flip(3) / 2)
    game, loader = game_of("swap"), BatchLoader("swap")
    network, critics = copy.deepcopy(game.generator_network), copy.deepcopy(game.critic_network)
    for each in (network, critics):
        each.requires_grad_(True)
    scores = game.round(loader)
    a, b = loader.loaded[0].condition[0], loader.loaded[0].samples
    rebuilt_a, rebuilt_b = (
        network.to_a(network.encoder(a.flip(3) / 2)),
        network.to_b(network.encoder(b.flip(3) / 2)),
    )
    fooling = squares(critics.a(rebuilt_a), 1) + squares(critics.b(rebuilt_b), 1)
    distance = 10 * ((rebuilt_a - a).abs().mean() + (rebuilt_b - b).abs().mean())
    judged = squares(critics.a(a), 1) + squares(critics.a(rebuilt_a.detach()), 0)
    judged = judged + squares(critics.b(b), 1) + squares(critics.b(rebuilt_b.detach()), 0)
    assert scores["generator/adversarial"].item() == pytest.approx(fooling.item(), rel=1e-10)
    assert scores["generator/reconstruction"].item() == pytest.approx(distance.item(), rel=1e-10)
    assert scores["critic/adversarial"].item() == pytest.approx(judged.item(), rel=1e-10)
    moved(game, "generator", network, fooling + distance)
    moved(game, "critic", critics, judged)


def test_the_encoder_is_shared() -> None:
    """Both translations of an image are drawn from the same code."""
    network, _ = networks_of("swap")
    x, codes = images(2, 0), []
    network.encoder.register_forward_hook(lambda module, inputs, output: codes.append(output))
    to_a, to_b = network.translate(x, "A"), network.translate(x, "B")
    assert torch.equal(*codes)
    assert torch.equal(to_a, network.to_a(codes[0])) and torch.equal(to_b, network.to_b(codes[0]))
    assert not torch.equal(to_a, to_b)


def test_all_of_an_image_goes_through_the_code() -> None:
    """A flat vector of 16 times the width, with nothing handed around it."""
    network, _ = networks_of("swap", shape=(3, 16, 16), width=4)
    narrow = [m for m in network.encoder if isinstance(m, nn.Linear)]
    assert [(m.in_features, m.out_features) for m in narrow] == [(8 * 4 * 4, 64), (64, 8 * 4 * 4)]
    nn.init.zeros_(narrow[0].weight)
    x = images(2, 0, (3, 16, 16))
    assert torch.equal(network.translate(x, "A")[0], network.translate(x, "A")[1])


def test_no_strength_is_no_warp() -> None:
    x = images(3, 0, (3, 16, 24))
    torch.testing.assert_close(warp(x, 0.0), x, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("axis", "pixels"), [(3, 2), (3, -3), (2, 1)])
def test_a_constant_pull_moves_all_pixels_by_it(
    axis: int, pixels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the drawn share of half a side; what comes in repeats the border."""
    x = images(2, 0, (3, 8, 12))
    half, width = (6, 12) if axis == 3 else (4, 8)

    def constant(*size: int) -> Tensor:
        nodes = torch.zeros(*size)
        nodes[:, 3 - axis] = pixels / half
        return nodes

    monkeypatch.setattr(torch, "randn", constant)
    places = (torch.arange(width) + pixels).clamp(0, width - 1)
    torch.testing.assert_close(warp(x, 1.0), x.index_select(axis, places), rtol=0, atol=1e-6)


def test_each_image_is_pulled_at_nodes_of_its_own() -> None:
    """Its picture of coordinates moves by the nodes' draws, which fade into each other linearly."""
    ramp = torch.linspace(-1, 1, 2 * 33 + 1, dtype=torch.float64)[1::2]  # centres of pixels, in half sides
    x = torch.stack([ramp.expand(33, 33), ramp[:, None].expand(33, 33)]).expand(2, -1, -1, -1)
    torch.manual_seed(0)
    found = warp(x, 0.05)
    torch.manual_seed(0)
    nodes = torch.randn(2, 2, 5, 5).double() * 0.05
    pull = interpolate(nodes, (33, 33), mode="bilinear", align_corners=True)
    torch.testing.assert_close(pull[:, :, ::8, ::8], nodes)
    expected = (x + pull).clamp(ramp[0].item(), ramp[-1].item())
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)
    assert not torch.equal(found[0], found[1])


def test_the_warp_is_that_of_the_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its strength and its nodes, for the images of both domains."""
    asked: list[tuple[float, int]] = []

    def remember(images: Tensor, deviation: float, count: int) -> Tensor:
        asked.append((deviation, count))
        return images

    monkeypatch.setattr(swap, "warp", remember)
    game_of("swap", options=SwapOptions(warp_strength=0.3, warp_nodes=7)).round(BatchLoader("swap"))
    game_of("swap").round(BatchLoader("swap"))
    assert asked == [(0.3, 7)] * 2 + [(0.1, 5)] * 2
