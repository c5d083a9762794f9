"""Settings that cannot be, alone or together, are refused before anything is made."""

import re
from pathlib import Path

import pytest

from experiments.core import registry
from tests.commands.helpers import IMAGES, POINTS, Refused

SETTINGS = [
    ("--arch dcgna", "dcgna", "dcgan"),
    ("--arch nothing-like-it", "nothing-like-it", *registry.names("architecture")),
    ("--arch core", "core"),
    ("--arch ../cli", "../cli"),
    ("--loss wgan-pg", "wgan-pg", "wgan-gp"),
    ("--data rnig8", "rnig8", "ring8"),
    ("--data ring8:7", "ring8", "7"),
    ("--data _gaussians", "_gaussians"),
    ("--data :", "''"),
    ("--penalty interpolate", "interpolate", "interpolates"),
    ("--penalty real,fkae", "fkae", "fake"),
    ("--penalty real,real", "real"),
    ("--regularizers weight-clap=1", "weight-clap", "weight-clip"),
    ("--regularizers weight-clip", "weight-clip", "="),
    ("--regularizers weight-clip=", "weight-clip"),
    ("--regularizers weight-clip=-1", "weight-clip", "-1"),
    ("--regularizers weight-clip=nan", "weight-clip", "nan"),
    ("--regularizers weight-clip=1,weight-clip=2", "weight-clip"),
    ("--regularizers label-smoothing=2", "label-smoothing", "2"),
    ("--loss wgan --regularizers label-smoothing=0.9", "label-smoothing", "wgan"),
    ("--label-smothing 0.9", "--label-smothing", "--label-smoothing"),
    ("--preset papre", "--preset", "papre", "paper"),
    ("--device gpu", "--device", "gpu", "cuda"),
    ("--fit corp", "--fit", "corp", "crop"),
    ("--fit stretch", "--fit", "points"),
    ("--optimizer adm", "optimizer", "adm", "adam"),
    ("--critic-norm bacth", "norm", "bacth", "batch"),
    ("--critic-norm instance", "instance", "layer"),
    ("--penalty real --penalty-norm two", "penalty-norm", "two", "one-sided"),
    *((f"--lr-critic {x}", "--lr-critic", x) for x in ("0", "-1", "nan", "inf", "abc", "1e9", "1e-400")),
    *((f"--lr-generator {x}", "--lr-generator", x) for x in ("0", "nan", "1e9")),
    *((f"--betas {x}", "--betas", x) for x in ("1.0,0.9", "0.5,1.0", "0.5", "0.5,0.9,0.9")),
    ("--betas -1,0.9", "--betas", "-1"),
    ("--betas a,b", "--betas", "'a"),
    ("--optimizer sgd --betas 0.5,0.9", "--betas", "sgd"),
    ("--image-size 8", "--image-size", "points"),
    ("--channels 3", "--channels", "points"),
    *((f"--image-size {x}", "--image-size", x) for x in ("0", "-4", "8x", "x8", "8x8x8", "8.5", "1e9")),
    *((f"--channels {x}", "--channels", x) for x in ("0", "257", "x")),
    *((f"--steps {x}", "--steps", x) for x in ("0", "-1", "1.5", "x")),
    ("--kimg 1", "--steps", "--kimg"),
    *((f"--batch-size {x}", "--batch-size", x) for x in ("0", "-1", "2.5")),
    ("--batch-size 200000", "200000", "100000", "--batch-size"),
    *((f"--width {x}", "--width", x) for x in ("0", "-1", "x")),
    ("--z-dim 0", "--z-dim", "0"),
    ("--seed -1", "--seed", "-1"),
    ("--seed 1.5", "--seed", "1.5"),
    ("--n-critic 0", "--n-critic", "0"),
    ("--keep 0", "--keep", "0"),
    ("--ema-kimg -1", "--ema-kimg", "-1"),
    ("--checkpoint-kimg 0", "--checkpoint-kimg", "0"),
    ("--sample-kimg inf", "--sample-kimg", "inf"),
    ("--penalty-weight 3", "--penalty-weight", "--penalty"),
    ("--penalty-norm zero", "--penalty-norm", "--penalty"),
    ("--penalty-every 3", "--penalty-every", "--penalty"),
    ("--penalty real --penalty-weight 0", "--penalty-weight", "0"),
    ("--penalty real --critic-norm batch", "batch", "one by one", "layer"),
    *(
        (f"--loss {x} --critic-norm batch", "batch", "one by one", "layer")
        for x in ("wgan-gp", "r1", "dragan")
    ),
    ("--critic-norm spectrall", "spectrall", "spectral"),
    ("--critic-dropout 1", "--critic-dropout", "1"),
    ("--weight-decay -1", "--weight-decay", "-1"),
    ("--ttur 0", "--ttur", "0"),
    ("--ttur 2 --lr-critic 1e-3", "--ttur", "--lr-critic"),
    ("--lr-schedule cosin", "schedule", "cosin", "cosine"),
    ("--lr-schedule linear --lr-decay-from 1", "--lr-decay-from", "1"),
    ("--lr-decay-from 0.5", "--lr-decay-from", "--lr-schedule"),
    ("--lr-warmup-kimg -1", "--lr-warmup-kimg", "-1"),
    ("--penalty real --penalty-anneal 2", "--penalty-anneal", "2"),
    ("--penalty-anneal 0.1", "--penalty-anneal", "--penalty"),
    ("--critic-ema-kimg -1", "--critic-ema-kimg", "-1"),
    ("--augment flip", "--augment", "points"),
    ("--augment flap", "augmentation", "flap", "flip"),
    ("--label-smoothing 0.3", "label-smoothing", "0.3", "0.5"),
    ("--label-smoothing x", "--label-smoothing", "x"),
    ("--label-flip 0.5", "label-flip", "0.5"),
    ("--instance-noise nan", "instance-noise", "nan"),
    ("--weight-clip -1", "weight-clip", "-1"),
    *((f"--loss {x} --label-smoothing 0.9", "label-smoothing", "no labels") for x in ("wgan-lp", "r3gan")),
    ("--track wandbb", "wandbb", "wandb"),
    ("--track wandb,wandb", "--track", "wandb"),
]


@pytest.mark.parametrize(("flags", "mentions"), [(line, rest) for line, *rest in SETTINGS], ids=str)
def test_settings(flags: str, mentions: list[str], refused: Refused, workplace: Path) -> None:
    """Refused before anything is made: a folder left behind would stand in the way of the corrected words."""
    refused(2, tuple(mentions), f"run {POINTS} {flags} --out run")
    assert not list(workplace.iterdir())


@pytest.mark.parametrize(
    ("flags", "mentions"),
    [(line, rest) for line, *rest in SETTINGS if "200000" not in line],  # it does not read the data
    ids=str,
)
def test_a_dry_run_refuses_what_a_run_refuses(flags: str, mentions: list[str], refused: Refused) -> None:
    refused(2, tuple(mentions), f"run {POINTS} {flags} --dry-run")


@pytest.mark.parametrize(
    ("size", "nearest"), [("33", "32"), ("7", "8"), ("1", "8"), ("32x33", "32"), ("8x9", "8")]
)
def test_sizes_that_an_architecture_cannot_make(
    size: str, nearest: str, refused: Refused, pictures: Path
) -> None:
    height_and_width = size if "x" in size else f"{size}x{size}"
    line = refused(2, (height_and_width, "dcgan"), f"run {IMAGES} --image-size {size} --out run")
    assert re.search(rf"take --image-size {nearest}\b", line)
    assert not Path("run").exists()
    assert len(list(pictures.iterdir())) == 12


def test_an_architecture_is_not_given_what_it_cannot_make(refused: Refused) -> None:
    refused(2, ("dcgan", "ring8", "points"), "run --arch dcgan --data ring8 --steps 1")


def test_batch_norm_on_a_batch_of_one_is_refused(refused: Refused, pictures: Path) -> None:
    """The mean of one sample is the sample: nothing would be left of it."""
    line = refused(2, ("--batch-size",), f"run {IMAGES} --arch mlp --batch-size 1 --out run")
    assert "batch" in line
    assert pictures.exists()
