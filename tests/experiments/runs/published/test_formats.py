"""Every format of published weights: networks of its architecture are written, and read as they were."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from experiments.config.factory import build_networks
from experiments.config.resolve import resolve
from experiments.core import registry
from experiments.core.errors import UsageError
from experiments.core.settings import Settings
from experiments.runs.published.exporting import published_content
from experiments.runs.published.files import read_published_file
from experiments.runs.published.importing import Networks, build_published
from experiments.runs.weights import Role
from gans.published.cyclegan import CRITICS, GENERATORS
from tests.commands.helpers import Gans, Refused
from tests.experiments.runs.published.translators import ATTRIBUTES, critic_of, generator_of, write

FORMATS = registry.names("published-format")


def settings_of(name: str, **flags: Any) -> Settings:
    small = {"preset": "paper", "image_size": 16, "width": 8, "batch_size": 2}
    return resolve({"arch": registry.load("published-format", name).architecture, **small, **flags}).settings


def networks_of(settings: Settings) -> dict[Role, torch.nn.Module]:
    """Both networks, of weights that all differ, statistics of norms as well."""
    torch.manual_seed(0)
    generator, critic = build_networks(settings)
    for tensor in (*generator.state_dict().values(), *critic.state_dict().values()):
        if tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape))
    return {"generator": generator.eval(), "critic": critic.eval()}


def there_and_back(name: str, settings: Settings, networks: dict[Role, torch.nn.Module]) -> Networks:
    Path("n.safetensors").write_bytes(published_content(networks, settings, name, "run"))
    return build_published([read_published_file(Path("n.safetensors"))])


@pytest.mark.parametrize("name", FORMATS)
def test_there_and_back(name: str, workplace: Path) -> None:
    """Both networks of a file, and a generator alone, whose names are those of its authors' file."""
    settings = settings_of(name)
    networks = networks_of(settings)
    both = there_and_back(name, settings, networks)
    assert both.format == name
    assert both.spec.settings.image_size == settings.image_size
    assert both.spec.settings.attributes == settings.attributes
    heads = {key.partition(".")[0] for key in load_file("n.safetensors")}
    form = registry.load("published-format", name)
    assert heads == set(form.names.values()) or heads == {*GENERATORS, *CRITICS}
    alone = there_and_back(name, settings, {"generator": networks["generator"]})
    assert not (heads & {key.partition(".")[0] for key in load_file("n.safetensors")}) or not form.names
    assert both.networks.keys() == {"generator", "critic"} and alone.networks.keys() == {"generator"}
    for found, role in ((both, "generator"), (both, "critic"), (alone, "generator")):
        own, read = (
            networks[role].state_dict(),  # type: ignore[index]
            found.networks[role].state_dict(),  # type: ignore[index]
        )
        assert own.keys() == read.keys()
        table = form.table(role)
        unwritten = {key for key in own if key == "shares" or key.endswith(tuple(table.constants) or "\0")}
        assert all(torch.equal(own[key], read[key]) for key in own.keys() - unwritten), role


def test_options_that_no_shape_tells_come_back(workplace: Path) -> None:
    told: dict[str, dict[str, Any]] = {
        "nvlabs": {"arch.conv_clamp": 0.5, "minibatch_statistic.group_size": 2},
        "pix2pix": {"arch.noisy_layers": 2, "arch.norm_statistics": "running", "image_size": (16, 16)},
        "cyclegan": {"arch.directions": "b-to-a", "arch.critic_width": 3, "image_size": (16, 20)},
        "stargan": {"arch.critic_width": 3, "arch.critic_layers": 2},
    }
    for name, flags in told.items():
        settings = settings_of(name, **flags)
        found = there_and_back(name, settings, networks_of(settings)).spec.settings.to_dict()
        assert flags.items() <= found.items(), name


def test_one_direction_has_the_names_of_its_file(gans: Gans, refused: Refused, workplace: Path) -> None:
    expected = torch.load(write("latest_net_G_B.pth", "cyclegan_generator"), weights_only=True)
    gans("import latest_net_G_B.pth --out one")
    assert gans("export one --format cyclegan --out n.safetensors").status == 0
    found = load_file("n.safetensors")
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in found)
    assert gans("import n.safetensors --out again").status == 0
    files = [Path(folder, "generator.safetensors").read_bytes() for folder in ("one", "again")]
    assert files[0] == files[1], "the direction, which a name alone tells, is in the metadata"
    refused(
        2, ("one comes without a critic",), "export one --format cyclegan --with-critic --out m.safetensors"
    )
    refused(2, ("--with-critic needs", "cyclegan"), "export one --with-critic --out m.safetensors")


def test_critics_of_imports_and_of_runs(gans: Gans, workplace: Path) -> None:
    """Attributes keep their names; the folder of an import is the same from its own export."""
    files = f"{write('1-G.ckpt', 'stargan_generator')} {write('1-D.ckpt', 'stargan_discriminator_losses')}"
    gans(f"import {files} {ATTRIBUTES} --out faces")
    assert gans("export faces --format stargan --with-critic --out n.safetensors").status == 0
    assert gans("import n.safetensors --out again").status == 0
    for file in ("generator", "critic"):
        one, two = (Path(folder, f"{file}.safetensors").read_bytes() for folder in ("faces", "again"))
        assert one == two
    line = "--arch pix2pix --image-size 16 --width 2 --batch-size 1 --steps 1 --set arch.norm=plain-instance"
    assert gans(f"run {line} --critic-norm batch --track local --out run").status == 0
    assert gans("export run --format pix2pix --with-critic --out n.safetensors --force").status == 0
    assert gans("import n.safetensors --out copy").status == 0
    states: list[dict[str, Tensor]] = [critic_of(folder).state_dict() for folder in ("run", "copy")]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    assert generator_of("copy").noisy == generator_of("run").noisy


@pytest.mark.parametrize(
    ("name", "flags", "mention"),
    [
        ("cyclegan", {"critic_norm": "none"}, "--critic-norm none"),
        ("cyclegan", {"critic_norm": "spectral"}, "has no published name"),
        ("cyclegan", {"arch.upsampling": "resize"}, "arch.upsampling=transposed"),
        ("pix2pix", {"arch.norm": "instance"}, "plain instance norm, or batch norm"),
        ("stargan", {"arch.form": "small-images"}, "arch.form=published"),
        ("stargan", {"critic_norm": "instance"}, "--critic-norm none"),
    ],
)
def test_what_has_no_published_form_is_not_written(name: str, flags: dict[str, Any], mention: str) -> None:
    settings = settings_of(name, **flags)
    with pytest.raises(UsageError, match=mention):
        published_content(networks_of(settings), settings, name, "run")
