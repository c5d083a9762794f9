"""`gans run`: what it writes, where, and for which settings."""

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments.core import registry
from experiments.core.settings import FIELDS
from tests.commands.helpers import (
    IMAGES,
    OPTIONS_OF_ALL,
    POINTS,
    Gans,
    everything_below,
    exported,
    read_scores,
    settings_of,
)
from tests.conftest import FROM_NOISE

OPTIONS_OF_POINTS = ["arch.hidden_layers", "data.sigma", *OPTIONS_OF_ALL]


def test_the_run_folder_is_as_described(gans: Gans) -> None:
    outcome = gans(f"run {POINTS} --seed 3 --checkpoint-kimg 0.016 --out run")
    run = Path("run")
    assert (outcome.status, outcome.out) == (0, "run\n")
    visible = {path.name for path in run.iterdir() if not path.name.startswith(".")}
    exported = {"generator.safetensors", "generator.safetensors.sha256"}
    assert visible == {"config.json", "scores.jsonl", "samples", "checkpoints", *exported}
    assert not [name for name in everything_below(run) if "partial" in name]

    config = json.loads((run / "config.json").read_text())
    assert list(config["settings"]) == [*FIELDS, *OPTIONS_OF_POINTS]
    assert all(set(entry) == {"value", "from"} and entry["from"] for entry in config["settings"].values())
    assert config["settings"]["seed"] == {"value": 3, "from": "flag"}
    assert {"python", "torch", "gans"} <= set(config["environment"])

    names = {path.name for path in (run / "samples").iterdir()}
    assert names == {"real.png", *(f"kimg-000000.{images:03d}.png" for images in (16, 32, 48, 64))}
    for name in names:
        Image.open(run / "samples" / name).verify()

    checkpoints = sorted(path.name for path in (run / "checkpoints").iterdir())
    assert checkpoints == [f"step-{n:08}.pt{end}" for n in (3, 4) for end in ("", ".sha256")]
    for path in (run / "checkpoints").glob("*.sha256"):
        # What `sha256sum -c` reads: the digest, two blanks, the name beside it.
        digest, name = path.read_text().removesuffix("\n").split("  ")
        assert hashlib.sha256(path.with_name(name).read_bytes()).hexdigest() == digest


@pytest.mark.parametrize("loss", ["bce", "wgan-gp"])
def test_scores_are_as_described(loss: str, gans: Gans) -> None:
    gans(f"run {POINTS} --loss {loss} --steps 30 --sample-kimg 9 --n-critic 2 --out run")
    lines = read_scores(Path("run"))
    steps = [line["step"] for line in lines]
    assert (steps[0], steps[-1]) == (1, 30)
    assert steps == sorted(set(steps))
    adversarial = {"critic/adversarial", "critic/real", "critic/fake", "generator/adversarial"}
    penalty = {"critic/gradient_penalty", "critic/gradient_norm"} if loss == "wgan-gp" else set()
    distances = {1: {"samples/real_distance"}, 30: {"samples/pairwise_distance"}}  # where a picture is drawn
    for line in lines:
        norms = {"critic/weight_gradient_norm", "generator/weight_gradient_norm"}
        usual = {"step", "kimg", "seconds", "images_per_second"} | adversarial | penalty | norms
        assert set(line) == usual | distances.get(line["step"], set())
        assert line["kimg"] == line["step"] * 2 * 16 / 1000
        assert all(np.isfinite(value) for value in line.values())
    assert lines[-1]["seconds"] > lines[0]["seconds"]


def test_the_export_is_the_same_for_equal_runs(gans: Gans) -> None:
    for name, seed in (("one", 0), ("two", 0), ("three", 1)):
        gans(f"run {POINTS} --seed {seed} --out {name}")
    assert exported(Path("one")) == exported(Path("two"))
    assert exported(Path("one")) != exported(Path("three"))
    length = int.from_bytes(exported(Path("one"))[:8], "little")
    header = json.loads(exported(Path("one"))[8 : 8 + length])
    assert len(header.get("__metadata__", {})) <= 1, "several are written in random order"


def test_the_export_holds_no_paths(gans: Gans, pictures: Path) -> None:
    """The same pictures from elsewhere make the same bytes."""
    shutil.copytree(pictures, "elsewhere")
    gans(f"run {IMAGES} --out one")
    gans(f"run {IMAGES} --data folder:elsewhere --out two")
    assert exported(Path("one")) == exported(Path("two"))


def test_the_same_command_again_is_done(gans: Gans, workplace: Path) -> None:
    first = gans(f"run {POINTS} --out run")
    before = everything_below(workplace)
    again = gans(f"run {POINTS} --out run")
    assert (again.status, again.out) == (0, first.out)
    assert "finished" in again.err
    assert everything_below(workplace) == before


def test_default_folders(gans: Gans) -> None:
    """The same command finds its own folder again; another seed takes the next number."""
    commands = [POINTS, f"{POINTS} --seed 1", POINTS, f"{POINTS} --seed 1", f"{POINTS} --seed 2"]
    folders = [gans(f"run {command}").out for command in commands]
    assert folders == [f"runs/mlp-bce-ring8-{number}\n" for number in (1, 2, 1, 2, 3)]


def test_the_default_folder_of_a_path_has_no_path_in_it(gans: Gans, pictures: Path) -> None:
    assert gans(f"run {IMAGES}").out == "runs/dcgan-bce-folder-1\n"


def test_an_empty_folder_is_free(gans: Gans) -> None:
    Path("empty").mkdir()
    assert gans(f"run {POINTS} --out empty").status == 0


@pytest.mark.parametrize(
    "left", [(".lock",), (".lock", "samples/", "checkpoints/", ".config.json.partial")], ids=str
)
def test_a_folder_of_a_run_that_was_killed_before_its_config_is_free(
    left: tuple[str, ...], gans: Gans
) -> None:
    for folder in (Path("killed"), Path("runs/mlp-bce-ring8-1")):
        folder.mkdir(parents=True)
        for name in left:
            (folder / name).mkdir() if name.endswith("/") else (folder / name).touch()
    assert gans(f"run {POINTS} --out killed").status == 0
    assert gans(f"run {POINTS}").out == "runs/mlp-bce-ring8-1\n"


def test_a_config_file_repeats_the_run(gans: Gans, finished: Path) -> None:
    assert gans("run --config run/config.json --out again").status == 0
    assert exported(Path("again")) == exported(finished)
    assert settings_of(Path("again")) == settings_of(finished)


def test_a_config_file_may_be_short(gans: Gans) -> None:
    Path("mine.json").write_text(
        '{"arch": "mlp", "data": "ring8", "steps": 2, "width": 3, "betas": [0, 0.9], "batch_size": 4}'
    )
    assert gans("run --config mine.json --out run").status == 0
    found = settings_of(Path("run"))
    assert (found["width"], found["optimizer.betas"], found["loss"]) == (3, [0.0, 0.9], "bce")


@pytest.mark.parametrize(
    ("flags", "shape"),
    [
        ("--image-size 8", (3, 8, 8)),
        ("--image-size 8x12", (3, 8, 12)),
        ("--image-size 12x8 --channels 1", (1, 12, 8)),
        ("--image-size 8 --channels 3", (3, 8, 8)),
        ("--image-size 8 --channels 4", (4, 8, 8)),
        ("--arch mlp --image-size 5x7 --channels 4", (4, 5, 7)),
        ("--image-size 28 --loss wgan-gp --critic-norm layer", (3, 28, 28)),
    ],
)
def test_sizes_and_channels(flags: str, shape: tuple[int, ...], gans: Gans, pictures: Path) -> None:
    assert gans(f"run {IMAGES} {flags} --out run").status == 0
    gans("sample run -n 3 --out three.npy")
    gans("sample run -n 3 --out each/")
    array = np.load("three.npy")
    assert (array.shape, array.dtype) == ((3, *shape), np.uint8)
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[shape[0]]
    for number, file in enumerate(sorted(Path("each").iterdir())):
        image = Image.open(file)
        assert (image.mode, image.size) == (mode, (shape[2], shape[1]))
        assert np.array_equal(
            np.asarray(image).reshape(*shape[1:], shape[0]).transpose(2, 0, 1), array[number]
        )
    assert Image.open("run/samples/real.png").mode == mode


@pytest.mark.parametrize("arch", FROM_NOISE)
def test_every_architecture_trains_and_is_sampled(arch: str, gans: Gans) -> None:
    """Their composition with losses and the rest is another test's, without the command line."""
    small = "--data shapes --image-size 8 --width 2 --z-dim 3 --batch-size 4 --n-critic 1 --steps 2"
    outcome = gans(f"run --arch {arch} {small} --out run")
    assert outcome.status == 0, outcome.err
    assert [line["step"] for line in read_scores(Path("run"))] == [1, 2]
    assert gans("sample run -n 2 --out two.npy").status == 0
    assert np.load("two.npy").shape == (2, 3, 8, 8)


@pytest.mark.parametrize("norm", ["one", "zero", "one-sided"])
@pytest.mark.parametrize("place", registry.names("penalty"))
def test_every_penalty_trains(place: str, norm: str, gans: Gans) -> None:
    flags = f"--penalty {place} --penalty-norm {norm} --penalty-weight 2 --steps 1 --sample-kimg 9"
    assert gans(f"run {POINTS} {flags} --out run").status == 0
    assert read_scores(Path("run"))[0]["critic/gradient_penalty"] >= 0


def test_a_form_that_borrows_a_recipe_is_still_the_one_that_trains(gans: Gans, workplace: Path) -> None:
    """A file that derives from a form inherits its recipe; its own mathematics must be used nevertheless."""
    (workplace / "doubled.py").write_text(
        '"""Twice bce."""\n'
        "from losses.adversarial.bce import BinaryCrossEntropy as _Usual\n"
        "class Doubled(_Usual):\n"
        "    def critic(self, real_logits, fake_logits):\n"
        "        return 2 * super().critic(real_logits, fake_logits)\n"
    )
    gans(f"run {POINTS} --steps 1 --out usual")
    outcome = gans(f"run {POINTS} --steps 1 --plugin doubled.py --loss doubled --out doubled")
    if outcome.status == 2:  # refusing it is as good
        assert "doubled" in outcome.err
        return
    usual, doubled = (read_scores(Path(run))[0]["critic/adversarial"] for run in ("usual", "doubled"))
    assert doubled == pytest.approx(2 * usual, rel=1e-6)


def test_progress_on_a_terminal_shows_how_far_it_is(gans: Gans, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 80 columns the scores are cut short, not the steps."""
    for name, value in {"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "80"}.items():
        monkeypatch.setenv(name, value)
    err = gans(f"run {POINTS} --loss wgan-gp --steps 30 --sample-kimg 9 --out run").err
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", err)
    lines = re.split(r"[\r\n]+", plain.strip())
    assert "30/30" in [line for line in lines if not line.startswith("next: ")][-1]


def test_one_plugin_by_two_names_is_one_run(gans: Gans, moody: Callable[[str], None]) -> None:
    moody("calm")
    folders = [
        gans(f"run {POINTS} --steps 1 --loss moody --plugin", path).out
        for path in ("moody.py", "./moody.py", Path("moody.py").absolute())
    ]
    assert folders == ["runs/mlp-moody-ring8-1\n"] * 3


def test_none_takes_a_penalty_away(gans: Gans) -> None:
    assert gans(f"run {POINTS} --loss wgan-gp --penalty none --out run").status == 0
    assert "critic/gradient_penalty" not in read_scores(Path("run"))[0]
