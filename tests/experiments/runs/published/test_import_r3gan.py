"""`gans import` of R3GAN's weights: the official images and logits, and the way back."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from experiments.runs.folder import RunFolder
from experiments.runs.generator import load_critic, load_generator
from tests.commands.helpers import Gans, Refused
from tests.gans.published.numbers import assert_close, files, read

TOLERANCE = 1e-5  # of float32
PAIRS = [
    (name, name.replace("generator", "discriminator"))
    for name in files("r3gan_generator")
    if name.replace("generator", "discriminator") in files("r3gan_discriminator")
]


def weights(name: str, start: str = "") -> dict[str, torch.Tensor]:
    found = read(name).group("weights/")
    return {f"{start}{key}": tensor.float().contiguous() for key, tensor in found.items()}


@pytest.mark.parametrize(("generator", "critic"), PAIRS)
def test_images_and_logits_are_the_official_ones(
    generator: str, critic: str, gans: Gans, workplace: Path
) -> None:
    """From one dictionary of state dicts, whose names begin as those of the training program."""
    torch.save({"G_ema": weights(generator, "Model."), "D": weights(critic, "Model.")}, "file.pt")
    done = gans("import file.pt --out here")
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
