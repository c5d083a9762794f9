"""The command line as it is meant to be used: list, help, dry-run, run, resume, sample."""

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import cli
from experiments.core import registry
from experiments.core.settings import FIELDS
from tests.conftest import FROM_NOISE

ROOT = Path(__file__).resolve().parent.parent
POINTS = "--arch mlp --loss bce --data ring8 --steps 4 --batch-size 16 --width 8"
IMAGES = (
    "--arch dcgan --loss bce --data folder:pictures "
    "--image-size 8 --width 2 --z-dim 4 --batch-size 4 --steps 3"
)
MOODY = "--plugin moody.py --loss moody"
Gans = Callable[..., Any]


def read_scores(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "scores.jsonl").read_text().splitlines()]


def settings_of(run: Path) -> dict[str, Any]:
    entries = json.loads((run / "config.json").read_text())["settings"]
    return {name: entry["value"] for name, entry in entries.items()}


def exported(run: Path) -> bytes:
    return (run / "generator.safetensors").read_bytes()


def everything_below(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# --- the program by itself ---------------------------------------------------------------------------


@pytest.mark.parametrize("words", ["--help", "list", "list losses --json", "run --help"])
def test_it_answers_at_once(words: str, workplace: Path) -> None:
    """Under half a second for what only reads names: the fastest of three, because a machine may be busy."""
    program = shutil.which("gans", path=str(Path(sys.executable).parent))
    command = [program] if program else [sys.executable, str(ROOT / "cli.py")]
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        subprocess.run([*command, *words.split()], check=True, capture_output=True, cwd=workplace)
        seconds.append(time.perf_counter() - began)
        if seconds[-1] < 0.5:
            return
    raise AssertionError(f"{min(seconds):.2f} s")


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["list", "--json"], ["--version"]], ids=str)
def test_it_imports_nothing_heavy_to_answer(words: list[str], workplace: Path) -> None:
    code = f"""
import contextlib, sys
import cli
with contextlib.suppress(SystemExit):
    cli.main({words!r})
heavy = {{"torch", "numpy", "matplotlib", "PIL", "rich", "wandb", "scipy"}} & set(sys.modules)
assert not heavy, heavy
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, "-c", code], check=True, cwd=workplace, env=environment, capture_output=True
    )


def test_help_names_every_setting(gans: Gans) -> None:
    shown = gans("run --help").out
    flags = {name: field for name, field in FIELDS.items() if not field.metadata["derived"]}
    for name, field in flags.items():
        assert f"--{name.replace('_', '-')} " in shown
        assert field.metadata["help"].split()[0] in shown
    for command in ("run", "list", "sample"):
        assert re.search(rf"^  {command} ", gans("--help").out, re.MULTILINE)
    assert gans("--version").out == "gans, version 0.1.0\n"


def test_without_a_command_it_shows_its_help(gans: Gans) -> None:
    outcome = gans("")
    shown = outcome.out + outcome.err
    assert outcome.status in (0, 2)
    assert re.search(r"^Usage: gans ", shown, re.MULTILINE), "as it was laid out, not squeezed into a line"
    assert re.search(r"^  run ", shown, re.MULTILINE)


def test_a_reader_that_leaves_early_is_no_error(start: Gans) -> None:
    read, write = os.pipe()
    os.close(read)
    process = start("list", stdout=write)
    os.close(write)
    assert "Traceback" not in process.communicate(timeout=60)[1]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
def test_a_result_that_cannot_be_written_is_an_error(start: Gans, clear_line: Callable[..., str]) -> None:
    with Path("/dev/full").open("w") as full:
        process = start("list --json", stdout=full)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    clear_line(err, "No space left")


# --- list --------------------------------------------------------------------------------------------

PLURALS = {"architectures": "architecture", "losses": "loss", "data": "data"}
PLURALS |= {"penalties": "penalty", "regularizers": "regularizer", "trackers": "tracker"}
PLURALS |= {"metrics": "metric", "extractors": "extractor", "penalty-norms": "penalty-norm"}
PLURALS |= {"norms": "norm", "batch-statistics": "batch-statistic", "optimizers": "optimizer"}
PLURALS |= {"schedules": "schedule", "augmentations": "augmentation"}


def test_list_is_the_registry(gans: Gans) -> None:
    outcome = gans("list --json")
    assert outcome.err == ""
    found = json.loads(outcome.out)
    assert {plural: list(entries) for plural, entries in found.items()} == {
        plural: registry.names_of(kind) for plural, kind in PLURALS.items()
    }
    shown = gans("list").out
    for entries in found.values():
        for name, line in entries.items():
            assert line, f"{name} says nothing of itself"
            assert re.search(rf"^  {re.escape(name)} +{re.escape(line)}$", shown, re.MULTILINE)


@pytest.mark.parametrize("plural", PLURALS)
def test_list_of_one_kind(plural: str, gans: Gans) -> None:
    assert list(json.loads(gans(f"list {plural} --json").out)) == [plural]
    lines = gans(f"list {plural}").out.splitlines()
    assert (lines[0], len(lines) - 1) == (plural, len(registry.names_of(PLURALS[plural])))


def test_list_knows_plugins(gans: Gans, moody: Callable[[str], None]) -> None:
    moody("calm")
    assert json.loads(gans("list losses --json --plugin moody.py").out)["losses"]["moody"].startswith("Moody")
    assert "moody" not in gans("list losses").out


# --- dry-run and the order of the layers -------------------------------------------------------------


# The options of every component of an mlp on ring8; dcgan has none of its own.
OPTIONS_OF_ALL = ["ema.ramp_up", "optimizer.betas", "optimizer.weight_decay"]
OPTIONS_OF_POINTS = ["arch.hidden_layers", "data.sigma", *OPTIONS_OF_ALL]


def is_setting(word: str) -> bool:
    """Whether a word of a dry run is the name of a setting or the key of an option."""
    return word in FIELDS or re.fullmatch(r"[\w-]+\.[a-z]\w*", word) is not None


@pytest.fixture
def plan(gans: Gans, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """The table of `gans run … --dry-run`: setting or option → (value, source). Nothing may be written."""

    def call(line: str) -> dict[str, Any]:
        monkeypatch.setenv("COLUMNS", "200")
        before = sorted(workplace.rglob("*"))
        outcome = gans(f"run {line} --dry-run")
        assert (outcome.status, outcome.err) == (0, "")
        assert sorted(workplace.rglob("*")) == before
        rows = [re.split(r" {2,}", row.strip()) for row in outcome.out.splitlines()]
        return {row[0]: tuple(row[1:]) for row in rows if is_setting(row[0])}

    return call


def test_dry_run_prints_every_setting_with_its_source(plan: Gans) -> None:
    table = plan("--arch dcgan --loss wgan-gp --width 5")
    assert list(table) == [*FIELDS, *OPTIONS_OF_ALL]
    assert all(len(row) == 2 and all(row) for row in table.values()), table
    assert table["width"] == ("5", "flag")
    assert table["seed"] == ("0", "default")
    assert table["optimizer.betas"] == ("0,0.9", "loss wgan-gp")
    assert table["optimizer.weight_decay"] == ("0", "default of adam")


def test_dry_run_counts(gans: Gans) -> None:
    shown = gans("run --arch mlp --data ring8 --z-dim 2 --width 3 --batch-size 10 --kimg 1 --dry-run").out
    # Two inputs, three layers of three, two outputs; and the critic two inputs, three layers, one logit.
    generator, critic = (2 * 3 + 3) + 2 * (3 * 3 + 3) + (3 * 2 + 2), (2 * 3 + 3) + 2 * (3 * 3 + 3) + (3 + 1)
    assert re.search(rf"^generator +{generator} parameters$", shown, re.MULTILINE)
    assert re.search(rf"^critic +{critic} parameters$", shown, re.MULTILINE)
    assert re.search(r"^length +100 steps = 1\.0 kimg$", shown, re.MULTILINE)
    assert re.search(r"^memory ", shown, re.MULTILINE)


def test_dry_run_through_a_pipe_keeps_a_setting_on_a_line(gans: Gans, workplace: Path) -> None:
    """There is no terminal whose width it could fit, and whoever reads it looks for whole words."""
    folder = workplace / ("a-long-name-" * 8) / "pictures"
    folder.mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(folder / "one.png")
    shown = gans("run --arch dcgan --image-size 8 --batch-size 1 --dry-run --data", f"folder:{folder}").out
    assert f"folder:{folder}" in shown
    found = [line.split()[0] for line in shown.splitlines() if line.strip()]
    assert [name for name in found if is_setting(name)] == [*FIELDS, *OPTIONS_OF_ALL]
    assert len(found) == len(FIELDS) + len(OPTIONS_OF_ALL) + 5, "a heading, the settings, and four sizes"


@pytest.mark.parametrize("columns", ["40", "80"])
def test_dry_run_never_breaks_a_name(columns: str, gans: Gans, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    shown = gans("run --arch dcgan --dry-run").out
    words = [line.split(" ")[0] for line in shown.splitlines()]
    assert [word for word in words if is_setting(word)] == [*FIELDS, *OPTIONS_OF_ALL]


@pytest.mark.parametrize("arch", registry.names("architecture"))
def test_every_architecture_needs_no_more_than_its_name(arch: str, plan: Gans) -> None:
    for preset in ("paper", "laptop"):
        table = plan(f"--arch {arch} --preset {preset}")
        assert table["loss"][0] in registry.loss_names()
        assert table["preset"] == (preset, "flag")


def test_later_layers_win(plan: Gans, workplace: Path) -> None:
    """loss < architecture < its entry for the loss or the data < preset < config file < flag."""
    file = workplace / "mine.json"
    file.write_text(json.dumps({"z_dim": 17, "width": 18}))
    images = "--arch dcgan --loss wgan-gp --preset"
    assert plan(f"{images} paper")["n_critic"] == ("5", "loss wgan-gp")
    assert plan(f"{images} paper")["z_dim"] == ("100", "architecture dcgan")
    assert plan(f"{images} laptop")["z_dim"] == ("64", "preset laptop of architecture dcgan")
    assert plan(f"{images} laptop --config mine.json")["z_dim"] == ("17", "config mine.json")
    assert plan(f"{images} laptop --config mine.json --z-dim 19")["z_dim"] == ("19", "flag")
    assert plan(f"{images} laptop --config mine.json --z-dim 19")["width"] == ("18", "config mine.json")
    assert plan("--arch dcgan --loss wgan-gp --preset paper")["lr_critic"] == ("0.0001", "loss wgan-gp")
    points = "--arch mlp --loss wgan-gp --data ring8 --preset paper"
    assert plan(points)["lr_critic"] == ("0.001", "architecture mlp")


def test_a_flag_wins_over_the_length_of_a_recipe(plan: Gans) -> None:
    assert plan("--arch dcgan --steps 7")["kimg"][0] == "–"
    assert plan("--arch dcgan --kimg 7")["steps"][0] == "–"
    Path("long.json").write_text('{"kimg": 3}')
    table = plan("--arch dcgan --config long.json --steps 7")
    assert (table["steps"], table["kimg"][0]) == (("7", "flag"), "–")


def test_auto_is_laptop_on_a_cpu(plan: Gans, gans: Gans) -> None:
    table = plan("--arch dcgan --device cpu")
    assert (table["preset"], table["device"]) == (("laptop", "automatic"), ("cpu", "flag"))
    first = gans(f"run {POINTS} --device cpu --out run").err.splitlines()[0]
    assert "--preset laptop" in first
    assert "on cpu" in first
    assert settings_of(Path("run"))["preset"] == "laptop"


# --- run ---------------------------------------------------------------------------------------------


def test_the_run_folder_is_as_described(gans: Gans) -> None:
    outcome = gans(f"run {POINTS} --seed 3 --checkpoint-kimg 0.016 --out run")
    run = Path("run")
    assert (outcome.status, outcome.out) == (0, "run\n")
    visible = {path.name for path in run.iterdir() if not path.name.startswith(".")}
    assert visible == {"config.json", "scores.jsonl", "samples", "checkpoints", "generator.safetensors"}
    assert not [name for name in everything_below(run) if "partial" in name]

    config = json.loads((run / "config.json").read_text())
    assert list(config["settings"]) == [*FIELDS, *OPTIONS_OF_POINTS]
    assert all(set(entry) == {"value", "from"} and entry["from"] for entry in config["settings"].values())
    assert config["settings"]["seed"] == {"value": 3, "from": "flag"}
    assert {"python", "torch", "gans"} <= set(config["environment"])

    names = {path.name for path in (run / "samples").iterdir()}
    assert "real.png" in names
    assert all(re.fullmatch(r"real\.png|kimg-\d{6}\.png", name) for name in names)
    assert len(names) >= 2
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


def test_resume_by_folder_goes_on_where_it_stopped(gans: Gans, finished: Path) -> None:
    """From the newest checkpoint, with the scores that were written after it dropped."""
    whole, scores = exported(finished), read_scores(finished)
    (finished / "generator.safetensors").unlink()
    for end in ("", ".sha256"):
        (finished / f"checkpoints/step-00000004.pt{end}").unlink()
    outcome = gans("run --resume run")
    assert (outcome.status, outcome.out) == (0, "run\n")
    assert "step 3 of 4" in outcome.err
    assert exported(finished) == whole
    volatile = ("seconds", "images_per_second")
    for old, new in zip(scores, read_scores(finished), strict=True):
        assert {k: v for k, v in old.items() if k not in volatile} == {
            k: v for k, v in new.items() if k not in volatile
        }


@pytest.mark.parametrize(
    "again", [f"run {POINTS} --checkpoint-kimg 0.016 --keep 3 --out run", "run --resume run"]
)
def test_a_resumed_run_still_says_where_its_settings_came_from(
    again: str, gans: Gans, unfinished: Path
) -> None:
    before = json.loads((unfinished / "config.json").read_text())["settings"]
    assert gans(again).status == 0
    assert json.loads((unfinished / "config.json").read_text())["settings"] == before


def test_a_run_without_a_checkpoint_starts_anew(gans: Gans, unfinished: Path) -> None:
    shutil.rmtree(unfinished / "checkpoints")
    assert gans(f"run --resume {unfinished}").status == 0
    assert [line["step"] for line in read_scores(unfinished)] == [1, 4], "the old scores are gone"


@pytest.mark.parametrize("mood", ["SIGINT 3", "SIGTERM 3"])
def test_a_stopped_run_is_saved_and_resumes_to_the_same_bytes(
    mood: str, gans: Gans, moody: Callable[[str], None]
) -> None:
    command = f"run {POINTS} {MOODY} --steps 8 --checkpoint-kimg 9 --sample-kimg 9 --out"
    moody("calm")
    gans(f"{command} whole")
    moody(mood)
    stopped = gans(command, "cut here")
    assert (stopped.status, stopped.out) == (130, "")
    assert "step 3" in stopped.err
    assert "gans run --resume 'cut here'" in stopped.err, "a line to copy into a shell"
    assert [p.name for p in Path("cut here/checkpoints").glob("*.pt")] == ["step-00000003.pt"]
    moody("calm")
    assert gans(command, "cut here").status == 0
    assert exported(Path("cut here")) == exported(Path("whole"))
    assert [line["step"] for line in read_scores(Path("cut here"))] == [1, 8]


def test_ctrl_c_stops_a_real_process(
    gans: Gans, start: Gans, wait_for_scores: Callable[..., None], workplace: Path
) -> None:
    command = f"run {POINTS} --steps 200 --sample-kimg 99 --checkpoint-kimg 99"
    process = start(f"{command} --out cut")
    wait_for_scores(Path("cut"), process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (130, "")
    assert "gans run --resume cut" in err
    assert "Traceback" not in err
    assert not Path("cut/generator.safetensors").exists(), "it was stopped on the way"
    gans(f"{command} --out whole")
    assert gans("run --resume cut").status == 0
    assert exported(workplace / "cut") == exported(workplace / "whole")


def test_force_goes_on_with_other_settings(gans: Gans, finished: Path) -> None:
    outcome = gans("run --resume run --steps 6 --force")
    assert outcome.status == 0
    assert settings_of(finished)["steps"] == 6
    assert [line["step"] for line in read_scores(finished)] == [1, 4, 6]


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
    assert "30/30" in re.split(r"[\r\n]+", plain.strip())[-1]


# --- elsewhere ---------------------------------------------------------------------------------------


def test_a_run_goes_on_from_another_folder(
    gans: Gans, pictures: Path, moody: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a run needs, a plug-in and a folder of images, is found wherever the command is typed."""
    command = f"run {IMAGES} --data folder:{pictures} {MOODY} --checkpoint-kimg 0.004"
    moody("SIGINT 2")
    assert gans(f"{command} --out run").status == 130
    moody("calm")
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert gans("sample ../run -n 2 --out two.npy").status == 0
    outcome = gans("run --resume ../run")
    assert (outcome.status, outcome.out) == (0, "../run\n"), outcome.err
    assert gans("sample ../run -n 2 --out two.npy").status == 0


def test_one_plugin_by_two_names_is_one_run(gans: Gans, moody: Callable[[str], None]) -> None:
    moody("calm")
    folders = [
        gans(f"run {POINTS} --steps 1 --loss moody --plugin", path).out
        for path in ("moody.py", "./moody.py", Path("moody.py").absolute())
    ]
    assert folders == ["runs/mlp-moody-ring8-1\n"] * 3


# --- sample ------------------------------------------------------------------------------------------


def test_samples_of_points(gans: Gans, finished: Path) -> None:
    outcome = gans("sample run -n 7 --out seven.npy")
    assert (outcome.status, outcome.out) == (0, "seven.npy\n")
    array = np.load("seven.npy")
    assert (array.shape, array.dtype) == ((7, 2), np.float32)
    assert gans(f"sample {finished} --out new/folder/plot.png").status == 0
    assert Image.open("new/folder/plot.png").mode == "RGB"


def test_the_default_is_a_grid_of_64(gans: Gans, pictures: Path) -> None:
    gans(f"run {IMAGES} --out run")
    assert gans("sample run").out == "samples.png\n"
    gans("sample run -n 64 --out all.npy")
    array = np.load("all.npy")
    picture = np.asarray(Image.open("samples.png"))
    # Row by row, enlarged to 64 pixels, two pixels apart.
    assert picture.shape == (8 * 66 - 2, 8 * 66 - 2, 3)
    for index in (0, 1, 8, 63):
        top, left = index // 8 * 66, index % 8 * 66
        assert np.array_equal(
            picture[top : top + 64 : 8, left : left + 64 : 8].transpose(2, 0, 1), array[index]
        )


@pytest.mark.parametrize("kind", ["points", "images"])
def test_the_first_samples_do_not_depend_on_how_many_are_asked_for(
    kind: str,
    gans: Gans,
    pictures: Path,
) -> None:
    gans(f"run {POINTS if kind == 'points' else IMAGES} --out run")
    arrays = {}
    for count in (1, 2, 5, 7, 16, 17, 33, 64, 100, 255, 257, 300):
        gans(f"sample run -n {count} --out {count}.npy")
        arrays[count] = np.load(f"{count}.npy")
        assert len(arrays[count]) == count
    for count, array in arrays.items():
        # Sums in another order may differ in the last bit; other latents would differ in all of them.
        np.testing.assert_allclose(array, arrays[300][:count], rtol=1e-5, atol=1e-6)
    assert len(np.unique(arrays[300], axis=0)) > 200, "the latents differ"


def test_a_seed_chooses_the_samples(gans: Gans, finished: Path) -> None:
    draws = []
    for flags in ("", "--seed 0", "--seed 1", f"--seed {2**64}"):
        gans(f"sample {finished} -n 4 {flags} --out four.npy")
        draws.append(np.load("four.npy"))
    assert np.array_equal(draws[0], draws[1])
    assert not np.isclose(draws[0], draws[2]).any()
    assert not np.isclose(draws[0], draws[3]).any()


def test_a_run_its_checkpoint_and_its_export_give_the_same_samples(gans: Gans, finished: Path) -> None:
    shutil.copyfile(finished / "generator.safetensors", "alone.safetensors")
    sources = [finished, finished / "checkpoints/step-00000004.pt", finished / "generator.safetensors"]
    draws = []
    for source in [*sources, "alone.safetensors"]:
        assert gans("sample", source, "-n", 9, "--out", "nine.npy").status == 0
        draws.append(np.load("nine.npy"))
    assert all(np.array_equal(draws[0], draw) for draw in draws[1:])
    gans("sample run/checkpoints/step-00000002.pt -n 9 --out nine.npy")
    assert not np.array_equal(np.load("nine.npy"), draws[0]), "an earlier checkpoint is an earlier generator"


def test_an_unfinished_run_is_sampled_from_its_newest_checkpoint(gans: Gans, unfinished: Path) -> None:
    gans(f"sample {unfinished} -n 9 --out newest.npy")
    gans("sample run/checkpoints/step-00000004.pt -n 9 --out four.npy")
    assert np.array_equal(np.load("newest.npy"), np.load("four.npy"))


def test_sampling_needs_no_data(gans: Gans, pictures: Path) -> None:
    gans(f"run {IMAGES} --out run")
    shutil.rmtree(pictures)
    assert gans("sample run -n 2 --out two.npy").status == 0
    Path("run/generator.safetensors").unlink()
    assert gans("sample run -n 2 --out again.npy").status == 0
    assert np.array_equal(np.load("two.npy"), np.load("again.npy"))


def test_equal_pictures_are_equal_files(gans: Gans, finished: Path) -> None:
    for name in ("one.png", "two.png"):
        gans(f"sample {finished} -n 5 --out {name}")
    assert Path("one.png").read_bytes() == Path("two.png").read_bytes()


def test_main_takes_its_words_from_the_command_line(
    workplace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["gans", "list", "losses", "--json"])
    with contextlib.suppress(SystemExit):
        cli.main()
    assert list(json.loads(capsys.readouterr().out)) == ["losses"]


@pytest.mark.parametrize("way", ["", "--stream"])
def test_bad_files_are_skipped_on_request_and_named(way: str, gans: Gans, pictures: Path) -> None:
    whole = pictures / "00.png"
    whole.write_bytes(whole.read_bytes()[:200])
    refused = gans(f"run {IMAGES} {way} --out run")
    assert refused.status == (1 if way else 2)
    assert "00.png" in refused.err and "--skip-bad" in refused.err
    skipped = gans(f"run {IMAGES} {way} --skip-bad --out other")
    assert skipped.status == 0, skipped.err
    assert f"data folder:{pictures.absolute()}: skipped 1 file that cannot be read: 00.png" in skipped.err


def test_streaming_changes_no_bit(gans: Gans, pictures: Path, workplace: Path) -> None:
    gans(f"run {IMAGES} --out held")
    streamed = gans(f"run {IMAGES} --stream --out streamed")
    assert f"decoded images are kept in {workplace}" in streamed.err
    assert exported(Path("held")) == exported(Path("streamed"))
    assert gans(f"run {IMAGES} --out streamed").status == 0, "the same run, however its files are read"


def test_what_a_forced_change_replaces_is_kept(gans: Gans, finished: Path) -> None:
    """Also where the new settings fail at once."""
    export, config = exported(finished), (finished / "config.json").read_bytes()
    outcome = gans(f"run --resume {finished} --steps 9 --penalty real --penalty-weight 1e300 --force")
    assert outcome.status == 1 and "lower --penalty-weight" in outcome.err
    assert (finished / "generator-step-00000004.safetensors").read_bytes() == export
    assert (finished / "config-step-00000004.json").read_bytes() == config


@pytest.mark.parametrize("flags", ["--optimizer rmsprop", "--optimizer sgd"])
def test_another_optimizer_is_refused_before_anything_changes(flags: str, gans: Gans, finished: Path) -> None:
    before = {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()}
    outcome = gans(f"run --resume {finished} --steps 9 {flags} --force")
    assert outcome.status == 1 and "another optimizer" in outcome.err, outcome.err
    assert {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()} == before


def test_another_loss_is_not_resumed_with_the_settings_of_the_first(gans: Gans, finished: Path) -> None:
    outcome = gans(f"run --resume {finished} --steps 9 --loss wgan-gp --force")
    assert outcome.status == 2 and "--loss wgan-gp with the config of a" in outcome.err


def test_data_that_changed_is_noticed(gans: Gans, pictures: Path) -> None:
    gans(f"run {IMAGES} --out run")
    (pictures / "03.png").unlink()
    command = "run --resume run --steps 9 --force"
    assert gans("run --resume run --steps 9").status == 2, "other settings need --force"
    refused = gans(f"run {IMAGES} --out run")
    assert refused.status == 0, "it is finished"
    (Path("run") / "generator.safetensors").unlink()
    refused = gans(f"run {IMAGES} --out run")
    assert refused.status == 2 and "12 samples then, 11 now" in refused.err and "--force" in refused.err
    assert gans(command).status == 0


def test_what_is_no_file_is_named(gans: Gans, pictures: Path) -> None:
    """A pipe would be waited for, for ever."""
    os.mkfifo(pictures / "zz.png")
    outcome = gans(f"run {IMAGES} --out run")
    assert outcome.status == 2 and "zz.png cannot be read: not a file" in outcome.err
    assert gans(f"run {IMAGES} --skip-bad --out run").status == 0


def test_file_names_do_not_command_the_terminal(gans: Gans, pictures: Path) -> None:
    (pictures / "x\n\x1b[31mred.png").write_text("no image")
    outcome = gans(f"run {IMAGES} --skip-bad --out run")
    assert outcome.status == 0
    assert "\x1b" not in outcome.err and "x \\x1b[31mred.png" in outcome.err


def test_none_takes_a_penalty_away(gans: Gans) -> None:
    assert gans(f"run {POINTS} --loss wgan-gp --penalty none --out run").status == 0
    assert "critic/gradient_penalty" not in read_scores(Path("run"))[0]
