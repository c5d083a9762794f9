"""`gans run --init-from`: which layers are taken and told, what is refused, and equal bits after kills."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from experiments.core.seeds import seed_all
from experiments.runs.checkpoint import load_checkpoint
from experiments.runs.generator import load
from experiments.runs.initial_settings import resolve_run
from experiments.training.callbacks import Progress
from experiments.training.experiment import Experiment, build
from experiments.training.fine_tuning import begin_from_weights
from experiments.training.metric_logging import MetricLogger
from tests.commands.helpers import settings_of
from tests.experiments.training.test_resume import assert_equal_runs, newest

Gans = Callable[..., Any]
Refused = Callable[..., str]
SMALL = "--batch-size 4 --steps 3 --track local"
IMAGES = f"--data shapes --image-size 16 --width 4 --z-dim 3 {SMALL}"


@pytest.fixture
def source(gans: Gans) -> str:
    """A small run of dcgan."""
    assert gans(f"run --arch dcgan {IMAGES} --out source").status == 0
    return "source"


def begun(flags: dict[str, Any]) -> Experiment:
    """A run before its first step."""
    experiment = build(resolve_run({"batch_size": 4, "steps": 3, **flags}))
    begin_from_weights(experiment)
    return experiment


def state_of(run: str) -> dict[str, Any]:
    return load_checkpoint(Path(run, "checkpoints", newest(Path(run))))


def settings(run: str) -> dict[str, Any]:
    return settings_of(Path(run))


def test_a_run_begins_where_the_other_ended(source: str) -> None:
    """Generator, EMA and critic to the bit; optimizers and the clock begin anew."""
    experiment, state = begun({"init_from": source}), state_of(source)
    game = experiment.state_dict()["game"]
    networks = [name for name, value in state["game"].items() if isinstance(value, Tensor)]
    assert networks and all(torch.equal(game[name], state["game"][name]) for name in networks)
    z = torch.randn(4, 3)
    assert torch.equal(experiment.ema.average(z), load(Path(source)).generator(z))
    assert experiment.loader.seen == 0
    assert not experiment.players[0].optimizer.state
    assert experiment.ema.ramp_up is None


@pytest.mark.long
def test_settings_are_recorded_with_their_source(source: str, gans: Gans) -> None:
    done = gans(f"run --init-from {source} --data ring8 {SMALL} --out run")
    assert done.status == 2, "dcgan makes no points"
    done = gans(f"run --init-from {source} --loss hinge --data fashion-mnist {SMALL} --width 4 --dry-run")
    assert done.status in (0, 2)
    done = gans(f"run --init-from {source} --loss hinge {SMALL} --out run")
    assert done.status == 0, done.err
    entries = json.loads(Path("run/config.json").read_text())["settings"]
    checkpoint = Path(source, "checkpoints", newest(Path(source)))
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert entries["init_from"] == {"value": source, "from": "flag"}
    assert entries["init_hash"] == {"value": digest, "from": f"--init-from {source}"}
    for name, value in {"arch": "dcgan", "width": 4, "z_dim": 3, "image_size": [16, 16]}.items():
        assert entries[name] == {"value": value, "from": f"--init-from {source}"}
    assert entries["loss"]["value"] == "hinge"
    assert entries["ema.ramp_up"] == {"value": None, "from": "--init-from: usual for fine-tuning"}
    images = 3 * 4 * entries["n_critic"]["value"]
    assert entries["lr_warmup_kimg"]["value"] == pytest.approx(0.1 * images / 1000)
    assert entries["ema_kimg"]["value"] == 10.0, "on the same data the EMA goes on"
    assert "begins from source" in done.err and f"warm up over {images / 1e4:g} kimg" in done.err
    spec = resolve_run({"init_from": source, "kimg": 1000.0, "ema_kimg": 70.0})
    assert (spec.settings.lr_warmup_kimg, spec.settings.ema_kimg) == (1.0, 70.0)
    spec = resolve_run({"init_from": source, "kimg": 40.0, "data": "shapes-attributes"})
    assert (spec.settings.lr_warmup_kimg, spec.settings.ema_kimg) == (1.0, 2.0), "on others it is as short"
    spec = resolve_run({"init_from": source, "kimg": 40.0, "image_size": (32, 32)})
    assert spec.settings.ema_kimg == 2.0, "new layers have random weights to forget"
    assert "layers of 4–16 px taken" in done.err or "layers of 8–16 px taken" in done.err
    table = gans(f"run --init-from {source} --set ema.ramp_up=0.1 --lr-warmup-kimg 0 {SMALL} --out other").err
    assert "begin at full height" in table and "ramp-up of 0.1" in table


def test_an_ema_that_begins_from_weights_does_not_rise_from_zero(gans: Gans) -> None:
    """R3GAN's burn-in lets its half-life do so, which would drop what it begins as at the first step."""
    small = f"--image-size 8 --width 1 --z-dim 2 {SMALL}"
    assert gans(f"run --arch r3gan {small} --out source").status == 0
    chosen = resolve_run({"init_from": "source", "preset": "ffhq64", "kimg": 1000.0}).settings
    assert {key for key, *_ in chosen.schedule} == {"lr_generator", "lr_critic", "beta2", "ada"}
    assert chosen.ema_kimg == 500.0
    other = {"init_from": "source", "preset": "ffhq64", "kimg": 1000.0, "data": "shapes-attributes"}
    assert resolve_run(other).settings.ema_kimg == 50.0
    asked = {"ema_kimg": 7.0, "schedule": (("ema_kimg", "linear", 0.0, 7.0),)}
    chosen = resolve_run({"init_from": "source", "preset": "ffhq64", "kimg": 1000.0, **asked}).settings
    assert (chosen.schedule, chosen.ema_kimg) == (asked["schedule"], 7.0)


def test_a_larger_size_keeps_the_smaller_blocks(source: str, gans: Gans) -> None:
    done = gans(f"run --init-from {source} --image-size 32 {SMALL} --steps 1 --out large")
    assert done.status == 0, done.err
    assert settings("large")["width"] == 2, "the width at which most weights fit"
    assert "generator: layers of 8 px taken, 16–32 px new" in done.err
    assert "critic: layers of 8 px taken, 16–32 px new" in done.err
    assert gans(f"run --init-from large --image-size 16 {SMALL} --out small").status == 0
    assert settings("small")["width"] == 4


def test_new_classes_are_told(pictures: Path, gans: Gans) -> None:
    for count in (2, 3):
        for number, file in enumerate(sorted(pictures.iterdir())):
            folder = Path(f"classes-{count}", str(number % count))
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, folder)
    words = f"--arch dcgan --conditional --image-size 8 --width 2 --z-dim 3 {SMALL}"
    assert gans(f"run {words} --data folder:classes-2 --out two").status == 0
    done = gans(f"run --init-from two --data folder:classes-3 --conditional {SMALL} --out three")
    assert done.status == 0, done.err
    assert done.err.count("label embedding: 2 classes taken, 1 new from their mean") == 2
    fewer = gans(f"run --init-from three --data folder:classes-2 --conditional {SMALL} --out again")
    assert fewer.err.count("label embedding: 2 classes taken\n") == 2


def test_an_exported_generator_has_no_critic(source: str, gans: Gans) -> None:
    file = f"{source}/generator.safetensors"
    done = gans(f"run --init-from {file} --data shapes {SMALL} --out run")
    assert done.status == 0, done.err
    assert "critic: new, as generator.safetensors has none" in done.err
    assert settings("run")["init_hash"] == hashlib.sha256(Path(file).read_bytes()).hexdigest()
    experiment = begun({"init_from": file, "data": "shapes"})
    z = torch.randn(4, 3)
    for network in (experiment.ema.average, experiment.game.generator_network.eval()):
        assert torch.equal(network(z), load(Path(file)).generator(z))


def test_a_folder_of_exports_is_enough(source: str, gans: Gans) -> None:
    """As an import is one: its generator, and its critic where it has one."""
    assert gans(f"run --arch dcgan {IMAGES} --critic-ema-kimg 0.1 --out with-critic").status == 0
    shutil.rmtree("with-critic/checkpoints")
    done = gans(f"run --init-from with-critic {SMALL} --out run")
    assert done.status == 0 and "critic: new" not in done.err
    shutil.rmtree(f"{source}/checkpoints")
    assert "critic: new" in gans(f"run --init-from {source} {SMALL} --out other").err


REFUSED = [
    # Flags, and what the line must mention.
    ("--init-from source --arch mlp", "networks of dcgan, not of mlp", "--arch dcgan"),
    ("--init-from source --width 8", "no layer fits", "width of 8", "width of 4"),
    ("--init-from source --image-size 32 --init-strict", "--init-strict", "source"),
    ("--init-from source/generator.safetensors --init-strict --data shapes", "--init-strict"),
    ("--init-from source --freeze-critic 9", "--freeze-critic 9", "take at most"),
    ("--init-from source --freeze-mapping", "--freeze-mapping", "no mapping network"),
    ("--init-from source --image-size 32 --freeze-critic 1", "--freeze-critic 1", "does not come from"),
    ("--init-from source/generator.safetensors --data shapes --freeze-critic 1", "does not come from"),
    ("--init-from nowhere", "nowhere", "does not exist"),
    ("--init-from source/config.json", "not a run folder"),
    ("--freeze-critic 1", "--freeze-critic has no meaning without --init-from"),
    ("--freeze-mapping", "--freeze-mapping has no meaning without --init-from"),
    ("--init-strict", "--init-strict has no meaning without --init-from"),
]


@pytest.mark.parametrize(("flags", "mentions"), [(line, rest) for line, *rest in REFUSED], ids=str)
def test_what_is_refused(flags: str, mentions: list[str], source: str, gans: Gans) -> None:
    """Before a folder is made, and in a dry run as well."""
    for more in ("--out run", "--dry-run"):
        done = gans(f"run {flags} {SMALL} {more}")
        error = done.err.splitlines()[-1]
        assert done.status == 2 and error.startswith("gans: "), done
        assert all(words in error for words in mentions), error
    assert not Path("run").exists()


class Crash(Exception):  # noqa: N818  (an event)
    """What stands for a killed process: nothing is saved on the way out."""


@pytest.fixture
def crash_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """From now on training crashes after that step; 0: it does not."""
    original = MetricLogger.__call__

    def set_step(step: int) -> None:
        def call(self: MetricLogger, progress: Progress, scores: dict[str, Tensor]) -> None:
            original(self, progress, scores)
            if progress.step == step:
                raise Crash

        monkeypatch.setattr(MetricLogger, "__call__", call)

    return set_step


FROZEN = [
    # A constraint on the critic's weights, and moments that decay where a gradient is none.
    ("dcgan", "--loss wgan --freeze-critic 2", 2),
    ("stylegan2", "--freeze-critic 3 --freeze-mapping --penalty-every 2", 3),
    ("progan", "--freeze-critic 1 --penalty real", 3),  # two more are those of smaller sizes, at rest
]


@pytest.mark.long
@pytest.mark.parametrize(("arch", "flags", "count"), FROZEN, ids=lambda value: str(value))
def test_fixed_layers_stay_through_kills(
    arch: str, flags: str, count: int, gans: Gans, crash_at: Callable[[int], None]
) -> None:
    """The source is gone once there is a checkpoint; the run has the bits of one that was not killed."""
    gans(f"run --arch {arch} {IMAGES} --out source")
    line = f"run --init-from source {flags} --batch-size 4 --steps 5 --track local --checkpoint-kimg 0.008"
    assert gans(f"{line} --out whole").status == 0
    crash_at(1)
    assert "Crash" in gans(f"{line} --out cut").err
    assert not newest(Path("cut"))
    crash_at(4)
    assert "Crash" in gans(f"{line} --out cut").err
    crash_at(0)
    before = state_of("source")["game"]
    shutil.move("source", "moved")
    assert gans(f"{line} --out cut").status == 0, "the same command again"
    assert_equal_runs(Path("whole"), Path("cut"))
    after = state_of("whole")["game"]
    critic = [name for name in after if ".network." in f".{name}" and "critic" in name]
    kernels = [name for name in critic if after[name].dim() == 4]
    same = {name for name in critic if torch.equal(after[name], before[name])}
    assert len(same.intersection(kernels)) == count
    mapping = [name for name in after if ".mapping." in name]
    assert "--freeze-mapping" not in flags or (
        mapping and all(torch.equal(after[name], before[name]) for name in mapping)
    )
    assert gans("run --resume cut --steps 6").status == 0


def test_a_source_that_changed_is_refused(source: str, gans: Gans, crash_at: Callable[[int], None]) -> None:
    """Before the first checkpoint: after it the source does not matter."""
    line = f"run --init-from {source} --batch-size 4 --steps 4 --track local --checkpoint-kimg 0.012"
    crash_at(1)
    assert "Crash" in gans(f"{line} --out early").err
    crash_at(4)
    assert "Crash" in gans(f"{line} --out late").err
    crash_at(0)
    assert gans(f"run --resume {source} --steps 5 --keep 1").status == 0
    assert not gans(f"{line} --out late").status
    for words in (f"{line} --out early", "run --resume early"):
        done = gans(words)
        assert done.status == 2 and "has changed since this run was set up" in done.err
    shutil.rmtree(source)
    assert gans("run --resume early").status == 2


def test_a_source_that_goes_on_keeps_its_older_checkpoint(
    source: str, gans: Gans, crash_at: Callable[[int], None]
) -> None:
    """The one that a run began from is found by its hash."""
    line = f"run --init-from {source} {SMALL} --out"
    assert gans(f"{line} whole").status == 0
    crash_at(1)
    assert "Crash" in gans(f"{line} cut").err
    crash_at(0)
    assert gans(f"run --resume {source} --steps 4").status == 0
    assert gans(f"{line} cut").status == 0
    assert_equal_runs(Path("whole"), Path("cut"))


def test_equal_commands_and_configs_give_equal_bits(source: str, gans: Gans) -> None:
    """New layers are a function of the seed."""
    line = f"run --init-from {source} --image-size 32 {SMALL} --out"
    assert gans(f"{line} one").status == gans("run --config one/config.json --out two").status == 0
    assert_equal_runs(Path("one"), Path("two"))
    assert gans(f"{line} other --seed 1").status == 0
    assert Path("one/generator.safetensors").read_bytes() != Path("other/generator.safetensors").read_bytes()


def test_growing_goes_on_at_the_size_that_was_reached(gans: Gans) -> None:
    gans(f"run --arch progan {IMAGES} --steps 1 --out begun")
    gans(f"run --arch progan {IMAGES} --steps 20 --fade-kimg 0.004 --out grown")
    assert gans(f"run --init-from begun {SMALL} --out one").status == 0
    assert settings("one")["arch.initial_side"] == 4
    experiment = begun({"init_from": "grown", "image_size": 32})
    assert experiment.spec.settings.options["arch.initial_side"] == 16
    seed_all(0)
    experiment.game.round(experiment.loader)
    critic: Any = experiment.game.critic_network
    assert (critic.stage.now, critic.stage.levels) == (2.0, 3)


def test_the_mean_of_path_lengths_goes_with_the_weights(gans: Gans) -> None:
    gans(f"run --arch stylegan2 {IMAGES} --out source")
    game = begun({"init_from": "source"}).game
    assert game.get_buffer("length") == state_of("source")["game"]["length"] > 0


def test_the_critics_ema_goes_with_the_weights(source: str, gans: Gans) -> None:
    """Where the source has none, it begins as its critic."""
    gans(f"run --arch dcgan {IMAGES} --critic-ema-kimg 0.1 --out averaged")
    for name in (source, "averaged"):
        experiment, state = begun({"init_from": name, "critic_ema_kimg": 0.1}), state_of(name)
        assert experiment.critic_ema is not None
        found = experiment.critic_ema.average.state_dict()
        critic = experiment.game.critic_network.state_dict()
        expected = state["critic_ema"] if name == "averaged" else critic
        assert all(torch.equal(found[key], expected[key]) for key in found)
        differ = any(not torch.equal(found[key], critic[key]) for key in found)
        assert differ == (name == "averaged")
