"""Runs of earlier versions still open, resume and draw the same images: one of every architecture.

Each folder in tests/old_runs/ holds config, a checkpoint of step 4 and, under `expected/`, what the run
became after step 8 and what its generator drew at step 4. All but fastgan's are from before options stood
apart from settings.
"""

import json
import shutil
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from experiments.core.errors import RunError
from experiments.runs.checkpoint import rename_keys
from experiments.runs.export import import_network
from experiments.runs.revisions import check_revision
from losses.core import few_channels
from tests.conftest import ARCHITECTURES, long_but

OLD_RUNS = Path(__file__).parent / "old_runs"
NAMES = sorted(path.name for path in OLD_RUNS.iterdir())
TARGETS = {"pix2pix": "B", "cyclegan": "A", "swap": "A", "stargan": "hue=red"}

pytestmark = pytest.mark.usefixtures("all_shapes")
Gans = Callable[..., Any]


@pytest.fixture
def old_run(workplace: Path, request: pytest.FixtureRequest) -> Path:
    shutil.copytree(OLD_RUNS / request.param, workplace / "run")
    return Path("run")


def test_every_architecture_has_an_old_run() -> None:
    kept = {
        json.loads((OLD_RUNS / name / "config.json").read_text())["settings"]["arch"]["value"]
        for name in NAMES
    }
    assert kept == set(ARCHITECTURES)


def earlier(name: str) -> bool:
    """Whether the training of an old run is another now."""
    arch = json.loads((OLD_RUNS / name / "config.json").read_text())["settings"]["arch"]["value"]
    return bool(ARCHITECTURES[arch].earlier_options)


@pytest.mark.long
@pytest.mark.parametrize("old_run", [name for name in NAMES if earlier(name)], indirect=True)
def test_what_is_trained_otherwise_now_is_not_gone_on_with(old_run: Path, gans: Gans) -> None:
    before = {file: file.read_bytes() for file in old_run.rglob("*") if file.is_file()}
    outcome = gans("run --resume", old_run)
    assert outcome.status == 1 and "revision 1" in outcome.err and "trained otherwise now" in outcome.err
    assert all(file.read_bytes() == content for file, content in before.items()), "nothing is lost"


@pytest.mark.long
@pytest.mark.parametrize("old_run", long_but({"mlp", "resnet"}, NAMES), indirect=True)
def test_what_makes_other_images_now_is_not_begun_from(old_run: Path, gans: Gans) -> None:
    """By a checkpoint, by the export of its generator, and by that alone in the folder of its run.

    StyleGAN's generators are what they were, so that a new critic may be trained to one.
    """
    (checkpoint,) = (old_run / "checkpoints").glob("*.pt")
    settings = json.loads((old_run / "config.json").read_text())["settings"]
    arch, data = (settings[name]["value"] for name in ("arch", "data"))
    options = ARCHITECTURES[arch].earlier_options

    def begin(source: Path, is_earlier: bool) -> None:
        done = gans(f"run --init-from {source} --data {data} --steps 1 --dry-run")
        if not is_earlier:
            assert done.status == 0 and f"begins from {source}" in done.err, done.err
            return
        words = f"--init-from {source} holds weights of an earlier revision of {arch}", "train it anew"
        assert done.status == 2 and all(part in done.err.splitlines()[-1] for part in words), done.err

    begin(old_run, bool(options))
    is_another = bool(options and options[1])
    if options:
        begin(checkpoint, True)
        begin(old_run / "expected" / "generator.safetensors", is_another)
    shutil.rmtree(old_run / "checkpoints")
    shutil.copy(old_run / "expected" / "generator.safetensors", old_run)
    begin(old_run, is_another)


def test_an_exported_critic_that_judges_otherwise_now_is_not_begun_from(gans: Gans) -> None:
    """StyleGAN's of revision 1, beside a generator that is what it was."""
    small = "--image-size 8 --width 2 --z-dim 4 --batch-size 4 --steps 1 --track local"
    assert gans(f"run --arch stylegan {small} --critic-ema-kimg 0.1 --out run").status == 0
    shutil.rmtree("run/checkpoints")
    assert gans("run --init-from run --dry-run").status == 0
    file = Path("run/critic.safetensors")
    with safe_open(file, "pt") as content:
        description = json.loads(content.metadata()["gans"])
    assert description.pop("revision") == 2
    save_file(load_file(file), file, {"gans": json.dumps(description)})
    Path("run/critic.safetensors.sha256").unlink()
    done = gans("run --init-from run --dry-run")
    assert done.status == 2 and "weights of an earlier revision of stylegan" in done.err, done.err


# Architectures with an earlier revision whose layers the options of today have, too.
CHOSEN = [
    name
    for name, architecture in ARCHITECTURES.items()
    if any(own and "revision" not in own for own in architecture.earlier_options.values())
]


@pytest.mark.parametrize("arch", CHOSEN)
def test_layers_of_an_earlier_revision_that_are_asked_for_are_begun_from(arch: str, gans: Gans) -> None:
    """The laptop preset of stargan asks for them: no such run could be fine-tuned."""
    chosen = ARCHITECTURES[arch].earlier_options[1]
    words = [word for name, value in chosen.items() for word in ("--set", f"arch.{name}={value}")]
    small = "--image-size 32 --width 2 --batch-size 2 --steps 1 --track local"
    done = gans(f"run --arch {arch} {small} --out run", *words)
    assert done.status == 0, done.err
    for source in ("run", "run/generator.safetensors"):
        assert (
            gans(f"run --arch {arch} {small} --init-from {source} --out {Path(source).stem}-next").status == 0
        )
        config = json.loads(Path(f"{Path(source).stem}-next/config.json").read_text())["settings"]
        assert {name: config[f"arch.{name}"]["value"] for name in chosen} == dict(chosen)


@pytest.mark.parametrize("old_run", [name for name in NAMES if not earlier(name)], indirect=True)
def test_it_resumes_to_the_same_weights(old_run: Path, gans: Gans, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(few_channels, "MANY", inf)  # sums as those versions rounded them
    outcome = gans("run --resume", old_run)
    assert outcome.status == 0, outcome.err
    assert "resuming run at step 4 of 8" in outcome.err
    for file in (old_run / "expected").glob("*.safetensors"):
        # Rounding differs between machines, and Adam's first steps make much of it.
        for name, expected in load_file(file).items():
            if name.endswith(("residual.5.bias", "shortcut.0.bias")):
                continue  # of resnet: batch norm takes it away, so that its gradient is rounding alone
            assert torch.allclose(load_file(old_run / file.name)[name], expected, rtol=1e-3, atol=1e-4), name


@pytest.mark.parametrize("old_run", [name for name in NAMES if name not in TARGETS], indirect=True)
def test_its_checkpoint_draws_the_same_samples(old_run: Path, gans: Gans) -> None:
    (checkpoint,) = (old_run / "checkpoints").glob("*.pt")
    assert gans("sample", checkpoint, "-n", 3, "--seed", 5, "--out", "samples.npy").status == 0
    expected = np.load(old_run / "expected" / "samples.npy").astype(float)
    assert np.abs(np.load("samples.npy") - expected).max() <= (1 if expected.ndim == 4 else 1e-5)


@pytest.mark.parametrize("old_run", TARGETS, indirect=True)
def test_its_checkpoint_translates_the_same_images(old_run: Path, gans: Gans) -> None:
    (checkpoint,) = (old_run / "checkpoints").glob("*.pt")
    name = json.loads((old_run / "config.json").read_text())["settings"]["arch"]["value"]
    inputs = old_run / "expected" / "inputs"
    outcome = gans("translate", checkpoint, inputs, "--to", TARGETS[name], "--out", "out", "--seed", 3)
    assert outcome.status == 0, outcome.err
    for file in (old_run / "expected" / "translated").rglob("*.png"):
        now = Path("out") / file.relative_to(old_run / "expected" / "translated")
        with Image.open(file) as expected, Image.open(now) as found:
            assert np.abs(np.asarray(found, dtype=int) - np.asarray(expected, dtype=int)).max() <= 1


@pytest.mark.parametrize("name", NAMES)
def test_its_export_opens(name: str) -> None:
    file = OLD_RUNS / name / "expected" / "generator.safetensors"
    network, _ = import_network(file)
    assert all(torch.equal(value, network.state_dict()[key]) for key, value in load_file(file).items())


def test_renamed_keys_reach_the_part_wherever_it_stands() -> None:
    state = {"player.mapping.weight": 1, "mapping.bias": 2, "remapping.bias": 3}
    assert rename_keys(state, {"mapping": "first.map"}) == {
        "player.first.map.weight": 1,
        "first.map.bias": 2,
        "remapping.bias": 3,
    }


def test_a_later_revision_is_refused() -> None:
    check_revision("dcgan", 1, "x.pt")
    with pytest.raises(RunError, match=r"x\.pt: holds revision 2 of dcgan, newer than 1.*upgrade"):
        check_revision("dcgan", 2, "x.pt")
