"""Remedies that messages name, typed as they stand: each must do what it says."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import cli
from experiments.config.adversary import FURTHER_CRITICS
from experiments.core import registry
from experiments.core.errors import UsageError
from experiments.core.settings import FIELDS
from experiments.core.short_flags import SHORT_FLAGS
from experiments.core.synonyms import BESIDE, COMMANDS, COMPONENTS, SETTINGS
from losses.core.batch_parts import WHOLE, BatchPart, set_process_part
from tests.commands.helpers import POINTS, Gans, Refused, settings_of
from tests.conftest import long_but
from tests.experiments.data.test_mnist import install

FROM_IMAGES = "--width 2 --batch-size 2 --steps 1 --track local"


def test_a_classifier_is_trained_as_advised(gans: Gans, workplace: Path, refused: Refused) -> None:
    run = "run --arch dcgan --loss bce --data shapes --image-size 16 --z-dim 4"
    assert gans(f"{run} {FROM_IMAGES} --out run").status == 0
    line = refused(
        2, ("class-modes",), "evaluate run -n 8 --metrics class-modes --extractor random-vgg --device cpu"
    )
    advised = re.search(r"gans (train-classifier --data \S+ --image-size \S+)", line)
    assert advised and gans(f"{advised[1]} --epochs 1 --device cpu").status == 0
    outcome = gans("evaluate run -n 8 --metrics class-modes --extractor classifier:shapes --device cpu")
    assert outcome.status == 0, outcome.err


def test_a_classifier_is_trained_on_data_that_needs_options(
    gans: Gans, workplace: Path, refused: Refused
) -> None:
    """An archive of several arrays, and a range beyond its own."""
    random = np.random.default_rng(0)
    pictures = random.integers(0, 4096, (400, 16, 16, 5), dtype=np.uint16)
    np.savez("five ch.npz", pictures=pictures, other=pictures, kind=random.integers(0, 2, 400))
    words = ("--data", "npz:five ch.npz", "--set", "data.image=pictures", "--set", "data.label=kind")
    run = f"run --arch dcgan --loss bce {FROM_IMAGES} --z-dim 4 --holdout 0.45 --out run"
    assert gans(run, *words, "--set", "data.range=0,4095").status == 0
    line = refused(2, ("not 5", "or make one"), "audit run --device cpu")
    advised = shlex.split(line.partition("or make one: gans ")[2])
    trained = gans("train-classifier --epochs 1 --device cpu --name own", *advised[1:])
    assert trained.status == 0, trained.err
    assert "data.range=0,4095" in advised


def test_what_is_trained_anew_leaves_broken_files_out(gans: Gans, workplace: Path, refused: Refused) -> None:
    Path("photos").mkdir()
    for number in range(10):
        Image.new("RGB", (16, 16), (20 * number, 9, 9)).save(f"photos/{number}.png")
    run = f"run --arch dcgan --loss bce {FROM_IMAGES} --z-dim 4 --holdout 0.3 --data folder:photos --out run"
    assert gans(run).status == 0
    Path("photos/4.png").write_bytes(b"broken")
    line = refused(2, ("is not what run was trained on",), "evaluate run -n 8 --device cpu --skip-bad")
    advised = shlex.split(line.partition("train anew with gans ")[2])
    outcome = gans("run --device cpu", *advised[1:])
    assert outcome.status == 0, outcome.err


def test_a_classifier_is_trained_as_a_remark_advises(gans: Gans, workplace: Path) -> None:
    outcome = gans("stats shapes --image-size 32 --out shapes.npz -n 20 --device cpu")
    advised = re.search(r"gans (train-classifier --data \S+)", outcome.err)
    assert advised, outcome.err
    trained = gans(f"{advised[1]} --epochs 1 --device cpu")
    assert trained.status == 0 and "32×32; --image-size chooses" in trained.err


@pytest.mark.parametrize("name", ["photos", "my photos", "with:colon"])
def test_a_folder_is_offered_as_data(name: str, gans: Gans, refused: Refused, workplace: Path) -> None:
    Path(name).mkdir()
    for number in range(3):
        Image.new("RGB", (16, 16), (number, 9, 9)).save(Path(name, f"{number}.png"))
    run = f"run --arch dcgan --loss bce {FROM_IMAGES} --z-dim 4 --image-size 8 --out run --data"
    line = refused(2, (f"unknown data '{name}'",), run, name)
    advised = shlex.split(line.partition("for the images in it: ")[2])
    assert advised == [f"folder:{name}"]
    assert gans(run, *advised).status == 0
    sides = [f"fid {name}", *advised] if " " not in name else ["fid", name, *advised]
    assert "folder:" in refused(2, ("no statistics file",), *sides)


def test_a_zip_file_and_an_image_are_offered_as_data(refused: Refused, workplace: Path) -> None:
    Path("photos").mkdir()
    for name in ("photos.zip", "photos/a.png"):
        Path(name).write_bytes(b"")
    assert refused(2, (), "run --data photos.zip").endswith("zip:photos.zip")
    assert refused(2, (), "run --data photos/a.png").endswith("folder:photos")


def test_a_run_is_evaluated_where_its_data_has_moved(
    gans: Gans, refused: Refused, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GANS_DATA", raising=False)
    install(Path("old/MNIST/raw"), 50, count=12)
    run = "run --arch dcgan --loss bce --data mnist --z-dim 4"
    assert gans(f"{run} {FROM_IMAGES} --data-root old --out run").status == 0
    Path("old").rename("new")
    evaluate = "evaluate run -n 4 --metrics fid --extractor random-vgg --device cpu"
    refused(2, ("old does not exist", "--data-root"), evaluate)
    assert gans(f"{evaluate} --data-root new").status == 0


def test_a_zip_file_is_no_folder_of_images(refused: Refused, workplace: Path) -> None:
    Path("photos.zip").write_bytes(b"")
    refused(
        2, ("write --data zip:", "photos.zip for the images in a zip file"), "run --data folder:photos.zip"
    )


def test_names_in_other_spellings(refused: Refused, workplace: Path) -> None:
    for words, meant in (
        ("--data FashionMNIST", "fashion-mnist"),
        ("--loss WGAN-GP", "wgan-gp"),
        ("--arch StyleGAN2", "stylegan2"),
        ("--data SHAPES", "shapes"),
        ("--penalty gp", "interpolates"),
        ("--penalty r1", "real with --penalty-norm zero"),
        ("--loss vanilla", "bce"),
        ("--loss wgan --penalty real --penalty-norm 0_gp", "zero"),
        ("--arch unet", "pix2pix"),
    ):
        refused(2, (f"did you mean {meant}",), f"run {words}")


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("train", "did you mean run?"),
        ("generate run", "did you mean sample?"),
        ("eval run", "did you mean evaluate?"),
        ("smple run", "did you mean sample?"),
        ("frobnicate", "there are: run, "),
        ("run --lr 1e-3", "did you mean --lr-generator or --lr-critic?"),
        ("run --epochs 3", "did you mean --kimg or --steps?"),
        ("run --iterations=3", "did you mean --steps?"),
        ("run --gpu 0", "did you mean --device?"),
        ("run --dataset shapes", "did you mean --data?"),
        ("run --batch 3", "did you mean --batch-size?"),
        ("run --resolution 32", "did you mean --image-size?"),
        ("run --size 32", "did you mean --image-size?"),
        ("run --lr_generator 1", "did you mean --lr-generator?"),
        ("run --evaluate", "did you mean --evaluate-kimg"),
        ("run --optimzer adam", "did you mean --optimizer?"),
        ("run --frobnicate", "gans run --help lists all"),
        ("find-lr --lr 1", "did you mean --lr-generator or --lr-critic?"),
        ("sample run --num-samples 3", "did you mean -n?"),
        ("sample run -o x.png", "did you mean --out?"),
        ("sample run --psi 0.5", "did you mean --truncation?"),
        ("train-classifier --dataset shapes", "did you mean --data?"),
        ("run --set lr=1", "the setting is --lr-generator or --lr-critic"),
        ("run --set width=1", "the setting is --width"),
        ("run --arch stylegan --set stylegan.mapping_layers=2", "did you mean arch.mapping_layers?"),
        ("run --arch mlp --set adam.betas=0,0.9", "did you mean optimizer.betas?"),
        ("run --config other.json", "did you mean kimg or steps?"),
        ("--data shapes", "gans run … --data"),
    ],
)
def test_what_an_unknown_word_may_mean(line: str, hint: str, refused: Refused, workplace: Path) -> None:
    Path("other.json").write_text('{"epochs": 3}')
    refused(2, (hint,), line)


def test_synonyms_mean_something_that_is_there() -> None:
    flags = {
        flag.lstrip("-").replace("-", "_")
        for command in cli.gans.commands.values()
        for each in command.params
        for flag in each.opts
    }
    meant = {name for names in SETTINGS for name in names}
    assert meant <= flags and {*COMMANDS} <= {*cli.gans.commands}
    for table, known in ((SETTINGS, {*FIELDS, *SHORT_FLAGS}), (COMMANDS, {*cli.gans.commands})):
        words = [word for each in table.values() for word in each.split()]
        assert len(words) == len(set(words)), "a word stands twice"
        assert not {*words} & known, "it is the name of something else"
    for kind, table in COMPONENTS.items():
        known = {*FURTHER_CRITICS} if kind == "critic" else {*registry.plugin_names(kind)}
        assert {name for names in table for name in names} <= known
        words = [word for each in table.values() for word in each.split()]
        assert len(words) == len(set(words)), "a word stands twice"
        assert not {*words} & known, "it is the name of something else"
    assert all(
        any(word in words.split() for words in COMPONENTS[kind].values())
        and beside.split()[0].lstrip("-").replace("-", "_") in flags
        for (kind, word), beside in BESIDE.items()
    )


@pytest.mark.parametrize("size", long_but({"7", "50x37"}, ["100", "7", "50x37", "99x30"]))
@pytest.mark.parametrize("arch", registry.names("architecture"))
def test_the_sizes_that_are_offered_can_be_had(arch: str, size: str, gans: Gans, workplace: Path) -> None:
    data = "--data shapes" if arch == "mlp" else ""
    run = f"run --arch {arch} {data} --width 2 --batch-size 2 --dry-run --image-size"
    outcome = gans(f"{run} {size}")
    if outcome.status == 0:
        return
    offered = re.findall(r"--image-size (\S+)", outcome.err)
    assert offered, outcome.err
    for other in offered:
        again = gans(f"{run} {other}")
        assert again.status == 0, again.err
        sides = [int(side) for side in f"{other}x{other}".split("x")[:2]]
        asked = [int(side) for side in f"{size}x{size}".split("x")[:2]]
        near = [max(8, side) for side in asked]
        assert all(abs(a - b) <= max(12, b // 4) for a, b in zip(sides, near, strict=True)), other


def test_devices_by_number(
    monkeypatch: pytest.MonkeyPatch, gans: Gans, refused: Refused, workplace: Path
) -> None:
    for name in ("cuda:1", "cuda:0", "cuda"):
        line = refused(2, (f"--device {name}",), f"run {POINTS} --out run --device {name}")
        assert line.endswith("take --device cpu")
    refused(2, ("cuda:x", "cuda:1"), f"run {POINTS} --device cuda:x")
    assert gans(f"run {POINTS} --out run --device cpu").status == 0
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    refused(2, ("take --device cuda:0 or --device cuda:1 or --device cpu",), "sample run --device cuda:2")
    from experiments.core.device import resolve_device

    assert [resolve_device(name) for name in ("auto", "cuda", "cuda:1", "cpu")] == [
        *("cuda", "cuda", "cuda:1", "cpu")
    ]
    set_process_part(BatchPart(0, 2))  # as torchrun starts them, each has a GPU of its own
    try:
        with pytest.raises(UsageError, match=r"--device cuda:1 is one GPU, .* take --device cuda$"):
            resolve_device("cuda:1")
    finally:
        set_process_part(WHOLE)
    assert settings_of(Path("run"))["device"] == "cpu"
