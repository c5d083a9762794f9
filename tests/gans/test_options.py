"""Defaults and bounds of the options of architectures, batch statistics and optimizers, by value."""

from typing import Any

import pytest
import torch

import gans
from experiments.core import registry
from gans.core.ema import EmaOptions
from tests.declared import check_records_are_frozen, declared

WEIGHT, NETWORK = ("[0, ∞)", "is_schedulable"), ("[1, ∞)", "shapes_network")
CRITIC_WIDTH = {"critic_width": (None, *NETWORK)}
PATCHES = CRITIC_WIDTH | {"patch_layers": (None, "[1, 6]", "shapes_network")}
TEXT = "(-∞, ∞)"  # options that are words or switches have no bounds
WEIGHED = {"adversarial_weight": (1.0, *WEIGHT), "critic_factor": (0.5, "(0, ∞)", "is_schedulable")}
NORM_STATISTICS = {"norm_statistics": ("image", TEXT, "shapes_network")}
GROWTH = {
    "fade_kimg": (None, "(0, ∞)"),
    "stable_kimg": (None, "(0, ∞)"),
    "initial_side": (None, "[1, ∞)"),
    "stage_batch_sizes": ((), "[1, ∞)"),
    "stage_rate_factors": ((), "(0, ∞)"),
}
STYLES = {
    "style_mixing": (0.9, "[0, 1]", "is_schedulable"),
    "mapping_layers": (8, *NETWORK),
    "mapping_rate": (0.01, "(0, ∞)", "shapes_network"),
    "w_mean_decay": (0.995, "[0, 1)", "is_schedulable"),
}
REVISION = {"revision": (2, "[1, 2]", "shapes_network")}
WIDTHS = {"widest": (512, *NETWORK)}
DECAY = {"weight_decay": (0.0, "[0, 1]", "is_schedulable")}
OPTIONS: dict[tuple[str, str], dict[str, tuple[Any, ...]]] = {
    ("architecture", "mlp"): {"hidden_layers": (3, *NETWORK)},
    ("architecture", "progan"): GROWTH | WIDTHS | REVISION,
    ("architecture", "stylegan"): GROWTH | STYLES | WIDTHS,
    ("architecture", "stylegan2"): STYLES
    | WIDTHS
    | REVISION
    | {
        "critic_skips": ("residual", "(-∞, ∞)", "shapes_network"),
        "conv_clamp": (None, "(0, ∞)", "shapes_network"),
        "path_length_weight": (2.0, *WEIGHT),
        "path_length_every": (4, "[1, ∞)"),
        "path_length_decay": (0.01, "(0, 1]", "is_schedulable"),
        "path_length_batch_shrink": (2, "[1, ∞)"),
    },
    ("architecture", "r3gan"): {
        "blocks_per_scale": (2, *NETWORK),
        "expansion": (2, *NETWORK),
        "group_width": (16, *NETWORK),
        "full_width_up_to": (32, "[4, ∞)", "shapes_network"),
    },
    ("architecture", "cyclegan"): PATCHES
    | WEIGHED
    | NORM_STATISTICS
    | {"cycle_weight": (10.0, *WEIGHT), "identity_weight": (5.0, *WEIGHT), "pool_size": (50, "[1, ∞)")}
    | {"domain_b_factor": (1.0, *WEIGHT), "blocks": (None, *NETWORK)}
    | {
        "norm": ("plain-instance", TEXT, "shapes_network"),
        "strided_padding": ("zeros", TEXT, "shapes_network"),
        "upsampling": ("transposed", TEXT, "shapes_network"),
        "directions": ("both", TEXT, "shapes_network"),
    },
    ("architecture", "pix2pix"): PATCHES
    | WEIGHED
    | NORM_STATISTICS
    | {
        "norm": ("batch", TEXT, "shapes_network"),
        "l1_weight": (100.0, *WEIGHT),
        "noisy_layers": (None, "[0, ∞)", "shapes_network"),
        "first_noisy_layer": (1, "[0, ∞)", "shapes_network"),
        "halvings": (None, "[2, ∞)", "shapes_network"),
    },
    ("architecture", "stargan"): CRITIC_WIDTH
    | {
        "classification_weight": (1.0, *WEIGHT),
        "reconstruction_weight": (10.0, *WEIGHT),
        "blocks": (6, *NETWORK),
        "form": ("published", TEXT, "shapes_network"),
        "critic_layers": (None, *NETWORK),
        "redraws_targets": (False, TEXT),
    },
    ("architecture", "swap"): PATCHES
    | {
        "reconstruction_weight": (10.0, *WEIGHT),
        "warp_strength": (0.1, *WEIGHT),
        "warp_nodes": (5, "[2, ∞)"),
    },
    ("batch-statistic", "deviation"): {"group_size": (4, *NETWORK)},
    ("batch-statistic", "discrimination"): {"spaces": (100, *NETWORK), "dimensions": (5, *NETWORK)},
    ("optimizer", "adam"): {"betas": ((0.9, 0.999), "[0, 1)")} | DECAY,
    ("optimizer", "rmsprop"): DECAY,
    ("optimizer", "sgd"): DECAY,
}


@pytest.mark.parametrize(("kind", "name"), OPTIONS)
def test_options_have_the_papers_defaults_and_no_narrower_bounds(kind: str, name: str) -> None:
    assert declared(kind, name) == OPTIONS[kind, name]


def test_averages_ramp_up_as_stylegan2s() -> None:
    assert EmaOptions().ramp_up == 0.05


@pytest.mark.parametrize("name", registry.names("optimizer"))
def test_optimizers_keep_as_many_numbers_as_they_say(name: str) -> None:
    """For every weight; and whether they have betas."""
    recipe = registry.load("optimizer", name)
    weight = torch.nn.Parameter(torch.ones(5, 3))
    optimizer = recipe(recipe.options_type()).make([weight], lr=0.1)
    weight.square().sum().backward()
    optimizer.step()
    kept = [value for value in optimizer.state[weight].values() if getattr(value, "shape", None) == (5, 3)]
    assert recipe.state_copies == len(kept)
    assert recipe.has_betas == ("betas" in optimizer.param_groups[0])


def test_records_are_frozen() -> None:
    """Options, clocks, blueprints and specifications are shared: whoever changed one would change all."""
    check_records_are_frozen(gans)
