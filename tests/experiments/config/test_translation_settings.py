"""The settings of translators: those of their papers, and what is refused with the reason."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from experiments.config.resolve import resolve
from experiments.training.experiment import build
from tests.conftest import ARCHITECTURES, DATA, FROM_NOISE

Gans = Callable[..., Any]
Refused = Callable[..., str]
TRANSLATORS = [name for name in ARCHITECTURES if name not in FROM_NOISE]
ADAM = {
    "optimizer": "adam",
    "lr_generator": 2e-4,
    "lr_critic": 2e-4,
    "optimizer.betas": (0.5, 0.999),
    "n_critic": 1,
}
HALF = {"lr_schedule": "linear", "lr_decay_from": 0.5}
PAPERS: dict[str, dict[str, Any]] = {
    "cyclegan": ADAM
    | HALF
    | {"loss": "lsgan", "batch_size": 1, "image_size": (256, 256), "width": 64, "penalty": ()}
    | {"critic_norm": "plain-instance", "arch.cycle_weight": 10.0, "arch.identity_weight": 5.0}
    | {"arch.adversarial_weight": 1.0, "arch.critic_factor": 0.5, "arch.norm": "plain-instance"}
    | {"arch.strided_padding": "zeros", "arch.upsampling": "transposed"},
    "pix2pix": ADAM
    | {"loss": "bce", "batch_size": 1, "image_size": (256, 256), "width": 64, "lr_schedule": "constant"}
    | {"critic_norm": "batch", "arch.l1_weight": 100.0, "penalty": (), "arch.norm": "batch"}
    | {"arch.adversarial_weight": 1.0, "arch.critic_factor": 0.5},
    "stargan": HALF
    | {"loss": "wgan-gp", "optimizer": "adam", "lr_generator": 1e-4, "lr_critic": 1e-4}
    | {
        "optimizer.betas": (0.5, 0.999),
        "n_critic": 5,
        "batch_size": 16,
        "image_size": (128, 128),
        "width": 64,
    }
    | {"penalty": ("interpolates",), "penalty_norm": "one", "penalty_weight": 10.0, "critic_norm": "none"}
    | {"arch.classification_weight": 1.0, "arch.reconstruction_weight": 10.0}
    | {"arch.form": "published", "arch.redraws_targets": False},
}


@pytest.mark.parametrize("arch", PAPERS)
def test_the_papers_settings(arch: str) -> None:
    """On whatever data; but a loss of another kind brings its penalty along."""
    settings = resolve({"arch": arch, "preset": "paper"}).settings.to_dict()
    assert {name: settings[name] for name in PAPERS[arch]} == PAPERS[arch]
    assert settings["data"] == DATA[ARCHITECTURES[arch].task]
    other = resolve({"arch": arch, "preset": "paper", "loss": "r1"}).settings
    assert (other.penalty, other.critic_norm) == (("real",), "none")
    assert {key: value for key, value in other.options.items() if key in PAPERS[arch]} == {
        key: value for key, value in PAPERS[arch].items() if "." in key
    }


@pytest.mark.parametrize("preset", ["paper", "laptop"])
@pytest.mark.parametrize("arch", TRANSLATORS)
def test_their_name_alone_is_a_plan(arch: str, preset: str, gans: Gans) -> None:
    outcome = gans(f"run --arch {arch} --preset {preset} --dry-run")
    assert outcome.status == 0, outcome.err
    rows = {line.split()[0]: line.split()[1] for line in outcome.out.splitlines() if line.strip()}
    assert rows["data"] == DATA[ARCHITECTURES[arch].task]
    assert (rows["z_dim"], rows["conditional"], rows["classes"]) == ("–", "no", "–")
    assert int(rows["memory"].replace(",", "")) > 1


@pytest.mark.parametrize("arch", TRANSLATORS)
def test_a_weight_that_is_given_leaves_the_others(arch: str) -> None:
    own = weights_of(arch)
    first = next(iter(own))
    assert weights_of(arch, term_weights=f"{first}=0.25") == own | {first: 0.25}
    assert weights_of(arch, **{f"arch.{first}_weight": 0.25}) == own | {first: 0.25}
    for config in ({"term_weights": {first: 0.5}}, {"arch": {"name": arch, f"{first}_weight": 0.5}}):
        again = resolve({}, {"arch": arch, **config}, "mine.json").settings
        assert weights_in(again.options) == own | {first: 0.5}


def weights_of(arch: str, **flags: Any) -> dict[str, float]:
    """The weights of the generator's terms."""
    return weights_in(resolve({"arch": arch, **flags}).settings.options)


def weights_in(options: Mapping[str, Any]) -> dict[str, float]:
    """The weights of terms among options, by the term."""
    keys = [key for key in options if key.startswith("arch.") and key.endswith("_weight")]
    return {key.removeprefix("arch.").removesuffix("_weight"): options[key] for key in keys}


def test_the_weight_of_a_term_reaches_the_game(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.data.core.drawn.LENGTH", 8)
    tiny = {"arch": "cyclegan", "image_size": (8, 8), "width": 2, "batch_size": 2, "steps": 1}
    game: Any = build(resolve({**tiny, "term_weights": "cycle=5"})).game
    assert (game.options.cycle_weight, game.options.identity_weight) == (5.0, 5.0)


@pytest.mark.parametrize(
    ("words", "mentions"),
    [
        ("--arch cyclegan --term-weights cicle=5", ("--term-weights cicle", "cyclegan", "cycle", "identity")),
        ("--arch pix2pix --term-weights cycle=5", ("--term-weights cycle", "pix2pix", "l1")),
        ("--arch dcgan --term-weights cycle=5", ("--term-weights cycle has no meaning", "dcgan")),
        ("--arch cyclegan --term-weights cycle=-1", ("--term-weights cycle", "at least 0")),
        ("--arch cyclegan --term-weights cycle=much", ("cycle=much", "number")),
        ("--arch cyclegan --term-weights cycle=1,cycle=2", ("cycle", "twice")),
        ("--arch cyclegan --z-dim 4", ("--z-dim", "cyclegan", "starts from images")),
        ("--arch stargan --conditional", ("--conditional", "stargan", "starts from images")),
        ("--arch swap --style-mixing 0.5", ("--style-mixing has no meaning", "swap")),
        ("--arch pix2pix --fade-kimg 1", ("--fade-kimg has no meaning", "pix2pix")),
        ("--arch cyclegan --stage-batch-sizes 8:4", ("--stage-batch-sizes has no meaning", "cyclegan")),
        ("--arch stargan --minibatch-statistic deviation", ("stargan", "--minibatch-statistic")),
        ("--arch pix2pix --augment jitter", ("--augment jitter", "alike")),
        ("--arch stargan --critic-norm batch", ("--critic-norm batch", "one by one")),
        ("--arch cyclegan --image-size 30", ("30x30", "multiples of 4")),
        ("--arch pix2pix --image-size 4", ("4x4", "8 or more")),
        ("--arch cyclegan --data shapes", ("cyclegan", "two domains", "shapes-styles")),
        ("--arch swap --data ring8", ("swap", "two domains")),
        ("--arch pix2pix --data shapes-attributes", ("pix2pix", "two domains", "shapes-paired")),
        ("--arch stargan --data ring8", ("stargan", "ring8")),
        ("--arch stargan --data folder:pictures", ("changes attributes", "attributes.csv")),
    ],
)
def test_refused_before_anything_is_read(
    words: str, mentions: tuple[str, ...], refused: Refused, pictures: Path
) -> None:
    for dry in ("", " --dry-run"):
        refused(2, mentions, f"run {words} --out run{dry}")
    assert not Path("run").exists()


def test_refused_for_what_the_data_is(refused: Refused, workplace: Path) -> None:
    """Sets that are no pairs; fewer images of A than in a batch."""
    small = "--image-size 8 --width 2 --batch-size 4 --steps 1 --out run"
    no_pairs = "run --arch pix2pix --data"
    for dry in ("", " --dry-run"):
        refused(2, ("no pairs",), f"{no_pairs} shapes-styles {small}{dry}")
    for folder, count in (("A", 3), ("B", 9)):
        (workplace / "sets" / folder).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (8, 8)).save(workplace / "sets" / folder / f"{folder}{number}.png")
    for dry in ("", " --dry-run"):
        refused(2, ("3 samples", "--batch-size 3"), f"run --arch cyclegan --data folder:sets {small}{dry}")
        refused(2, ("without a partner of the same name",), f"{no_pairs} folder:sets {small}{dry}")
    assert not Path("run/checkpoints").exists()


def test_a_set_that_grew_is_another(gans: Gans, refused: Refused, workplace: Path) -> None:
    """Of A as well as of B, of which all other images are as they were."""
    for folder in ("A", "B"):
        (workplace / "sets" / folder).mkdir(parents=True)
        for number in range(70):
            Image.new("RGB", (8, 8), (number, 0, 0)).save(workplace / "sets" / folder / f"{number:03}.png")
    words = "run --arch cyclegan --data folder:sets --image-size 8 --width 2 --batch-size 4 --out run"
    assert gans(f"{words} --steps 2 --checkpoint-kimg 0.004").status == 0
    (workplace / "run" / "generator.safetensors").unlink()
    Image.new("RGB", (8, 8)).save(workplace / "sets" / "A" / "999.png")
    refused(2, ("140 samples then, 141 now",), f"{words} --steps 2 --checkpoint-kimg 0.004")


@pytest.mark.long
def test_the_config_of_a_run_repeats_it(gans: Gans, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.data.core.drawn.LENGTH", 16)
    small = "--image-size 8 --width 2 --batch-size 4 --steps 2"
    for arch in TRANSLATORS:
        assert gans(f"run --arch {arch} {small} --out {arch}").status == 0
        outcome = gans(f"run --config {arch}/config.json --out {arch}-again")
        assert outcome.status == 0, outcome.err
        exported = [Path(run, "generator.safetensors").read_bytes() for run in (arch, f"{arch}-again")]
        assert exported[0] == exported[1]
        settings = json.loads(Path(arch, "config.json").read_text())["settings"]
        assert settings["z_dim"] == {"value": None, "from": f"no meaning for {arch}"}
