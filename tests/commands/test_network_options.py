"""Options that change networks: built, resumed, exported, and opened again by every command."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open

from experiments.config.components import network_options
from experiments.config.factory import build_networks
from experiments.config.resolve import resolve
from experiments.core.options import SLOTS, describe_options, plugins_in
from experiments.core.settings import Settings
from experiments.runs.export import Role, export_network, import_network
from experiments.runs.generator import load_generator
from gans.core.styles import StyleGAN2Mapping
from tests.commands.helpers import Gans
from tests.conftest import ARCHITECTURES, DATA

TINY = {"image_size": (16, 16), "width": 4, "batch_size": 4, "steps": 1, "device": "cpu"}
STYLES = "--arch stylegan2 --image-size 16 --width 2 --z-dim 3 --batch-size 4"


def test_a_mapping_of_two_layers_is_sampled_as_it_was_trained(gans: Gans) -> None:
    """From the run, its checkpoint, its export, and an export of the export, each without the others."""
    assert gans(f"run {STYLES} --steps 3 --set arch.mapping_layers=2 --out run").status == 0
    network, settings = load_generator(Path("run"))
    assert settings.options["arch.mapping_layers"] == 2
    (mapping,) = [module for module in network.modules() if isinstance(module, StyleGAN2Mapping)]
    assert len([m for m in mapping.modules() if isinstance(m, torch.nn.Module) and hasattr(m, "weight")]) == 2
    Path("alone").mkdir()
    shutil.copy("run/generator.safetensors", "alone/one.safetensors")
    assert gans("export run --out two.safetensors").status == 0
    draws = {}
    for source in ("run", "run/checkpoints/step-00000003.pt", "alone/one.safetensors", "two.safetensors"):
        outcome = gans(f"sample {source} -n 9 --seed 4 --out nine.npy")
        assert outcome.status == 0, outcome.err
        draws[source] = np.load("nine.npy")
    assert all(np.array_equal(draw, draws["run"]) for draw in draws.values())
    (Path("run") / "generator.safetensors").unlink()
    assert gans("sample run -n 9 --seed 4 --out nine.npy").status == 0
    assert np.array_equal(np.load("nine.npy"), draws["run"])
    for words in ("traverse", "mix"):
        assert gans(f"{words} alone/one.safetensors --out {words}.png").status == 0


def test_an_export_names_the_options_that_build_it_and_no_others(gans: Gans) -> None:
    """So that equal networks are equal files, whatever else was set."""
    files = {}
    for name, words in {
        "plain": "",
        "same": "--set arch.mapping_layers=8 --set ema.ramp_up=0.05",
        "other": "--set arch.mapping_layers=2 --set arch.style_mixing=0.25 --set arch.path_length_every=2",
    }.items():
        assert gans(f"run {STYLES} --steps 1 {words} --out {name}").status == 0
        with safe_open(f"{name}/generator.safetensors", "pt") as file:
            files[name] = json.loads(file.metadata()["gans"])
    assert {key for key in files["plain"] if "." in key} == set()
    assert {key: value for key, value in files["other"].items() if "." in key} == {"arch.mapping_layers": 2}
    exports = [Path(name, "generator.safetensors").read_bytes() for name in ("plain", "same")]
    assert exports[0] == exports[1]


def test_a_generator_opens_whatever_its_critic_was_built_from(gans: Gans) -> None:
    """The options of a batch statistic, which only critics have."""
    words = "--minibatch-statistic discrimination --set minibatch_statistic.spaces=7 --critic-ema-kimg 1"
    assert gans(f"run {STYLES} --steps 2 {words} --out run").status == 0
    outcome = gans("sample run -n 3 --out three.npy")
    assert outcome.status == 0, outcome.err
    critic, settings = import_network(Path("run/critic.safetensors"), "critic")
    assert settings.options["minibatch_statistic.spaces"] == 7
    assert any(getattr(module, "added", None) == 7 for module in critic.modules())


# Another value of every option that shapes networks. A new one has to be put here.
OTHERS = {
    "arch.hidden_layers": 1,
    "arch.widest": 8,
    "arch.revision": 1,
    "arch.critic_skips": "none",
    "arch.conv_clamp": 0.25,
    "arch.full_width_up_to": 8,
    "arch.blocks_per_scale": 1,
    "arch.expansion": 1,
    "arch.group_width": 8,
    "arch.blocks": 1,
    "arch.mapping_layers": 2,
    "arch.mapping_rate": 0.5,
    "arch.patch_layers": 1,
    "arch.noisy_layers": 2,
    "arch.first_noisy_layer": 0,
    "arch.halvings": 2,
    "arch.norm": "instance",
    "arch.norm_statistics": "running",
    "arch.strided_padding": "reflect",
    "arch.upsampling": "resize",
    "arch.form": "small-images",
    "arch.critic_layers": 1,
    "arch.critic_width": 3,
    "arch.directions": "a-to-b",
    "minibatch_statistic.group_size": 2,
    "minibatch_statistic.spaces": 7,
    "minibatch_statistic.dimensions": 3,
}


def shaping_options() -> list[tuple[str, str, str]]:
    """Slot, component and key of every option that shapes networks."""
    return [
        (slot, name, f"{slot}.{option}")
        for slot, kind in SLOTS.items()
        for name in plugins_in(kind)
        for option, field in describe_options(kind, name).options.items()
        if field.metadata.get("shapes_network")
    ]


SHAPING = shaping_options()


def settings_of(slot: str, name: str, **flags: Any) -> Settings:
    arch = name if slot == "arch" else "stylegan2"
    data = {"data": DATA[ARCHITECTURES[arch].task]}
    own = {} if slot == "arch" else {slot: name}
    return resolve({"arch": arch, "preset": "paper", **data, **own, **TINY, **flags}).settings


def test_every_option_that_shapes_networks_has_another_value() -> None:
    assert {key for _, _, key in SHAPING} == set(OTHERS)


@torch.no_grad()
def same_function(network: Any, again: Any, settings: Settings, role: Role) -> bool:
    """Whether two networks make the same of one input; True for those that begin from images."""
    if settings.z_dim is None:
        return True
    size = (2,) if settings.image_size is None else (settings.channels or 3, *settings.image_size)
    inputs = torch.randn(4, settings.z_dim) if role == "generator" else torch.randn(4, *size)
    results = []
    for each in (network, again):
        torch.manual_seed(1)  # of noise within
        results.append(each(inputs))
    return torch.equal(*results)


@pytest.mark.parametrize(("slot", "name", "key"), SHAPING, ids=str)
def test_every_such_option_survives_the_export(slot: str, name: str, key: str, tmp_path: Path) -> None:
    """Of the player that it shapes; the other opens as well."""
    settings = settings_of(slot, name, **{key: OTHERS[key]})
    assert settings.options[key] == OTHERS[key] != settings_of(slot, name).options[key]
    assert network_options(settings)[key] == OTHERS[key]
    torch.manual_seed(0)
    networks = build_networks(settings)
    roles: tuple[Role, ...] = ("generator", "critic")
    for role, network in zip(roles, networks, strict=True):
        file = tmp_path / f"{role}.safetensors"
        export_network(network, settings, file, role)
        again, known = import_network(file, role)
        assert str(again) == str(network.eval()), role
        for (one, value), (other, copy) in zip(
            network.state_dict().items(), again.state_dict().items(), strict=True
        ):
            assert one == other and torch.equal(value, copy)
        assert same_function(network, again, settings, role), "what it computes is not all in its weights"
        if slot == "arch":
            assert known.options[key] == OTHERS[key]
