"""`gans import` of R3GAN's weights: the official images and logits, and the way back."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from experiments.runs.export import import_network
from experiments.runs.folder import RunFolder
from experiments.runs.generator import load_critic, load_generator
from tests.commands.helpers import Gans, Refused
from tests.experiments.runs.published.r3gan_snapshots import (
    authors_modules,
    network_of,
    write_training_snapshot,
)
from tests.gans.published.numbers import assert_close, files, read

TOLERANCE = 1e-5  # of float32
Weights = dict[str, torch.Tensor]
PAIRS = [
    (name, name.replace("generator", "discriminator"))
    for name in files("r3gan_generator")
    if name.replace("generator", "discriminator") in files("r3gan_discriminator")
]


def weights(name: str) -> Weights:
    return {key: tensor.float().contiguous() for key, tensor in read(name).group("weights/").items()}


def write_state_dicts(generator: Weights, critic: Weights) -> None:
    """One dictionary of state dicts, whose names begin as those of the training program."""
    networks = {"G_ema": generator, "D": critic}
    content = {
        name: {f"Model.{key}": tensor for key, tensor in own.items()} for name, own in networks.items()
    }
    torch.save(content, "file")


def write_snapshot(protocol: int, generator: Weights, critic: Weights) -> None:
    """The pickle of modules that the training program writes; its generator in training has other weights."""
    moved = {name: tensor if "Kernel" in name else tensor + 1 for name, tensor in generator.items()}
    with authors_modules():
        networks = {
            "G": network_of("Generator", moved),
            "D": network_of("Discriminator", critic),
            "G_ema": network_of("Generator", generator),
        }
        write_training_snapshot(Path("file"), networks, protocol)


WRITERS = {"state dicts": write_state_dicts} | {
    f"snapshot of protocol {protocol}": partial(write_snapshot, protocol) for protocol in (3, 4, 5)
}


@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize(("generator", "critic"), PAIRS)
def test_images_and_logits_are_the_official_ones(
    form: str, generator: str, critic: str, gans: Gans, workplace: Path
) -> None:
    WRITERS[form](weights(generator), weights(critic))
    done = gans("import file --out here")
    assert done.status == 0, done.err
    numbers = read(generator)
    np.save("z.npy", numbers["inputs/z"].numpy())
    labels = numbers.tensors.get("inputs/labels")
    told = "" if labels is None else f"--label {','.join(map(str, labels.long().tolist()))}"
    assert gans(f"sample here --latents z.npy {told} --raw --out s.npy").status == 0
    found = torch.from_numpy(np.load("s.npy")).double()
    assert_close(found, numbers["outputs/image"], "image", TOLERANCE)
    network = load_critic(Path("here"), load_generator(Path("here"))[1])
    assert network is not None
    numbers = read(critic)
    given = (numbers["inputs/labels"].long(),) if labels is not None else ()
    logits = network(numbers["inputs/images"].float(), *given).double()
    assert_close(logits, numbers["outputs/logits"], "logits", TOLERANCE)


def test_a_snapshot_holds_three_networks(gans: Gans, workplace: Path) -> None:
    given = weights("r3gan_generator")
    write_snapshot(4, given, weights("r3gan_discriminator"))
    assert gans("import file --out here").status == 0
    told = json.loads(Path("here/import.json").read_text())
    assert told["networks"] == {"generator": "G_ema", "training_generator": "G", "critic": "D"}
    folder = RunFolder(Path("here"))
    average, training = (
        import_network(file)[0].state_dict()["basis.patterns"]
        for file in (folder.generator_file, folder.training_generator_file)
    )
    assert torch.equal(
        average[None] if average.dim() == 3 else average, given["MainLayers.0.Layers.0.Basis"][None]
    )
    assert torch.equal(training, average + 1)


def test_names_are_written_as_they_were_read(gans: Gans, workplace: Path) -> None:
    expected = weights("r3gan_generator")
    save_file(expected, "file.safetensors")
    assert gans("import file.safetensors --out here").status == 0
    assert gans("export here --format r3gan --out n.safetensors").status == 0
    found = load_file("n.safetensors")
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


@pytest.mark.parametrize("side", [16, 64, 128])
def test_widths_follow_from_shapes(side: int, gans: Gans, workplace: Path) -> None:
    """Halved beyond 32 pixels, or only beyond 64 as ImageNet's."""
    own = "--set arch.full_width_up_to=64 --set arch.blocks_per_scale=1 --set arch.group_width=4"
    line = f"--arch r3gan --loss bce --image-size {side} --width 8 --z-dim 3 --batch-size 2 --steps 1"
    assert gans(f"run {line} --track local {own if side > 16 else ''} --data shapes --out run").status == 0
    assert gans("export run --format r3gan --out n.safetensors").status == 0
    assert gans("import n.safetensors --out here").status == 0
    one, two = (RunFolder(Path(folder)).settings().to_dict() for folder in ("run", "here"))
    shaping = ("image_size", "z_dim", "width", "arch.blocks_per_scale", "arch.expansion")
    assert {name: one[name] for name in shaping} == {name: two[name] for name in shaping}
    states = [load_generator(Path(folder))[0].state_dict() for folder in ("run", "here")]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    assert json.loads(Path("here/import.json").read_text())["format"] == "r3gan"


def test_other_stages_are_refused(gans: Gans, refused: Refused, workplace: Path) -> None:
    found = {name: value for name, value in weights("r3gan_generator").items() if "s.1.Layers.2." not in name}
    save_file(found, "file.safetensors")
    refused(2, ("blocks in its stages",), "import file.safetensors --out here")
    assert not Path("here").exists()
