"""`gans import` of NVlabs' snapshots: the official networks, in a folder that every tool reads."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from experiments.runs.export import import_network
from experiments.runs.folder import RunFolder
from experiments.runs.generator import load_critic, load_generator
from gans.published.stylegan2 import GENERATOR
from gans.stylegan2 import Generator
from tests.commands.helpers import Gans, Refused
from tests.experiments.runs.published.snapshots import (
    SNAPSHOT,
    Persistent,
    critic,
    generator,
    numbers_of,
    persistent,
    write_snapshot,
)
from tests.gans.published.numbers import assert_close, sides
from tests.gans.published.test_stylegan2_numbers import blueprint

TOLERANCE = 1e-5  # of float32


def settings_of(folder: str) -> dict[str, Any]:
    return RunFolder(Path(folder)).settings().to_dict()


def save(name: str, tensor: Tensor) -> str:
    np.save(name, tensor.numpy())
    return name


@pytest.fixture
def imported(gans: Gans, workplace: Path) -> Path:
    assert gans(f"import {SNAPSHOT} --out here").status == 0
    return workplace / "here"


def test_samples_are_the_official_images(imported: Path, gans: Gans) -> None:
    numbers = numbers_of("generator")
    for space, name, more, output in (
        ("z", "inputs/z", "", "image"),
        ("w", "outputs/w", "", "image"),
        ("z", "inputs/z", "--truncation 0.7", "image_truncated"),
        ("w", "outputs/ws_truncated_cutoff", "", None),
        ("z", "inputs/z", "--truncation 0.7 --cutoff 3", None),
    ):
        file = save("latents.npy", numbers[name])
        done = gans(f"sample {imported} --latents {file} --space {space} {more} --raw --out s.npy --force")
        assert done.status == 0, done.err
        found = np.load("s.npy")
        assert found.dtype == np.float32
        if output is None:  # the last two are the same, by styles and by flags
            np.save(f"{space}.npy", found)
        else:
            assert_close(torch.from_numpy(found).double(), numbers[f"outputs/{output}"], output, TOLERANCE)
    assert np.abs(np.load("z.npy") - np.load("w.npy")).max() < 1e-4


def test_a_killed_import_is_made_anew(imported: Path, gans: Gans) -> None:
    whole = {file.name: file.read_bytes() for file in imported.iterdir()}
    (imported / "generator.safetensors").unlink()  # which is written last
    (imported / ".generator.safetensors.1a52946c.partial").write_bytes(b"half")
    assert gans(f"import {SNAPSHOT} --out {imported}").status == 0
    assert {file.name: file.read_bytes() for file in imported.iterdir()} == whole
    assert gans(f"import {SNAPSHOT} --out {imported}").status == 2  # what is whole stays

    (imported / "generator.safetensors").unlink()
    (imported / "evaluation.jsonl").write_text("")  # scores of these weights
    assert gans(f"import {SNAPSHOT} --out {imported}").status == 2

    imported.rename(imported.with_name("other"))
    imported.mkdir()
    (imported / ".import.json.1a52946c.partial").write_bytes(b"half")
    assert gans(f"import {SNAPSHOT} --out {imported}").status == 0


def test_noise_can_be_left_out(imported: Path, gans: Gans) -> None:
    numbers = numbers_of("generator")
    file = save("z.npy", numbers["inputs/z"])
    gans(f"sample {imported} --latents {file} --noise-mode none --raw --out s.npy")
    expected = numbers["outputs/image_no_noise_first"]
    assert_close(torch.from_numpy(np.load("s.npy"))[:1].double(), expected, "without noise", TOLERANCE)


def test_logits_are_the_official_ones(imported: Path) -> None:
    numbers = numbers_of("discriminator")
    network = load_critic(imported, load_generator(imported)[1])
    assert network is not None
    found = network(numbers["inputs/images"].float()).double()
    assert_close(found, numbers["outputs/logits_8"], "logits", TOLERANCE)


def test_the_folder_says_what_it_is(imported: Path) -> None:
    told = json.loads((imported / "import.json").read_text())
    assert told["format"] == "nvlabs"
    assert told["networks"] == {"generator": "G_ema", "training_generator": "G", "critic": "D"}
    sha256 = hashlib.sha256(SNAPSHOT.read_bytes()).hexdigest()
    assert told["files"] == [{"name": SNAPSHOT.name, "sha256": sha256, "form": "snapshot of a training"}]
    folder = RunFolder(imported)
    assert folder.state == "imported"
    config = json.loads(folder.config_file.read_text())["settings"]
    expected = {"arch": "stylegan2", "image_size": [32, 32], "channels": 3, "z_dim": 12, "width": 3}
    expected |= {"arch.widest": 24, "arch.mapping_layers": 8, "arch.critic_skips": "residual"}
    assert {name: config[name]["value"] for name in expected} == expected
    assert config["width"]["from"] == "weights of nvlabs_snapshot.pkl"
    average, training = (
        import_network(file)[0].state_dict()
        for file in (folder.generator_file, folder.training_generator_file)
    )
    assert not torch.equal(average["constant"], training["constant"])


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_pickles_of_other_protocols(protocol: int, gans: Gans, workplace: Path) -> None:
    """Newer ones name numpy._core and have other operations."""
    numbers = numbers_of("generator")
    write_snapshot(Path("s.pkl"), {"G_ema": generator(numbers)}, protocol)
    assert gans("import s.pkl --out here").status == 0
    network = load_generator(Path("here"))[0]
    network.clamps = False  # type: ignore[assignment]
    found = network(numbers["inputs/z"].float()).double()
    assert_close(found, numbers["outputs/image"], "image", TOLERANCE)
    assert not RunFolder(Path("here")).critic_file.exists()


def test_classes(gans: Gans, workplace: Path) -> None:
    of_generator, of_critic = numbers_of("generator_conditional"), numbers_of("discriminator_conditional")
    content = {"G_ema": generator(of_generator), "D": critic(of_critic)}
    write_snapshot(Path("s.pkl"), content)
    assert gans("import s.pkl --out here").status == 0
    settings = settings_of("here")
    assert (settings["classes"], settings["conditional"], settings["arch.mapping_layers"]) == (4, True, 2)
    assert settings["minibatch_statistic.group_size"] == 4, "NVlabs' own, where the file does not say"
    labels = ",".join(str(int(each)) for each in of_generator["inputs/labels"])
    file = save("z.npy", of_generator["inputs/z"])
    assert gans(f"sample here --latents {file} --label {labels} --raw --out s.npy").status == 0
    found = torch.from_numpy(np.load("s.npy")).double()
    assert_close(found, of_generator["outputs/image"], "images by class", TOLERANCE)
    network = load_critic(Path("here"), load_generator(Path("here"))[1])
    assert network is not None
    logits = network(of_critic["inputs/images"].float(), of_critic["inputs/labels"].long()).double()
    assert_close(logits, of_critic["outputs/logits_8"], "logits by class", TOLERANCE)


def test_critics_without_skips(gans: Gans, workplace: Path) -> None:
    numbers = numbers_of("discriminator_orig")
    of_generator = Generator(blueprint(numbers.config, mapping_layers=2))  # of the same size
    weights = GENERATOR.to_published(of_generator, sides(numbers.config["resolution"]))
    content = {"G_ema": persistent("Generator", weights, {}), "D": critic(numbers)}
    write_snapshot(Path("s.pkl"), content)
    assert gans("import s.pkl --out here").status == 0
    assert settings_of("here")["arch.critic_skips"] == "none"
    network = load_critic(Path("here"), load_generator(Path("here"))[1])
    assert network is not None
    logits = network(numbers["inputs/images"].float()).double()
    assert_close(logits, numbers["outputs/logits_8"], "logits without skips", TOLERANCE)


@pytest.mark.parametrize("path", ["synthesis.b4.conv1.conv_clamp", "_init_kwargs.synthesis_kwargs"])
def test_what_only_the_file_says_is_read(path: str, gans: Gans, workplace: Path) -> None:
    """The clamp of published files, from a layer or from the constructor; and it acts."""
    numbers = numbers_of("generator")
    values = {path: 0.25 if path.endswith("clamp") else {"conv_clamp": 0.25, "channel_max": 48}}
    values |= {
        "mapping.fc0.bias_gain": 0.02,
        "mapping.w_avg_beta": 0.998,
        "synthesis.b4.architecture": "skip",
    }
    write_snapshot(Path("s.pkl"), {"G_ema": persistent("Generator", numbers.group("weights/"), values)})
    assert gans("import s.pkl --out here").status == 0
    settings = settings_of("here")
    assert settings["arch.conv_clamp"] == 0.25
    assert settings["arch.mapping_rate"] == 0.02
    assert settings["arch.w_mean_decay"] == 0.998
    assert settings["arch.widest"] == (24 if path.endswith("clamp") else 48)
    network = load_generator(Path("here"))[0]
    maps: list[Tensor] = []
    network.first.register_forward_hook(lambda *call: maps.append(call[2]))  # type: ignore[union-attr]
    network(numbers["inputs/z"].float())
    assert maps[0].abs().max() == 0.25


def without(network: Persistent, path: str) -> Persistent:
    """A network without a tensor."""
    *modules, name = path.split(".")
    state = network.meta["state"]
    for module in modules:
        state = state["_modules"][module].meta["state"]  # type: ignore[index]
    del state["_parameters"][name]  # type: ignore[index]
    return network


def changed(name: str, tensor: Tensor, **values: Any) -> Persistent:
    """The small generator with another tensor."""
    numbers = numbers_of("generator")
    return persistent("Generator", numbers.group("weights/") | {name: tensor}, values)


def stylegan3(size: int) -> Persistent:
    return persistent("Generator", {"synthesis.L0_36_8.weight": torch.ones(8, 8, size, size)}, {})


REFUSED: dict[str, tuple[Any, tuple[str, ...]]] = {
    "StyleGAN3-R": (
        lambda: {"G_ema": stylegan3(1)},
        ("StyleGAN3 (config R)", "can be read: ", "StyleGAN2 of NVlabs' snapshots (nvlabs)"),
    ),
    "StyleGAN3-T": (
        lambda: {"G_ema": stylegan3(3)},
        ("StyleGAN3 (config T)", "can be read: ", "StyleGAN2 of NVlabs' snapshots (nvlabs)"),
    ),
    "unknown": (
        lambda: {"net": persistent("Denoiser", {"unet.enc.weight": torch.ones(2)}, {})},
        ("net (Denoiser) with unet.enc.weight", "can be read: ", "StyleGAN2 of NVlabs' snapshots (nvlabs)"),
    ),
    "nothing": (lambda: {"G_ema": None}, ("no network with weights",)),
    "critic": (lambda: {"D": critic(numbers_of("discriminator"))}, ("D is a critic", "without its gen")),
    "w": (lambda: {"G": changed("mapping.w_avg", torch.zeros(7))}, ("z of length 12 and w of length 7",)),
    "missing": (
        lambda: {"G": without(generator(numbers_of("generator")), "synthesis.b8.conv1.affine.bias")},
        ("G: synthesis.b8.conv1.affine.bias is missing",),
    ),
    "shape": (
        lambda: {"G": changed("synthesis.b8.conv1.bias", torch.zeros(5))},
        ("synthesis.b8.conv1.bias has the shape (5,)",),
    ),
    "more": (
        lambda: {"G": changed("synthesis.b8.conv2.bias", torch.zeros(5))},
        ("synthesis.b8.conv2.bias is not part of this network",),
    ),
    "filter": (
        lambda: {"G": changed("synthesis.b8.conv0.resample_filter", torch.ones(4, 4) / 16)},
        ("synthesis.b8.conv0.resample_filter is another",),
    ),
    "activation": (
        lambda: {"G": generator(numbers_of("generator"), **{"synthesis.b8.conv0.activation": "relu"})},
        ("activation relu",),
    ),
    "residual generator": (
        lambda: {"G": generator(numbers_of("generator"), **{"synthesis.b4.architecture": "resnet"})},
        ("architecture resnet, not skip",),
    ),
    "clamps": (
        lambda: {
            "G": generator(numbers_of("generator"), **{"synthesis.b4.conv1.conv_clamp": 256}),
            "D": critic(numbers_of("discriminator"), **{"b32.conv0.conv_clamp": None}),
        },
        ("D has conv_clamp None, the generator 256",),
    ),
    "other size": (
        lambda: {"G": generator(numbers_of("generator")), "D": critic(numbers_of("discriminator_orig"))},
        ("D: b32.", "is missing"),
    ),
    "two": (
        lambda: {each: generator(numbers_of("generator")) for each in ("A", "B")},
        ("A, B are 2 generators",),
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_other_networks_are_refused_in_one_line(what: str, refused: Refused, workplace: Path) -> None:
    content, mentions = REFUSED[what]
    write_snapshot(Path("s.pkl"), content())
    refused(2, ("s.pkl", *mentions), "import s.pkl --out here")
    assert not Path("here").exists()


def test_wishes(gans: Gans, refused: Refused, workplace: Path) -> None:
    refused(2, ("--arch dcgan", "stylegan2"), f"import {SNAPSHOT} --arch dcgan --out here")
    refused(2, ("did you mean stylegan2",), f"import {SNAPSHOT} --arch stylgan2 --out here")
    refused(2, ("arch.widest", "the weights decide"), f"import {SNAPSHOT} --set arch.widest=3 --out here")
    assert gans(f"import {SNAPSHOT} --arch stylegan2 --set arch.conv_clamp=256 --out here").status == 0
    assert settings_of("here")["arch.conv_clamp"] == 256
    refused(2, ("not empty",), f"import {SNAPSHOT} --out here")
