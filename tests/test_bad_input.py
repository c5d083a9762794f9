"""What cannot be done is refused in one clear line that names the offender, and nothing is lost."""

import contextlib
import json
import os
import pickle
import re
import resource
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from experiments.core import registry
from experiments.runs.checkpoint import load_checkpoint

POINTS = "--arch mlp --loss bce --data ring8 --steps 4 --batch-size 16 --width 8"
IMAGES = (
    "--arch dcgan --loss bce --data folder:pictures "
    "--image-size 8 --width 2 --z-dim 4 --batch-size 4 --steps 3"
)
MOODY = "--plugin moody.py --loss moody"
Gans = Callable[..., Any]
Refused = Callable[..., str]
Mood = Callable[[str], None]


def everything_below(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def exported(run: Path) -> bytes:
    return (run / "generator.safetensors").read_bytes()


@contextlib.contextmanager
def limited(resource_name: int, size: int) -> Iterator[None]:
    """The kernel refuses more than that to this process."""
    before = resource.getrlimit(resource_name)
    resource.setrlimit(resource_name, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource_name, before)


def files_up_to(size: int) -> contextlib.AbstractContextManager[None]:
    """No file may grow beyond `size` bytes, as on a disk that is full."""
    return limited(resource.RLIMIT_FSIZE, size)


def little_memory() -> contextlib.AbstractContextManager[None]:
    """64 MiB more than now, so that a request for all memory fails before it takes the machine's."""
    if not Path("/proc/self/statm").exists():
        pytest.skip("does not know how much memory the process has")
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return limited(resource.RLIMIT_AS, pages * resource.getpagesize() + 64 * 2**20)


# --- words that have no meaning ----------------------------------------------------------------------

WORDS = [
    # What was typed, and what the line must mention: the offender, and the remedy where there is one.
    ("rnu", "rnu", "run"),
    ("frobnicate", "frobnicate", "list"),
    ("list losess", "losess", "losses"),
    ("list foo", "foo", "architectures"),
    ("list architectures losses", "losses"),
    ("run stray", "stray"),
    ("run --archx mlp", "--archx", "--arch"),
    ("run --steps", "--steps"),
    ("sample", "RUN"),
    ("sample run -n 0", "-n", "0"),
    ("sample run -n -1", "-n", "-1"),
    ("sample run -n many", "-n", "many"),
    ("sample run --seed -1", "--seed", "-1"),
    ("sample run --device tpu", "--device", "tpu", "cpu"),
    ("run --out one --resume two", "--out", "--resume"),
    ("run --config one --resume two", "--config", "--resume"),
]


@pytest.mark.parametrize(("line", "mentions"), [(line, rest) for line, *rest in WORDS], ids=lambda x: str(x))
def test_commands_and_options(line: str, mentions: list[str], refused: Refused, workplace: Path) -> None:
    refused(2, tuple(mentions), line)
    assert not list(workplace.iterdir())


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
    *((f"--channels {x}", "--channels", x) for x in ("0", "2", "5", "x")),
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


@pytest.mark.parametrize("size", ["33", "7", "1", "32x33", "8x9"])
def test_sizes_that_an_architecture_cannot_make(size: str, refused: Refused, pictures: Path) -> None:
    height_and_width = size if "x" in size else f"{size}x{size}"
    line = refused(2, (height_and_width, "dcgan"), f"run {IMAGES} --image-size {size} --out run")
    assert re.search(r"take .*32", line)
    assert not Path("run").exists()
    assert len(list(pictures.iterdir())) == 12


def test_an_architecture_is_not_given_what_it_cannot_make(refused: Refused) -> None:
    refused(2, ("dcgan", "ring8", "points"), "run --arch dcgan --data ring8 --steps 1")


def test_batch_norm_on_a_batch_of_one_is_refused(refused: Refused, pictures: Path) -> None:
    """The mean of one sample is the sample: nothing would be left of it."""
    line = refused(2, ("--batch-size",), f"run {IMAGES} --arch mlp --batch-size 1 --out run")
    assert "batch" in line
    assert pictures.exists()


@pytest.mark.parametrize(
    "flags", ["--width 4000000000000000000", "--z-dim 4000000000000000000", "--width 10000000"]
)
def test_networks_beyond_all_memory(flags: str, gans: Gans, clear_line: Refused) -> None:
    with little_memory():
        outcome = gans(f"run {POINTS} {flags} --out run")
    assert outcome.status in (1, 2)
    clear_line(outcome.err)
    assert not Path("run/config.json").exists()


def test_more_samples_than_memory_holds(refused: Refused, finished: Path) -> None:
    with little_memory():
        line = refused(1, ("memory",), f"sample {finished} -n 100000000 --out all.npy")
    assert "alloc_cpu.cpp" not in line, "in the user's words"
    assert not Path("all.npy").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has one")
@pytest.mark.parametrize("line", [f"run {POINTS} --out new", "sample run"])
def test_a_device_that_is_not_there(line: str, refused: Refused, finished: Path) -> None:
    refused(2, ("--device cuda", "--device cpu"), f"{line} --device cuda")
    assert sorted(path.name for path in Path().iterdir()) == [finished.name]


@pytest.mark.parametrize("line", ["list losess", "run --arch dcgna", "run --lr-critic 0", "list --wrong"])
def test_debug_adds_the_traceback(line: str, gans: Gans) -> None:
    plain = gans(line)
    outcome = gans(f"{line} --debug")
    assert outcome.status == plain.status == 2
    assert "Traceback" in outcome.err
    assert outcome.err.splitlines()[-1] == plain.err.splitlines()[-1], "and keeps the clear line, at the end"


# --- data --------------------------------------------------------------------------------------------


def test_data_folders(refused: Refused, pictures: Path) -> None:
    Path("empty").mkdir()
    Path("file").write_text("x")
    for spec, mentions in {
        "folder": ("folder:PATH",),
        "folder:": ("folder:PATH",),
        "folder:missing": ("missing", "does not exist"),
        "folder:empty": ("empty", "no images"),
        "folder:file": ("file", "not a folder"),
        f"folder:{pictures}/00.png": ("00.png", "not a folder"),
    }.items():
        refused(2, mentions, f"run {IMAGES} --out run --data", spec)
    assert not Path("run").exists()


@pytest.mark.parametrize("which", ["00.png", "05.png"])
@pytest.mark.parametrize("left", [0.0, 0.05, 0.5, 0.9])
def test_a_truncated_image_is_named(which: str, left: float, refused: Refused, pictures: Path) -> None:
    """The first is read early, for its channels; the others with the rest."""
    damaged = pictures / which
    data = damaged.read_bytes()
    damaged.write_bytes(data[: int(left * len(data))])
    refused(2, (str(damaged),), f"run {IMAGES} --out run")
    assert not Path("run").exists()


def test_fewer_images_than_a_batch(refused: Refused, pictures: Path) -> None:
    refused(2, (str(pictures), "12", "--batch-size"), f"run {IMAGES} --batch-size 13 --out run")
    assert not Path("run").exists()


def test_images_of_another_size_can_be_an_error(refused: Refused, pictures: Path) -> None:
    refused(2, (f"{pictures}/00.png", "12×9", "--fit"), f"run {IMAGES} --fit error --out run")


def test_data_that_is_gone_at_a_resume(refused: Refused, gans: Gans, moody: Mood, pictures: Path) -> None:
    moody("SIGINT 2")
    gans(f"run {IMAGES} {MOODY} --out run")
    shutil.rmtree(pictures)
    before = everything_below(Path("run"))
    refused(2, ("pictures", "does not exist"), "run --resume run")
    assert everything_below(Path("run")) == before


# --- folders -----------------------------------------------------------------------------------------


def test_folders_that_are_something_else(refused: Refused, workplace: Path) -> None:
    foreign = workplace / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("mine")
    (workplace / "file").write_text("mine")
    before = everything_below(workplace)
    for force in ("", "--force"):
        refused(2, ("foreign", "--out"), f"run {POINTS} {force} --out foreign")
        refused(2, ("file", "folder"), f"run {POINTS} {force} --out file")
    assert everything_below(workplace) == before
    assert [path.name for path in foreign.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("path", ["file/run", "/proc/run", "n" * 300])
def test_folders_that_cannot_be_made(path: str, refused: Refused, workplace: Path) -> None:
    (workplace / "file").write_text("mine")
    refused(1, (path,), f"run {POINTS} --out", path)
    assert everything_below(workplace) == {"file": b"mine"}


def test_runs_that_is_a_file(refused: Refused) -> None:
    Path("runs").write_text("mine")
    refused(1, ("runs",), f"run {POINTS}")
    assert Path("runs").read_text() == "mine"


@pytest.mark.parametrize("line", ["run --resume", "sample"])
def test_what_is_not_a_run(line: str, refused: Refused) -> None:
    Path("empty").mkdir()
    Path("file").write_text("x")
    for name in ("missing", "empty", "file"):
        refused(2, (name,), line, name)
    assert not Path("missing").exists()
    assert not list(Path("empty").iterdir())


@pytest.mark.parametrize(
    "out", ["a.jpg", "noending", "file/a.png", "file/", "/proc/none/a.png", "/proc/none/", ""]
)
def test_samples_that_cannot_be_written(out: str, gans: Gans, pictures: Path, clear_line: Refused) -> None:
    gans(f"run {IMAGES} --out run")
    Path("file").write_text("mine")
    outcome = gans("sample run -n 2 --out", out)
    assert outcome.status in (1, 2)
    clear_line(outcome.err, out or "--out")
    assert sorted(path.name for path in Path().iterdir()) == ["file", pictures.name, "run"]
    assert Path("file").read_text() == "mine"


def test_points_make_no_picture_each(refused: Refused, finished: Path) -> None:
    refused(2, ("points", ".npy"), f"sample {finished} --out each/")


# --- another config ----------------------------------------------------------------------------------


@pytest.mark.parametrize("again", [f"run {POINTS} --out run", "run --resume run"])
def test_a_run_with_another_config(again: str, refused: Refused, finished: Path) -> None:
    before = everything_below(finished)
    line = refused(2, ("width", "8 → 9", "seed", "0 → 7", "--force"), f"{again} --width 9 --seed 7")
    assert "z_dim" not in line, "only what differs is told"
    assert everything_below(finished) == before


def test_force_with_networks_of_another_shape_loses_nothing(
    refused: Refused, finished: Path, gans: Gans
) -> None:
    """The checkpoint cannot go on with these; the run is still the old one, finished."""
    before = everything_below(finished)
    refused(1, ("checkpoint", "width"), "run --resume run --width 9 --force")
    assert everything_below(finished) == before
    assert "finished" in gans("run --resume run").err


def test_force_cannot_end_before_it_began(refused: Refused, finished: Path) -> None:
    before = everything_below(finished)
    line = refused(2, ("--steps", "2", "4"), "run --resume run --steps 2 --force")
    assert "checkpoint" in line or "already" in line
    assert everything_below(finished) == before


CONFIGS = [
    ("", "not JSON"),
    ("{", "not JSON"),
    ("\xff", "not JSON"),
    ("[1]", "object"),
    ("3", "object"),
    ('{"widht": 3}', "widht", "width"),
    ('{"frobnicate": 3}', "frobnicate"),
    ('{"out": "x"}', "out"),
    ('{"width": "many"}', "width", "many"),
    ('{"width": 3.5}', "width", "3.5"),
    ('{"width": true}', "width"),
    ('{"width": null}', "width"),
    ('{"width": [3]}', "width"),
    ('{"arch": 3}', "arch"),
    ('{"arch": "dcgna"}', "dcgna", "dcgan"),
    ('{"lr_critic": NaN}', "lr_critic", "nan"),
    ('{"lr_critic": 1e400}', "lr_critic", "inf"),
    ('{"betas": 0.5}', "betas", "0.5", "pair"),
    ('{"betas": [0.5]}', "betas", "pair"),
    ('{"betas": [0.5, 1.0]}', "betas", "below 1"),
    ('{"image_size": 3.5}', "image_size", "3.5", "size"),
    ('{"image_size": [8, 8, 8]}', "image_size", "size"),
    ('{"penalty": 3}', "penalty", "'3'"),
    ('{"penalty": [3]}', "penalty", "'3'"),
    ('{"regularizers": [3]}', "regularizers", "3"),
    ('{"regularizers": ["weight-clip"]}', "regularizers", "weight-clip"),
    ('{"regularizers": {"weight-clip": "x"}}', "regularizers", "x"),
    ('{"plugin": "missing.py"}', "missing.py"),
    ('{"plugin": 3}', "plugin", "'3'"),
    ('{"steps": 3, "kimg": 4}', "steps", "kimg"),
    ('{"format": 99, "settings": {}}', "format", "99", "newer"),
    ('{"format": 1, "settings": []}', "settings"),
    ('{"format": 1, "settings": null}', "settings"),
    ('{"settings": {"width": {"from": "flag"}}}', "width"),
    ('{"settings": {"width": {"value": "x", "from": "flag"}}}', "width", "x"),
]


@pytest.mark.parametrize(("content", "mentions"), [(content, rest) for content, *rest in CONFIGS], ids=str)
def test_config_files(content: str, mentions: list[str], refused: Refused, workplace: Path) -> None:
    (workplace / "mine.json").write_bytes(content.encode("latin-1"))
    line = refused(2, tuple(mentions), "run --config mine.json --out run")
    assert not re.search(r"iterable|unpack|subscriptable|attribute", line), "in the user's words"
    assert not Path("run").exists()


@pytest.mark.parametrize("path", ["missing.json", ".", "run"])
def test_config_files_that_cannot_be_read(path: str, refused: Refused, finished: Path) -> None:
    refused(2, (path,), f"run --config {path} --out new")
    assert finished.exists()


def test_a_damaged_config_of_a_run_is_named(refused: Refused, unfinished: Path) -> None:
    config = unfinished / "config.json"
    config.write_text(config.read_text()[:100])
    before = everything_below(unfinished)
    for line in ("run --resume run", "sample run", f"run {POINTS} --out run"):
        refused(2, ("run/config.json", "not JSON"), line)
    assert everything_below(unfinished) == before


# --- plug-ins ----------------------------------------------------------------------------------------

FORM = """\"\"\"A form from elsewhere.\"\"\"
from losses.adversarial.bce import BinaryCrossEntropy as _Usual
from losses.recipe import Recipe, defaults
class Elsewhere(_Usual):
    recipe = Recipe(paper="none", form="{name}", settings=({settings}))
"""
GOOD = FORM.format(name="mine", settings="")
PLUGINS = [
    ("missing.py", None, "no such file"),
    ("folder.py", "", "no such file"),
    ("text.txt", "hello", ".py"),
    ("empty.py", "", "0"),
    ("broken.py", "def (", "SyntaxError"),
    ("bytes.py", "x = '\xff'", "SyntaxError"),
    ("imports.py", "import nothing_of_this_name", "nothing_of_this_name"),
    ("raises.py", "raise ValueError('one\\ntwo\\nthree')", "one", "two"),
    ("leaves.py", "import sys; sys.exit(3)", "leaves.py"),
    ("abstract.py", "from losses.adversarial import Adversarial as _A\nclass Mine(_A): pass", "0"),
    ("two.py", GOOD + "class Second(Elsewhere): pass\n", "2"),
    ("bce.py", GOOD, "already", "bce"),
    ("wgan-gp.py", GOOD, "already", "wgan-gp"),
    ("wgan_gp.py", GOOD, "already", "wgan-gp"),
]


@pytest.mark.parametrize("command", [f"run {POINTS} --out run", "list losses"])
@pytest.mark.parametrize(
    ("name", "content", "mentions"), [(n, c, m) for n, c, *m in PLUGINS], ids=lambda x: str(x)[:12]
)
def test_plugins(
    command: str, name: str, content: str | None, mentions: list[str], refused: Refused, workplace: Path
) -> None:
    if name == "folder.py":
        (workplace / name).mkdir()
    elif content is not None:
        (workplace / name).write_bytes(content.encode("latin-1"))
    refused(2, (name, *mentions), f"{command} --plugin {name}")
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("content", "mention"),
    [
        (FORM.format(name="mine", settings="defaults(widht=3),"), "widht"),
        (FORM.format(name="mine", settings="defaults(width='many'),"), "many"),
        (
            "from losses.recipe import Recipe\nrecipe = Recipe(paper='', form='nothing', settings=())",
            "nothing",
        ),
        (
            "from losses.adversarial import Adversarial as _A\n"
            "class Mine(_A):\n"
            "    def critic(self, real_logits, fake_logits): ...\n"
            "    def generator(self, fake_logits, real_logits): ...\n",
            "recipe",
        ),
    ],
    ids=["unknown setting", "impossible setting", "unknown form", "no recipe"],
)
def test_plugins_with_a_faulty_recipe(content: str, mention: str, gans: Gans, clear_line: Refused) -> None:
    Path("mine.py").write_text(content)
    outcome = gans(f"run {POINTS} --plugin mine.py --loss mine --out run")
    assert outcome.status in (1, 2)
    clear_line(outcome.err, mention)
    assert not Path("run").exists()


def test_a_plugin_that_fails_at_work(refused: Refused, gans: Gans, moody: Mood) -> None:
    """One line, and the checkpoint of before is there to go on from."""
    command = f"run {POINTS} --steps 6 --sample-kimg 9 --checkpoint-kimg 0.016 {MOODY} --out"
    moody("calm")
    gans(f"{command} whole")
    moody("fail 4")
    refused(1, ("a fault in two lines",), f"{command} run")
    assert (Path("run") / "checkpoints/step-00000003.pt").exists()
    moody("calm")
    assert gans(f"{command} run").status == 0
    assert exported(Path("run")) == exported(Path("whole"))


# --- numbers that are none ---------------------------------------------------------------------------


def weights_are_finite(checkpoint: Path) -> bool:
    content = load_checkpoint(checkpoint)
    tensors = [*content["ema"].values(), *content["game"].values()]
    return all(bool(t.isfinite().all()) for t in tensors if isinstance(t, torch.Tensor))


def test_the_guard_names_step_and_term(refused: Refused, gans: Gans, moody: Mood) -> None:
    moody("nan 5")
    command = f"run {POINTS} --steps 40 --checkpoint-kimg 0.016 --keep 9 --sample-kimg 9 {MOODY}"
    refused(1, ("step 5", "critic/adversarial", "learning rate"), f"{command} --out run")
    checkpoints = sorted(Path("run/checkpoints").glob("*.pt"))
    assert [int(path.stem[5:]) for path in checkpoints] == [1, 2, 3, 4]
    assert all(weights_are_finite(path) for path in checkpoints)
    assert not Path("run/generator.safetensors").exists()
    moody("calm")
    outcome = gans(f"{command} --out run")
    assert outcome.status == 0
    assert "step 4 of 40" in outcome.err


def test_the_guard_looks_at_every_step(refused: Refused, moody: Mood) -> None:
    """Not only at those with a score line; the line tells the first, and that nothing was saved before."""
    moody("nan 7")
    line = refused(
        1,
        ("step 7",),
        f"run {POINTS} --steps 40 --checkpoint-kimg 9 {MOODY} --out run",
    )
    assert not list(Path("run/checkpoints").glob("*.pt"))
    assert not re.search("checkpoints? (is|are) good", line), "there is none"


@pytest.mark.parametrize("steps", [20, 5])
def test_weights_that_are_not_finite_are_never_saved(
    steps: int, gans: Gans, moody: Mood, clear_line: Refused
) -> None:
    """A finite loss can have a slope that is not: the weights are broken one step before any score is.

    With 5 steps, the step that breaks them is the last one.
    """
    moody("steep 5")
    command = f"run {POINTS} --checkpoint-kimg 0.016 --sample-kimg 9 {MOODY} --out run"
    outcome = gans(f"{command} --steps {steps}")
    assert outcome.status == 1, outcome
    clear_line(outcome.err, "finite")
    checkpoints = sorted(Path("run/checkpoints").glob("*.pt"))
    assert checkpoints
    assert all(weights_are_finite(path) for path in checkpoints)
    if Path("run/generator.safetensors").exists():
        assert all(bool(t.isfinite().all()) for t in load_file("run/generator.safetensors").values())


def test_a_huge_learning_rate(refused: Refused) -> None:
    flags = "--loss wgan-gp --optimizer sgd --lr-critic 10 --lr-generator 10 --steps 60 --width 64"
    line = refused(1, ("finite", "learning rate"), f"run {POINTS} {flags} --sample-kimg 99 --out run")
    assert re.search(r"step \d+", line)
    assert re.search(r"(critic|generator)/\w+", line)


# --- damaged and hostile files -----------------------------------------------------------------------


class Bomb:
    """Unpickling one runs a command."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch executed",)


def write_bomb(path: Path, how: str) -> None:
    if how == "torch":
        torch.save({"format": 1, "step": 5, "seen": 80, "game": {}, "ema": {}, "scores": Bomb()}, path)
    elif how == "old torch":
        torch.save({"format": 1, "x": Bomb()}, path, _use_new_zipfile_serialization=False)
    else:
        path.write_bytes(pickle.dumps({"format": 1, "x": Bomb()}))


@pytest.mark.parametrize("how", ["torch", "old torch", "pickle"])
def test_a_pickle_bomb_does_not_go_off(
    how: str, refused: Refused, gans: Gans, unfinished: Path, seal: Callable[[Path], None], _finished: Path
) -> None:
    """Neither when it is sampled nor as the newest checkpoint of a run, with a hash that fits."""
    bomb = unfinished / "checkpoints/step-00000005.pt"
    write_bomb(bomb, how)
    seal(bomb)
    refused(1, ("step-00000005.pt",), "sample", bomb)
    sampled = gans("sample run -n 2 --out two.npy")
    assert sampled.status == 0
    assert "step-00000005.pt" in sampled.err
    resumed = gans("run --resume run")
    assert resumed.status == 0
    assert "step-00000005.pt" in resumed.err
    assert exported(unfinished) == exported(_finished)
    assert not Path("executed").exists()
    write_bomb(bomb, how)
    torch.load(bomb, weights_only=False) if how != "pickle" else pickle.loads(bomb.read_bytes())
    assert Path("executed").exists(), "the bomb is a real one"


def damage(path: Path, how: str, seal: Callable[[Path], None]) -> None:
    data = path.read_bytes()
    if how == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "one bit":  # of a weight, where only the hash can tell
        weight = load_checkpoint(path)["ema"]["layers.0.weight"].numpy().tobytes()
        assert data.count(weight) == 1
        place = data.index(weight)
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    elif how == "no hash":
        path.with_name(path.name + ".sha256").unlink()
    elif how == "a folder":
        path.unlink()
        path.mkdir()
    else:  # a hash that fits, over something else
        path.unlink()
        contents: dict[str, Any] = {
            "garbage": None,
            "no dictionary": [1, 2],
            "no format": {"step": 4},
            "half of it": {"format": 1, "step": 4},
            "odd types": {"format": 1, "step": "4", "seen": "64", "game": 3, "ema": 3, "scores": 3},
            "other networks": {"format": 1, "step": 4, "seen": 64, "game": {}, "ema": {}, "scores": {}},
        }
        if how == "garbage":
            path.write_bytes(b"PK\x03\x04 hello")
        else:
            torch.save(contents[how], path)
        seal(path)


UNREADABLE = [
    "truncated",
    "empty",
    "one bit",
    "no hash",
    "a folder",
    "garbage",
    "no dictionary",
    "no format",
    "odd types",
]
UNFIT = ["half of it", "other networks"]


@pytest.mark.parametrize("how", UNREADABLE)
def test_a_damaged_newest_checkpoint(
    how: str, refused: Refused, gans: Gans, unfinished: Path, seal: Callable[[Path], None], _finished: Path
) -> None:
    """It is told, and the one before is used: by a resume and by samples of the run."""
    newest = unfinished / "checkpoints/step-00000004.pt"
    damage(newest, how, seal)
    refused(1, ("step-00000004.pt",), f"sample {newest}")
    sampled = gans("sample run -n 3 --out three.npy")
    assert sampled.status == 0
    assert "step-00000004.pt" in sampled.err, "samples of an older step are not passed off as the newest"
    gans("sample run/checkpoints/step-00000003.pt -n 3 --out older.npy")
    assert np.array_equal(np.load("three.npy"), np.load("older.npy"))
    if how == "a folder":
        newest.rmdir()  # what else it may hold is not ours to replace
        return
    resumed = gans("run --resume run")
    assert resumed.status == 0, resumed.err
    assert "step-00000004.pt" in resumed.err
    assert "step 3 of 4" in resumed.err
    assert exported(unfinished) == exported(_finished)


@pytest.mark.parametrize("how", UNFIT)
def test_a_checkpoint_that_does_not_fit(
    how: str, gans: Gans, clear_line: Refused, unfinished: Path, seal: Callable[[Path], None]
) -> None:
    """Whether it is refused or the one before is used, it is named, and there is no traceback."""
    newest = unfinished / "checkpoints/step-00000004.pt"
    damage(newest, how, seal)
    outcome = gans(f"sample {newest} --out x.npy")
    assert outcome.status == 1
    clear_line(outcome.err, "step-00000004.pt")
    for line in ("run --resume run", "sample run --out x.npy"):
        outcome = gans(line)
        assert outcome.status in (0, 1)
        assert "step-00000004.pt" in outcome.err
        if outcome.status:
            clear_line(outcome.err)


def test_when_all_are_damaged_nothing_starts_from_zero_in_silence(refused: Refused, unfinished: Path) -> None:
    for path in (unfinished / "checkpoints").glob("*.pt"):
        path.write_bytes(path.read_bytes()[:100])
    before = everything_below(unfinished)
    refused(1, ("run/checkpoints", "3"), "run --resume run")
    refused(1, ("run/checkpoints",), "sample run")
    assert everything_below(unfinished) == before


def test_a_newer_format_is_not_guessed_at(
    refused: Refused, unfinished: Path, seal: Callable[[Path], None]
) -> None:
    """Going on from the one before would throw away what the newer version has done."""
    path = unfinished / "checkpoints/step-00000009.pt"
    torch.save({"format": 99, "step": 9}, path)
    seal(path)
    before = everything_below(unfinished)
    for line in ("run --resume run", "sample run", f"sample {path}"):
        refused(1, ("step-00000009.pt", "99", "newer"), line)
    assert everything_below(unfinished) == before


def test_the_last_good_checkpoint_outlives_damaged_newer_ones(gans: Gans, moody: Mood) -> None:
    """Keeping one means keeping a good one: a damaged one with a higher number does not take its place."""
    command = f"run {POINTS} --steps 9 --checkpoint-kimg 0.016 --sample-kimg 9 {MOODY} --out run"
    moody("SIGINT 6")
    gans(f"{command} --keep 2")
    Path("run/checkpoints/step-00000006.pt").rename("run/checkpoints/step-00000008.pt")  # it has no hash
    moody("SIGINT 1")
    assert gans(f"{command} --keep 1 --force").status == 130
    assert Path("run/checkpoints/step-00000006.pt").exists(), "the only good checkpoint was forgotten"
    moody("calm")
    outcome = gans(f"{command} --keep 1 --force")
    assert outcome.status == 0, outcome.err
    assert "step 6 of 9" in outcome.err


def test_a_checkpoint_by_itself(refused: Refused, finished: Path) -> None:
    """Without the run's config beside it nobody knows what it is of: the line names the file."""
    Path("garbage.pt").write_bytes(b"hello")
    shutil.copy(finished / "checkpoints/step-00000004.pt", "alone.pt")
    for name in ("garbage.pt", "alone.pt", "missing.pt"):
        outcome = refused(2, (name,), f"sample {name}")
        assert "run" in outcome


def test_a_run_without_a_checkpoint_has_no_samples(refused: Refused, unfinished: Path) -> None:
    shutil.rmtree(unfinished / "checkpoints")
    refused(1, ("run", "no checkpoint"), "sample run")


METADATA = {"arch": "mlp", "data": "ring8", "plugin": [], "image_size": None, "channels": None}
METADATA |= {"z_dim": 2, "width": 8}


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        "",
        "[]",
        "{}",
        json.dumps(METADATA),
        json.dumps(METADATA | {"width": "x"}),
        json.dumps(METADATA | {"arch": "mlq"}),
    ],
    ids=["none", "empty", "a list", "nothing", "other weights", "impossible", "unknown architecture"],
)
def test_weights_of_something_else(metadata: str | None, gans: Gans, clear_line: Refused) -> None:
    save_file(
        {"a": torch.zeros(2)}, "other.safetensors", {"gans": metadata} if metadata is not None else None
    )
    outcome = gans("sample other.safetensors")
    assert outcome.status in (1, 2)
    clear_line(outcome.err, "mlq" if metadata and "mlq" in metadata else "other.safetensors")


@pytest.mark.parametrize("length", [0, 4, 100])
def test_a_truncated_export(length: int, gans: Gans, clear_line: Refused, finished: Path) -> None:
    file = finished / "generator.safetensors"
    file.write_bytes(file.read_bytes()[:length])
    outcome = gans("sample run")
    assert outcome.status in (1, 2)
    clear_line(outcome.err, str(file))


def test_a_torn_line_of_scores_is_dropped(gans: Gans, moody: Mood) -> None:
    moody("SIGINT 3")
    command = f"run {POINTS} {MOODY} --out run"
    gans(command)
    scores = Path("run/scores.jsonl")
    scores.write_text(scores.read_text() + '{"step": 3, "ki')
    moody("calm")
    assert gans(command).status == 0
    assert [json.loads(line)["step"] for line in scores.read_text().splitlines()] == [1, 4]


# --- the machine -------------------------------------------------------------------------------------


def test_a_full_disk_leaves_a_run_that_can_go_on(
    refused: Refused, gans: Gans, moody: Mood, pictures: Path
) -> None:
    command = f"run {IMAGES} --steps 6 {MOODY} --checkpoint-kimg 0.004 --out"
    moody("calm")
    gans(f"{command} whole")
    moody("SIGINT 3")
    gans(f"{command} run")
    moody("calm")
    checkpoint = Path("run/checkpoints/step-00000003.pt")
    with files_up_to(checkpoint.stat().st_size - 1):
        refused(1, ("step-00000004.pt", "File too large", "step-00000003.pt"), f"{command} run")
    assert weights_are_finite(checkpoint)
    assert not [name for name in everything_below(Path("run")) if "partial" in name or "00000004" in name]
    assert gans(f"{command} run").status == 0
    assert exported(Path("run")) == exported(Path("whole"))
    assert pictures.exists()


@pytest.mark.parametrize(
    ("size", "name"), [(100, "config.json"), (7000, "real.png"), (60_000, "step-00000001.pt")]
)
def test_a_full_disk_names_what_was_not_written(
    size: int, name: str, refused: Refused, gans: Gans, workplace: Path
) -> None:
    command = f"run {POINTS} --width 64 --checkpoint-kimg 0.016 --sample-kimg 9 --out run"
    with files_up_to(size):
        refused(1, (name, "File too large"), command)
    assert not list(workplace.rglob("*.partial"))
    assert gans(command).status == 0


def test_a_full_disk_for_samples(refused: Refused, finished: Path) -> None:
    for name in ("big.npy", "big.png"):
        with files_up_to(500):
            refused(1, (name, "File too large"), f"sample {finished} -n 500 --out {name}")
    assert [path.name for path in Path().iterdir()] == ["run"]


def test_a_full_disk_in_a_real_process(start: Gans, clear_line: Refused, finished: Path) -> None:
    process = start(f"sample {finished} -n 500 --out big.npy", largest_file=500)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    clear_line(err, "big.npy", "File too large")


def test_two_processes_on_one_folder(
    start: Gans, refused: Refused, gans: Gans, moody: Mood, wait_for_scores: Callable[..., None]
) -> None:
    command = f"run {POINTS} {MOODY} --steps 1000000 --checkpoint-kimg 99999 --sample-kimg 99999"
    moody("calm")
    first: subprocess.Popen[str] = start(f"{command} --out run")
    wait_for_scores(Path("run"), first)
    config = Path("run/config.json").read_bytes()
    moody("SIGINT 1")  # so that a second process that is let in comes to an end
    refused(1, ("run", "another process"), f"{command} --out run")
    refused(1, ("run", "another process"), "run --resume run --width 9 --force")
    assert Path("run/config.json").read_bytes() == config
    assert first.poll() is None
    first.send_signal(signal.SIGKILL)
    first.wait()
    # A killed process leaves no lock behind.
    moody("calm")
    assert gans("run --resume run --steps 2 --force").status == 0


def test_an_early_ctrl_c_has_no_traceback(start: Gans, moody: Mood) -> None:
    """While the program still gets ready: here, in the import of a plug-in."""
    moody("calm")
    Path("slow.py").write_text("import pathlib, time\npathlib.Path('here').touch()\ntime.sleep(60)\n")
    process = start(f"run {POINTS} --plugin slow.py --out run")
    while not Path("here").exists() and process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert not Path("run").exists()


def test_images_are_not_changed_by_anything(pictures: Path, gans: Gans) -> None:
    before = everything_below(pictures)
    gans(f"run {IMAGES} --out run")
    gans("sample run --out pictures.png")
    assert everything_below(pictures) == before
    Image.open("pictures.png").verify()
