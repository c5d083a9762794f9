"""`gans export --format nvlabs`: the official names, and the way back."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.commands.helpers import Gans, Refused
from tests.experiments.runs.published.snapshots import SNAPSHOT, numbers_of

TINY = "--loss bce --image-size 16 --width 2 --z-dim 4 --batch-size 4 --steps 1 --track local --out run"


def test_names_and_numbers_are_the_official_ones(gans: Gans, workplace: Path) -> None:
    gans(f"import {SNAPSHOT} --set arch.conv_clamp=256 --out here")
    assert gans("export here --format nvlabs --out n.safetensors").status == 0
    found, expected = load_file("n.safetensors"), numbers_of("generator").group("weights/")
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor.float()), name
    assert gans("import n.safetensors --out there").status == 0
    files = [Path(folder, "generator.safetensors").read_bytes() for folder in ("here", "there")]
    assert files[0] == files[1], "the clamp, which no name tells, is in the metadata"


def test_files_of_weights_alone(gans: Gans, workplace: Path) -> None:
    """State dicts of torch.save, new and old, and safetensors of several networks, with a licence."""
    weights = {name: tensor.float() for name, tensor in numbers_of("generator").group("weights/").items()}
    critic = {name: tensor.float() for name, tensor in numbers_of("discriminator").group("weights/").items()}
    torch.save({"G_ema": weights, "D": critic, "license": "CC BY-NC 4.0"}, "new.pt")
    torch.save(weights, "old.pth", _use_new_zipfile_serialization=False)
    both = {f"{head}.{k}": v for head, part in (("G_ema", weights), ("D", critic)) for k, v in part.items()}
    save_file(both, "both.safetensors", {"license": "CC BY-NC 4.0"})
    save_file(critic, "critic.safetensors")
    made = []
    for files in ("new.pt", "both.safetensors", "old.pth critic.safetensors"):
        assert gans(f"import {files} --out {len(made)}").status == 0
        made.append([Path(str(len(made)), f"{n}.safetensors").read_bytes() for n in ("generator", "critic")])
    assert made[0] == made[1] == made[2]
    told = [Path(str(number), "import.json").read_text() for number in range(3)]
    assert ["CC BY-NC 4.0" in text for text in told] == [True, True, False]


@pytest.mark.parametrize(
    ("arch", "mention"),
    [
        ("dcgan", "is that of stylegan2, and run is dcgan"),
        ("stylegan2 --image-size 12", "no such sizes of layers (6, 12 pixels)"),
        ("stylegan2 --image-size 8x16", "not square"),
    ],
)
def test_what_its_authors_code_cannot_have_is_refused(
    arch: str, mention: str, gans: Gans, refused: Refused, workplace: Path
) -> None:
    assert gans(f"run {TINY} --arch {arch}").status == 0
    refused(2, ("--format nvlabs", mention), "export run --format nvlabs --out n.safetensors")


def test_published_names_are_imported_before_use(gans: Gans, refused: Refused, workplace: Path) -> None:
    gans(f"import {SNAPSHOT} --out here")
    gans("export here --format nvlabs --out n.safetensors")
    refused(2, ("gans import n.safetensors --out DIR",), "sample n.safetensors --out s.npy")
