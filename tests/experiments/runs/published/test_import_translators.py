"""`gans import` of CycleGAN's, pix2pix's and StarGAN's files: the official images and logits."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from experiments.runs.folder import RunFolder
from gans.core.architecture import Blueprint
from gans.pix2pix import UNet
from gans.published.pix2pix import GENERATOR
from tests.commands.helpers import Gans, Refused
from tests.experiments.runs.published.translators import (
    ATTRIBUTES,
    TOLERANCE,
    critic_of,
    generator_of,
    weights,
    write,
)
from tests.gans.published.numbers import assert_close, files, read


def settings_of(folder: str) -> dict[str, Any]:
    return RunFolder(Path(folder)).settings().to_dict()


def wide_attributes(count: int) -> str:
    return "--attributes " + ",".join(f"attribute_{index}" for index in range(count))


@pytest.mark.parametrize("name", files("cyclegan_generator"))
def test_cyclegan(name: str, gans: Gans, workplace: Path) -> None:
    """Of files as the authors name them, in any order; A to B is what G_A makes, and D_A judges."""
    numbers, other = read(name), weights(read(name))
    other["model.1.weight"] = -other["model.1.weight"]
    critic = read("patchgan_instance")
    judge = {key: value * (0.5 if key == "model.11.bias" else 1) for key, value in weights(critic).items()}
    parts = [write("200_net_D_B.pth", judge), write("latest_net_G_B.pth", other)]
    parts += [write("latest_net_G_A.pth", name), write("latest_net_D_A.pth", "patchgan_instance")]
    done = gans(f"import {' '.join(parts)} --out here")
    assert done.status == 0, done.err
    images, expected = numbers["inputs/images"].float(), numbers["outputs/image"]
    network: Any = generator_of("here")
    assert_close(network.translate(images, "B").double(), expected, "to B", TOLERANCE)
    assert (network.translate(images, "A") - network.translate(images, "B")).abs().max() > 0.01
    logits = critic_of("here")(critic["inputs/images"].float()).double()  # of both critics
    by_name = dict(zip(dict(critic_of("here").named_children()), logits.unbind(1), strict=True))
    assert_close(by_name["b"][:, None], critic["outputs/logits"], "logits of B", TOLERANCE)
    halved = 0.5 * critic["weights/model.11.bias"]
    assert_close(by_name["a"][:, None] + halved, critic["outputs/logits"], "logits of A", TOLERANCE)
    told = json.loads(Path("here/import.json").read_text())
    assert told["networks"] == {
        "generator": "latest_net_G_B and latest_net_G_A",
        "critic": "200_net_D_B and latest_net_D_A",
    }
    assert [len(each["sha256"]) for each in told["files"]] == [64] * 4
    expected_settings = {"arch.blocks": numbers.config["n_blocks"], "width": numbers.config["ngf"]}
    expected_settings |= {"arch.critic_width": critic.config["ndf"], "arch.patch_layers": 3}
    assert expected_settings.items() <= settings_of("here").items()


@pytest.mark.parametrize(
    ("file", "direction", "to", "missing"),
    [
        ("latest_net_G_A.pth", "a-to-b", "B", "A"),
        ("latest_net_G.pth", "a-to-b", "B", "A"),
        ("horse2zebra.pth", "a-to-b", "B", "A"),
        ("200_net_G_B.pth", "b-to-a", "A", "B"),
    ],
)
def test_one_direction_suffices(
    file: str, direction: str, to: str, missing: str, gans: Gans, refused: Refused, workplace: Path
) -> None:
    numbers = read("cyclegan_generator")
    parts = [write(file, "cyclegan_generator")]
    if "_G" in file:
        parts += [write(file.replace("_G", "_D"), "patchgan_instance")]
    assert gans(f"import {' '.join(parts)} --out here").status == 0
    assert settings_of("here")["arch.directions"] == direction
    network: Any = generator_of("here")
    made = network.translate(numbers["inputs/images"].float(), to).double()
    assert_close(made, numbers["outputs/image"], "image", TOLERANCE)
    assert RunFolder(Path("here")).critic_file.is_file() == (len(parts) == 2)
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (17, 21, 3), np.uint8)).save("x.png")
    assert gans("translate here x.png --out made").status == 0
    assert Image.open("made/x.png").size == (21, 17)
    line = f"translate here x.png --to {missing} --out other"
    refused(2, (f"--to {missing}", f"translates to {to} only", "no weights of another direction"), line)
    if len(parts) == 1:
        line = "run --init-from here --image-size 16 --batch-size 1 --steps 1 --track local --out run"
        refused(2, ("--set arch.directions=both",), line)
        done = gans(f"{line} --set arch.directions=both")
        assert done.status == 0 and "generator: to a new" in done.err


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_pix2pix(norm: str, gans: Gans, workplace: Path) -> None:
    """The U-Net without dropout, at the side that its depth tells; its critic sees the input first."""
    if f"pix2pix_unet_{norm}" not in files("pix2pix_unet"):
        pytest.skip("these numbers are only in the whole folder of fixtures")
    numbers = read(f"pix2pix_unet_{norm}")
    judge = weights(read("patchgan_batch"))
    file, other = write("latest_net_G.pth", f"pix2pix_unet_{norm}"), write("latest_net_D.pth", judge)
    assert gans(f"import {file} {other} --out here").status == 0
    side = 2 ** numbers.config["num_downs"]
    assert settings_of("here")["image_size"] == (side, side)
    network: Any = generator_of("here")
    images = numbers["inputs/images"].float()
    expected = numbers["outputs/image_batch_statistics" if norm == "batch" else "outputs/image"]
    assert_close(network.translate(images, "B").double(), expected, "image", TOLERANCE)
    if norm == "batch":
        assert gans(f"import {file} --set arch.norm_statistics=running --out running").status == 0
        found = generator_of("running")(images).double()
        assert_close(found, numbers["outputs/image"], "image by running statistics", TOLERANCE)
    pair = read("patchgan_batch")
    source, target = pair["inputs/images"].float().split(3, dim=1)
    logits = critic_of("here")(target, source)[:, None].double()
    assert_close(logits, pair["outputs/logits"], "logits of pairs", TOLERANCE)


@pytest.mark.parametrize(("halvings", "noisy"), [(6, 1), (8, 3)])
def test_layers_that_drop_features_are_the_authors(
    halvings: int, noisy: int, gans: Gans, workplace: Path
) -> None:
    """Shapes do not tell them; the options say otherwise, as --no_dropout does there."""
    side = 2**halvings
    network: Any = UNet(Blueprint((3, side, side), z_dim=0, width=1))
    file = write("latest_net_G.pth", GENERATOR.to_published(network, []))
    assert gans(f"import {file} --out here").status == 0
    network = generator_of("here")
    assert network.noisy == range(1, 1 + noisy)
    assert gans(f"import {file} --set arch.noisy_layers=0 --out still").status == 0
    network, x = generator_of("still"), torch.rand(1, 3, side, side)
    assert torch.equal(network(x), network(x))


@pytest.mark.parametrize("name", files("stargan_generator"))
def test_stargan(name: str, gans: Gans, workplace: Path) -> None:
    numbers, critic = read(name), read("stargan_discriminator_losses")
    parts = [write("200000-G.ckpt", name), write("200000-D.ckpt", "stargan_discriminator_losses")]
    attributes = wide_attributes(numbers.config["c_dim"])
    assert gans(f"import {' '.join(parts)} {attributes} --out here").status == 0
    network: Any = generator_of("here")
    rows: Tensor = numbers["inputs/attributes"].float()
    made = network.translate(numbers["inputs/images"].float(), rows).double()
    assert_close(made, numbers["outputs/image"], "image", TOLERANCE)
    judge: Any = critic_of("here")
    images = critic["inputs/images"].float()
    assert_close(judge(images)[:, None].double(), critic["outputs/patches"], "patches", TOLERANCE)
    said = judge.classify(images).double()
    assert_close(said, critic["outputs/attribute_logits"], "attributes", TOLERANCE)
    assert settings_of("here")["image_size"] == (critic.config["resolution"],) * 2
    assert gans(f"import {parts[0]} {attributes} --image-size 24 --out alone").status == 0
    assert settings_of("alone")["image_size"] == (24, 24)


def test_names_of_attributes_are_the_users(gans: Gans, refused: Refused, workplace: Path) -> None:
    """The files have none, and those of the embedded data are no substitute."""
    parts = f"{write('1-G.ckpt', 'stargan_generator')} {write('1-D.ckpt', 'stargan_discriminator_losses')}"
    refused(2, ("take 5 attributes", "--attributes NAME,NAME"), f"import {parts} --out here")
    refused(2, ("names 2", "take 5"), f"import {parts} --attributes Male,Young --out here")
    refused(2, ("twice",), f"import {parts} --attributes a=1,b,a=2,c,d --out here")
    line = f"import {parts} --data shapes-attributes --out here"
    refused(2, ("shapes-attributes has 6 attributes", "take 5", "--attributes"), line)
    assert not Path("here").exists()
    assert gans(f"import {parts} {ATTRIBUTES} --out faces").status == 0
    Image.new("RGB", (16, 16)).save("x.png")
    assert gans("translate faces x.png --to Male=1 --out made").status == 0
    refused(2, ("data shapes-attributes", "Black_Hair"), "evaluate faces -n 4 --metrics l1")
    assert gans(f"{line} --attributes size,hue").status == 0  # names of the data, with all values
    assert settings_of("here")["attributes"][:2] == ("size=small", "size=large")
    assert gans("evaluate here -n 4 --metrics l1").status == 0


def test_each_direction_is_evaluated(gans: Gans, workplace: Path) -> None:
    gans(f"import {write('latest_net_G_A.pth', 'cyclegan_generator')} --image-size 16 --out one")
    done = gans("evaluate one -n 8 --metrics fid --extractor random-vgg --json")
    assert [*json.loads(done.out)] == ["fd-random-vgg/to-B"]
