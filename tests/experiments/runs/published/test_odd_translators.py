"""Files of translators that are old, damaged, or of networks that cannot be built: one line says why."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.commands.helpers import Gans, Refused
from tests.experiments.runs.published.translators import TOLERANCE, generator_of, weights, write
from tests.gans.published.numbers import assert_close, read

State = dict[str, Tensor]


def test_files_of_old_versions(gans: Gans, workplace: Path) -> None:
    """Of PyTorch before 0.4, with statistics beside instance norms, of DataParallel, in the old layout."""
    numbers = read("cyclegan_generator")
    old = weights(numbers)
    for name in [name for name in old if name.endswith(".bias")]:
        layer, _, number = name.removesuffix(".bias").rpartition(".")
        norm = f"{layer}.{int(number) + 1}"
        old |= {f"{norm}.running_mean": torch.ones(3), f"{norm}.num_batches_tracked": torch.tensor(5)}
    wrapped = {f"module.{name}": tensor for name, tensor in old.items()}
    torch.save(wrapped, "latest_net_G_A.pth", _use_new_zipfile_serialization=False)
    assert gans("import latest_net_G_A.pth --out here").status == 0
    made = generator_of("here").to_b(numbers["inputs/images"].float())  # type: ignore[operator]
    assert_close(made.double(), numbers["outputs/image"], "image", TOLERANCE)


def test_state_dicts_in_one_file(gans: Gans, workplace: Path) -> None:
    """As some programs save them, under names of networks."""
    generator, critic = (weights(read(name)) for name in ("cyclegan_generator", "patchgan_instance"))
    content = {"epoch": 3, "netG_A": generator, "netG_B": generator, "netD_A": critic, "netD_B": critic}
    torch.save(content, "all.pt")
    done = gans("import all.pt --out here")
    assert done.status == 0, done.err
    assert {"to_a", "to_b"} == dict(generator_of("here").named_children()).keys()


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch PWNED",)


@pytest.mark.parametrize("is_new", [True, False])
def test_nothing_in_a_file_runs(is_new: bool, refused: Refused, workplace: Path) -> None:
    content = weights(read("cyclegan_generator")) | {"model.1.bias": Evil()}
    torch.save(content, "latest_net_G_A.pth", _use_new_zipfile_serialization=is_new)
    refused(2, ("latest_net_G_A.pth", "posix.system"), "import latest_net_G_A.pth --out here")
    assert [path.name for path in Path().iterdir()] == ["latest_net_G_A.pth"]


def with_dropout(state: State) -> State:
    """The names of blocks between whose convolutions there is dropout."""
    moved = {"conv_block.5": "conv_block.6", "conv_block.6": "conv_block.7"}
    return {
        next((name.replace(old, new) for old, new in moved.items() if old in name), name): tensor
        for name, tensor in state.items()
    }


def changed(**tensors: Tensor) -> Callable[[State], State]:
    """Changes a state dict; names have `_` for dots."""
    return lambda state: state | {name.replace("_", "."): tensor for name, tensor in tensors.items()}


def without(*ends: str) -> Callable[[State], State]:
    return lambda state: {name: tensor for name, tensor in state.items() if not name.endswith(ends)}


RESIDUAL, UNET, STAR = "cyclegan_generator", "pix2pix_unet_batch", "stargan_generator"
IMAGES, PAIRS, JUDGE = "patchgan_instance", "patchgan_batch", "stargan_discriminator_losses"
FIVE = "--attributes a,b,c,d,e"
# File → its numbers, or these and a change; further flags; words of the error.
REFUSED: dict[str, tuple[dict[str, object], str, tuple[str, ...]]] = {
    "dropout": ({"latest_net_G.pth": (RESIDUAL, with_dropout)}, "", ("dropout", "--no_dropout")),
    "no norm": ({"latest_net_G.pth": (RESIDUAL, without(".bias"))}, "", ("no norms",)),
    "colours": (
        {"latest_net_G.pth": (RESIDUAL, changed(model_1_weight=torch.ones(3, 1, 7, 7)))},
        "",
        ("3 channels from 1",),
    ),
    "a block less": (
        {"latest_net_G.pth": (RESIDUAL, without("model.12.conv_block.1.weight"))},
        "",
        ("other residual blocks",),
    ),
    "a bias less": (
        {"latest_net_G.pth": (RESIDUAL, without("model.12.conv_block.1.bias"))},
        "",
        ("model.12.conv_block.1.bias is missing",),
    ),
    "two of one direction": ({"1_net_G_A.pth": RESIDUAL, "2_net_G_A.pth": RESIDUAL}, "", ("latest_net_G_A",)),
    "no directions": ({"horse.pth": RESIDUAL, "zebra.pth": RESIDUAL}, "", ("horse and zebra", "directions")),
    "the other critic": ({"x_net_G_A.pth": RESIDUAL, "x_net_D_B.pth": IMAGES}, "", ("D_A with G_A",)),
    "one critic of two": (
        {"x_net_G_A.pth": RESIDUAL, "x_net_G_B.pth": RESIDUAL, "x_net_D_B.pth": IMAGES},
        "",
        ("D_B with G_B",),
    ),
    "a critic of pairs": ({"x_net_G.pth": RESIDUAL, "x_net_D.pth": PAIRS}, "", ("sees 6 channels",)),
    "a critic of images": ({"x_net_G.pth": UNET, "x_net_D.pth": IMAGES}, "", ("sees 3 channels",)),
    "a critic alone": ({"latest_net_D.pth": PAIRS}, "", ("without its generator",)),
    "a stranger": ({"x_net_G_A.pth": RESIDUAL, "1-G.ckpt": STAR}, "", ("1-G with main.0.weight", "leave it")),
    "a pixel critic": (
        {"x_net_G.pth": RESIDUAL, "x_net_D.pth": (IMAGES, changed(model_0_weight=torch.ones(4, 3, 1, 1)))},
        "",
        ("4x4",),
    ),
    "a U-Net of CycleGAN": ({"latest_net_G_A.pth": UNET}, "", ("U-Net of CycleGAN",)),
    "two U-Nets": ({"1_net_G.pth": UNET, "2_net_G.pth": UNET}, "", ("2 generators",)),
    "another architecture": ({"latest_net_G.pth": RESIDUAL}, "--arch pix2pix", ("can be read: pix2pix",)),
    "nothing to a level": ({"latest_net_G.pth": (UNET, without("3.model.1.weight"))}, "", ("2 halvings",)),
    "what the weights decide": ({"x_net_G.pth": RESIDUAL}, "--set arch.blocks=9", ("--set arch.blocks:",)),
    "attributes of none": ({"x_net_G.pth": RESIDUAL}, "--attributes a", ("--attributes has no meaning",)),
    "counts that differ": (
        {"1-G.ckpt": STAR, "1-D.ckpt": (JUDGE, changed(conv2_weight=torch.ones(6, 32, 2, 2)))},
        FIVE,
        ("6 attributes, the generator 5",),
    ),
    "a size beyond all": (
        {"1-G.ckpt": STAR, "1-D.ckpt": (JUDGE, changed(conv2_weight=torch.ones(5, 1, 999, 999)))},
        FIVE,
        ("1-D has fewer weights",),
    ),
    "whole numbers": (
        {"x_net_G.pth": (RESIDUAL, changed(model_1_bias=torch.ones(3, dtype=torch.int64)))},
        "",
        ("holds int64",),
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_they_are_refused_in_one_line(what: str, refused: Refused, workplace: Path) -> None:
    files, flags, mentions = REFUSED[what]
    for name, source in files.items():
        if isinstance(source, tuple):
            write(name, source[1](weights(read(source[0]))))
        else:
            write(name, str(source))
    refused(2, mentions, f"import {' '.join(files)} {flags} --out here")
    assert not Path("here").exists()
